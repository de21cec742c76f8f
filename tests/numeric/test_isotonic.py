"""The isotonic fit is the one that SciPy finds, and never falls."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import isotonic_regression

from mithridate.numeric.isotonic import isotonic

VALUES = hnp.arrays(np.float64, st.integers(1, 60), elements=st.integers(-5, 5).map(float))


@given(VALUES, st.booleans(), st.randoms(use_true_random=False))
def test_the_fit_is_scipys(values: np.ndarray, rising: bool, random: object) -> None:
    weights = np.array([random.choice([0.5, 1.0, 3.0]) for _ in values])  # type: ignore[attr-defined]
    wanted = isotonic_regression(values, weights=weights, increasing=rising).x
    assert isotonic(values, weights, rising=rising) == pytest.approx(wanted, abs=1e-12)


@given(VALUES)
def test_without_weights_all_values_count_alike(values: np.ndarray) -> None:
    assert isotonic(values) == pytest.approx(isotonic_regression(values).x, abs=1e-12)


def test_nothing_fits_nothing() -> None:
    assert isotonic(np.zeros(0)).shape == (0,)
