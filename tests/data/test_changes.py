"""Changed, swapped, moved, dropped, added, repeated: each told from the others, and nothing overlooked."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mithridate.data.changes import Changes, changes
from mithridate.data.merkle import Digests

N = 400


def leaves(keys: np.ndarray | list[int]) -> Digests:
    """Leaf k for every key k."""
    out = np.zeros((len(keys), 32), np.uint8)
    out[:, :8] = np.asarray(keys, np.int64).reshape(-1, 1).view(np.uint8)
    return out


BASE = np.arange(N)


def after(keys: np.ndarray) -> Changes:
    return changes(leaves(BASE), leaves(keys))


def kinds(found: Changes) -> dict[str, int]:
    names = ("changed", "swapped", "moved", "dropped", "added", "repeated")
    return {name: len(getattr(found, name)) for name in names if len(getattr(found, name))}


def test_the_same_leaves_are_no_change() -> None:
    assert after(BASE).none
    assert kinds(after(BASE)) == {}


@pytest.mark.parametrize("row", [0, 1, N // 2, N - 1])
def test_one_changed_dropped_repeated_or_added_row_is_just_that(row: int) -> None:
    other = BASE.copy()
    other[row] = -1
    assert (kinds(after(other)), after(other).changed.tolist()) == ({"changed": 1}, [[row, row]])
    gone = after(np.delete(BASE, row))
    assert (kinds(gone), gone.dropped.tolist()) == ({"dropped": 1}, [row])
    twice = after(np.insert(BASE, row, BASE[row]))
    assert kinds(twice) == {"repeated": 1}
    assert twice.repeated[0, 1] == row
    come = after(np.insert(BASE, row, -1))
    assert (kinds(come), come.added.tolist()) == ({"added": 1}, [row])


def test_two_rows_that_changed_places_are_a_swap() -> None:
    for one, other in ((0, 1), (3, 300), (0, N - 1)):
        keys = BASE.copy()
        keys[[one, other]] = keys[[other, one]]
        assert (kinds(after(keys)), after(keys).swapped.tolist()) == ({"swapped": 1}, [[one, other]])


def test_a_row_taken_elsewhere_is_moved_and_the_others_are_not() -> None:
    found = after(np.concatenate([BASE[1:200], BASE[:1], BASE[200:]]))
    assert (kinds(found), found.moved.tolist()) == ({"moved": 1}, [[0, 199]])


def test_a_copy_over_another_row_is_changed_and_repeated() -> None:
    keys = BASE.copy()
    keys[7] = 300
    found = after(keys)
    assert (found.changed.tolist(), found.repeated.tolist()) == ([[7, 7]], [[7, 300]])
    assert kinds(found) == {"changed": 1, "repeated": 1}


def test_a_dropped_row_leaves_changes_after_it_where_they_are() -> None:
    keys = BASE.copy()
    keys[[100, 200]] = [-1, -2]
    found = after(np.delete(keys, 5))
    assert found.dropped.tolist() == [5]
    assert found.changed.tolist() == [[100, 99], [200, 199]]


def test_another_order_is_told_from_other_content() -> None:
    found = after(np.random.default_rng(0).permutation(N))
    assert set(kinds(found)) <= {"moved", "swapped"}
    assert len(found.moved) + 2 * len(found.swapped) >= N - 3 * int(np.sqrt(N))


def test_equal_records_can_not_be_told_apart_and_need_not() -> None:
    same = np.zeros(50, np.int64)
    assert kinds(changes(leaves(same), leaves(same[:-1]))) == {"dropped": 1}
    assert kinds(changes(leaves(same), leaves(np.zeros(51, np.int64)))) == {"repeated": 1}


@pytest.mark.parametrize("copies", [1, 2, 5])
def test_rows_that_only_slid_are_not_named_even_among_copies(copies: int) -> None:
    keys = np.random.default_rng(0).permutation(np.repeat(np.arange(N // copies), copies))
    other = keys.copy()
    other[[120, 250]] = [-1, -2]
    found = changes(leaves(keys), leaves(np.delete(other, [5, 30, 300])))
    assert found.dropped.tolist() == [5, 30, 300]
    assert found.changed.tolist() == [[120, 118], [250, 248]]
    assert set(kinds(found)) == {"dropped", "changed"}


def test_nothing_at_all_can_be_compared() -> None:
    empty = leaves([])
    assert changes(empty, empty).none
    assert kinds(changes(empty, leaves([1, 2]))) == {"added": 2}
    assert kinds(changes(leaves([1, 2]), empty)) == {"dropped": 2}


KEYS = st.lists(st.integers(0, 6), max_size=14)


@given(KEYS, KEYS)
@settings(max_examples=150, deadline=None)
def test_none_means_equal_and_the_counts_add_up(old: list[int], new: list[int]) -> None:
    found = changes(leaves(old), leaves(new))
    assert found.none == (old == new)
    extra = set(found.repeated[:, 0].tolist()) - set(found.changed[:, 1].tolist())
    assert len(new) - len(old) == len(found.added) + len(extra) - len(found.dropped)
    for place, original in found.repeated.tolist():
        assert new[place] == old[original]
    for before, now in found.changed.tolist():
        assert old[before] != new[now]
    for before, now in found.moved.tolist():
        assert old[before] == new[now]


@given(st.permutations(list(range(9))))
@settings(max_examples=50, deadline=None)
def test_a_permutation_is_order_alone(order: list[int]) -> None:
    found = changes(leaves(list(range(9))), leaves(order))
    assert not len(found.changed) + len(found.added) + len(found.dropped) + len(found.repeated)
    assert all(order[now] == before for before, now in found.moved.tolist())
