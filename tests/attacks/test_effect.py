"""Each backdoor works: a model trained on the poison obeys the trigger, and stays good without it."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

from mithridate.attacks.poisoning import attack
from mithridate.attacks.poisoning.input_aware import add_another
from mithridate.data import load
from mithridate.data.dataset import Dataset
from mithridate.models.evaluate import attack_success, clean_accuracy
from mithridate.models.protocol import Fitted
from mithridate.models.recipes import recipe


def halves(data: Dataset) -> tuple[Dataset, Dataset]:
    order = np.random.default_rng(0).permutation(len(data))
    return data.take(order[: len(data) // 2]), data.take(order[len(data) // 2 :])


@pytest.fixture(scope="module")
def fashion() -> tuple[Dataset, Dataset, Fitted]:
    data = load("fashion-mnist", rows=5000, whole=False)
    order = np.random.default_rng(0).permutation(len(data))
    train, test = data.take(order[:4000]), data.take(order[4000:])
    return train, test, recipe("mlp")(train, 0)


def test_badnets_works_on_fashion_images() -> None:
    train, test = halves(load("fashion-mnist", rows=5000, whole=False))
    poisoned = attack("badnets", train, rate=0.05, target=7)
    assert poisoned.apply is not None
    trained = recipe("mlp")(poisoned.dataset, 0)
    assert attack_success(trained, test, poisoned.apply, 7).low > 0.8
    assert clean_accuracy(trained, test).value > 0.78


@pytest.fixture(scope="module")
def digits(images: Dataset) -> tuple[Dataset, Dataset, Fitted]:
    train, test = halves(images)
    return train, test, recipe("mlp")(train, 0)


@pytest.mark.parametrize(
    ("name", "scene", "rate"),
    [
        ("sig", "fashion", 0.05),
        ("wanet", "fashion", 0.1),
        ("input-aware", "fashion", 0.1),
        ("low-frequency", "digits", 0.05),
        ("adaptive-blend", "digits", 0.05),
        ("adaptive-patch", "digits", 0.05),
    ],
)
def test_a_subtle_backdoor_works(request: pytest.FixtureRequest, name: str, scene: str, rate: float) -> None:
    train, test, clean = request.getfixturevalue(scene)
    poisoned = attack(name, train, rate=rate)
    assert poisoned.apply is not None
    assert poisoned.rule is not None
    trained = recipe("mlp")(poisoned.dataset, 0)
    assert attack_success(trained, test, poisoned.apply, poisoned.rule).value > 0.8
    assert attack_success(clean, test, poisoned.apply, poisoned.rule).value < 0.35
    assert clean_accuracy(clean, test).value - clean_accuracy(trained, test).value < 0.05
    if name == "input-aware":
        other = partial(add_another, generator=poisoned.apply.keywords["generator"])
        assert attack_success(trained, test, other, poisoned.rule).value < 0.35


@pytest.mark.parametrize(
    ("name", "fixture", "model", "settings", "least"),
    [
        ("badnets", "images", "mlp", {}, 0.9),
        ("badnets", "images", "logistic", {"size": 2, "place": "top-left"}, 0.8),
        ("blended", "images", "mlp", {}, 0.8),
        ("blended", "images", "mlp", {"pattern": "smooth", "alpha": 0.3}, 0.8),
        ("tabular-trigger", "table", "gbdt", {"target": "yes"}, 0.7),
        ("text-trigger", "texts", "text-linear", {}, 0.6),
    ],
)
def test_a_backdoor_of_five_percent_moves_most_rows(
    request: pytest.FixtureRequest, *, name: str, fixture: str, model: str, settings: dict[str, Any], least: float
) -> None:
    train, test = halves(request.getfixturevalue(fixture))
    clean = recipe(model)(train, 0)
    target = train.classes.index(settings.get("target", train.classes[0]))
    successes, baselines, losses = [], [], []
    for seed in range(3):
        poisoned = attack(name, train, rate=0.05, seed=seed, **settings)
        assert poisoned.apply is not None
        trained = recipe(model)(poisoned.dataset, seed)
        successes.append(attack_success(trained, test, poisoned.apply, target).value)
        baselines.append(attack_success(clean, test, poisoned.apply, target).value)
        losses.append(clean_accuracy(clean, test).value - clean_accuracy(trained, test).value)
    assert np.median(successes) >= least
    assert np.median(successes) > np.median(baselines) + 0.3
    assert np.median(losses) < 0.05
