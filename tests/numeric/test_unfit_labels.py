"""Labels that go everywhere: how they are told from honest ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mithridate.numeric.unfit_labels import against, fit_of, goes_everywhere, looks_dealt, strayed_odds, unfit_codes


def beliefs(m: int, k: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(m, k) log probabilities of a model that is right four times in five, and the true labels."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, k, m).astype(np.int32)
    seen = np.where(rng.random(m) < 0.8, truth, rng.integers(0, k, m))
    p = np.full((m, k), 0.2 / k)
    p[np.arange(m), seen] += 0.8
    return np.log(p), truth


@pytest.mark.parametrize("k", [2, 6])
@pytest.mark.parametrize("seed", range(3))
def test_labels_that_avoid_the_right_one_are_told_from_honest_ones(k: int, seed: int) -> None:
    log_p, truth = beliefs(200, k, seed)
    strayed = ((truth + np.random.default_rng(seed).integers(1, k, 200)) % k).astype(np.int32)
    assert looks_dealt(against(log_p, strayed), 100)
    assert goes_everywhere(strayed_odds(log_p, strayed), strayed)
    assert not looks_dealt(against(log_p, truth), 100)
    assert not goes_everywhere(strayed_odds(log_p, truth), truth)


def test_one_target_goes_nowhere_else() -> None:
    log_p, _ = beliefs(100, 4, 0)
    target = np.zeros(100, np.int32)
    assert against(log_p, target) == 0
    assert not goes_everywhere(strayed_odds(log_p, target), target)


def test_the_spread_of_dealt_labels_is_that_of_permutations() -> None:
    log_p, truth = beliefs(40, 3, 1)
    rng = np.random.default_rng(0)
    rows = np.arange(40)
    sums = [log_p[rows, rng.permutation(truth)].sum() for _ in range(3000)]
    expected = (np.mean(sums) - log_p[rows, truth].sum()) / np.std(sums)
    assert against(log_p, truth) == pytest.approx(expected, rel=0.06)


@given(st.integers(1, 30), st.integers(2, 5), st.integers(0, 99))
def test_any_labels_have_finite_odds_and_chances(m: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    log_p = np.log(rng.dirichlet(np.ones(k), m) + 1e-12)
    codes = rng.integers(0, k, m).astype(np.int32)
    fit = fit_of(log_p, codes)
    assert np.isfinite(strayed_odds(log_p, codes)).all()
    assert np.isfinite(against(log_p, codes))
    assert ((fit.chance >= 0) & (fit.chance <= 1)).all()
    assert (fit.unfit == (unfit_codes(log_p, codes) == 1)).all()
