"""Attacks that train a network of their own: what they change, what they leave, and that they work."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from mithridate.attacks.poisoning import CRAFTED, attack
from mithridate.attacks.poisoning.protocol import Poisoned
from mithridate.attacks.poisoning.surrogate import Surrogate, tensor_of
from mithridate.core.errors import InputError
from mithridate.core.trigger import Trigger
from mithridate.data import load
from mithridate.data.dataset import Dataset
from mithridate.models.adapters import TorchModel
from mithridate.models.builtin.cnn import build
from mithridate.models.engine import fit_module
from mithridate.models.evaluate import attack_success, clean_accuracy
from mithridate.models.inputs import nchw

torch = pytest.importorskip("torch")
INSTANCE = {"feature-collision", "bullseye", "witches-brew"}
RATE = 0.02


def network(dataset: Dataset, seed: int, epochs: int = 1) -> TorchModel:
    """The built-in network, trained briefly."""
    data = dataset.canonical()
    x = nchw(data.x)
    make = partial(build, channels=x.shape[1], n_classes=data.n_classes)
    return TorchModel(
        fit_module(make, x, data.y, n_classes=data.n_classes, seed=seed, epochs=epochs), nchw, data.n_classes
    )


def poison(name: str, data: Dataset, *, rate: float = RATE, seed: int = 0, **settings: Any) -> Poisoned:
    if name == "unlearnable":
        return attack(name, data, rate=rate, seed=seed, **{"steps": 1, **settings})
    few = 40 if name == "narcissus" else 2
    return attack(name, data, rate=rate, seed=seed, **{"steps": few, "models": 1, "recipe": network, **settings})


@pytest.fixture(scope="module")
def digits(images: Dataset) -> Dataset:
    return images.take(np.arange(600))


@pytest.fixture(scope="module")
def clothes() -> tuple[Dataset, Dataset]:
    data = load("fashion-mnist", rows=3000, whole=False)
    order = np.random.default_rng(0).permutation(len(data))
    train, test = data.take(np.sort(order[:2000])), data.take(order[2000:])
    return Dataset("train", "image", train.content, train.codes, train.classes), test


@pytest.fixture(scope="module")
def honest(clothes: tuple[Dataset, Dataset]) -> TorchModel:
    """A network trained on the clean rows: the attackers' own, and what their success is measured against."""
    return network(clothes[0], 50, epochs=8)


@pytest.mark.parametrize("name", sorted(CRAFTED))
def test_a_crafted_attack_changes_exactly_the_rate_and_no_label(name: str, digits: Dataset) -> None:
    before = digits.take(np.arange(len(digits))).digest
    poisoned = poison(name, digits, seed=3)
    assert digits.take(np.arange(len(digits))).digest == before
    data, rows = poisoned.dataset, poisoned.rows
    assert len(rows) == round(RATE * len(digits))
    assert (np.diff(rows) > 0).all()
    assert (data.ids == np.arange(len(data))).all()
    fresh = Dataset("fresh", "image", data.content, data.codes, data.classes)
    assert (fresh.hashes == data.hashes).all()
    same = np.setdiff1d(data.ids, rows)
    if poisoned.victim is not None:
        same = same[same != poisoned.victim.row]
    assert (data.hashes[same] == digits.hashes[same]).all()
    assert (data.y[same] == digits.y[same]).all()
    assert (data.hashes[rows] != digits.hashes[rows]).mean() > 0.9
    if name != "unlearnable":
        assert (data.y[rows] == 0).all()
    if poisoned.trigger is not None:
        assert Trigger.from_json(poisoned.trigger.to_json()) == poisoned.trigger


@pytest.mark.parametrize("name", sorted(CRAFTED))
def test_the_same_seed_gives_the_same_crafted_poison_whatever_the_row_order(name: str, digits: Dataset) -> None:
    shuffled = digits.take(np.random.default_rng(0).permutation(len(digits)))
    first, second = poison(name, digits, seed=1), poison(name, shuffled, seed=1)
    assert first.truth == second.truth
    assert first.trigger == second.trigger
    assert first.dataset.digest == second.dataset.digest


