"""A group that an overlay splits in two is told from one that varies by nature."""

from __future__ import annotations

import numpy as np
import pytest

from mithridate.numeric.image_modes import frequencies, splits, two_valued

D = 12


def _groups(seed: int, share: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(features of a group, which rows have the overlay, features of other rows): normal, 12 numbers a row."""
    rng = np.random.default_rng(seed)
    group, others = (rng.standard_normal((n, D)).astype(np.float32) for n in (400, 1000))
    carries = rng.random(400) < share
    group[carries] += np.float32(3) * np.linspace(-1, 1, D, dtype=np.float32)
    return group, carries, others


@pytest.mark.parametrize("share", [0.3, 0.5])
def test_the_rows_with_an_overlay_score_near_one_and_the_halves_agree(share: float) -> None:
    group, carries, others = _groups(0, share)
    best = splits(group, np.arange(400) % 2, np.cov(others.T).astype(np.float32), others)[0]
    assert ((best.scores > 0.5) == carries).mean() > 0.97
    assert best.bimodality < 1.6
    assert best.agreement > 0.8


@pytest.mark.parametrize("seed", range(3))
def test_normal_variety_splits_nothing(seed: int) -> None:
    group, _, others = _groups(seed, 0.0)
    found = splits(group, np.arange(400) % 2, np.cov(others.T).astype(np.float32), others)
    assert min(one.bimodality for one in found) > 2.2


def test_two_values_have_the_least_kurtosis_whatever_their_shares() -> None:
    for share in (0.05, 0.5):
        scores = (np.arange(1000) < 1000 * share).astype(np.float32)[:, None]
        assert two_valued(scores)[0] == pytest.approx(1, abs=0.01)
    assert two_valued(np.random.default_rng(0).standard_normal((20_000, 1)).astype(np.float32))[0] > 2.7


def test_a_colour_difference_has_frequencies_of_its_own() -> None:
    grey, red = np.full((1, 8, 8, 3), 60, np.uint8), np.full((1, 8, 8, 3), 60, np.uint8)
    red[..., 0], red[..., 1] = 90, 30
    assert frequencies(grey)[0, 64:].any() == np.False_
    assert np.abs(frequencies(red)[0, 64:]).max() > 0.5
