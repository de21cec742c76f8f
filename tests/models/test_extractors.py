"""The user's own embedding: taken in reading order, from an array, a file or a function; refused in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mithridate
from mithridate.core.errors import InputError
from mithridate.data import load
from mithridate.data.dataset import Dataset
from mithridate.models.extractors import extract


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("digits", rows=400)


def test_array_and_file_follow_the_rows_into_any_order(digits: Dataset, tmp_path: Path) -> None:
    given = np.arange(800, dtype=np.float32).reshape(400, 2)
    np.save(tmp_path / "e.npy", given)
    moved = digits.canonical()
    assert (extract(given, moved) == given[moved.ids]).all()
    assert (extract(tmp_path / "e.npy", moved) == given[moved.ids]).all()


def test_function_gets_the_content(digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "myextractor.py").write_text("def flat(x):\n    return x.reshape(len(x), -1)\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert extract("myextractor:flat", digits).shape == (400, 64)


def test_embedding_changes_what_label_errors_rest_on(digits: Dataset) -> None:
    noise = np.random.default_rng(0).normal(size=(400, 8)).astype(np.float32)
    own = mithridate.audit(digits, power="off", methods="PSN101")
    blind = mithridate.audit(digits, power="off", methods="PSN101", embedding=noise)
    assert own.table is not None
    assert blind.table is not None
    assert not np.array_equal(own.table.score, blind.table.score)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (np.zeros((3, 2)), "one vector a row"),
        (np.full((400, 2), np.nan), "finite"),
        ([["a"]] * 400, "no numbers"),
        ("nothing.npy", "no .npy"),
        ("mithridate.nothing:here", "loaded"),
    ],
)
def test_bad_embedding_says_what_and_what_next(digits: Dataset, given: Any, told: str) -> None:
    with pytest.raises(InputError, match=told):
        extract(given, digits)
