"""Tails: values worked by hand, and error rates that hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mithridate.numeric import tails


def test_benjamini_hochberg_rejects_what_the_paper_does() -> None:
    first = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344]
    p_values = np.array([*first, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0])
    assert tails.benjamini_hochberg(p_values, 0.05).sum() == 4


@given(st.lists(st.floats(0, 1), max_size=30), st.floats(0.01, 0.5))
def test_a_smaller_p_value_is_never_spared_where_a_larger_is_rejected(values: list[float], rate: float) -> None:
    p_values = np.array(values)
    rejected = tails.benjamini_hochberg(p_values, rate)
    if rejected.any() and not rejected.all():
        assert p_values[rejected].max() < p_values[~rejected].min()


def test_flags_by_odds_keep_the_mean_chance_of_innocence_below_the_rate() -> None:
    odds = 10 ** np.random.default_rng(0).normal(0, 2, 500)
    flagged = tails.flag_by_odds(odds, 0.1)
    assert 0 < np.mean(1 / (1 + odds[flagged])) <= 0.1
    assert odds[flagged].min() > odds[~flagged].max()


@pytest.mark.parametrize("draw", ["normal", "exponential", "standard_t"])
def test_a_heavy_tail_without_outliers_raises_no_alarm(draw: str) -> None:
    alarms = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        scores = rng.standard_t(4, 2000) if draw == "standard_t" else getattr(rng, draw)(size=2000)
        alarms += int(tails.benjamini_hochberg(tails.heavy_tail(np.abs(scores)), 0.05).any())
    assert alarms <= 3


def test_a_row_beyond_the_tail_is_found() -> None:
    scores = np.abs(np.random.default_rng(0).normal(size=2000))
    scores[7] = 40.0
    rejected = tails.benjamini_hochberg(tails.heavy_tail(scores), 0.05)
    assert np.flatnonzero(rejected).tolist() == [7]


def test_heavy_tail_of_equal_scores_is_not_small() -> None:
    assert tails.heavy_tail(np.ones(50)).min() > 0.01
