"""Label noise from counts that add up: what `label_noise` says of rows, said of cells that shards can count apart."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from mithridate.numeric.label_noise import (
    BINS_A_DECADE,
    IMPROBABLE,
    LEAST,
    PAIR_CAP,
    PRIOR,
    SLIPS,
    SURE,
    SURE_TWO,
    TOP,
    Fill,
    fit_fill,
)
from mithridate.numeric.label_sources import natural_slips

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]

DRAWS = 20  # refits to counts drawn again
EDGES: FloatArray = np.append(np.arange(np.log10(LEAST), np.log10(TOP), 1 / BINS_A_DECADE), np.log10(TOP)) * np.log(10)
BINS = len(EDGES) - 1  # below TOP; one more bin holds what is ordinary
MIDDLE: FloatArray = np.exp((EDGES[:-1] + EDGES[1:]) / 2)
DENSE = 200  # classes up to which confusions are told apart


class Counts(NamedTuple):
    """What shards count and add.

    `cells` (c, c, BINS) by top class, class and bin; `filled` (c, c, BINS + 1) rows by top class, label and bin.
    With more than 200 classes, both count for all class pairs together: (1, 1, ...).
    """

    cells: IntArray
    filled: IntArray


class NoiseTable(NamedTuple):
    """Odds of a random flip and p-value for each row cell (c, c, BINS + 1), and the estimated rate of flips."""

    odds: FloatArray
    p_value: FloatArray
    rate: float


def row_cells(logs: npt.NDArray[np.float32], codes: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.int32]:
    """(n,) which cell (top class, label, bin of the label's probability) each row falls in, flattened; -1: no label."""
    n_classes = _width(logs.shape[1])
    known = codes >= 0
    own = logs[np.arange(len(logs)), np.where(known, codes, 0)]
    place = _bins(own)
    if n_classes > 1:
        place += (np.argmax(logs, axis=1) * n_classes + np.where(known, codes, 0)) * (BINS + 1)
    return np.where(known, place, -1).astype(np.int32)


def count(logs: npt.NDArray[np.float32], cells: npt.NDArray[np.int32]) -> Counts:
    """The counts of some rows.

    Parameters
    ----------
    logs : (n, c) log probabilities by models that didn't see the row's label.
    cells : (n,) what `row_cells` gave.
    """
    width = _width(logs.shape[1])
    labelled = logs[cells >= 0]
    top = np.argmax(labelled, axis=1) * width if width > 1 else np.zeros(len(labelled), np.int64)
    total = np.zeros(width * width * (BINS + 1), np.int64)
    for code in range(logs.shape[1]):  # a loop: (n, c) places at once would be eight times the result
        place = (top + (code if width > 1 else 0)) * (BINS + 1) + _bins(labelled[:, code])
        total += np.bincount(place, minlength=len(total))
    filled = np.bincount(cells[cells >= 0], minlength=len(total))
    shape = (width, width, BINS + 1)
    return Counts(total.reshape(shape)[:, :, :BINS], filled.reshape(shape))


def _width(n_classes: int) -> int:
    return n_classes if n_classes <= DENSE else 1


def _bins(logs: npt.NDArray[np.floating[Any]]) -> IntArray:
    """Bin of each log probability; BINS for an ordinary one."""
    step = (EDGES[1] - EDGES[0]).astype(np.float32)
    low = np.floor((np.maximum(logs, EDGES[0]) - np.float32(EDGES[0])) / step).astype(np.int64)
    return np.where(logs >= EDGES[-1], BINS, np.minimum(low, BINS - 1))


def noise_table(counts: Counts, *, n_classes: int, rng: np.random.Generator) -> NoiseTable:
    """Odds and p-values of every cell, from the sums of all shards' counts.

    Parameters
    ----------
    counts : the sums.
    n_classes : c.
    rng : draws the counts again, so that the odds are a lower bound.

    Notes
    -----
    The model is `detect_noise`'s: a flat floor and rising shapes of p, fitted to the bins' sums. Bins are a sixth of a
    decade wide, so that a row's odds differ from the exact ones by at most a fifth.

    References
    ----------
    Northcutt, Jiang and Chuang (2021), confident learning, JAIR 70.
    """
    bins = _Bins.of(counts, n_classes)
    fill = fit_fill(bins.cells, bins.filled, bins.middle)
    own = fill.honest(MIDDLE)
    factors = _factors(counts, own, fill.floor)
    honest = np.ones(counts.filled.shape)
    honest[:, :, :BINS] = own * factors[:, :, None] + bins.slips
    honest[:, :, :BINS] *= _caution(bins, fill, rng, sure=SURE if n_classes > 2 else SURE_TWO)  # noqa: PLR2004 - two
    floor, natural = _split_floor(counts, own, factors, fill)
    honest[:, :, :BINS] += natural[:, :, None]
    odds = bins.floor(floor) / honest
    return NoiseTable(odds, _tail(odds, counts.filled), min(fill.floor * (n_classes - 1), 1.0))


class _Bins(NamedTuple):
    """The bins that hold cells, of all class pairs together; honest slips a cell; the smallest floor that rows show."""

    cells: FloatArray
    filled: FloatArray
    middle: FloatArray
    slips: float
    least: float

    @classmethod
    def of(cls, counts: Counts, n_classes: int) -> _Bins:
        cells = counts.cells.sum(axis=(0, 1)).astype(float)
        filled = counts.filled[:, :, :BINS].sum(axis=(0, 1)).astype(float)
        seen = cells > 0
        slips = SLIPS / max(n_classes - 1, 1)
        least = max(slips, 0.5 / max(float(counts.filled.sum()) * n_classes, 1))
        return cls(cells[seen], filled[seen], MIDDLE[seen], slips, least)

    def floor(self, floor: float) -> float:
        """The rate of flips a cell, beyond slips."""
        return max(floor - self.slips, self.least)


def _factors(counts: Counts, own: FloatArray, floor: float) -> FloatArray:
    """(c, c) how much oftener honest labels fill cells of a class pair than others do."""
    expected = (counts.cells * own).sum(axis=2)
    filled = counts.filled[:, :, :BINS]
    factors = np.ones(expected.shape)
    for _ in range(5):
        share = factors[:, :, None] * own
        found = (filled * share / (share + floor + 1e-300)).sum(axis=2)
        factors = np.clip((found + PRIOR) / (expected + PRIOR), 1 / PAIR_CAP, PAIR_CAP)
    return np.asarray(factors)


def _split_floor(counts: Counts, own: FloatArray, factors: FloatArray, fill: Fill) -> tuple[float, FloatArray]:
    """Flips a cell, and (c, c) honest slips in each pair's cells: what of the floor follows the classes' confusion."""
    nothing = np.zeros(factors.shape)
    deep = np.flatnonzero(fill.floor > IMPROBABLE * own)
    if len(factors) <= 2 or not len(deep):  # noqa: PLR2004 - one pair each way tells nothing of pairs
        return fill.floor, nothing
    low = slice(0, int(deep[-1]) + 1)
    cells, held = counts.cells[:, :, low].sum(axis=2), counts.filled[:, :, low].sum(axis=2)
    usual = (counts.cells[:, :, low] * own[low]).sum(axis=2) * factors
    rows = np.maximum(counts.filled.sum(axis=(1, 2)), 1)[:, None]
    confusion = np.maximum(factors * ((counts.cells * own).sum(axis=2) + PRIOR) - PRIOR, 0) / rows
    used = cells > 0
    found = natural_slips(held[used].astype(float), cells[used].astype(float), confusion[used], usual[used])
    return min(found.floor, fill.floor), np.asarray(found.rate * confusion)


def _caution(bins: _Bins, fill: Fill, rng: np.random.Generator, *, sure: float) -> FloatArray:
    """(BINS,) >= 1: how much likelier an honest label may be, against a flip, than the best fit says."""
    floor = bins.floor(fill.floor)
    ratios = []
    for drawn in rng.poisson(bins.filled, (DRAWS, len(bins.filled))).astype(np.float64):
        again = fit_fill(bins.cells, drawn, bins.middle)
        ratios.append((again.honest(MIDDLE) + bins.slips) / bins.floor(again.floor))
    fitted = (fill.honest(MIDDLE) + bins.slips) / floor
    return np.asarray(np.maximum(np.quantile(ratios, sure, axis=0) / fitted, 1.0))


def _tail(odds: FloatArray, filled: IntArray) -> FloatArray:
    """Expected share of honest rows in cells at least as suspect as each."""
    order = np.argsort(-odds, axis=None, kind="stable")
    honest = filled.ravel()[order] / (1 + odds.ravel()[order])
    tail = np.empty(odds.size)
    tail[order] = np.minimum((np.cumsum(honest) + 0.5) / (honest.sum() + 0.5), 1.0)
    return tail.reshape(odds.shape)


def flag_cells(odds: FloatArray, rows: IntArray, rate: float) -> npt.NDArray[np.bool_]:
    """Which cells to flag, so that the mean chance of innocence of all their rows is at most `rate`.

    Parameters
    ----------
    odds : posterior odds of guilt by cell, any shape.
    rows : rows in each cell, same shape.
    rate : the false discovery rate wanted, in (0, 1).

    Examples
    --------
    >>> flag_cells(np.array([99.0, 0.1, 9.0]), np.array([10, 100, 10]), 0.06).tolist()
    [True, False, True]
    """
    order = np.argsort(-odds, axis=None, kind="stable")
    counts = rows.ravel()[order]
    innocent = np.cumsum(counts / (1 + odds.ravel()[order]))
    passed = np.flatnonzero((innocent <= rate * np.cumsum(counts)) & (counts > 0))
    flagged = np.zeros(odds.size, dtype=bool)
    if len(passed):
        flagged[order[: passed[-1] + 1]] = True
    return flagged.reshape(odds.shape) & (odds > 0)
