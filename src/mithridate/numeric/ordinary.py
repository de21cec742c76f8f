"""What an ordinary row of numbers looks like, learned once from some rows and asked of any number of others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mithridate.numeric.outliers import COMMON, EDGES, LEAST_CELLS
from mithridate.numeric.tails import heavy_tail

Floats = npt.NDArray[np.float64]

RANKS = 24  # steps of a column's tail shares towards each end, each 1.4 times as far in as the one before
POINTS = 400  # of a tail's table
FAR = 50.0  # times the largest score seen: where the table ends
START = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class Tail:
    """A score's -log10 p-value at some points, to be interpolated; below the first it is 0."""

    scores: Floats
    logs: Floats

    def __call__(self, scores: npt.NDArray[np.floating[Any]]) -> Floats:
        """-log10 p-values of scores."""
        return np.asarray(np.interp(scores, self.scores, self.logs, left=0.0))


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One column's ordinary values.

    ends, costs : -log10 of the two-sided share of values beyond, `costs[i]` between `ends[i - 1]` and `ends[i]`.
    usual : a value that fills more than half of the column, else NaN. middle, low, high : its median and the widths to
    the ends of the middle 80 %. wild : the tail of the distance in these widths; None where too few cells show one.
    """

    ends: Floats
    costs: Floats
    usual: float
    middle: float
    low: float
    high: float
    wild: Tail | None

    def cost(self, values: Floats) -> Floats:
        """(n,) -log10 of each value's tail share; 0 where missing."""
        found = self.costs[np.searchsorted(self.ends, values)]
        return np.where(np.isnan(values), 0.0, found)

    def width(self, values: Floats) -> Floats:
        """(n,) distance from the median in widths to the edge of the middle 80 %; 0 where not judged."""
        with np.errstate(invalid="ignore"):
            away = np.maximum((values - self.middle) / self.high, (self.middle - values) / self.low)
        return np.where(np.isnan(values) | (values == self.usual), 0.0, np.maximum(away, 0.0))


@dataclass(frozen=True, slots=True, eq=False)
class Ordinary:
    """The columns, and the tail of a row's mean cost."""

    columns: tuple[Column, ...]
    rare: Tail

    def odd(self, rows: npt.NDArray[np.floating[Any]]) -> Floats:
        """(2, n) p-values of rows (n, p), NaN where missing: several rare values at once, and one wild value."""
        judged = max(sum(column.wild is not None for column in self.columns), 1)
        wildest, total = np.zeros(len(rows)), np.zeros(len(rows))
        for place, column in enumerate(self.columns):  # a loop: each column has its own scale
            values = rows[:, place].astype(np.float64)
            total += column.cost(values)
            if column.wild is not None:
                width = column.width(values)
                far = np.flatnonzero(width > column.wild.scores[0])
                wildest[far] = np.maximum(wildest[far], column.wild(width[far]))
        p_values = 10.0 ** -np.stack([self.rare(total / max(len(self.columns), 1)), wildest])
        p_values[1] = np.minimum(p_values[1] * judged, 1.0)
        return np.asarray(p_values)


def fit_ordinary(bulk: npt.NDArray[np.floating[Any]], held: npt.NDArray[np.floating[Any]]) -> Ordinary:
    """The columns' shapes from `bulk` (b, p), their tails from `held` (m, p), both NaN where missing.

    Notes
    -----
    Tail shares are kept at some fifty points a column and the fitted tails at 400, so that a row costs a few lookups
    a column. The tails are fitted to scores made with the same tables, so that the tables' steps don't bias them.

    References
    ----------
    Li et al. (2022), ECOD, TKDE. Pickands (1975), statistical inference using extreme order statistics.

    Examples
    --------
    >>> rows = np.random.default_rng(0).normal(size=(4000, 3))
    >>> ordinary = fit_ordinary(rows[:2000], rows[2000:])
    >>> ordinary.odd(np.array([[0.0, 0, 0], [90.0, 0, 0]]))[1].round(3).tolist()
    [1.0, 0.0]
    """
    columns = tuple(_column(bulk[:, j].astype(float), held[:, j].astype(float)) for j in range(bulk.shape[1]))
    bare = Ordinary(columns, Tail(np.zeros(1), np.zeros(1)))
    costs = [column.cost(held[:, j].astype(float)) for j, column in enumerate(columns)]
    return Ordinary(bare.columns, tail_table(np.mean(costs, axis=0) if costs else np.zeros(0)))


def _column(bulk: Floats, held: Floats) -> Column:
    known = np.sort(bulk[~np.isnan(bulk)])
    ends, costs = _shares(known)
    able, usual = known, np.nan
    if len(known) and np.mean(known == np.median(known)) > COMMON:
        usual = float(np.median(known))
        able = known[known != usual]
    if not len(able):
        return Column(ends, costs, usual, 0.0, np.inf, np.inf, None)
    low, middle, high = (float(end) for end in np.quantile(able, EDGES))
    column = Column(ends, costs, usual, middle, middle - low or np.inf, high - middle or np.inf, None)
    widths = column.width(held)
    widths = widths[widths > 0]
    wild = tail_table(widths, share=len(widths) / len(held)) if len(widths) >= LEAST_CELLS else None
    return Column(ends, costs, usual, middle, column.low, column.high, wild)


def _shares(ordered: Floats) -> tuple[Floats, Floats]:
    """Ends and costs of a column's ranges, fine towards both ends."""
    n = len(ordered)
    if not n:
        return np.zeros(0), np.zeros(1)
    steps = np.unique(np.minimum(np.round(1.4 ** np.arange(RANKS)).astype(np.int64) - 1, (n - 1) // 2))
    ends = np.unique(np.concatenate([ordered[steps], ordered[n - 1 - steps]]))
    middles = np.concatenate([[ordered[0] - 1], (ends[1:] + ends[:-1]) / 2, [ordered[-1] + 1]])
    below = np.searchsorted(ordered, middles, side="right")
    above = n - np.searchsorted(ordered, middles, side="left")
    costs = -np.log10(np.minimum(2 * (np.minimum(below, above) + 1) / (n + 1), 1.0))
    return ends, costs


NEVER = Tail(np.full(1, np.inf), np.zeros(1))  # no score is odd


def tail_table(scores: Floats, *, share: float = 1.0) -> Tail:
    """The scores' own upper tail (m,) as a table; `share` of the rows have a score at all."""
    if len(scores) < LEAST_CELLS or scores.max() <= 0:
        return NEVER
    first = float(np.quantile(scores, START))
    top = max(float(scores.max()), first * (1 + 1e-9), 1e-12)
    points = np.concatenate([np.linspace(first, top, POINTS // 2), np.geomspace(top, FAR * top, POINTS // 2)[1:]])
    p_values = np.minimum(share * heavy_tail(points, honest=scores), 1.0)
    return Tail(points, np.maximum.accumulate(-np.log10(p_values)))
