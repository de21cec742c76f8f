"""Binomial tails agree with scipy.stats, and saturate instead of overflowing."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mithridate.numeric.binomial import surprise, upper_tail


@given(st.integers(0, 400), st.integers(1, 400), st.floats(0.001, 0.999))
def test_tail_equals_that_of_scipy_stats(count: int, trials: int, chance: float) -> None:
    wanted = stats.binom.sf(count - 1, trials, chance)
    assert np.isclose(upper_tail(count, trials, chance), wanted, rtol=1e-8, atol=1e-290)


def test_surprise_by_hand_and_at_the_floor() -> None:
    assert np.allclose(surprise([0, 1, 2], 2, 0.1), [0.0, -np.log10(0.19), 2.0])
    assert surprise(5000, 5000, 0.01) == 300.0
