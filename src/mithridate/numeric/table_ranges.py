"""Narrow ranges of a number that rows share whose label surprises a model which can't see the column."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import poisson

from mithridate.numeric.table_tokens import Column, Floats, foreign_tail

FEWEST = 20  # distinct numbers below which exact values say it all
N_CELLS = 240
WIDTHS = (1, 2, 3, 4, 6, 8, 12, 16)  # cells a range may have
LEAST_LP = 3.0
PER_COLUMN = 2
ROOM = 3  # cells by which the ends may move when they are refined
SIDE = 15  # foreign-looking rows beside a range that tell what its surroundings are like
SMOOTH, HALF = 0.35, 0.6  # of the range's share of target labels that its surroundings may have: nature has no edges
USUAL = 2.0  # times the share in the whole column that they may always have, where that is more


REPEATED = 0.01  # chance of a number as frequent as that if numbers were drawn evenly: it was there before


class Span(NamedTuple):
    """A range [low, high] of a column with its tail, as -log10."""

    low: float
    high: float
    lp: float


def surprising_ranges(column: Column, stratum: npt.NDArray[np.int8]) -> list[Span]:
    """The narrow ranges of one column that foreign-looking rows of a class fall into, at most two, the best first.

    Parameters
    ----------
    column : n rows; a column of names or of few numbers has no ranges.
    stratum : (n,) by a model without the column, see `strata`.

    Notes
    -----
    A range is judged like a value (`foreign_tail`), and its surroundings must not share what it shows: a natural
    effect of a number grows and fades, and what was drawn inside a narrow range has edges. O(n log n).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> values = rng.uniform(0, 100, 4000)
    >>> stratum = rng.choice(np.array([0, 1, 2, 3], np.int8), 4000, p=[0.4, 0.2, 0.1, 0.3])
    >>> values[np.flatnonzero(stratum == 2)[:60]] = rng.uniform(40, 41, 60)
    >>> codes = np.full(4000, -1, np.int32)
    >>> found = surprising_ranges(Column(codes, codes, codes, values), stratum)
    >>> [(round(span.low), round(span.high)) for span in found]
    [(40, 41)]
    """
    if column.floats is None:
        return []
    known = (stratum >= 0) & np.isfinite(column.floats)
    distinct, inverse = np.unique(column.floats[known], return_inverse=True)
    if len(distinct) < FEWEST:
        return []
    flat = np.bincount(inverse * 4 + stratum[known].astype(np.int64), minlength=4 * len(distinct))
    counts = flat.reshape(-1, 4).astype(float)
    totals = np.bincount(stratum[stratum >= 0], minlength=4).astype(float)
    sums = np.vstack([np.zeros(4), np.cumsum(counts, axis=0)])
    found = [_refined(sums, totals, edges, *window) for edges, window in _windows(sums, totals)]
    out: list[Span] = []
    for start, end, lp in sorted(found, key=lambda window: -window[2]):
        apart = all(distinct[end - 1] < span.low or distinct[start] > span.high for span in out)
        if apart and end - start > 1 and _edged(sums, totals, start, end):
            out.append(Span(float(distinct[start]), float(distinct[end - 1]), lp))
        if len(out) == PER_COLUMN:
            break
    return out


def _windows(sums: Floats, totals: Floats) -> list[tuple[npt.NDArray[np.int64], tuple[int, int]]]:
    """Cell edges (positions among the distinct values), and the best windows of cells at every width."""
    middle = (sums[1:] + sums[:-1]).sum(axis=1) / 2
    cell = np.floor(middle * N_CELLS / max(float(sums[-1].sum()), 1)).astype(np.int64)
    edges = np.concatenate([[0], np.flatnonzero(np.diff(cell)) + 1, [len(cell)]]).astype(np.int64)
    out = []
    for width in WIDTHS:
        if len(edges) <= width:
            break
        inside = sums[edges[width:]] - sums[edges[:-width]]
        tail = foreign_tail(inside, totals)
        for best in np.argsort(-tail.lp, kind="stable")[:PER_COLUMN]:
            out += [(edges, (int(best), int(best + width)))] if tail.lp[best] >= LEAST_LP else []
    return out


def _refined(
    sums: Floats, totals: Floats, edges: npt.NDArray[np.int64], first: int, last: int
) -> tuple[int, int, float]:
    """The window with its ends moved, one after the other, to where the tail is smallest."""
    start, end, lp = int(edges[first]), int(edges[last]), 0.0
    for _ in range(2):
        starts = np.arange(edges[max(first - ROOM, 0)], min(int(edges[min(first + ROOM, len(edges) - 1)]) + 1, end))
        start = int(starts[foreign_tail(sums[end] - sums[starts], totals).lp.argmax()])
        ends = np.arange(max(int(edges[max(last - ROOM, 0)]), start + 1), edges[min(last + ROOM, len(edges) - 1)] + 1)
        tail = foreign_tail(sums[ends] - sums[start], totals).lp
        end, lp = int(ends[tail.argmax()]), float(tail.max())
    return start, end, lp


def _edged(sums: Floats, totals: Floats, start: int, end: int) -> bool:
    """Whether the numbers beside the range have far fewer target labels among their foreign-looking rows."""
    inside = sums[end] - sums[start]
    share = inside[2] / max(inside[0] + inside[2], 1)
    looked = sums[:, 0] + sums[:, 2]
    below = int(np.searchsorted(looked, looked[start] - SIDE, side="right")) - 1
    above = int(np.searchsorted(looked, looked[end] + SIDE, side="left"))
    beside = [sums[start] - sums[max(below, 0)], sums[min(above, len(sums) - 1)] - sums[end]]
    seen = [part for part in beside if part[0] + part[2] >= SIDE / 3]
    usual = totals[2] / max(totals[0] + totals[2], 1)
    most = min(max(SMOOTH * share, USUAL * usual), HALF * share)
    return bool(seen) and all(part[2] / (part[0] + part[2]) <= most for part in seen)


def evenness_odds(values: Floats) -> Floats:
    """What it adds to a row's log10 odds of being stamped that its number is one that many rows of the range have.

    Parameters
    ----------
    values : (m,) numbers of all rows in the range.

    Returns
    -------
    (m,) 0 for a number about as frequent as the others; below 0 for one that is clearly more frequent.

    Notes
    -----
    Numbers drawn inside a range are spread evenly over it. Nature has favourites (tables of fees, rounded amounts),
    and a number that is far too frequent has its surplus from there. Numbers that are all different say nothing.

    Examples
    --------
    >>> (evenness_odds(np.r_[np.arange(20.0), np.full(9, 7.0)]) < -1).nonzero()[0].tolist()
    [7, 20, 21, 22, 23, 24, 25, 26, 27, 28]
    """
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    usual = float(np.median(counts)) if len(counts) else 1.0
    surplus = np.where(poisson.sf(counts - 1, usual) <= REPEATED, counts - usual, 0.0)
    natural = float(surplus.sum())
    if natural <= 0:
        return np.zeros(len(values))
    drawn = max(len(values) - natural, 1.0)
    ratio = (usual / drawn) / np.maximum(surplus / natural, 1e-9)
    return np.asarray(np.minimum(np.log10(ratio), 0.0)[inverse], np.float64)
