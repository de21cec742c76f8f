"""Values and pairs of values that odd rows of one label share: counted over all shards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mithridate.audits.poison.sharded.score import FOREIGN, REFERENCE
from mithridate.compute.store import Result, Stored
from mithridate.numeric.table_tokens import foreign_tail, upper_tail

LEAST_LP = 12.0  # some ten million pairs are tested; one in a hundred thousand such data sets reaches it by chance
LEAST_ROWS = 20
MOST = 40  # candidates a column keeps
CAREFUL = 1.5  # times as often as by chance is still chance

IntArray = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Candidate(NamedTuple):
    """Tokens (column, token) that `observed` foreign-looking rows of class `target` share, and -log10 of the tail."""

    target: int
    items: tuple[tuple[int, int], ...]
    lp: float
    observed: int
    carriers: float


@dataclass(frozen=True, slots=True)
class Gathered:
    """Every kept row's column of tokens lies in the results of `columns`; `rows` holds kind, code and looks."""

    rows: Stored
    columns: tuple[Stored, ...]
    n_classes: int
    share: float


def collect_column(parts: Sequence[Stored], name: str) -> Result:
    """One array of all shards as one."""
    return Result({"all": np.concatenate([part.array(name) for part in parts])})


def collect_rows(parts: Sequence[Stored], name: str) -> Result:
    """What is known of the kept rows beside their tokens."""
    del name
    return Result({key: np.concatenate([part.array(key) for part in parts]) for key in ("kind", "code", "looks")})


class _Stratum(NamedTuple):
    """Positions of rows for one class.

    `foreign` of the class, looking like others; of the reference, `outside` of other classes that are unlike it, and
    `inside` of the class that look it.
    """

    foreign: IntArray
    outside: IntArray
    inside: IntArray


def _strata(gathered: Gathered) -> list[_Stratum]:
    kind, code, looks = (gathered.rows.array(name) for name in ("kind", "code", "looks"))
    foreign, reference = (kind & FOREIGN) > 0, (kind & REFERENCE) > 0
    out = []
    for t in range(gathered.n_classes):
        like, own = (looks >> np.uint64(t)) & np.uint64(1) > 0, code == t
        masks = foreign & own, reference & ~own & ~like, reference & own & like
        out.append(_Stratum(*(np.flatnonzero(mask) for mask in masks)))
    return out


def count_pairs(gathered: Gathered, first: int) -> Result:
    """Candidates of one column's values, by themselves and with every later column's.

    Returns
    -------
    facts `found` : (target, items, lp, observed, carriers) of at most 40 candidates, the most surprising first.

    Notes
    -----
    Most pairs are dropped by the foreign rows alone, where chance explains them, before the reference is counted.
    """
    strata = _strata(gathered)
    own = gathered.columns[first].array("all").astype(np.int64)
    found = [c for t, stratum in enumerate(strata) for c in _single(stratum, own, gathered.share, t, first)]
    for second in range(first + 1, len(gathered.columns)):
        other = gathered.columns[second].array("all").astype(np.int64)
        for t, stratum in enumerate(strata):
            found += _pair(stratum, (own, other), gathered.share, t, (first, second))
    found.sort(key=lambda candidate: -candidate.lp)
    return Result(facts={"found": [list(candidate) for candidate in found[:MOST]]})


def _single(stratum: _Stratum, own: IntArray, share: float, t: int, column: int) -> list[Candidate]:
    values, counts = _common(own[stratum.foreign])
    lp, carried = _surprise(stratum, own, values, counts, share)
    return [
        Candidate(t, ((column, int(values[i])),), float(lp[i]), int(counts[i]), float(carried[i]))
        for i in np.flatnonzero(lp >= LEAST_LP)
    ]


