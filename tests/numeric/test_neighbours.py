"""Neighbours: exact by hand, close to exact when approximate, never the row itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mithridate.core.errors import InputError
from mithridate.numeric import neighbours
from mithridate.numeric.neighbours import closest, nearest


def test_neighbours_on_a_line_are_the_ones_worked_by_hand() -> None:
    found = nearest(np.array([[0.0], [1.0], [3.0], [7.0]], np.float32), k=2)
    assert found.indices.tolist() == [[1, 2], [0, 2], [1, 0], [2, 1]]
    assert found.distances.tolist() == [[1, 3], [1, 2], [2, 3], [4, 6]]


@settings(max_examples=30, deadline=None)
@given(hnp.arrays(np.float32, st.tuples(st.integers(3, 40), st.integers(1, 3)), elements=st.integers(-3, 3)))
def test_a_row_is_never_its_own_neighbour_even_among_copies(rows: np.ndarray[Any, Any]) -> None:
    found = nearest(rows, k=2)
    assert not (found.indices == np.arange(len(rows))[:, None]).any()
    assert (np.diff(found.distances, axis=1) >= 0).all()


def test_inverted_lists_find_most_true_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(40, 16)) * 3
    rows = (centres[rng.integers(0, 40, 4000)] + rng.normal(size=(4000, 16))).astype(np.float32)
    exact = nearest(rows, k=10)
    monkeypatch.setattr(neighbours, "EXACT_ROWS", 1000)
    lists = nearest(rows, k=10)
    shared = np.mean([len(np.intersect1d(a, b)) / 10 for a, b in zip(exact.indices, lists.indices, strict=True)])
    assert shared > 0.8
    assert not (lists.indices == np.arange(4000)[:, None]).any()


def test_many_copies_of_one_row_are_neighbours_at_no_distance(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    rows = np.concatenate([np.ones((3000, 8)), rng.normal(size=(500, 8)) * 5]).astype(np.float32)
    monkeypatch.setattr(neighbours, "EXACT_ROWS", 1000)
    found = nearest(rows[rng.permutation(len(rows))], k=10)
    assert not (found.indices == np.arange(len(rows))[:, None]).any()
    assert (found.distances.max(axis=1) < 0.01).sum() == 3000


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 300), st.integers(1, 12), st.integers(1, 4), st.integers(0, 2**31))
def test_the_closest_rows_are_those_of_a_full_sort(n_rows: int, k: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    among, queries = (rng.integers(-4, 5, (n, width)).astype(np.float32) for n in (n_rows, 7))
    found = closest(queries, among, k=k)
    squares = ((queries[:, None] - among[None]) ** 2).sum(axis=2)
    expected = np.argsort(squares, axis=1, kind="stable")[:, :k]  # whole numbers: no rounding, equal ones by position
    assert found.tolist() == expected.tolist()


def test_too_many_neighbours_are_refused() -> None:
    with pytest.raises(InputError, match="k must be in"):
        nearest(np.zeros((3, 1), np.float32), k=3)
