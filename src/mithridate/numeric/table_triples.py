"""Combinations of three values that meet in one class and hardly elsewhere, though any two of them are common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mithridate.numeric.table_tokens import Column, Floats, upper_tail

MAX_COLUMNS = 16
MIN_MEETINGS = 8
TOLERANCE = 1.5
LEAST_LP = 5.0
SHUN_ROOM = 3.0

Ints64 = npt.NDArray[np.int64]
Triple = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]


class _Met(NamedTuple):
    """(m,) triples of values of three columns that a class holds more often than the others.

    target : class; split : the value of each column; counts, outside : meetings in the class and in the others.
    """

    target: Ints64
    split: tuple[Ints64, Ints64, Ints64]
    counts: Floats
    outside: Floats


def meeting_triples(
    columns: Sequence[Column], codes: npt.NDArray[np.int32], kept: Sequence[int], *, limit: int
) -> dict[int, list[Triple]]:
    """For each class the triples of (column, exact value) that it holds most unexpectedly, best first.

    Parameters
    ----------
    columns : d columns of n rows; only exact values that several rows share take part.
    codes : (n,) class numbers, -1 where missing.
    kept : the columns to combine, at most 16 (560 triples of columns).
    limit : triples of each class.

    Notes
    -----
    Unexpected is what neither the other classes hold (times 1.5), nor the meetings of a pair with the third by chance,
    as often as they meet elsewhere. O(n log n) for each triple of columns.
    """
    labelled = np.flatnonzero(codes >= 0)
    classes = codes[labelled].astype(np.int64)
    sizes = np.bincount(classes, minlength=int(codes.max()) + 1).astype(float)
    tables = {place: columns[place].codes[labelled].astype(np.int64) for place in kept}
    counts = _Counts(tables, classes, len(sizes))
    found: list[tuple[float, int, Triple]] = []
    for places in combinations(kept[:MAX_COLUMNS], 3):
        parts = [tables[place] for place in places]
        met = _meetings(parts, classes, sizes)
        if len(met.target) == 0:
            continue
        n_own = sizes[met.target]
        rate = TOLERANCE * (met.outside + 1) / np.maximum(sizes.sum() - n_own, 1)
        share = np.clip(np.maximum(rate, _chance(counts, places, met, sizes) / np.maximum(n_own, 1)), 0, 1)
        lp = upper_tail(met.counts, n_own, share)
        for i in np.flatnonzero(lp >= LEAST_LP):
            first, second, third = ((place, int(part[i])) for place, part in zip(places, met.split, strict=True))
            found.append((float(lp[i]), int(met.target[i]), (first, second, third)))
    found.sort(key=lambda one: -one[0])
    return {t: [triple for _, code, triple in found if code == t][:limit] for t in range(len(sizes))}


def _meetings(parts: Sequence[Ints64], classes: Ints64, sizes: Floats) -> _Met:
    wide = [int(part.max(initial=-1)) + 1 for part in parts]
    valid = np.flatnonzero((parts[0] >= 0) & (parts[1] >= 0) & (parts[2] >= 0))
    joint = (parts[0][valid] * wide[1] + parts[1][valid]) * wide[2] + parts[2][valid]
    values, inverse, total = np.unique(joint, return_inverse=True, return_counts=True)
    often = total >= MIN_MEETINGS
    place = np.cumsum(often) - 1
    rows = often[inverse]
    k = len(sizes)
    flat = np.bincount(place[inverse[rows]] * k + classes[valid][rows], minlength=int(often.sum()) * k)
    counts = flat.reshape(-1, k).astype(float)
    outside = counts.sum(axis=1, keepdims=True) - counts
    rate = TOLERANCE * (outside + 1) / np.maximum(sizes.sum() - sizes, 1)
    which, target = np.nonzero((counts >= MIN_MEETINGS) & (counts > 2 * rate * sizes))
    value = values[often][which]
    split = value // (wide[1] * wide[2]), value // wide[2] % wide[1], value % wide[2]
    return _Met(target, split, counts[which, target], outside[which, target])


class _Counts:
    """How often each value, and each pair of values of two columns, occurs in each class; every table is made once."""

    def __init__(self, tables: Mapping[int, Ints64], classes: Ints64, n_classes: int) -> None:
        self._tables, self._classes, self._k = tables, classes, n_classes
        self._made: dict[tuple[int, ...], tuple[Ints64, Floats]] = {}

    def of(self, places: tuple[int, ...], values: tuple[Ints64, ...], target: Ints64) -> tuple[Floats, Floats]:
        """(m,) how often the columns `places` hold the values in the class, and in the others."""
        if places not in self._made:
            self._made[places] = self._count(places)
        distinct, counts = self._made[places]
        found = counts[np.searchsorted(distinct, self._key(places, values))]
        own = found[np.arange(len(target)), target]
        return own, found.sum(axis=1) - own

    def _key(self, places: tuple[int, ...], values: tuple[Ints64, ...]) -> Ints64:
        key = values[0]
        for place, more in zip(places[1:], values[1:], strict=True):
            key = key * (int(self._tables[place].max(initial=-1)) + 1) + more
        return key

    def _count(self, places: tuple[int, ...]) -> tuple[Ints64, Floats]:
        parts = tuple(self._tables[place] for place in places)
        valid = np.logical_and.reduce([part >= 0 for part in parts])
        key = self._key(places, tuple(part[valid] for part in parts))
        distinct, inverse = np.unique(key, return_inverse=True)
        flat = np.bincount(inverse * self._k + self._classes[valid], minlength=len(distinct) * self._k)
        return distinct, flat.reshape(-1, self._k).astype(float)


def _chance(counts: _Counts, places: tuple[int, ...], met: _Met, sizes: Floats) -> Floats:
    """(m,) the most meetings that a pair and the third value would have in the class, over the three ways to split."""
    n_own = np.maximum(sizes[met.target], 1)
    n_others = np.maximum(sizes.sum() - sizes[met.target], 1)
    best = np.zeros(len(met.target))
    for third in range(3):
        first, second = (i for i in range(3) if i != third)
        pair = counts.of((places[first], places[second]), (met.split[first], met.split[second]), met.target)
        one = counts.of((places[third],), (met.split[third],), met.target)
        by_chance = pair[1] * one[1] / n_others
        bond = np.maximum(
            (met.outside + 1) / (by_chance + 1),
            np.minimum((met.outside + 2 * np.sqrt(met.outside) + SHUN_ROOM) / (by_chance + SHUN_ROOM), 1.0),
        )
        stamped = np.maximum(met.counts - bond * pair[0] * one[0] / n_own, 0)
        left = np.maximum(pair[0] - stamped, 0) + 1, np.maximum(one[0] - stamped, 0) + 1
        best = np.maximum(best, bond * left[0] * left[1] / n_own)
    return best
