"""What happened to records between two lists of leaves: changed, swapped, moved, dropped, added and repeated ones."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from mithridate.core.errors import InternalError
from mithridate.data.merkle import SIZE, Digests

Rows: TypeAlias = npt.NDArray[np.int64]

_MOSTLY = 0.5  # share of places that differ from which on another reading is tried


def _none() -> Rows:
    return np.zeros(0, np.int64)


def _no_pairs() -> Rows:
    return np.zeros((0, 2), np.int64)


@dataclass(frozen=True, slots=True)
class Changes:
    """Places in the old list (manifest) and the new one (source), each ascending.

    changed : (m, 2) old and new place of a record that another stands for now. swapped : (m, 2) pairs of new places
    whose records stand in each other's. moved : (m, 2) old and new place of records that stand elsewhere, swapped ones
    left out. dropped : old places. added : new places of records that the old list doesn't have. repeated : (m, 2) new
    place and old place of records that stand once more than before; one that replaced another is among `changed` too.
    """

    n_old: int
    n_new: int
    changed: Rows = field(default_factory=_no_pairs)
    swapped: Rows = field(default_factory=_no_pairs)
    moved: Rows = field(default_factory=_no_pairs)
    dropped: Rows = field(default_factory=_none)
    added: Rows = field(default_factory=_none)
    repeated: Rows = field(default_factory=_no_pairs)

    @property
    def none(self) -> bool:
        """Whether the two lists are the same, in the same order."""
        parts = (self.changed, self.swapped, self.moved, self.dropped, self.added, self.repeated)
        return self.n_old == self.n_new and not any(len(part) for part in parts)


@dataclass(frozen=True, slots=True)
class Since:
    """What happened to the audited rows since the manifest was made.

    `manifest` is its file's name, `root` its root (hex). `sources_of` gives the manifest's sources of its rows
    (ascending places), nothing where it has none. `new_columns` are the source's that no record of the manifest has.
    """

    changes: Changes
    manifest: str
    root: str
    sources_of: Callable[[Rows], Sequence[str]]
    new_columns: tuple[str, ...] = ()


def changes(old: Digests, new: Digests) -> Changes:
    """Compare (n, 32) leaves with (m, 32) leaves.

    Notes
    -----
    Places are compared one by one; where many differ, also around leaves that are as frequent in both lists and in the
    same order (patience diff), so that one dropped row doesn't make all after it changed. The shorter story is told.
    O((n + m) log(n + m)) time.
    """
    first, last = _same_ends(old, new)
    a, b = old[first : len(old) - last], new[first : len(new) - last]
    if not len(a) and not len(b):
        return Changes(len(old), len(new))
    ids = np.unique(_void(np.concatenate([a, b])), return_inverse=True)[1].reshape(-1)
    readings = (_named(matched, old, new, first) for matched in _matchings(ids[: len(a)], ids[len(a) :]))
    found = min(readings, key=_events)
    if found.none:
        msg = "two different lists of leaves compare equal; please report this"
        raise InternalError(msg)
    return found


def _events(found: Changes) -> int:
    parts = (found.changed, found.swapped, found.moved, found.dropped, found.added, found.repeated)
    return sum(map(len, parts))


def _void(digests: Digests) -> npt.NDArray[np.void]:
    return np.ascontiguousarray(digests).view(f"V{SIZE}").reshape(-1)


def _same_ends(old: Digests, new: Digests) -> tuple[int, int]:
    """How many leaves are equal at the start, and of the rest at the end."""
    shorter = min(len(old), len(new))
    ahead = (old[:shorter] != new[:shorter]).any(axis=1)
    first = int(np.argmax(ahead)) if ahead.any() else shorter
    rest = shorter - first
    if not rest:
        return first, 0
    behind = (old[len(old) - rest :] != new[len(new) - rest :]).any(axis=1)[::-1]
    return first, int(np.argmax(behind)) if behind.any() else rest


class _Left(NamedTuple):
    """Places without a partner at their own place, and the slot that each is in: equal slots are one place."""

    old: Rows
    old_slot: Rows
    new: Rows
    new_slot: Rows


class _Matched(NamedTuple):
    """What is left over, and the positions in both of leaves that stand elsewhere in the other."""

    left: _Left
    pair_old: Rows
    pair_new: Rows


def _matchings(a: Rows, b: Rows) -> Iterator[_Matched]:
    """One way to read what happened, or two where many places differ: place by place, and around anchors."""
    other = a != b if len(a) == len(b) else np.ones(len(a), dtype=bool)
    if len(a) == len(b):
        rows = np.flatnonzero(other).astype(np.int64)
        yield _matched(_Left(rows, rows, rows, rows), a, b)
    if len(a) != len(b) or other.mean() > _MOSTLY:
        yield _matched(_anchored(a, b), a, b)


def _matched(left: _Left, a: Rows, b: Rows) -> _Matched:
    return _Matched(left, *_partners(a[left.old], b[left.new]))


def _anchored(a: Rows, b: Rows) -> _Left:
    """Gaps between the longest run of leaves that kept their order; equal ends of a gap have their partner."""
    anchors_a, anchors_b = _anchors(a, b)
    parts: list[tuple[Rows, Rows, Rows, Rows]] = []
    start_a = start_b = slot = 0
    for stop_a, stop_b in zip([*anchors_a.tolist(), len(a)], [*anchors_b.tolist(), len(b)], strict=True):
        if stop_a > start_a or stop_b > start_b:
            ours, theirs = _inside(a[start_a:stop_a], b[start_b:stop_b])
            parts.append((ours + start_a, slot + np.arange(len(ours)), theirs + start_b, slot + np.arange(len(theirs))))
            slot += max(len(ours), len(theirs))
        start_a, start_b = stop_a + 1, stop_b + 1
    joined = [np.concatenate(column).astype(np.int64) if parts else _none() for column in zip(*parts, strict=True)]
    return _Left(*joined) if joined else _Left(_none(), _none(), _none(), _none())


def _inside(a: Rows, b: Rows) -> tuple[Rows, Rows]:
    """Places of a gap that have no partner: none at its equal ends, nor where two gaps of one length agree."""
    if len(a) == len(b):
        rows = np.flatnonzero(a != b)
        return rows, rows
    shorter = min(len(a), len(b))
    ahead = a[:shorter] != b[:shorter]
    first = int(np.argmax(ahead)) if ahead.any() else shorter
    rest = shorter - first
    behind = (a[len(a) - rest :] != b[len(b) - rest :])[::-1]
    last = int(np.argmax(behind)) if behind.any() else rest
    return np.arange(first, len(a) - last), np.arange(first, len(b) - last)


def _anchors(a: Rows, b: Rows) -> tuple[Rows, Rows]:
    """Places in both of leaves that stand equally often in each and keep their order, as many as possible.

    Of equal leaves the k-th goes with the k-th.
    """
    n_ids = int(max(a.max(initial=-1), b.max(initial=-1))) + 1
    as_often = np.bincount(a, minlength=n_ids) == np.bincount(b, minlength=n_ids)
    here, there = np.flatnonzero(as_often[a]), np.flatnonzero(as_often[b])
    in_a, in_b = _partners(a[here], b[there])
    order = np.argsort(in_a)
    here, there = here[in_a[order]], there[in_b[order]]
    kept = np.arange(len(there)) if (np.diff(there) > 0).all() else _longest_rise(there)
    return here[kept], there[kept]


def _longest_rise(values: Rows) -> Rows:
    """Positions of a longest increasing subsequence (patience sorting; a loop: each step needs the last)."""
    tops: list[int] = []
    top_at: list[int] = []
    before = np.full(len(values), -1, np.int64)
    for position, value in enumerate(values.tolist()):
        pile = bisect_left(tops, value)
        if pile:
            before[position] = top_at[pile - 1]
        if pile == len(tops):
            tops.append(value)
            top_at.append(position)
        else:
            tops[pile], top_at[pile] = value, position
    chain: list[int] = []
    position = top_at[-1] if top_at else -1
    while position >= 0:
        chain.append(position)
        position = int(before[position])
    return np.array(chain[::-1], np.int64)


def _named(matched: _Matched, old: Digests, new: Digests, first: int) -> Changes:
    left, pair_old, pair_new = matched
    swapped, moved = _swaps(left, pair_old, pair_new)
    gone = np.setdiff1d(np.arange(len(left.old)), pair_old)
    come = np.setdiff1d(np.arange(len(left.new)), pair_new)
    _, at_gone, at_come = np.intersect1d(left.old_slot[gone], left.new_slot[come], return_indices=True)
    changed = np.stack([left.old[gone[at_gone]], left.new[come[at_come]]], axis=1)
    source = first + left.new[come]
    original = _first_places(old, new[source])
    repeats = np.flatnonzero(original >= 0)
    extra = np.setdiff1d(np.arange(len(come)), np.concatenate([at_come, repeats]))
    return Changes(
        len(old), len(new),
        changed=_ordered(changed + first),
        swapped=_ordered(swapped + first), moved=_ordered(moved + first),
        dropped=np.sort(first + np.delete(left.old[gone], at_gone)),
        added=np.sort(source[extra]),
        repeated=_ordered(np.stack([source[repeats], original[repeats]], axis=1)),
    )  # fmt: skip


def _partners(a: Rows, b: Rows) -> tuple[Rows, Rows]:
    """Positions in both of equal leaves, the k-th of a leaf with the k-th."""
    span = max(len(a), len(b)) + 1
    _, in_a, in_b = np.intersect1d(a * span + _rank(a), b * span + _rank(b), return_indices=True)
    return in_a.astype(np.int64), in_b.astype(np.int64)


def _rank(values: Rows) -> Rows:
    """How many equal values stand before each."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])) if len(values) else _none()
    lengths = np.diff(np.append(starts, len(values)))
    ranks = np.empty(len(values), np.int64)
    ranks[order] = np.arange(len(values)) - np.repeat(starts, lengths)
    return ranks


