"""The causal test of a trigger that depends on the content: whether rows teach a model about rows of the same kind."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mithridate.audits.poison.learnt_content import Flags, Opinions
from mithridate.numeric.learnt_gap import spread

LEAST_FAR = 20  # fewer rows leave the share taught open
MOST = 0.5  # most of them must be taught; of rows that are odd by nature about a third are
TIMES = 3.0
CONTROL = 0.25  # honest rows of the same looks may turn, as a share of the lift
LEVEL = 0.01  # p-value of the spread, times the labels; stricter than for all suspects, as it is a second chance


class Alike(NamedTuple):
    """Shares in [0, 1] of rows that models call by the label, each asked about rows it wasn't trained on.

    `taught`: rows that are far from the label, by models of all other rows; `untaught`: the same, by a model trained on
    no such row; `control`: honest rows of the same looks, by models of all other rows. `p_value` of the spread of
    those that are insisted on; `tested`: number of rows far from the label.
    """

    taught: float
    untaught: float
    control: float
    p_value: float
    tested: int

    @property
    def confirmed(self) -> bool:
        """Whether rows of every kind that don't look like the label in the least are learnt, and nothing else is."""
        lift = self.taught - self.untaught
        told_apart = self.taught >= max(MOST, TIMES * self.untaught) and self.control <= CONTROL * lift
        return self.tested >= LEAST_FAR and self.p_value <= LEVEL and told_apart


def judge_alike(found: Opinions, codes: npt.NDArray[np.int32], code: int, untaught: Flags, *, n_classes: int) -> Alike:
    """What the out-of-fold models say of the label's rows that are far from it; no model is trained for this.

    Parameters
    ----------
    untaught : (n,) rows that a model called by the label which saw none of the label's suspects.

    Notes
    -----
    A trigger made from the content teaches nothing about other content, so that suspects can't be split by look. But
    rows that are odd by nature are near their label: the content gives it more chance there than to honest rows of the
    look. Poisoned rows were drawn from honest ones, so that half of them are no nearer than a typical one.
    """
    far = found.far & (codes == code)
    everywhere = spread(found.look, codes, found.suspect & found.far, n_classes=n_classes)
    says = found.learnt == code
    if not far.any():
        return Alike(0.0, 0.0, 1.0, 1.0, 0)
    counts = np.bincount(found.look[far], minlength=n_classes)
    honest = [says[(codes == look) & (found.look == look)] for look in np.flatnonzero(counts)]
    control = sum(n * float(turned.mean()) for n, turned in zip(counts[counts > 0], honest, strict=True))
    shares = float(says[far].mean()), float(untaught[far].mean()), float(control) / int(far.sum())
    return Alike(*shares, float(everywhere.p_value[code]), int(far.sum()))
