"""The small data sets that come along."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import mithridate.data
from mithridate.core.errors import InputError
from mithridate.data import builtin, load, names


def test_every_set_loads_its_subset_without_a_network() -> None:
    assert names() == ("fashion-mnist", "adult", "digits", "spam")
    shapes = {
        name: (len(data), data.modality, data.n_classes) for name in names() for data in [load(name, whole=False)]
    }
    assert shapes == {
        "fashion-mnist": (10_000, "image", 10),
        "adult": (10_000, "table", 2),
        "digits": (1_797, "image", 10),
        "spam": (2_400, "text", 2),
    }


def test_fashion_mnist_is_stratified_bytes_with_named_classes() -> None:
    data = load("fashion-mnist", whole=False)
    assert data.classes == tuple(range(10))
    assert data.class_names[9] == "Ankle boot"
    assert data.content.dtype == np.uint8
    assert (np.bincount(data.y) == 1_000).all()


def test_rows_are_drawn_evenly_and_always_the_same() -> None:
    data = load("fashion-mnist", rows=200)
    assert (np.bincount(data.y) == 20).all()
    assert data.digest == load("fashion-mnist", rows=200, whole=False).digest
    assert data.ids.tolist() == list(range(200))


def test_adult_has_its_columns_and_label() -> None:
    data = load("adult", whole=False)
    assert data.label_name == "income"
    assert data.classes == ("<=50K", ">50K")
    assert len(data.content.column_names) == 14


def test_mails_hold_no_addresses_links_or_long_numbers() -> None:
    texts = load("spam").x
    for pattern in (r"\w@\w+\.\w", r"https?://", r"\bwww\.", r"\b\d{5,}\b", r"\d{3}[-. ]\d{3}[-. ]\d{4}"):
        found = [text for text in texts if re.search(pattern, text)]
        assert not found, (pattern, found[0])
    assert max(map(len, texts)) < 900


def test_the_whole_is_taken_where_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builtin, "FASHION_FOLDER", tmp_path)
    assert len(load("fashion-mnist")) == 10_000
    with pytest.raises(InputError, match="isn't installed"):
        load("fashion-mnist", whole=True)


def test_the_sets_are_small_and_credited() -> None:
    folder = Path(mithridate.data.__file__).parent / "sets"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 7_000_000
    text = (folder / "LICENSES.md").read_text(encoding="utf-8")
    for path in folder.iterdir():
        assert path.name == "LICENSES.md" or path.name in text


@pytest.mark.parametrize("rows", [0, -1, 10_000_000])
def test_impossible_numbers_of_rows_are_refused(rows: int) -> None:
    with pytest.raises(InputError, match="rows must be in"):
        load("digits", rows=rows)


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="fashion-mnist, adult, digits, spam"):
        load("cifar")
