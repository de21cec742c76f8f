"""The rows that a trigger without one target stamped, by the rule of their labels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mithridate.numeric.strayed_rule import ruled_odds
from mithridate.numeric.unfit_labels import strayed_odds


def nothing(natural: np.ndarray) -> np.ndarray:
    return np.zeros(len(natural))


def carriers(step: int | None, seed: int, *, k: int = 8) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(m, k) log probabilities of an unsure model, labels, and which rows are stamped: by y + step, or by any other."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, k, 500)
    p = np.stack([rng.dirichlet(np.where(np.arange(k) == y, 2.5, 0.25)) for y in truth]) + 1e-4
    stamped = np.arange(500) < 200
    away = rng.integers(1, k, 500) if step is None else np.full(500, step)
    return np.log(p / p.sum(axis=1, keepdims=True)), ((truth + stamped * away) % k).astype(np.int32), stamped


def recall(odds: np.ndarray, stamped: np.ndarray) -> float:
    return float(stamped[np.argsort(-odds, kind="stable")[: stamped.sum()]].mean())


def test_a_rule_that_moves_each_class_to_one_other_is_learnt() -> None:
    gains = []
    for seed in range(5):
        log_p, codes, stamped = carriers(1, seed)
        gains.append(recall(ruled_odds(log_p, codes, nothing), stamped) - recall(strayed_odds(log_p, codes), stamped))
    assert min(gains) > 0.02, gains


def test_labels_that_go_anywhere_lose_nothing_by_a_rule_that_is_not_there() -> None:
    for seed in range(5):
        log_p, codes, stamped = carriers(None, seed)
        plain = recall(strayed_odds(log_p, codes), stamped)
        assert recall(ruled_odds(log_p, codes, nothing), stamped) > plain - 0.02


def test_evidence_beside_the_labels_decides_where_they_do_not() -> None:
    log_p, codes = np.full((60, 2), np.log(0.5)), np.tile(np.array([0, 1], np.int32), 30)
    odds = ruled_odds(log_p, codes, lambda _natural: np.where(np.arange(60) < 30, 4.0, -4.0))
    assert (odds[:30] > 1).all()
    assert (odds[30:] < -1).all()


@settings(max_examples=30)
@given(st.integers(1, 30), st.integers(1, 5), st.integers(0, 99))
def test_any_labels_have_finite_odds(m: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    log_p = np.log(rng.dirichlet(np.ones(k), m) + 1e-12)
    assert np.isfinite(ruled_odds(log_p, rng.integers(0, k, m).astype(np.int32), nothing)).all()


@pytest.mark.parametrize("rows", [0, 1])
def test_hardly_any_rows_have_odds_too(rows: int) -> None:
    assert ruled_odds(np.zeros((rows, 2)), np.zeros(rows, np.int32), nothing).shape == (rows,)
