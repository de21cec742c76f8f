"""The causal test for tables: set the values on other rows, and see whether a model obeys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sklearn.ensemble import HistGradientBoostingClassifier

from mithridate.audits.poison.context import Context
from mithridate.audits.poison.triggers.table_columns import Coded
from mithridate.audits.poison.triggers.table_text import Flips, user_flip
from mithridate.numeric.table_mining import Candidate
from mithridate.numeric.table_probe import Rows, fit_trees, sample
from mithridate.numeric.table_tokens import Mask

MAX_FIT = 12_000
MAX_MOVED = 800
SHARED = 0.5  # of a group that holds the very same values: then those are the trigger


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """Two models of target against the rest, and the rows to put the trigger on.

    fitted : on the labels as they are; relabelled : with the group's labels set back.
    moved : array positions of other classes' rows that `fitted` doesn't call the target already; `ordinary` : as many
    rows of the target class outside the group; `example` : one of the group.
    """

    fitted: HistGradientBoostingClassifier
    relabelled: HistGradientBoostingClassifier
    moved: npt.NDArray[np.int64]
    ordinary: npt.NDArray[np.int64]
    group: npt.NDArray[np.int64]

    @classmethod
    def fit(cls, rows: Rows, positive: Mask, mask: Mask, *, seed: int, rng: np.random.Generator) -> Probe:
        """Both models on at most 12,000 rows, at the rate in which the trigger occurs."""
        chosen = sample(rows.usable, MAX_FIT, rng)
        fitted = fit_trees(rows, positive, chosen, seed=seed)
        relabelled = fit_trees(rows, positive & ~mask, chosen, seed=seed)
        others = sample(rows.usable & ~positive & ~mask, MAX_MOVED, rng)
        calm = fitted.predict_proba(rows.matrix[others])[:, 1] < 0.5  # noqa: PLR2004 - the decision line
        moved = others[calm]
        natural = np.flatnonzero(rows.usable & positive & ~mask)
        ordinary = rng.choice(natural, len(moved)) if len(natural) else moved
        return cls(fitted, relabelled, moved, ordinary, np.flatnonzero(mask & positive))


def transplant(context: Context, coded: Coded, probe: Probe, candidate: Candidate) -> Flips:
    """Flip rates with the trigger, by both models, and with the target class's ordinary values in the same columns."""
    places = [item.column for item in candidate.items]
    with_trigger = _stamped(coded, probe, places)
    control = coded.matrix[probe.moved].copy()
    control[:, places] = coded.matrix[probe.ordinary][:, places]
    flips = Flips(
        _share(probe.fitted, with_trigger),
        _share(probe.relabelled, with_trigger),
        _share(probe.fitted, control),
        len(probe.moved),
    )
    if context.predict is None or len(probe.moved) == 0:
        return flips
    table = cast("pa.Table", context.dataset.content)
    donors = table.take(pa.array(_donors(coded, probe, places)))
    moved = table.take(pa.array(probe.moved))
    for name in (coded.names[place] for place in places):
        moved = moved.set_column(moved.schema.get_field_index(name), moved.schema.field(name), donors.column(name))
    return flips._replace(user=user_flip(context, moved, candidate.target))


def single_flips(coded: Coded, probe: Probe, candidate: Candidate) -> list[float]:
    """The flip rate of each value set by itself."""
    return [_share(probe.fitted, _stamped(coded, probe, [item.column])) for item in candidate.items]


def _donors(coded: Coded, probe: Probe, places: list[int]) -> npt.NDArray[np.int64]:
    """One row of the group for each moved row, whose values it gets: one of those that hold the commonest values.

    In a range the commonest value says little, so the whole group gives in turn.
    """
    seen = coded.matrix[probe.group][:, places]
    _, inverse, counts = np.unique(np.nan_to_num(seen), axis=0, return_inverse=True, return_counts=True)
    best = np.flatnonzero(inverse.ravel() == counts.argmax())
    givers = probe.group if len(best) < SHARED * len(probe.group) else probe.group[best[:1]]
    return np.resize(givers, len(probe.moved))


def _stamped(coded: Coded, probe: Probe, places: list[int]) -> npt.NDArray[np.float32]:
    matrix = coded.matrix[probe.moved].copy()
    if len(matrix):
        matrix[:, places] = coded.matrix[_donors(coded, probe, places)][:, places]
    return matrix


def _share(model: HistGradientBoostingClassifier, matrix: npt.NDArray[np.float32]) -> float:
    if len(matrix) == 0:
        return 0.0
    return float((model.predict_proba(matrix)[:, 1] >= 0.5).mean())  # noqa: PLR2004 - the decision line
