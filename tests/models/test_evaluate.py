from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mithridate.core.errors import InputError
from mithridate.data.dataset import Dataset
from mithridate.models.evaluate import attack_success, clean_accuracy
from mithridate.models.out_of_sample import out_of_sample
from mithridate.numeric.target_rule import TargetRule


class Memory:
    """A model that knows the rows it was trained on by heart, and nothing else."""

    def __init__(self, dataset: Dataset, seed: int) -> None:
        self.seed, self.n_classes = seed, dataset.n_classes
        self.known = {row.tobytes(): code for row, code in zip(dataset.x, dataset.y, strict=True)}

    def predict_proba(self, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        out = np.full((len(x), self.n_classes), 1 / self.n_classes, np.float32)
        for i, row in enumerate(x):
            if row.tobytes() in self.known:
                out[i] = np.eye(self.n_classes)[self.known[row.tobytes()]]
        return out


def by_first_pixel(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Class 0 for a white first pixel, class 1 otherwise."""
    white = x[:, 0, 0, 0] == 1
    return np.stack([white, ~white], axis=1).astype(np.float32)


def tiny() -> Dataset:
    images = np.zeros((8, 2, 2, 1), np.uint8)
    return Dataset("tiny", "image", images, codes=np.array([0, 0, 1, 1, 1, 1, 1, -1], np.int32), classes=("a", "b"))


def stamp(content: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    out = content.copy()
    out[:2, 0, 0, 0] = 255  # the first two rows only
    return out


def test_accuracy_and_attack_success_count_the_right_rows() -> None:
    accuracy = clean_accuracy(by_first_pixel, tiny())
    assert (accuracy.hits, accuracy.rows) == (5, 7)
    success = attack_success(by_first_pixel, tiny(), stamp, 0)
    assert (success.hits, success.rows) == (2, 5)
    swapped = attack_success(by_first_pixel, tiny().take([2, 3, 0, 4]), stamp, TargetRule("all-to-all", 2))
    assert (swapped.hits, swapped.rows) == (3, 4)
    anything = attack_success(by_first_pixel, tiny().take([0, 2, 3]), stamp, TargetRule("untargeted", 2))
    assert (anything.hits, anything.rows) == (1, 3)
    with pytest.raises(InputError, match="no row of another class"):
        attack_success(by_first_pixel, tiny().take([0, 1]), stamp, 0)
    with pytest.raises(InputError, match="no labelled row"):
        clean_accuracy(by_first_pixel, tiny().take([7]))


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_a_rate_lies_inside_its_interval(white: list[bool]) -> None:
    images = np.zeros((len(white), 2, 2, 1), np.uint8)
    images[white, 0, 0, 0] = 255
    rows = Dataset("rows", "image", images, codes=np.zeros(len(white), np.int32), classes=("a", "b"))
    rate = clean_accuracy(by_first_pixel, rows)
    assert rate.hits == sum(white)
    assert 0 <= rate.low <= rate.value <= rate.high <= 1


def test_nobody_judges_a_row_it_was_trained_on(images: Dataset) -> None:
    rows = images.take(np.arange(120))
    assert clean_accuracy(Memory(rows, 0), rows).value == 1
    outputs = out_of_sample(rows, Memory, folds=4)
    assert np.allclose(outputs, 0.1)


def test_copies_of_one_row_are_judged_together(images: Dataset) -> None:
    rows = images.take(np.repeat(np.arange(40), 3))
    assert np.allclose(out_of_sample(rows, Memory, folds=3), 0.1)


def test_too_few_rows_for_every_fold_give_even_chances() -> None:
    one = replace(tiny(), content=np.ones((8, 2, 2, 1), np.uint8))
    assert np.allclose(out_of_sample(one, Memory, folds=2), 0.5)
    with pytest.raises(InputError, match="folds must be"):
        out_of_sample(one, Memory, folds=1)


def test_a_recipe_that_fails_in_one_fold_fails_the_whole(images: Dataset) -> None:
    def fail(dataset: Dataset, seed: int) -> Memory:
        raise InputError(f"{dataset.name} and seed {seed} are not to my taste")

    with pytest.raises(InputError, match="not to my taste"):
        out_of_sample(images, fail, folds=2)
