"""Leaks between classes: found when labels moved at random, not when classes merely overlap."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import special, stats

from mithridate.numeric import class_flow
from mithridate.numeric.class_flow import Trusted, leak_odds, leaks


def world(seed: int, *, moved: float, overlap: float = 1.0, n: int = 4000) -> tuple[np.ndarray[Any, Any], ...]:
    """Four classes on a line, neighbours overlapping; a share of class 1 is relabelled 2. Log probabilities know it."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, 4, n)
    place = true * 3.0 + rng.normal(0, overlap, n)
    logs = special.log_softmax(-((place[:, None] - 3.0 * np.arange(4)) ** 2) / 2 / overlap**2, axis=1)
    shares = np.exp(logs)
    shares[:, 2] += moved * shares[:, 1]
    shares[:, 1] *= 1 - moved
    flipped = (true == 1) & (rng.random(n) < moved)
    return np.log(shares), np.where(flipped, 2, true), flipped


def confirmed(logs: np.ndarray[Any, Any], codes: np.ndarray[Any, Any]) -> list[tuple[int, int]]:
    return [(k.source, k.target) for k in leaks(logs, codes) if k.p_value < 1e-4 and k.flat]


@pytest.mark.parametrize("moved", [0.15, 0.5])
def test_labels_moved_one_way_are_found_and_the_pair_is_named(moved: float) -> None:
    found = [confirmed(*world(seed, moved=moved)[:2]) for seed in range(10)]
    assert found.count([(1, 2)]) >= 8
    assert all(pairs in ([], [(1, 2)]) for pairs in found)


@pytest.mark.parametrize("overlap", [0.7, 1.0, 1.5])
def test_overlapping_classes_are_no_leak(overlap: float) -> None:
    for seed in range(10):
        assert not confirmed(*world(seed, moved=0.0, overlap=overlap)[:2])


def test_moved_rows_have_the_highest_odds() -> None:
    logs, codes, flipped = world(0, moved=0.3)
    (leak,) = [k for k in leaks(logs, codes) if (k.source, k.target) == (1, 2)]
    odds = leak_odds(logs, codes, leak)
    top = np.argsort(-odds, kind="stable")[: flipped.sum()]
    assert flipped[top].mean() > 0.85
    assert not odds[codes != 2].any()


def test_small_classes_are_left_alone() -> None:
    logs, codes, _ = world(0, moved=0.5, n=100)
    assert not leaks(logs, codes)


def halves(
    logs: np.ndarray[Any, Any], codes: np.ndarray[Any, Any], honest: np.ndarray[Any, Any]
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], Trusted]:
    """The first three quarters to audit, the last with honest labels to trust."""
    cut = 3 * len(codes) // 4
    return logs[:cut], codes[:cut], Trusted(logs[cut:], honest[cut:])


def beside(logs: np.ndarray[Any, Any], codes: np.ndarray[Any, Any], trusted: Trusted | None) -> list[tuple[int, int]]:
    return [(k.source, k.target) for k in leaks(logs, codes, trusted=trusted) if k.p_value < 1e-4 and k.flat]


def test_labels_swapped_both_ways_are_found_beside_trusted_rows_alone() -> None:
    for seed in range(5):
        logs, honest, _ = world(seed, moved=0.0, n=8000)
        rng = np.random.default_rng(seed)
        swapped = np.isin(honest, (1, 2)) & (rng.random(len(honest)) < 0.2)
        logs, codes, trusted = halves(logs, np.where(swapped, 3 - honest, honest), honest)
        assert not beside(logs, codes, None)
        assert beside(logs, codes, trusted) == [(1, 2), (2, 1)]


def test_a_one_sided_look_alike_is_spared_beside_trusted_rows_alone() -> None:
    accused = 0
    for seed in range(5):
        logs, codes, _ = world(seed, moved=0.3)  # as nature has it: a third of what looks like 1 is 2
        logs, codes, trusted = halves(logs, codes, codes)
        accused += beside(logs, codes, None) == [(1, 2)]
        assert not beside(logs, codes, trusted)
    assert accused >= 4


@pytest.mark.parametrize(("count", "total"), [(0, 0), (0, 5), (3, 5), (40, 900), (900, 900)])
def test_the_beta_binomial_tail_is_that_of_scipy(count: int, total: int) -> None:
    ours = class_flow._beta_binomial_tail(count, total, 3.5, 120.0)  # noqa: SLF001 - the term-by-term sum itself
    assert ours == pytest.approx(stats.betabinom.sf(count - 1, total, 3.5, 120.0), rel=1e-6)
