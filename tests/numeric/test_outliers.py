"""Robust distance and column tails."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mithridate.numeric.outliers import column_tails, robust_distance, wild_values


def test_outliers_do_not_hide_themselves_by_stretching_the_shape() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(500, 4))
    rows[:50] += 30  # a tenth of the rows, which would own the plain covariance
    distances = robust_distance(rows)
    assert distances[:50].min() > 3 * distances[50:].max()


def test_ordinary_distance_is_one() -> None:
    rows = np.random.default_rng(1).normal(size=(1000, 5)) * 7 + 3
    assert np.median(robust_distance(rows)) == pytest.approx(1.0)


def test_rare_values_in_several_columns_add_up() -> None:
    numbers = np.random.default_rng(2).normal(size=(300, 3))
    numbers[0] = 9.0
    numbers[1] = [9.0, 0.0, np.nan]
    scores = column_tails(numbers)
    assert scores.argmax() == 0
    assert scores[0] > scores[1]


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 40), st.integers(1, 6), st.integers(0, 10**6))
def test_distances_are_finite_even_for_constant_columns(n: int, d: int, seed: int) -> None:
    rows = np.random.default_rng(seed).integers(0, 3, (n, d)).astype(np.float32)
    rows[:, 0] = 1
    assert np.isfinite(robust_distance(rows)).all()


def test_a_wild_cell_is_measured_in_widths_of_its_own_column() -> None:
    numbers = np.stack([np.arange(101.0), np.arange(101.0) * 1000], axis=1)
    numbers[0] = [np.nan, np.nan]
    numbers[1, 0] = 540.0
    scores = wild_values(numbers)
    assert scores.max(axis=1).argmax() == 1
    assert scores[0].max() == 0
