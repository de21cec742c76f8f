"""Rows that are in memory already, from every library that holds rows."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from sklearn.datasets import load_digits, load_iris
from torch.utils.data import TensorDataset

from mithridate.core.errors import InputError
from mithridate.data.memory import from_memory
from mithridate.data.read import read

FRAME = pd.DataFrame(
    {"age": [31, 42, 53, 64], "work": ["a", "b", "a", None], "label": ["n", "y", "n", "y"], "source": list("ppqq")}
)


@pytest.mark.parametrize(
    "convert",
    [
        lambda frame: frame,
        lambda frame: frame.astype({"work": "category"}),
        lambda frame: frame.set_index("age", drop=False),
        pl.from_pandas,
        lambda frame: pl.from_pandas(frame).lazy(),
        pa.Table.from_pandas,
        lambda frame: pa.Table.from_pandas(frame).to_batches()[0],
    ],
)
def test_frames_and_tables_are_one(convert: Any) -> None:
    data = from_memory(convert(FRAME))
    assert data.modality == "table"
    assert data.classes == ("n", "y")
    assert data.source_names == ("p", "q")
    assert data.digest == from_memory(pa.Table.from_pandas(FRAME)).digest


def test_labels_may_be_a_column_or_values() -> None:
    assert from_memory(FRAME, labels="work").classes == ("a", "b")
    x = FRAME[["age", "work"]]
    for labels in (FRAME["label"], FRAME["label"].tolist(), FRAME["label"].to_numpy(), pl.Series(list("nyny"))):
        data = from_memory(x, labels=labels, sources=pd.Series(list("ppqq")))
        assert data.classes == ("n", "y")
        assert data.source_names == ("p", "q")
        assert data.content.column_names == ["age", "work"]


@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.uint8])
def test_tensors_are_arrays(kind: torch.dtype) -> None:
    x = torch.arange(2 * 3 * 4 * 4).reshape(2, 3, 4, 4).to(kind)
    data = from_memory(x, labels=torch.tensor([1, 0]))
    assert data.content.shape == (2, 4, 4, 3)
    assert data.y.tolist() == [1, 0]


class Pairs(torch.utils.data.Dataset[Any]):
    def __len__(self) -> int:
        return 5

    def __getitem__(self, i: int) -> tuple[Any, int]:
        return torch.full((1, 3, 3), i / 255), i % 2


def test_torch_data_sets_give_content_and_labels() -> None:
    data = from_memory(Pairs())
    assert data.content.dtype == np.uint8
    assert data.content[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4]
    assert data.y.tolist() == [0, 1, 0, 1, 0]
    same = from_memory(TensorDataset(torch.zeros(4, 7), torch.tensor([0, 1, 2, 2])))
    assert (same.modality, same.n_classes) == ("embedding", 3)


def test_scikit_learn_bunches_are_taken_apart() -> None:
    assert from_memory(load_digits()).content.shape == (1797, 8, 8, 1)
    iris = from_memory(load_iris())
    assert (iris.modality, iris.n_classes) == ("embedding", 3)


def test_texts_and_mixed_things() -> None:
    assert from_memory(["one", "two"], labels=[0, 1]).x == ["one", "two"]
    assert from_memory(pd.Series(["one", "two"])).x == ["one", "two"]
    assert from_memory(pa.array(["one", "two"])).x == ["one", "two"]
    for wrong, words in (
        (["one", 2], "mixes types|dtype"),
        ([[1, 2], [3]], "different shapes"),
        (7, "pass an array"),
        ({"a": 1}, "pass an array|dtype"),
        ([], "no rows"),
        (np.array([{}, 1], dtype=object), "mixes types"),
        (pd.DataFrame({"a": [1, "x"], "label": [0, 1]}), "column 'a' of memory mixes types"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "more than one column named 'a'"),
        (pd.DataFrame({"a": []}), "no rows"),
        (np.zeros((2, 3, 3, 3, 3)), "shape"),
        (np.zeros((2, 3), complex), "dtype"),
    ):
        with pytest.raises(InputError, match=words):
            from_memory(wrong)


@pytest.mark.parametrize("labels", [[0], [0, 1, 2], ["a", 1], [[0, 1], [1, 0]], "y"])
def test_labels_that_do_not_fit_are_refused(labels: Any) -> None:
    with pytest.raises(InputError):
        from_memory(np.zeros((2, 3, 3), np.uint8), labels=labels)


def test_regression_targets_are_refused() -> None:
    with pytest.raises(InputError, match="regression target"):
        from_memory(np.zeros((3000, 2)), labels=np.random.default_rng(0).normal(size=3000))


def test_the_users_arrays_stay_as_they_were() -> None:
    x = np.random.default_rng(0).random((4, 3, 3), dtype=np.float32)
    before = x.copy()
    from_memory(x, labels=[0, 1, 0, 1]).x[:] = 0
    np.testing.assert_array_equal(x, before)


def test_read_takes_what_is_in_memory_and_data_sets_pass() -> None:
    data = read(FRAME, label="label")
    assert data.label_name == "label"
    assert from_memory(data) is data


def test_importing_the_room_loads_nothing_heavy() -> None:
    import subprocess

    code = "import sys, mithridate.data; print([m for m in ('numpy', 'pyarrow', 'torch') if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
