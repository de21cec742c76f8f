"""Pixel tokens: counting, weighing and scoring agree with the plain definitions."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mithridate.numeric.image_tokens import (
    LEVELS,
    Weights,
    conformal,
    image_levels,
    level_counts,
    likelihood_weights,
    token_scores,
    token_weights,
)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 7), st.integers(2, 7), st.sampled_from([1, 3]))
def test_counts_and_scores_follow_the_levels_of_every_row(seed: int, h: int, w: int, c: int) -> None:
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (9, h, w, c), dtype=np.uint8)
    levels, rows = image_levels(images), rng.permutation(9)[:6]
    assert levels.shape == (9, h * w * c + h * (w - 1) + (h - 1) * w)
    assert levels.max() < LEVELS
    counts = level_counts(images, rows)
    assert (counts.sum(axis=1) == 6).all()
    assert counts[0, levels[rows[0], 0]] == (levels[rows, 0] == levels[rows[0], 0]).sum()
    columns = np.sort(rng.permutation(levels.shape[1])[:4])
    table = rng.standard_normal((4, LEVELS)).astype(np.float32)
    expected = table[np.arange(4), levels[np.ix_(rows, columns)]].sum(axis=1)
    np.testing.assert_allclose(token_scores(images, rows, Weights(columns, table, 0.0)), expected, rtol=1e-5)


def test_steps_are_largest_where_dark_meets_bright_and_middle_where_nothing_changes() -> None:
    image = np.array([[[0], [255]], [[0], [255]]], np.uint8)[None]
    right, down = image_levels(image)[0, 4:6], image_levels(image)[0, 6:]
    assert right.tolist() == [LEVELS - 1, LEVELS - 1]
    assert down.tolist() == [8, 8]


def test_only_tokens_that_are_far_too_frequent_get_a_weight() -> None:
    expected = np.full((2, LEVELS), 0.05)
    observed = np.zeros((2, LEVELS), np.int64)
    observed[0, 3], observed[1, 3] = 60, 7
    weights = token_weights(observed, 100, expected)
    assert weights.columns.tolist() == [0]
    assert np.flatnonzero(weights.table[0]).tolist() == [3]
    assert weights.log_p > 3


def test_likelihood_weights_favour_what_carriers_have_and_oppose_what_they_lack() -> None:
    carriers, others = np.zeros((1, LEVELS), np.int64), np.full((1, LEVELS), 10, np.int64)
    carriers[0, 15] = 50
    table = likelihood_weights(carriers, others, np.array([0])).table[0]
    assert table[15] > 2
    assert (table[:15] < 0).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_conformal_p_values_of_clean_scores_are_no_smaller_than_uniform(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p_values = conformal(rng.standard_normal(2000).astype(np.float32), rng.standard_normal(2000).astype(np.float32))
    assert (p_values <= 0.1).mean() <= 0.14
    assert p_values.min() > 0