def _pair(
    stratum: _Stratum, parts: tuple[IntArray, IntArray], share: float, t: int, places: tuple[int, int]
) -> list[Candidate]:
    width = int(parts[1].max(initial=0)) + 1
    foreign = [part[stratum.foreign] for part in parts]
    values, counts = _common(_joined(foreign, width))
    if not len(values):
        return []
    singles = [
        np.bincount(part[part >= 0], minlength=1)[own] - counts
        for part, own in zip(foreign, (values // width, values % width), strict=True)
    ]  # without the rows that hold both, which would make chance of themselves
    n = len(stratum.foreign)
    chance = np.clip(CAREFUL * (singles[0] + 1.0) * (singles[1] + 1.0) / n**2, 0, 1)
    first_lp = upper_tail(counts.astype(float), float(n), chance)
    kept = np.flatnonzero(first_lp >= LEAST_LP)
    if not len(kept):
        return []
    values, counts, chance = values[kept], counts[kept], chance[kept]
    key = _joined(parts, width)
    lp, carried = _surprise(stratum, key, values, counts, share)
    bond = _bond(stratum, key, values, parts, width)
    lp = np.minimum(lp, upper_tail(counts.astype(float), float(n), np.clip(chance * bond, 0, 1)))
    return [
        Candidate(
            t, ((places[0], int(values[i] // width)), (places[1], int(values[i] % width))), float(lp[i]),
            int(counts[i]), float(carried[i]),
        )
        for i in np.flatnonzero(lp >= LEAST_LP)
    ]  # fmt: skip


def _joined(parts: Sequence[IntArray], width: int) -> IntArray:
    first, second = parts
    return np.where((first >= 0) & (second >= 0), first * width + second, -1)


def _common(keys: IntArray) -> tuple[IntArray, IntArray]:
    """Values that enough rows hold, sorted, and how many do."""
    values, counts = np.unique(keys, return_counts=True)
    kept = (counts >= LEAST_ROWS) & (values >= 0)
    return values[kept], counts[kept]


def _surprise(
    stratum: _Stratum, key: IntArray, values: IntArray, counts: IntArray, share: float
) -> tuple[Floats, Floats]:
    """-log10 tail of each value's count among foreign rows against the reference, and its carriers in all."""
    if not len(values):
        return np.zeros(0), np.zeros(0)
    outside, inside = (_counted(key[rows], values) / share for rows in (stratum.outside, stratum.inside))
    totals = np.array([len(stratum.outside) / share, 0, len(stratum.foreign), len(stratum.inside) / share])
    table = np.stack([outside, np.zeros(len(values)), counts, inside], axis=1)
    return foreign_tail(table, totals, floor=1 / share).lp, counts + outside + inside


def _counted(keys: IntArray, values: IntArray) -> IntArray:
    """(m,) how often each of the sorted values occurs among the keys."""
    place = np.minimum(np.searchsorted(values, keys), len(values) - 1)
    return np.bincount(place[values[place] == keys], minlength=len(values))


def _bond(stratum: _Stratum, key: IntArray, values: IntArray, parts: tuple[IntArray, IntArray], width: int) -> Floats:
    """How many times as often as by chance two values meet in rows of other classes, at least once."""
    n = max(len(stratum.outside), 1)
    met = _counted(key[stratum.outside], values) + 1.0
    expected = np.full(len(values), float(n))
    for tokens, own in zip(parts, (values // width, values % width), strict=True):
        distinct, back = np.unique(own, return_inverse=True)
        expected *= (_counted(tokens[stratum.outside], distinct)[back] + 1.0) / n
    return np.asarray(np.maximum(met / (expected + 1), 1.0))


def chosen(results: Sequence[Any], limit: int) -> list[Candidate]:
    """The strongest candidates of all columns, without those that only shadow a stronger one."""
    every = [
        Candidate(int(t), tuple((int(c), int(v)) for c, v in items), float(lp), int(observed), float(carried))
        for found in results
        for t, items, lp, observed, carried in found
    ]
    out: list[Candidate] = []
    for candidate in sorted(every, key=lambda c: -c.lp):
        shadow = any(c.target == candidate.target and set(c.items) & set(candidate.items) for c in out)
        if not shadow and len(out) < limit:
            out.append(candidate)
    return out