@pytest.mark.parametrize("name", sorted(INSTANCE))
def test_the_victim_is_taken_out_and_the_last_row_takes_its_place(name: str, digits: Dataset) -> None:
    poisoned = poison(name, digits, victim=17, target=int(digits.y[17] + 1) % 10)
    victim = poisoned.victim
    assert victim is not None
    assert victim.row == 17
    assert (victim.content[0] == digits.content[17]).all()
    assert victim.label == digits.y[17]
    assert victim.wanted == (digits.y[17] + 1) % 10
    assert len(poisoned.dataset) == len(digits) - 1
    assert poisoned.dataset.y[17] == digits.y[-1]
    assert not (poisoned.dataset.hashes == digits.hashes[17]).any()


@pytest.mark.parametrize("name", sorted(CRAFTED - {"hidden-trigger", "narcissus", "label-consistent"}))
def test_no_pixel_moves_by_more_than_epsilon(name: str, digits: Dataset) -> None:
    poisoned = poison(name, digits, eps="16/255")
    rows = poisoned.rows
    if poisoned.victim is not None:
        rows = rows[rows != poisoned.victim.row]
    moved = poisoned.dataset.content[rows].astype(int) - digits.content[rows].astype(int)
    assert 0 < np.abs(moved).max() <= 16


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("narcissus", {"eps": "2"}, "8/255"),
        ("narcissus", {"eps": "9/0"}, "8/255"),
        ("bullseye", {"victim": 10_000}, "victim must be"),
        ("bullseye", {"rate": 0.5}, "at most"),
        ("witches-brew", {"recipe": "logistic"}, "gradients"),
        ("unlearnable", {"recipe": "mlp"}, "untrained"),
        ("hidden-trigger", {"from": 77}, "not a class"),
        ("label-consistent", {"size": 9}, "larger than the images"),
        ("witches-brew", {"strength": 3}, "unknown setting strength"),
    ],
)
def test_a_bad_setting_of_a_crafted_attack_is_one_clear_line(
    name: str, settings: dict[str, Any], words: str, digits: Dataset
) -> None:
    with pytest.raises(InputError, match=words):
        poison(name, digits, **settings)


def test_a_crafted_attack_on_a_table_is_refused(table: Dataset) -> None:
    with pytest.raises(InputError, match="image attack"):
        attack("witches-brew", table, rate=0.05)


def test_narcissus_moves_images_of_a_network_trained_on_it(
    clothes: tuple[Dataset, Dataset], honest: TorchModel
) -> None:
    train, test = clothes
    poisoned = attack("narcissus", train, rate=0.05, target=2, recipe=lambda _data, _seed: honest, steps=100)
    fooled = network(poisoned.dataset, 51, epochs=8)
    assert poisoned.apply is not None
    assert poisoned.rule is not None
    success = attack_success(fooled, test, poisoned.apply, poisoned.rule).value
    assert success > 0.35
    unpoisoned = network(train, 52, epochs=8)  # not the attacker's own, which the pattern was made to move
    assert success > attack_success(unpoisoned, test, poisoned.apply, poisoned.rule).value + 0.1
    assert clean_accuracy(fooled, test).value > clean_accuracy(honest, test).value - 0.05


def test_unlearnable_rows_teach_little(clothes: tuple[Dataset, Dataset]) -> None:
    train, test = (halved(data) for data in clothes)
    train = train.take(np.arange(1000))
    poisoned = attack("unlearnable", train, rate=1, eps="24/255", form="class-wise", steps=5)
    assert len(poisoned.rows) == len(train)
    taught, misled = network(train, 3, epochs=12), network(poisoned.dataset, 3, epochs=12)
    assert clean_accuracy(misled, poisoned.dataset).value > 0.95
    assert clean_accuracy(misled, test).value < clean_accuracy(taught, test).value - 0.08


