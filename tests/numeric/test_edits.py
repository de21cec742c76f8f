"""Distances that small edits leave small, and p-values that honest rows don't make small."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from mithridate.numeric import edits


def test_a_row_that_differs_in_one_cell_is_found_in_that_column() -> None:
    codes = np.array([[1, 2, 3], [9, 9, 9], [1, 2, 4], [1, 2, 3]])
    found = edits.one_cell_apart(codes, 2)
    assert found[0].tolist() == [3, 3, 2] or found[0].tolist() == [3, 3, 3]
    assert found[1].tolist() == [-1, -1, -1]
    assert found[2].tolist() == [-1, -1, 3]
    assert found[3].tolist() == [-1, -1, 2]


def test_trusted_neighbours_leave_the_row_itself_out() -> None:
    rows = np.array([[0.0], [5.0], [5.2], [9.0]], np.float32)
    assert edits.trusted_neighbours(rows, 1, k=2).tolist() == [[1, 2], [2, 3], [1, 3], [2, 1]]


def test_a_patch_costs_its_size_whatever_its_colour() -> None:
    images = np.zeros((3, 10, 10, 1), np.uint8)
    images[1, :2, :2] = 255
    images[2, :2, :2] = 60
    left = np.zeros(2, np.int64)
    assert edits.capped_difference(images, left, np.array([1, 2])) == pytest.approx([0.004, 0.004], rel=0.03)


def test_rare_values_tell_more_than_common_ones() -> None:
    codes = np.array([[0, 0], [0, 1], [1, 0], [0, 2], [0, 3], [0, 4]])
    rare, common = edits.information_apart(codes, np.array([0, 0]), np.array([1, 2]))
    assert rare == pytest.approx(np.log(6) / (np.log(6) + np.log(6 / 5)))
    assert common == pytest.approx(np.log(6) / (np.log(6) + np.log(6 / 2)))


def test_words_apart_are_a_share_of_both_texts() -> None:
    counts = sparse.csr_matrix(np.array([[1.0, 1, 0], [1, 1, 2], [0, 0, 3]]))
    found = edits.counts_apart(counts, np.array([0, 0, 0]), np.array([0, 1, 2]))
    assert found == pytest.approx([0, 2 / 6, 1])


def test_p_values_of_rows_like_the_null_are_no_smaller_than_uniform() -> None:
    rng = np.random.default_rng(0)
    low = []
    for _ in range(40):
        null, values = rng.gamma(4, size=(2, 400))
        low.append((edits.smallness_p(values, null) <= 0.002).mean())
    assert np.mean(low) <= 0.004


def test_far_below_the_null_is_unlikely_only_where_the_null_has_no_near_copies() -> None:
    rng = np.random.default_rng(0)
    null = rng.gamma(8, size=1000)
    assert edits.smallness_p(np.array([0.01]), null)[0] < 1e-6
    null[:50] = rng.uniform(0, 0.02, 50)
    assert edits.smallness_p(np.array([0.01]), null)[0] > 0.01
    null[0] = 0
    assert edits.smallness_p(np.array([0.0]), null)[0] >= 1 / 1001
