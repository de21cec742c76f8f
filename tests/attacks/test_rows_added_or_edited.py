"""Attacks that add rows or change content and leave the labels: truth-serum and split-view."""

from __future__ import annotations

import numpy as np
import pytest

from mithridate.attacks.poisoning import attack
from mithridate.core.errors import InputError
from mithridate.data.dataset import Dataset
from mithridate.models.evaluate import clean_accuracy
from mithridate.models.recipes import recipe

KINDS = pytest.mark.parametrize("kind", ["images", "table", "texts", "embedding"])


@pytest.fixture
def data(request: pytest.FixtureRequest, kind: str) -> Dataset:
    return request.getfixturevalue(kind)


@KINDS
def test_truth_serum_adds_mislabelled_copies_and_changes_nothing_else(data: Dataset) -> None:
    before = data.digest
    poisoned = attack("truth-serum", data, rate=0.05, copies=4, seed=2)
    rows, of = poisoned.truth["row"].to_numpy(), poisoned.truth["of"].to_numpy()
    assert len(rows) == round(0.05 * len(data)) // 4 * 4
    assert rows.tolist() == list(range(len(data), len(data) + len(rows)))
    assert (np.unique(of, return_counts=True)[1] == 4).all()
    assert (poisoned.dataset.hashes[rows] == data.hashes[of]).all()
    assert (poisoned.dataset.y[rows] != data.y[of]).all()
    assert all(len(set(poisoned.dataset.y[rows[of == row]])) == 1 for row in np.unique(of))
    assert poisoned.dataset.take(range(len(data))).digest == before == data.digest
    fresh = Dataset("f", data.modality, poisoned.dataset.content, codes=poisoned.dataset.codes, classes=data.classes)
    assert (fresh.hashes == poisoned.dataset.hashes).all()


@KINDS
def test_split_view_swaps_content_between_classes(data: Dataset) -> None:
    before = data.digest
    poisoned = attack("split-view", data, rate=0.05, seed=2)
    rows = poisoned.truth["row"].to_numpy()
    assert len(rows) == round(0.05 * len(data)) // 2 * 2
    assert set(poisoned.truth["kind"].to_pylist()) == {"edited"}
    assert (poisoned.dataset.y == data.y).all()
    assert (np.flatnonzero(poisoned.dataset.hashes != data.hashes) == rows).all()
    assert sorted(map(bytes, poisoned.dataset.hashes)) == sorted(map(bytes, data.hashes))
    class_of = {bytes(h): code for h, code in zip(data.hashes, data.y, strict=True)}
    assert all(class_of[bytes(poisoned.dataset.hashes[row])] != data.y[row] for row in rows)
    assert data.digest == before


@KINDS
@pytest.mark.parametrize("name", ["truth-serum", "split-view"])
def test_row_order_changes_nothing_and_a_seed_does(name: str, data: Dataset) -> None:
    moved = data.take(np.random.default_rng(0).permutation(len(data)))
    first, second = (attack(name, part, rate=0.05, seed=1) for part in (data, moved))
    assert first.truth == second.truth
    assert first.dataset.digest == second.dataset.digest
    assert attack(name, data, rate=0.05, seed=2).dataset.digest != first.dataset.digest


def test_a_target_stands_in_every_swapped_pair(images: Dataset) -> None:
    poisoned = attack("split-view", images, rate=0.05, target=7)
    rows = poisoned.truth["row"].to_numpy()
    assert (images.y[rows] == 7).sum() == len(rows) // 2


def test_targets_may_be_given_and_carry_the_label_asked_for(images: Dataset) -> None:
    poisoned = attack("truth-serum", images, rate=0.01, targets=5, copies=3, target=2)
    rows = poisoned.truth["row"].to_numpy()
    assert len(rows) == 15
    assert set(poisoned.dataset.y[rows]) == {2}


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("truth-serum", {"copies": 0}, "copies must be"),
        ("truth-serum", {"targets": 99999}, "can be copied"),
        ("truth-serum", {"rate": 0.001}, "fewer than the 8 copies"),
        ("split-view", {"rate": 0.9, "target": 7}, "use a rate of at most"),
        ("split-view", {"rate": 0.0001}, "use a rate of at least"),
    ],
)
def test_a_bad_setting_gets_one_clear_line(name: str, settings: dict[str, float], words: str, images: Dataset) -> None:
    with pytest.raises(InputError, match=words):
        attack(name, images, **{"rate": 0.05, **settings})


def test_poisoned_copies_part_members_from_others(images: Dataset) -> None:
    """The score of the true label with the row in training and without it lies further apart beside the copies."""
    data = images.take(range(600))
    poisoned = attack("truth-serum", data, rate=0.5, targets=20, copies=8)
    of = np.unique(poisoned.truth["of"].to_numpy())

    def gap(whole: Dataset) -> float:
        """Mean difference of the true label's log-odds between a model that saw the rows and one that didn't."""
        seen = recipe("logistic")(whole, 0)
        unseen = recipe("logistic")(whole.take(np.setdiff1d(np.arange(len(whole)), of)), 0)
        scores = []
        for model in (seen, unseen):
            p = np.clip(
                np.asarray(model.predict_proba(data.take(of).x))[np.arange(len(of)), data.y[of]], 1e-9, 1 - 1e-9
            )
            scores.append(np.log(p / (1 - p)))
        return float(np.median(scores[0] - scores[1]))

    assert gap(poisoned.dataset) > 2 * gap(data)


def test_a_model_of_the_swapped_rows_was_taught_wrongly(images: Dataset) -> None:
    poisoned = attack("split-view", images, rate=0.05)
    rows = poisoned.truth["row"].to_numpy()
    model = recipe("logistic")(images, 0)
    swapped = poisoned.dataset.take(rows)
    assert clean_accuracy(model, swapped).value < 0.1
    assert clean_accuracy(model, images.take(rows)).value > 0.9