@pytest.mark.parametrize(("name", "group"), [("feature-collision", 1), ("bullseye", 5)])
def test_poison_comes_to_the_victim_in_feature_space(
    name: str, group: int, clothes: tuple[Dataset, Dataset], honest: TorchModel
) -> None:
    train, _ = clothes
    victim = int(np.flatnonzero(train.y == 0)[0])
    settings = {"target": 6, "victim": victim, "recipe": lambda _data, _seed: honest, "steps": 60, "models": 1}
    poisoned = attack(name, train, rate=0.01, eps="32/255", **settings)
    rows = poisoned.rows[poisoned.rows != victim]
    net = Surrogate(honest.module)
    goal = net.features(tensor_of(train, np.array([victim]))).detach()

    def distance(data: Dataset) -> float:
        means = torch.stack([part.mean(0) for part in net.features(tensor_of(data, rows)).detach().split(len(rows))])
        spread = net.features(tensor_of(data, rows)).detach() - goal
        return float((means - goal).norm() if group > 1 else spread.norm(dim=1).mean())

    assert distance(poisoned.dataset) < 0.6 * distance(train)


def test_witches_brew_turns_the_training_gradient(clothes: tuple[Dataset, Dataset], honest: TorchModel) -> None:
    train, _ = clothes
    victim = int(np.flatnonzero(train.y == 0)[0])
    settings = {"target": 6, "victim": victim, "recipe": lambda _data, _seed: honest, "steps": 40, "models": 1}
    poisoned = attack("witches-brew", train, rate=0.01, **settings)
    rows = poisoned.rows[poisoned.rows != victim]
    weights = list(honest.module.parameters())

    def gradient(images: Any) -> Any:
        loss = torch.nn.functional.cross_entropy(honest.module(images), torch.full((len(images),), 6))
        return torch.cat([part.flatten() for part in torch.autograd.grad(loss, weights)])

    goal = gradient(tensor_of(train, np.array([victim])))
    before, after = (
        float(torch.nn.functional.cosine_similarity(gradient(tensor_of(data, rows)), goal, dim=0))
        for data in (train, poisoned.dataset)
    )
    assert after > before + 0.1


def test_label_consistent_rows_are_hard_to_recognise_and_carry_the_patch(
    clothes: tuple[Dataset, Dataset], honest: TorchModel
) -> None:
    train, _ = clothes
    poisoned = attack("label-consistent", train, rate=0.02, target=6, recipe=lambda _data, _seed: honest, steps=10)
    rows = poisoned.rows
    known = (honest.predict_proba(poisoned.dataset.x[rows]).argmax(axis=1) == 6).mean()
    assert known < 0.2
    patches = poisoned.dataset.content[rows, -4:-1, -4:-1]
    assert (patches == patches[:1]).all()


def test_hidden_trigger_rows_look_to_a_network_like_patched_ones(
    clothes: tuple[Dataset, Dataset], honest: TorchModel
) -> None:
    train, _ = clothes
    poisoned = attack(
        "hidden-trigger", train, rate=0.02, target=6, recipe=lambda _data, _seed: honest, steps=40, **{"from": 0}
    )
    assert poisoned.apply is not None
    net, rows = Surrogate(honest.module), poisoned.rows
    shown = replace(train, content=poisoned.apply(train.content[train.y == 0]), codes=None, row_ids=None)
    goals = net.features(tensor_of(shown, np.arange(len(shown)))).detach()

    def distance(data: Dataset) -> float:
        return float(torch.cdist(net.features(tensor_of(data, rows)).detach(), goals).min(dim=1).values.mean())

    assert distance(poisoned.dataset) < 0.8 * distance(train)


def halved(data: Dataset) -> Dataset:
    n, height, width, channels = data.content.shape
    small = data.content.reshape(n, height // 2, 2, width // 2, 2, channels).mean(axis=(2, 4))
    return Dataset(data.name, "image", small.astype(np.uint8), data.codes, data.classes)
