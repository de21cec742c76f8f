"""Labels across a border: an excess is told where rows were flipped nearest first, and nowhere else."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from mithridate.numeric.border_noise import border_noise

Made = tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], npt.NDArray[np.bool_]]


def made(seed: int, how: str, *, n: int = 6_000, scale: float = 1.0) -> Made:
    """Four classes; log probabilities whose scale is off, labels drawn by the right ones, 5 % of them flipped."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2.5, (n, 4))
    true = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    codes = (true + rng.gumbel(size=true.shape)).argmax(axis=1)
    guess = scale * (logits + rng.normal(0, 0.3, logits.shape))
    logs = guess - np.logaddexp.reduce(guess, axis=1, keepdims=True)
    flipped = np.zeros(n, dtype=bool)
    if how == "nearest":
        order = np.sort(logs, axis=1)
        right = logs.argmax(axis=1) == codes
        rows = np.flatnonzero(right)[np.argsort((order[:, -1] - order[:, -2])[right])][: n // 20]
        codes[rows] = logs.argsort(axis=1)[rows, -2]
        flipped[rows] = True
    elif how == "random":
        rows = rng.choice(n, n // 20, replace=False)
        codes[rows] = (codes[rows] + rng.integers(1, 4, len(rows))) % 4
        flipped[rows] = True
    return logs, codes, flipped


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("scale", [0.7, 1.0, 1.6])
def test_flips_of_the_nearest_rows_are_counted_and_ranked_first(seed: int, scale: float) -> None:
    logs, codes, flipped = made(seed, "nearest", scale=scale)
    found = border_noise(logs, codes)
    assert found.sure
    assert found.low > 0
    assert found.low <= found.excess <= found.high
    first = np.argsort(-found.odds, kind="stable")[: flipped.sum()]
    plain = np.argsort(logs[np.arange(len(codes)), codes], kind="stable")[: flipped.sum()]
    assert flipped[first].mean() > flipped[plain].mean() + 0.1


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("how", ["none", "random"])
def test_honest_labels_and_flips_by_chance_show_no_excess(seed: int, how: str) -> None:
    logs, codes, _ = made(seed, how, scale=(0.7, 1.0, 1.6)[seed % 3])
    assert not border_noise(logs, codes).sure


def test_rows_without_a_label_and_rows_inside_their_class_have_no_odds() -> None:
    logs, codes, _ = made(0, "nearest")
    inside = logs.argmax(axis=1) == codes
    codes[:100] = -1
    found = border_noise(logs, codes)
    assert (found.odds[:100] == 0).all()
    assert (found.odds[inside] == 0).all()


def test_too_few_rows_say_nothing() -> None:
    found = border_noise(np.log(np.full((3, 2), 0.5)), np.array([0, 1, 1]))
    assert not found.sure
    assert np.isfinite(found.odds).all()
