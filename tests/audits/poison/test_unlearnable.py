from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from mithridate.audits.poison.context import AuditSettings, Context
from mithridate.audits.poison.unlearnable import unlearnable
from mithridate.core.errors import Skip
from mithridate.core.findings import Severity
from mithridate.core.method import Outcome
from mithridate.data import load
from mithridate.data.dataset import Dataset


def ask(data: Dataset) -> tuple[Outcome, Dataset]:
    ordered = data.canonical()
    return unlearnable(Context(ordered), AuditSettings()), ordered


def clothes(rows: int = 2000, *, seed: int = 0) -> Dataset:
    data = load("fashion-mnist", whole=False)
    chosen = np.random.default_rng(seed).choice(len(data), rows, replace=False)
    return Dataset("clothes", "image", data.content[chosen], data.y[chosen], data.classes)


def photos(rows: int = 2000) -> Dataset:
    """Colour images: tinted clothes on a background of coarse noise."""
    data, rng = clothes(rows), np.random.default_rng(3)
    back = rng.integers(0, 200, (rows, 7, 7, 3)).repeat(4, axis=1).repeat(4, axis=2) + rng.integers(
        0, 40, (rows, 28, 28, 3)
    )
    shape = data.content / 255.0
    mixed = back * (1 - np.minimum(3 * shape, 1)) + shape * rng.uniform(80, 255, (rows, 1, 1, 3))
    return replace(data, content=np.clip(mixed, 0, 255).astype(np.uint8))


def class_noise(data: Dataset, rows: npt.NDArray[Any], *, epsilon: int) -> Dataset:
    """One noise of +- epsilon levels for each class, on these rows."""
    noise = np.random.default_rng(9).choice([-epsilon, epsilon], size=(data.n_classes, *data.content.shape[1:]))
    content = data.content.astype(int)
    content[rows] += noise[data.y[rows]]
    return replace(data, content=np.clip(content, 0, 255).astype(np.uint8))


@pytest.mark.parametrize("epsilon", [8, 16])
@pytest.mark.parametrize("make", [clothes, photos])
def test_noise_on_every_row_is_found_and_shown_to_mislead(make: Any, epsilon: int) -> None:
    data = make()
    outcome, ordered = ask(class_noise(data, np.arange(len(data)), epsilon=epsilon))
    (finding,) = outcome.findings
    assert finding.severity == Severity.HIGH
    assert outcome.row_scores is not None
    assert np.asarray(outcome.row_scores.flagged).mean() > 0.98
    assert len(finding.subject.rows) > 0.98 * len(ordered)


@pytest.mark.parametrize("make", [clothes, photos])
def test_noise_on_one_class_names_the_class(make: Any) -> None:
    data = make()
    outcome, ordered = ask(class_noise(data, np.flatnonzero(data.y == 4), epsilon=8))
    (finding,) = outcome.findings
    assert finding.subject.label == 4
    assert outcome.row_scores is not None
    flagged = np.asarray(outcome.row_scores.flagged)
    assert (flagged == (ordered.y == 4)).mean() > 0.99


def test_noise_on_a_third_of_the_rows_ranks_them_and_flags_none() -> None:
    data = photos(4000)
    rows = np.sort(np.random.default_rng(1).choice(4000, 1300, replace=False))
    outcome, ordered = ask(class_noise(data, rows, epsilon=16))
    assert outcome.findings
    assert outcome.row_scores is not None
    truth = np.isin(ordered.ids, rows)
    first = np.argsort(-np.asarray(outcome.row_scores.score), kind="stable")[: len(rows)]
    assert truth[first].mean() > 0.65
    assert not np.asarray(outcome.row_scores.flagged).any()


@pytest.mark.parametrize("seed", range(5))
def test_clean_clothes_are_quiet(seed: int) -> None:
    outcome, _ = ask(clothes(seed=seed))
    assert not outcome.findings
    assert outcome.row_scores is not None
    assert not np.asarray(outcome.row_scores.flagged).any()


def test_clean_photos_and_digits_are_quiet() -> None:
    for data in (photos(), load("digits")):
        assert not ask(data)[0].findings


def test_a_logo_on_every_row_of_a_class_is_no_such_noise() -> None:
    data = clothes()
    content = data.content.copy()
    content[data.y == 3, 1:6, 1:6] = np.array([0, 255, 0, 255, 0], np.uint8)[:, None]
    assert not ask(replace(data, content=content))[0].findings


def test_too_few_rows_and_tiny_images_are_skipped() -> None:
    with pytest.raises(Skip, match="200 labelled rows"):
        ask(clothes(100))
    data = clothes(300)
    with pytest.raises(Skip, match="fine detail"):
        ask(replace(data, content=data.content[:, :4, :4]))
