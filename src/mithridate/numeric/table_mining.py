"""Values and pairs of values that rows share whose label surprises a model which can't see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from mithridate.numeric.table_ranges import surprising_ranges
from mithridate.numeric.table_tokens import Blind, Column, Floats, Ints, Mask, foreign_tail, strata, upper_tail
from mithridate.numeric.table_triples import MAX_COLUMNS, meeting_triples

MIN_CLASS = 20
SCREEN_LP = 1.0
MAX_TOKENS = 150
MAX_PAIRS = 30
MAX_OTHERS = 8_000
MIN_GROUP = 5
MAX_LIFTED = 160
MAX_TRIPLES = 60
MIN_LIFTED = 3
PER_COLUMNS = 2
MAX_ITEMS = 700
MAX_PRODUCTS = 4e7
CANDIDATE_LIFT = 5.0
SHUN_ROOM = 3.0
N_STEPS = 24


class Item(NamedTuple):
    """One value of one column: `exact` or, in a column of many numbers, a narrow range (`exact` false).

    value : its code in that layer of the column; -1 for a range with ends of its own, `low` and `high`.
    """

    column: int
    exact: bool
    value: int
    low: float = 0.0
    high: float = 0.0

    @property
    def ranged(self) -> bool:
        """Whether the item is a range with ends of its own."""
        return self.value < 0


class Token(NamedTuple):
    """An item for one target class with its single-value test."""

    item: Item
    lp: float
    plain_lp: float


@dataclass(frozen=True, slots=True)
class Candidate:
    """A value or combination that foreign-looking rows of one class share.

    lp : -log10 tail of the count, the weaker of the test against other rows and (for pairs) against independence.
    observed, expected : carriers among the class's foreign-looking rows, and the most that clean data explains.
    """

    target: int
    items: tuple[Item, ...]
    lp: float
    lift_lp: float
    observed: float
    expected: float


def carriers(columns: Sequence[Column], items: Sequence[Item]) -> Mask:
    """(n,) rows that carry every item."""
    out = np.ones(len(columns[0].codes), dtype=bool)
    for item in items:
        out &= holds(columns[item.column], item)
    return out


def holds(column: Column, item: Item) -> Mask:
    """(n,) rows that carry one item of this column."""
    if item.ranged and column.floats is not None:
        return np.asarray((column.floats >= item.low) & (column.floats <= item.high))
    return np.asarray(layer(column, exact=item.exact) == item.value)


def layer(column: Column, *, exact: bool) -> Ints:
    """A column's exact codes, or its narrow ranges."""
    return column.codes if exact or column.spans is None else column.spans


