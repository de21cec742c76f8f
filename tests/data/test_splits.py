"""Which files of a folder are one data set: by the split words in their names, whatever the numbering."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mithridate.core.errors import InputError
from mithridate.data.read import read


def write_part(path: Path, row: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"a": [row, row], "b": [1, 2], "label": [0, 1]}), path)


@pytest.mark.parametrize(
    "names",
    [
        ("s0", "s1"),
        ("part-0000", "part-0001"),
        ("shard_1", "shard_2"),
        ("part-00000-0af3.c000", "part-00001-0af3.c000"),
        ("000", "001"),
        ("north", "south"),
        ("mails.1", "mails.2"),
        ("latest-1", "latest-2"),
        ("year=2020/part-0", "year=2021/part-0"),
    ],
)
def test_parts_of_any_naming_are_one_data_set(tmp_path: Path, names: tuple[str, str]) -> None:
    for row, name in enumerate(names):
        write_part(tmp_path / "d" / f"{name}.parquet", row)
    data = read(tmp_path / "d")
    assert data.name == "d"
    assert data.content["a"].to_pylist() == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("names", "rows", "said"),
    [
        (("train_0", "train_1", "test_0"), [0, 0, 1, 1], "d (train)"),
        (("training-0", "training-1", "holdout"), [0, 0, 1, 1], "d (train)"),
        (("train/0000", "test/0000"), [0, 0], "d (train)"),
        (("train-00000-of-00003", "train-00001-of-00003", "train-00002-of-00003"), [0, 0, 1, 1, 2, 2], "d"),
        (("train", "extra"), [0, 0], "d (train)"),
        (("train0", "val0"), [0, 0], "d (train)"),
    ],
)
def test_split_words_in_names_or_folders_tell_splits_apart(
    tmp_path: Path, names: tuple[str, ...], rows: list[int], said: str
) -> None:
    for row, name in enumerate(names):
        write_part(tmp_path / "d" / f"{name}.parquet", row)
    data = read(tmp_path / "d")
    assert data.name == said
    assert data.content["a"].to_pylist() == rows


def test_data_sets_of_two_names_and_one_split_word_are_not_mixed(tmp_path: Path) -> None:
    for row, name in enumerate(("en_train-0", "fr_train-0")):
        write_part(tmp_path / f"{name}.parquet", row)
    with pytest.raises(InputError, match="splits en_train, fr_train"):
        read(tmp_path)


def test_parts_of_different_columns_are_no_data_set(tmp_path: Path) -> None:
    write_part(tmp_path / "a.parquet", 0)
    pq.write_table(pa.table({"z": [1]}), tmp_path / "b.parquet")
    with pytest.raises(InputError, match=r"a.parquet and b.parquet have different columns; .* or pass one file"):
        read(tmp_path)
