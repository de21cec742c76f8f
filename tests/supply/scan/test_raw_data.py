"""Raw numbers beside the model or the index that names them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import mithridate

NOISE = bytes((19 + 37 * place) % 256 for place in range(10_000))
TABLE_END = bytes.fromhex("57fb808b247547db")


def message(*parts: tuple[int, Any]) -> bytes:
    out = b""
    for number, value in parts:
        if isinstance(value, int):
            out += bytes([number << 3, value])
            continue
        raw = value.encode() if isinstance(value, str) else message(*value)
        size = bytes([len(raw)]) if len(raw) < 128 else bytes([len(raw) & 127 | 128, len(raw) >> 7])
        out += bytes([number << 3 | 2]) + size + raw
    return out


def model(location: str, *ends: tuple[int, int]) -> bytes:
    tensors = [
        (5, [(13, [(1, key), (2, value)]) for key, value in
             (("location", location), ("offset", str(first)), ("length", str(length)))])
        for first, length in ends
    ]  # fmt: skip
    return message((1, 8), (2, "t"), (7, [(1, [(1, "x"), (2, "y"), (4, "Relu")]), *tensors]), (8, [(2, 17)]))


def levels(folder: Path) -> dict[str, tuple[str, str]]:
    found = mithridate.scan(folder).findings
    return {
        Path(str(one.subject.extra["file"])).name: (one.severity.word, one.evidence[0].name) for one in found
    }  # fmt: skip


def test_data_that_an_onnx_model_names_are_raw_numbers(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(NOISE)
    assert levels(tmp_path) == {"weights.bin": ("medium", "not-analysed")}
    (tmp_path / "model.onnx").write_bytes(model("weights.bin", (0, 4096), (4096, len(NOISE) - 4096)))
    assert levels(tmp_path) == {"weights.bin": ("low", "raw-data")}


@pytest.mark.parametrize("location", ["other.bin", "./../weights.bin", "/weights.bin"])
def test_data_that_it_does_not_name_stay_unknown(tmp_path: Path, location: str) -> None:
    (tmp_path / "weights.bin").write_bytes(NOISE)
    (tmp_path / "model.onnx").write_bytes(model(location, (0, len(NOISE))))
    assert levels(tmp_path)["weights.bin"] == ("medium", "not-analysed")


def test_bytes_that_belong_to_no_tensor_stay_unknown(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "w").write_bytes(NOISE * 20)
    (tmp_path / "model.onnx").write_bytes(model("data/w", (0, 64)))
    assert levels(tmp_path) == {"w": ("medium", "not-analysed")}
    (tmp_path / "model.onnx").write_bytes(model("data/w", (0, 64), (64, 20 * len(NOISE) - 64)))
    assert levels(tmp_path) == {"w": ("low", "raw-data")}


def test_shards_beside_the_index_of_a_checkpoint_are_raw_numbers(tmp_path: Path) -> None:
    for name in ("variables.data-00000-of-00001", "other.data-00000-of-00001"):
        (tmp_path / name).write_bytes(NOISE)
    (tmp_path / "variables.index").write_bytes(bytes(range(1, 90)) + TABLE_END)
    found = levels(tmp_path)
    assert found["variables.data-00000-of-00001"] == ("low", "raw-data")
    assert found["other.data-00000-of-00001"] == ("medium", "not-analysed")
