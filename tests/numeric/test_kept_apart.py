"""Two groups are told from one cloud by the gap between them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mithridate.numeric.kept_apart import advantage, split
from mithridate.numeric.robust_spectral import spectral_scores


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
def test_a_group_apart_is_found_whatever_its_share(share: float) -> None:
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(800, 12))
    apart = np.arange(800) < share * 800
    rows[apart, 3] += 7
    found = split(rows)
    wrong = min(float((found.second != apart).mean()), float((found.second == apart).mean()))
    assert wrong <= 0.01
    assert found.valley <= 0.15


@pytest.mark.parametrize("shape", ["normal", "uniform", "exponential", "laplace"])
def test_one_cloud_has_no_gap(shape: str) -> None:
    rng = np.random.default_rng(2)
    assert split(getattr(rng, shape)(size=(1000, 12))).valley > 0.5


@given(st.integers(0, 10_000), st.integers(0, 60), st.integers(1, 6))
@settings(max_examples=60)
def test_any_rows_give_a_valley_between_0_and_1(seed: int, n_rows: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    rows = np.round(rng.normal(size=(n_rows, width)) * rng.integers(0, 3), 0)  # ties, constants
    found = split(rows)
    assert 0 <= found.valley <= 1
    assert found.second.shape == found.depth.shape == (n_rows,)
    assert found.second.sum() <= n_rows / 2


def test_ties_give_no_advantage() -> None:
    assert advantage(np.ones(6), np.arange(6) < 2) == 0.5
    assert advantage(np.arange(6.0), np.zeros(6, dtype=bool)) == 0.5
    assert advantage(np.arange(6.0), np.arange(6) < 2) == 0.0


def test_spectral_scores_see_a_faint_direction_that_plain_variance_hides() -> None:
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(600, 20)) * np.linspace(4, 0.4, 20)
    bad = np.arange(600) < 60
    rows[bad, 10] += 8  # less than the first directions' own spread
    assert advantage(spectral_scores(rows), bad) > 0.93
    assert advantage((rows**2).sum(axis=1), bad) < 0.85
