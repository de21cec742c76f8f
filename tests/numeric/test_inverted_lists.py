"""Inverted lists against distances to all rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from mithridate.numeric import inverted_lists
from mithridate.numeric.inverted_lists import search_lists


def _all_distances(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    wide = rows.astype(np.float64)
    return np.asarray(((wide[:, None] - wide[None]) ** 2).sum(axis=2))


@pytest.mark.parametrize("most_packed", [4096, 4])
def test_with_all_lists_probed_the_true_neighbours_are_found(monkeypatch: pytest.MonkeyPatch, most_packed: int) -> None:
    monkeypatch.setattr(inverted_lists, "PROBES", 10_000)
    monkeypatch.setattr(inverted_lists, "MOST_PACKED", most_packed)
    monkeypatch.setattr(inverted_lists, "CELLS", 1 << 12)
    rows = np.random.default_rng(0).normal(size=(700, 6)).astype(np.float32)
    found, squares = search_lists(rows, 5)
    truth = np.sort(_all_distances(rows), axis=1)[:, :5]
    np.testing.assert_allclose(squares, truth, rtol=2e-3, atol=1e-4)
    np.testing.assert_array_equal(found[:, 0], np.arange(700))


def test_equal_rows_are_neighbours_at_no_distance_and_empty_slots_say_so() -> None:
    rows = np.ones((50, 3), np.float32)
    found, squares = search_lists(rows, 4)
    assert len(np.unique(found)) >= 4
    assert squares.max() < 1e-5
    far = np.repeat(np.eye(8, dtype=np.float32) * 100, 3, axis=0)
    found, squares = search_lists(far, 24)
    assert ((found >= 0) == np.isfinite(squares)).all()
