"""The mixture of flips and honest labels: shares recovered, odds calibrated, nothing found where nothing is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from mithridate.numeric.label_noise import detect_noise, fit_fill
from mithridate.numeric.tails import flag_by_odds


def draw(seed: int, *, rate: float, n: int = 6000, n_classes: int = 6) -> tuple[np.ndarray[Any, Any], ...]:
    """Calibrated log probabilities, labels drawn from them, a share of labels flipped, and which."""
    rng = np.random.default_rng(seed)
    logs = special.log_softmax(rng.normal(0, 4, (n, n_classes)), axis=1)
    labels = (np.exp(logs).cumsum(axis=1) < rng.random((n, 1))).sum(axis=1).clip(max=n_classes - 1)
    flipped = rng.random(n) < rate
    labels = np.where(flipped, (labels + rng.integers(1, n_classes, n)) % n_classes, labels)
    return logs, labels, flipped


def test_fill_finds_the_floor_and_the_power() -> None:
    p = 10.0 ** np.linspace(-6, -0.5, 30)
    fit = fit_fill(np.full(30, 1e6), 1e6 * (0.001 + 0.5 * p), p)
    assert fit.floor == pytest.approx(0.001, rel=0.1)
    assert fit.honest(np.array([0.1]))[0] == pytest.approx(0.05, rel=0.1)


@pytest.mark.parametrize("rate", [0.02, 0.05, 0.2])
def test_the_share_of_random_labels_is_estimated(rate: float) -> None:
    found = [detect_noise(*draw(seed, rate=rate)[:2]).rate for seed in range(5)]
    assert np.mean(found) == pytest.approx(rate, rel=0.25)


def test_flags_stay_within_the_false_discovery_rate() -> None:
    false = flags = hits = flips = 0
    for seed in range(8):
        logs, labels, flipped = draw(seed, rate=0.1)
        flagged = flag_by_odds(detect_noise(logs, labels).odds, 0.05)
        flags, false = flags + int(flagged.sum()), false + int((flagged & ~flipped).sum())
        hits, flips = hits + int((flagged & flipped).sum()), flips + int(flipped.sum())
    assert false / flags < 0.065  # 0.05 and two standard errors of some 2,000 flags
    assert hits / flips > 0.4


def test_labels_drawn_from_the_model_raise_almost_no_flag() -> None:
    flags = [int(flag_by_odds(detect_noise(*draw(seed, rate=0.0)[:2]).odds, 0.05).sum()) for seed in range(10)]
    assert np.mean(flags) < 1


def test_p_values_of_honest_rows_are_no_smaller_than_uniform() -> None:
    logs, labels, flipped = draw(3, rate=0.05)
    honest = detect_noise(logs, labels).p_value[~flipped]
    for level in (0.01, 0.05, 0.2):
        assert np.mean(honest <= level) < level * 1.3


def test_missing_labels_are_never_suspect() -> None:
    logs, labels, _ = draw(0, rate=0.1, n=500)
    labels[:50] = -1
    found = detect_noise(logs, labels)
    assert not found.odds[:50].any()
    assert (found.p_value[:50] == 1).all()
    assert (found.suggested[:50] == -1).all()


def test_the_suggestion_is_the_best_class_but_the_given() -> None:
    logs = np.log(np.array([[0.7, 0.2, 0.1], [0.1, 0.2, 0.7]]))
    assert detect_noise(logs, np.array([0, 0])).suggested.tolist() == [1, 2]


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 5), st.integers(2, 40), st.integers(0, 10**6))
def test_any_probabilities_give_finite_odds_and_p_values(n_classes: int, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    logs = special.log_softmax(rng.normal(0, 10, (n, n_classes)), axis=1).astype(np.float32)
    found = detect_noise(logs, rng.integers(-1, n_classes, n))
    assert np.isfinite(found.odds).all()
    assert ((found.p_value > 0) & (found.p_value <= 1)).all()
