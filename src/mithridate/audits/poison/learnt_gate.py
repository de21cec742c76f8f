"""The causal test of a trigger without a known form: whether it teaches a model about content of another kind."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mithridate.audits.poison.context import Context
from mithridate.audits.poison.learnt_alike import Alike, judge_alike
from mithridate.audits.poison.learnt_content import Flags, Opinions, answers, train

LIFT = 0.1  # share of suspects that others of the group must teach a model, above the share without any suspect
TIMES = 3.0  # and how many times as many; rows that are odd by nature teach nothing (0.07 against 0.06 on clothes)
CONTROL = 0.25  # honest rows of the same content may turn, as a share of the lift


class Verdict(NamedTuple):
    """Shares in [0, 1] of rows that models call by the label, each asked about rows it wasn't trained on.

    `taught`: suspects, by a model trained on suspects of other looks; `untaught`: the same suspects, by a model trained
    on none; `control`: honest rows of the same looks, by the taught model. `tested`: number of suspects. `alike`: the
    test for triggers that depend on the content.
    """

    taught: float
    untaught: float
    control: float
    tested: int
    alike: Alike | None = None

    @property
    def confirmed(self) -> bool:
        """Whether either test confirms."""
        return self.across or (self.alike is not None and self.alike.confirmed)

    @property
    def across(self) -> bool:
        """Whether the suspects have in common what makes a model give the label to content of any kind."""
        lift = self.taught - self.untaught
        return lift >= LIFT and self.taught >= TIMES * self.untaught and self.control <= CONTROL * lift


def judge(context: Context, found: Opinions, code: int) -> Verdict:
    """Train three models: without the suspects of the label, and with those of either half of the looks.

    Notes
    -----
    Suspects are split by the label that they look like. A trigger learnt from suspects that look like some labels works
    on suspects that look like the others; rows that are odd by nature, or wrong labels, teach nothing about content of
    another kind. Of the label's other rows only trusted ones are used, and as many honest rows of each look as there
    are suspects are left out of training to be asked beside them.
    """
    codes = context.dataset.y
    mine = (codes == code) & found.suspect
    half = _halves(found.look[mine], context.dataset.n_classes)[found.look]
    honest = _left_out(codes, found, mine, context.rng(f"learnt-control-{code}"))
    ground = (codes >= 0) & ~honest & ((codes != code) | found.trusted)
    hits = np.empty((3, len(codes)), dtype=bool)
    for i, group in enumerate((half == 0, half == 1, np.zeros(len(codes), dtype=bool))):
        said = answers(train(context, ground | (mine & group), f"gate-{code}-{i}"), context)
        hits[i] = said.argmax(axis=1) == code
    every = np.arange(len(codes))
    other = 1 - half  # the model that saw suspects of the other looks alone
    return Verdict(
        taught=float(hits[other, every][mine].mean()),
        untaught=float(hits[2][mine].mean()),
        control=float(hits[other, every][honest].mean()) if honest.any() else 1.0,
        tested=int(mine.sum()),
        alike=judge_alike(found, codes, code, hits[2], n_classes=context.dataset.n_classes),
    )


def _halves(looks: npt.NDArray[np.int64], n_classes: int) -> npt.NDArray[np.int64]:
    """(c,) 0 or 1 for each look, so that either half has about as many suspects and as many looks."""
    order = np.argsort(-np.bincount(looks, minlength=n_classes), kind="stable")
    side = np.zeros(n_classes, np.int64)
    side[order] = np.array([0, 1, 1, 0])[np.arange(n_classes) % 4]
    return side


def _left_out(codes: npt.NDArray[np.int32], found: Opinions, mine: Flags, rng: np.random.Generator) -> Flags:
    """Honest rows of each look, as many as suspects, at most half of those there are."""
    out = np.zeros(len(codes), dtype=bool)
    for look, count in zip(*np.unique(found.look[mine], return_counts=True), strict=True):
        rows = np.flatnonzero((codes == look) & found.trusted & (found.look == codes))
        out[rng.permutation(rows)[: min(int(count), len(rows) // 2)]] = True
    return out
