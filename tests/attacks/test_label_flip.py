"""Chosen flips hurt or hide more than random ones, and go where they were told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mithridate.attacks.poisoning import attack
from mithridate.attacks.poisoning.opinion import class_logs
from mithridate.data.dataset import Dataset
from mithridate.models.evaluate import clean_accuracy
from mithridate.models.recipes import recipe

RATE = 0.2
CHOSEN = ("near-boundary", "instance-dependent")


def halves(data: Dataset) -> tuple[Dataset, Dataset]:
    order = np.random.default_rng(0).permutation(len(data))
    return data.take(order[: len(data) // 2]), data.take(order[len(data) // 2 :])


def accuracies(data: Dataset, model: str, mode: str) -> float:
    train, test = halves(data)
    return float(
        np.median(
            [
                clean_accuracy(
                    recipe(model)(attack("label-flip", train, rate=RATE, mode=mode, seed=seed).dataset, 0), test
                ).value
                for seed in range(3)
            ]
        )
    )


@pytest.mark.parametrize(("fixture", "model"), [("images", "mlp"), ("table", "gbdt")])
def test_flips_at_the_border_cost_more_accuracy_than_random_ones(
    request: pytest.FixtureRequest, fixture: str, model: str
) -> None:
    data = request.getfixturevalue(fixture)
    near, random = (accuracies(data, model, mode) for mode in ("near-boundary", "random"))
    assert near < random - 0.01


def margins(data: Dataset, mode: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """How much less the wrong label fits the flipped rows than their own, by models that saw the clean labels."""
    made = attack("label-flip", data, rate=0.05, mode=mode)
    rows, logs = made.truth["row"].to_numpy(), class_logs(data, np.random.default_rng(9))
    return np.asarray(logs[rows, data.y[rows]] - logs[rows, made.dataset.y[rows]], dtype=np.float64)


@pytest.mark.parametrize("fixture", ["images", "table", "texts", "embedding"])
def test_chosen_flips_are_harder_to_see_than_random_ones(request: pytest.FixtureRequest, fixture: str) -> None:
    data = request.getfixturevalue(fixture)
    random, near, likely = (float(np.median(margins(data, mode))) for mode in ("random", *CHOSEN))
    assert max(near, likely) < random


@pytest.mark.parametrize("mode", CHOSEN)
def test_chosen_flips_keep_to_their_class_source_and_count_whatever_the_order(images: Dataset, mode: str) -> None:
    settings: dict[str, Any] = {"from": 4, "to": 9, "source": "eve", "rate": 0.01, "mode": mode}
    made = attack("label-flip", images, **settings)
    rows = made.truth["row"].to_numpy()
    assert len(rows) == round(0.01 * len(images))
    assert (images.y[rows] == 4).all()
    assert (made.dataset.y[rows] == 9).all()
    assert images.source_codes is not None
    assert (images.source_codes[rows] == images.source_names.index("eve")).all()
    turned = images.take(np.random.default_rng(1).permutation(len(images)))
    assert np.array_equal(attack("label-flip", turned, **settings).truth["row"].to_numpy(), rows)


@pytest.mark.parametrize("mode", CHOSEN)
def test_every_chosen_flip_is_a_wrong_label_and_nothing_else_moves(images: Dataset, mode: str) -> None:
    made = attack("label-flip", images, rate=0.1, mode=mode)
    moved = np.flatnonzero(made.dataset.y != images.y)
    assert np.array_equal(moved, made.truth["row"].to_numpy())
    assert np.array_equal(np.asarray(made.dataset.content), np.asarray(images.content))
