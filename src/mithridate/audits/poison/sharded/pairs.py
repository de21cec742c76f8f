"""Values and pairs of values that rows of one label share though they look like other labels: counted over all shards."""

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

IntArray = npt.NDArray[np.int64]


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


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """The kept rows: class, and whether each is foreign, in the reference, and like which classes."""

    code: npt.NDArray[np.int8]
    foreign: npt.NDArray[np.bool_]
    reference: npt.NDArray[np.bool_]
    looks: npt.NDArray[np.uint64]
    n_classes: int
    share: float

    @classmethod
    def read(cls, gathered: Gathered) -> _Rows:
        kind = gathered.rows.array("kind")
        return cls(
            gathered.rows.array("code"), (kind & FOREIGN) > 0, (kind & REFERENCE) > 0, gathered.rows.array("looks"),
            gathered.n_classes, gathered.share,
        )  # fmt: skip

    def strata(self, t: int) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """Other classes' reference rows unlike class t; the class's foreign rows; its reference rows that look it."""
        like = (self.looks >> np.uint64(t)) & np.uint64(1) > 0
        own = self.code == t
        return self.reference & ~own & ~like, self.foreign & own, self.reference & own & like


def count_pairs(gathered: Gathered, first: int) -> Result:
    """Candidates of one column's values, by themselves and with every later column's.

    Returns
    -------
    facts `found` : (target, items, lp, observed, carriers) of at most 40 candidates, the most surprising first.
    """
    rows = _Rows.read(gathered)
    own = gathered.columns[first].array("all").astype(np.int64)
    strata = [rows.strata(t) for t in range(rows.n_classes)]
    found = _tested(rows, strata, own, [(first, own)])
    for second in range(first + 1, len(gathered.columns)):
        other = gathered.columns[second].array("all").astype(np.int64)
        width = int(other.max(initial=0)) + 1
        both = np.where((own >= 0) & (other >= 0), own * width + other, -1)
        found += _tested(rows, strata, both, [(first, own), (second, other)])
    found.sort(key=lambda candidate: -candidate.lp)
    return Result(facts={"found": [list(candidate) for candidate in found[:MOST]]})


def _tested(
    rows: _Rows, strata: list[Any], key: IntArray, parts: list[tuple[int, IntArray]]
) -> list[Candidate]:
    out = []
    for t, (outside, foreign, inside) in enumerate(strata):
        values, counts = _unique(key[foreign])
        kept = (counts >= LEAST_ROWS) & (values >= 0)
        values, counts = values[kept], counts[kept]
        if not len(values):
            continue
        totals = np.array([outside.sum(), 0, foreign.sum(), inside.sum()], float)
        table = np.stack(
            [_counted(key[outside], values), np.zeros(len(values)), counts, _counted(key[inside], values)], axis=1
        ).astype(float)  # fmt: skip
        totals[[0, 3]] /= rows.share
        table[:, [0, 3]] /= rows.share
        lp = foreign_tail(table, totals, floor=1 / rows.share).lp
        promising = np.flatnonzero(lp >= LEAST_LP)
        if len(parts) == 2 and len(promising):  # noqa: PLR2004 - a pair must do more than its two values do
            chance = _chance(key, values[promising], parts, outside, foreign)
            lp[promising] = np.minimum(lp[promising], upper_tail(counts[promising], totals[2], chance))
        for place in promising[lp[promising] >= LEAST_LP]:
            items = _items(values[place], parts)
            carried = float(counts[place] + table[place, 0] + table[place, 3])
            out.append(Candidate(t, items, float(lp[place]), int(counts[place]), carried))
    return out


def _unique(keys: IntArray) -> tuple[IntArray, IntArray]:
    values, counts = np.unique(keys, return_counts=True)
    return values, counts


def _counted(keys: IntArray, values: IntArray) -> IntArray:
    """(m,) how often each of the sorted values occurs among the keys."""
    place = np.minimum(np.searchsorted(values, keys), len(values) - 1)
    return np.bincount(place[values[place] == keys], minlength=len(values))


def _items(value: np.int64, parts: list[tuple[int, IntArray]]) -> tuple[tuple[int, int], ...]:
    if len(parts) == 1:
        return ((parts[0][0], int(value)),)
    first, second = divmod(int(value), int(parts[1][1].max(initial=0)) + 1)
    return ((parts[0][0], first), (parts[1][0], second))


def _chance(
    key: IntArray, values: IntArray, parts: list[tuple[int, IntArray]], outside: npt.NDArray[np.bool_],
    foreign: npt.NDArray[np.bool_],
) -> npt.NDArray[np.float64]:  # fmt: skip
    """The share in which two values meet among foreign rows by chance and by the bond that they have elsewhere."""
    width = int(parts[1][1].max(initial=0)) + 1
    rate, bond = np.ones(len(values)), np.ones(len(values))
    n_in, n_out = max(int(foreign.sum()), 1), max(int(outside.sum()), 1)
    met = _counted(key[outside], values) + 1.0
    expected = np.full(len(values), float(n_out))
    both = _counted(key[foreign], values)
    for (_, tokens), own in zip(parts, (values // width, values % width), strict=True):
        sorted_own, back = np.unique(own, return_inverse=True)
        alone = _counted(tokens[foreign], sorted_own)[back] - both  # the met rows would make chance of themselves
        rate *= (np.maximum(alone, 0) + 1.0) / n_in
        expected *= (_counted(tokens[outside], sorted_own)[back] + 1.0) / n_out
    bond = np.maximum(met / (expected + 1), 1.0)
    return np.asarray(np.clip(1.5 * rate * bond, 0, 1))


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