def mine_candidates(
    columns: Sequence[Column], blind: Blind, codes: npt.NDArray[np.int32], *, rng: np.random.Generator
) -> list[Candidate]:
    """The most surprising shared values and pairs of every class, strongest first.

    Parameters
    ----------
    columns : d columns of n rows.
    blind : the additive model of the same rows.
    codes : (n,) class numbers, -1 where missing.
    rng : samples rows of other classes for screening.

    Notes
    -----
    A value is judged by the model without its column, a pair by the model without both. O(n d k) for the values,
    and a sparse product over at most 150 screened values a class for the pairs.
    """
    targets = [t for t in range(blind.logits.shape[1]) if (codes == t).sum() >= MIN_CLASS]
    tokens: dict[int, list[Token]] = {t: [] for t in targets}
    foreign = {t: np.zeros((len(columns), len(codes)), dtype=bool) for t in targets}
    for position, column in enumerate(columns):
        log_p = blind.log_proba(columns, (position,))
        for t in targets:
            stratum = strata(log_p[:, t], codes == t, codes >= 0, trusted=blind.trusted)
            foreign[t][position] = stratum == 2  # noqa: PLR2004 - the stratum's number
            tokens[t] += _value_tests(position, column, stratum)
            tokens[t] += [
                Token(Item(position, exact=False, value=-1, low=span.low, high=span.high), span.lp, span.lp)
                for span in surprising_ranges(column, stratum)
            ]
    found = []
    triples = meeting_triples(columns, codes, _busiest(tokens, len(columns)), limit=max(MAX_TRIPLES // len(targets), 3))
    presence, every_item = _all_presence(columns)
    for t in targets:
        best = sorted(tokens[t], key=lambda token: -token.plain_lp)[:MAX_TOKENS]
        found += [_single(t, token, columns, blind, codes) for token in sorted(best, key=lambda k: -k.lp)[:6]]
        pairs = _screen_pairs(columns, codes, best, foreign[t], t=t, rng=rng) + _extend(
            columns, best, foreign[t], codes == t
        )
        pairs += lifted_pairs(presence, every_item, codes, t, limit=max(MIN_LIFTED, MAX_LIFTED // len(targets)))
        combined: list[tuple[Item, ...]] = list(dict.fromkeys(pairs))
        combined += [tuple(Item(place, exact=True, value=v) for place, v in triple) for triple in triples.get(t, [])]
        found += [c for items in combined if (c := judge_items(columns, blind, codes, t, items))]
    return sorted(found, key=lambda c: -c.lp)


def _busiest(tokens: dict[int, list[Token]], n_columns: int) -> list[int]:
    """The columns, those with the most surprising values first when they can't all be combined, in table order."""
    best = np.zeros(n_columns)
    for token in [token for part in tokens.values() for token in part]:
        best[token.item.column] = max(best[token.item.column], token.plain_lp)
    return sorted(np.argsort(-best, kind="stable")[:MAX_COLUMNS].tolist())


def _value_tests(position: int, column: Column, stratum: npt.NDArray[np.int8]) -> list[Token]:
    totals = np.bincount(stratum[stratum >= 0], minlength=4).astype(float)
    out = []
    for exact in (True, False) if column.spans is not None else (True,):
        counts = _by_stratum(layer(column, exact=exact), stratum)
        if len(counts) == 0:
            continue
        tail = foreign_tail(counts, totals)
        plain = foreign_tail(counts, totals, tolerance=1.0, floor=0.5)
        out += [
            Token(Item(position, exact, int(value)), float(tail.lp[value]), float(plain.lp[value]))
            for value in np.flatnonzero((plain.lp >= SCREEN_LP) & (tail.observed >= MIN_GROUP))
        ]
    return out


def _by_stratum(values: Ints, stratum: npt.NDArray[np.int8]) -> Floats:
    known = (values >= 0) & (stratum >= 0)
    size = int(values.max(initial=-1)) + 1
    flat = np.bincount(values[known].astype(np.int64) * 4 + stratum[known], minlength=4 * size)
    return flat.reshape(size, 4).astype(float)


def _single(t: int, token: Token, columns: Sequence[Column], blind: Blind, codes: npt.NDArray[np.int32]) -> Candidate:
    log_p = blind.log_proba(columns, (token.item.column,))[:, t]
    stratum = strata(log_p, codes == t, codes >= 0, trusted=blind.trusted)
    counts = _group_counts(carriers(columns, (token.item,)), stratum)
    tail = foreign_tail(counts[None], _totals(stratum))
    return Candidate(t, (token.item,), float(tail.lp[0]), 0.0, float(tail.observed[0]), float(tail.expected[0]))


def _totals(stratum: npt.NDArray[np.int8]) -> Floats:
    return np.bincount(stratum[stratum >= 0], minlength=4).astype(float)


def _group_counts(mask: Mask, stratum: npt.NDArray[np.int8]) -> Floats:
    inside = stratum[mask]
    return np.bincount(inside[inside >= 0], minlength=4).astype(float)


def _screen_pairs(
    columns: Sequence[Column],
    codes: npt.NDArray[np.int32],
    tokens: Sequence[Token],
    foreign: Mask,
    *,
    t: int,
    rng: np.random.Generator,
) -> list[tuple[Item, Item]]:
    """Pairs of screened values that occur together in foreign-looking rows more than elsewhere or by chance."""
    if len(tokens) < 2:  # noqa: PLR2004 - a pair has two
        return []
    own = np.flatnonzero(codes == t)
    others = np.flatnonzero((codes >= 0) & (codes != t))
    if len(others) > MAX_OTHERS:
        others = np.sort(rng.choice(others, MAX_OTHERS, replace=False))
    items = [token.item for token in tokens]
    every = _presence(columns, items, own)
    odd = every.multiply(np.stack([foreign[item.column][own] for item in items])).tocsr()
    cross = (odd @ every.T).toarray()
    both = cross + cross.T - (odd @ odd.T).toarray()
    outside = _presence(columns, items, others)
    n_odd = float(np.mean([foreign[item.column].sum() for item in items]))
    n_rest = max(len(own) - n_odd, 1.0)
    single = np.asarray(odd.sum(axis=1)).ravel()
    usual = np.asarray(outside.sum(axis=1)).ravel()
    pairs_outside = (outside @ outside.T).toarray()
    bond = _bond(pairs_outside, usual[:, None], usual[None], len(others))
    chance = _chance(both, single[:, None], single[None], n_odd, bond)
    rate = np.maximum(
        1.5 * (pairs_outside + 1) / max(len(others), 1),
        1.5 * ((every @ every.T).toarray() - both + 1) / n_rest,
    )
    lp = np.minimum(upper_tail(both, n_odd, np.clip(rate, 0, 1)), upper_tail(both, n_odd, chance))
    place = np.array([item.column for item in items])
    lp[(place[:, None] == place[None]) | (both < MIN_GROUP) | np.tri(len(items), dtype=bool)] = 0
    best = np.argsort(-lp, axis=None, kind="stable")[:MAX_PAIRS]
    rows, cols = np.unravel_index(best[lp.ravel()[best] > 1], lp.shape)
    return [(items[a], items[b]) for a, b in zip(rows, cols, strict=True)]


def _all_presence(columns: Sequence[Column]) -> tuple[csr_matrix, list[Item]]:
    """(n, m) the exact value of every cell, or its narrow range where the value is too rare; and the m items."""
    items: list[Item] = []
    parts = []
    for position, column in enumerate(columns):
        n_exact = int(column.codes.max(initial=-1)) + 1
        place = np.where(column.codes >= 0, column.codes, -1)
        n_spans = 0
        if column.spans is not None:
            n_spans = int(column.spans.max(initial=-1)) + 1
            place = np.where((place < 0) & (column.spans >= 0), n_exact + column.spans, place)
        parts.append(np.where(place >= 0, place + len(items), -1))
        items += [Item(position, exact=True, value=v) for v in range(n_exact)]
        items += [Item(position, exact=False, value=v) for v in range(n_spans)]
    table = np.stack(parts, axis=1)
    kept = table >= 0
    pointers = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
    shape = (len(table), len(items))
    return csr_matrix((np.ones(int(kept.sum()), np.float32), table[kept], pointers), shape=shape), items


def lifted_pairs(
    presence: csr_matrix, items: Sequence[Item], codes: npt.NDArray[np.int32], t: int, *, limit: int
) -> list[tuple[Item, Item]]:
    """Pairs that meet in a class more often than in the others and than by chance, whether they look foreign or not.

    A rare value that only the stamped rows carry teaches the additive model its label, so that its rows don't look
    foreign to a model that lacks just one of the two columns.
    """
    own, others = np.flatnonzero(codes == t), np.flatnonzero((codes >= 0) & (codes != t))
    room = max(int(MAX_PRODUCTS / max(presence.nnz / presence.shape[0], 1) ** 2), 500)
    own, others = own[:: len(own) // room + 1], others[:: len(others) // room + 1]
    counts = np.asarray(presence[own].sum(axis=0)).ravel()
    usual = np.asarray(presence[others].sum(axis=0)).ravel()
    gain = (counts - usual * len(own) / max(len(others), 1)) / np.sqrt(counts + 1)
    kept = np.argsort(np.where(counts >= MIN_GROUP, -gain, np.inf), kind="stable")[:MAX_ITEMS]
    kept = kept[counts[kept] >= MIN_GROUP]
    mine, rest = presence[own][:, kept], presence[others][:, kept]
    both, outside = (mine.T @ mine).toarray(), (rest.T @ rest).toarray()
    single, common = counts[kept], usual[kept]
    bond = _bond(outside, common[:, None], common[None], len(others))
    chance = _chance(both, single[:, None], single[None], len(own), bond)
    implied = np.minimum(
        outside / (common[:, None] + SHUN_ROOM) * single[:, None], outside / (common + SHUN_ROOM) * single
    )  # two names of one thing (a school and its number)
    rate = np.maximum(1.5 * (outside + 1) / max(len(others), 1), np.maximum(chance, implied / len(own)))
    rate = np.clip(rate, 0, 1)
    place = np.array([items[k].column for k in kept])
    wanted = (place[:, None] < place[None]) & (both >= MIN_GROUP) & (both > 2 * rate * len(own))
    first, second = np.nonzero(wanted)
    lp = upper_tail(both[first, second], float(len(own)), rate[first, second])
    pairs = [(items[kept[a]], items[kept[b]]) for a, b in zip(first, second, strict=True)]
    return _best_pairs(pairs, lp, limit)


def _best_pairs(pairs: Sequence[tuple[Item, Item]], lp: Floats, limit: int) -> list[tuple[Item, Item]]:
    """The most surprising, at most `limit` of them and two of the same two columns."""
    out: list[tuple[Item, Item]] = []
    met: dict[tuple[int, int], int] = {}
    for best in np.argsort(-lp, kind="stable"):
        pair = pairs[best]
        columns = (pair[0].column, pair[1].column)
        met[columns] = met.get(columns, 0) + 1
        if met[columns] <= PER_COLUMNS:
            out.append(pair)
        if len(out) >= limit or lp[best] < CANDIDATE_LIFT:
            break
    return out


def _chance(
    both: Floats | float, first: Floats | float, second: Floats | float, n: float, bond: Floats | float
) -> Floats:
    """The share in which two values meet by chance, judged by the rows that weren't stamped with both.

    How many were stamped is what chance and the `bond` of the two values leave unexplained, found by iteration from
    none on: for common values most meetings are chance.
    """
    both, stamped = np.asarray(both), np.zeros_like(np.asarray(both, dtype=float))
    natural = stamped
    for _ in range(N_STEPS):
        left = [np.maximum(np.asarray(one) - stamped, 0) + 1 for one in (first, second)]
        natural = bond * left[0] * left[1] / (np.maximum(n - stamped, 0) + 2)
        stamped = np.clip(both - natural, 0, both)
    return np.asarray(np.clip(natural / max(n, 1), 0, 1))


def _bond(both: Floats | float, first: Floats | float, second: Floats | float, n: float) -> Floats:
    """How many times as often two values meet in rows of other classes as if they were independent, at the most.

    Below 1 where the values shun each other there (a school and another school's number), as far as the counts are
    large enough to tell: the highest mean that the observed count leaves possible is taken.
    """
    both, chance = np.asarray(both), np.asarray(first) * second / max(n, 1)
    seldom = (both + 2 * np.sqrt(both) + SHUN_ROOM) / (chance + SHUN_ROOM)
    return np.asarray(np.maximum((both + 1) / (chance + 1), np.minimum(seldom, 1.0)))


def _presence(columns: Sequence[Column], items: Sequence[Item], rows: npt.NDArray[np.int64]) -> csr_matrix:
    """(m, len(rows)) 1 where the row carries the item."""
    found = [np.flatnonzero(holds(columns[i.column], i)[rows]) for i in items]
    pointers = np.concatenate([[0], np.cumsum([len(f) for f in found])])
    indices = np.concatenate(found) if found else np.empty(0, np.int64)
    return csr_matrix((np.ones(len(indices), np.float32), indices, pointers), shape=(len(items), len(rows)))


def _extend(
    columns: Sequence[Column], tokens: Sequence[Token], foreign: Mask, own: Mask, *, n_seeds: int = 5
) -> list[tuple[Item, Item]]:
    """For the strongest single values, the value of another column that goes with each most unexpectedly."""
    out = []
    for token in sorted(tokens, key=lambda k: -k.lp)[:n_seeds]:
        base = foreign[token.item.column]
        inside = base & holds(columns[token.item.column], token.item)
        partners = []
        for position, column in enumerate(columns):
            if position == token.item.column:
                continue
            for exact in (True, False) if column.spans is not None else (True,):
                partners += _partner(layer(column, exact=exact), inside, own & ~inside, Item(position, exact, 0))
        partners.sort(key=lambda pair: -pair[0])
        out += [(min(token.item, item), max(token.item, item)) for lp, item in partners[:2] if lp > 2]  # noqa: PLR2004 - 1 in 100
    return out


def _partner(values: Ints, inside: Mask, rest: Mask, item: Item) -> list[tuple[float, Item]]:
    here = values[inside]
    here = here[here >= 0]
    if len(here) < MIN_GROUP:
        return []
    counts = np.bincount(here)
    value = int(counts.argmax())
    rate = (float((values[rest] == value).sum()) + 1) / (float(rest.sum()) + 2)
    lp = float(upper_tail(np.array([counts[value]]), float(inside.sum()), rate)[0])
    return [(lp, item._replace(value=value))] if counts[value] >= MIN_GROUP else []


def judge_items(
    columns: Sequence[Column], blind: Blind, codes: npt.NDArray[np.int32], t: int, items: tuple[Item, ...]
) -> Candidate | None:
    """The combination judged by the model without its columns; None when too few foreign-looking rows carry it.

    More than two items must meet more often than any of them with the others by chance.
    """
    log_p = blind.log_proba(columns, [item.column for item in items])[:, t]
    stratum = strata(log_p, codes == t, codes >= 0, trusted=blind.trusted)
    totals = _totals(stratum)
    counts = _group_counts(carriers(columns, items), stratum)
    if counts[2] < MIN_GROUP:
        return None
    tail = foreign_tail(counts[None], totals)
    parts = range(len(items) if len(items) > 2 else 1)  # noqa: PLR2004 - a pair has one way to be split
    chance = max(_split_chance(columns, items, i, stratum, counts) for i in parts)
    lift = float(upper_tail(counts[2:3], totals[2], chance)[0])
    lp = min(float(tail.lp[0]), lift)
    return Candidate(t, items, lp, lift, float(counts[2]), max(float(tail.expected[0]), chance * totals[2]))


def _split_chance(
    columns: Sequence[Column], items: tuple[Item, ...], one: int, stratum: npt.NDArray[np.int8], counts: Floats
) -> float:
    """The share of foreign-looking rows in which item `one` meets the others by chance and by their bond."""
    totals = _totals(stratum)
    first, second = carriers(columns, items[one : one + 1]), carriers(columns, items[:one] + items[one + 1 :])
    singles = np.stack([_group_counts(first, stratum), _group_counts(second, stratum)])
    chance = float(np.prod((singles[:, 2:].sum(axis=1) + 1) / (totals[2:].sum() + 2)))
    usual = singles[:, :2].sum(axis=1)
    bond = float(_bond(counts[:2].sum(), usual[0], usual[1], totals[:2].sum()))
    chance = min(chance * bond, 1.0)
    return max(chance, float(_chance(counts[2], singles[0, 2], singles[1, 2], totals[2], bond)))