def _swaps(left: _Left, pair_old: Rows, pair_new: Rows) -> tuple[Rows, Rows]:
    """Moved records as pairs that changed places with each other, and the others."""
    origin, goal = left.old_slot[pair_old], left.new_slot[pair_new]
    by_origin = dict(zip(origin.tolist(), range(len(origin)), strict=True))
    mate = np.array([by_origin.get(slot, -1) for slot in goal.tolist()], np.int64)
    index = np.arange(len(mate))
    paired = (mate >= 0) & (mate != index)
    paired[paired] = goal[mate[paired]] == origin[paired]
    firsts = index[paired & (index < mate)]
    places = left.new[pair_new]
    swapped = np.sort(np.stack([places[firsts], places[mate[firsts]]], axis=1), axis=1)
    others = index[~paired & (origin != goal)]
    return swapped, np.stack([left.old[pair_old[others]], places[others]], axis=1)


def _first_places(old: Digests, wanted: Digests) -> Rows:
    """First place in `old` of each wanted leaf, -1 where it isn't there."""
    if not len(wanted):
        return _none()
    leaves, keys = _void(old), _void(wanted)
    places = np.flatnonzero(np.isin(leaves, keys))
    found: dict[bytes, int] = {}
    for place in places[::-1].tolist():
        found[leaves[place].tobytes()] = place
    return np.array([found.get(key.tobytes(), -1) for key in keys], np.int64)


def _ordered(pairs: Rows) -> Rows:
    return pairs[np.argsort(pairs[:, 0], kind="stable")]
