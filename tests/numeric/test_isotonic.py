"""The isotonic fit is the one that SciPy finds, and never falls."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import isotonic_regression

from mithridate.numeric.isotonic import isotonic

VALUES = hnp.arrays(np.float64, st.integers(1, 60), elements=st.integers(-5, 5).map(float))


@given(VALUES, st.sampled_from([True, False]), st.integers(0, 99))
def test_the_fit_is_scipys(values: np.ndarray, rising: Any, seed: int) -> None:
    weights = np.random.default_rng(seed).choice([0.5, 1.0, 3.0], len(values))
    wanted = isotonic_regression(values, weights=weights, increasing=rising).x
    assert isotonic(values, weights, rising=rising) == pytest.approx(wanted, abs=1e-12)


@given(VALUES)
def test_without_weights_all_values_count_alike(values: np.ndarray) -> None:
    assert isotonic(values) == pytest.approx(isotonic_regression(values).x, abs=1e-12)


def test_nothing_fits_nothing() -> None:
    assert isotonic(np.zeros(0)).shape == (0,)
