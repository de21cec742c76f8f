"""Slips told from flips by where they fall, and careless sources told from careful ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mithridate.numeric.label_sources import natural_slips, source_factors


def counts(seed: int, floor: float, rate: float) -> tuple[np.ndarray[Any, Any], ...]:
    rng = np.random.default_rng(seed)
    cells = rng.integers(500, 1500, 90).astype(np.float64)
    confusion = rng.lognormal(-5, 1.5, 90)
    usual = rng.uniform(0, 1, 90)
    return rng.poisson(cells * (floor + rate * confusion) + usual).astype(np.float64), cells, confusion, usual


@pytest.mark.parametrize(("floor", "rate"), [(0.005, 0.0), (0.005, 0.2), (0.0005, 0.5)])
def test_floor_and_slips_are_recovered(floor: float, rate: float) -> None:
    found = [natural_slips(*counts(seed, floor, rate)) for seed in range(20)]
    assert np.mean([slips.floor for slips in found]) == pytest.approx(floor, rel=0.1)
    assert np.mean([slips.rate for slips in found]) == pytest.approx(rate, rel=0.2, abs=0.05)


def test_few_counts_tell_nothing_of_slips() -> None:
    held, cells, confusion, usual = counts(0, 0.0002, 0.0)
    assert natural_slips(held, cells, confusion, usual).rate == 0


def test_without_any_improbable_label_there_are_neither_flips_nor_slips() -> None:
    assert natural_slips(np.zeros(4), np.full(4, 100.0), np.full(4, 0.1), np.zeros(4)) == (0.0, 0.0)


def mixed(seed: int, shares: list[float], n: int = 1000) -> tuple[np.ndarray[Any, Any], ...]:
    """Odds that are right for the average source, and each row's source."""
    rng = np.random.default_rng(seed)
    sources = np.repeat(np.arange(len(shares)), n)
    flipped = rng.random(len(sources)) < np.array(shares)[sources]
    evidence = rng.normal(np.where(flipped, 2.5, -2.5), np.sqrt(5))  # log likelihood ratio: mean and half the variance
    return np.exp(evidence) * np.mean(shares) / (1 - np.mean(shares)), sources, flipped


def test_a_careless_source_gets_its_own_share() -> None:
    odds, sources, _ = mixed(0, [0.2, 0.01, 0.01, 0.01])
    factors = source_factors(odds, sources)
    assert factors[0] == pytest.approx(0.2 / 0.0575, rel=0.15)
    assert factors[-1] == pytest.approx(0.01 / 0.0575, rel=0.7)


def test_sources_that_are_alike_are_treated_alike() -> None:
    for seed in range(10):
        odds, sources, _ = mixed(seed, [0.05] * 5)
        assert np.abs(source_factors(odds, sources) - 1).max() < 0.25


def test_odds_stay_honest_when_sources_differ() -> None:
    odds, sources, flipped = mixed(1, [0.3, 0.02, 0.02, 0.02, 0.02], n=4000)
    raised = odds * source_factors(odds, sources)
    for low, high in ((0.3, 1), (1, 3), (3, 10), (10, 100)):
        chosen = (raised >= low) & (raised < high)
        expected = float((raised[chosen] / (1 + raised[chosen])).sum())
        assert flipped[chosen].sum() == pytest.approx(expected, rel=0.25)


def test_one_source_and_unknown_sources_do_no_harm() -> None:
    odds = np.array([9.0, 0.1, 0.1])
    assert (source_factors(odds, np.zeros(3, int)) == 1).all()
    assert np.isfinite(source_factors(odds, np.array([-1, -1, 0]))).all()
