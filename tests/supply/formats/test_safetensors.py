"""safetensors: the header must cover the bytes behind it exactly once."""

from __future__ import annotations

import base64
import json
import pickle
import struct
from collections.abc import Callable
from typing import Any

import pytest

from mithridate.core.findings import Severity

DATA = bytes(range(48))


def build(header: Any, data: bytes = DATA, *, claimed: int | None = None) -> bytes:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw) if claimed is None else claimed) + raw + data


def entry(start: int, end: int, shape: Any = None, dtype: Any = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": [(end - start) // 4] if shape is None else shape, "data_offsets": [start, end]}


GOOD = {"__metadata__": {"format": "pt"}, "a": entry(0, 16), "b": entry(16, 48, [2, 4])}
PICKLED = base64.b64encode(pickle.dumps({"a": list(range(9))}, protocol=4)).decode()
BROKEN = {
    "overlap": build({"a": entry(0, 32), "b": entry(16, 48)}),
    "same bytes twice": build({"a": entry(0, 48), "b": entry(0, 48)}),
    "hole": build({"a": entry(0, 16), "b": entry(32, 48)}),
    "hole at the start": build({"b": entry(16, 48)}),
    "trailing": build(GOOD, DATA + b"PK\x03\x04 hidden"),
    "one byte behind": build(GOOD, DATA + b"\0"),
    "no tensors, all hidden": build({"__metadata__": {"a": "b"}}),
    "out of range": build({"a": entry(0, 4096)}),
    "backwards": build({"a": {"dtype": "F32", "shape": [1], "data_offsets": [8, 4]}}),
    "negative": build({"a": {"dtype": "F32", "shape": [1], "data_offsets": [-4, 0]}}),
    "shape": build({"a": entry(0, 48, [100])}),
    "shape overflows": build({"a": entry(0, 48, [1 << 62, 1 << 62])}),
    "no shape": build({"a": entry(0, 48, "x")}),
    "type": build({"a": entry(0, 48, dtype="F99")}),
    "type is no text": build({"a": entry(0, 48, dtype=["F32"])}),
    "no object": build({"a": [1, 2]}),
    "twice": build(b'{"a": %s, "a": %s}' % (json.dumps(entry(0, 48)).encode(), json.dumps(entry(0, 4)).encode())),
    "bomb": build(GOOD, claimed=1 << 40),
    "bomb at the limit": build(GOOD, claimed=100_000_001),
    "all ones": build(GOOD, claimed=(1 << 64) - 1),
    "longer than the file": build(GOOD, claimed=5000),
    "no JSON": build(b'{"a": '),
    "pickle in metadata": build({**GOOD, "__metadata__": {"x": PICKLED}}),
    "code in metadata": build({**GOOD, "__metadata__": {"x": "__import__('os').system('id')"}}),
    "script in metadata": build({**GOOD, "__metadata__": {"x": "<script>fetch(1)</script>"}}),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_promise_is_grave(name: str, worst: Callable[..., int]) -> None:
    assert worst(BROKEN[name]) >= Severity.HIGH


@pytest.mark.parametrize(
    "raw",
    [
        build(GOOD),
        build({}, b""),
        build(json.dumps(GOOD).encode() + b"   "),
        build({"e": entry(0, 0, [0, 3]), "a": entry(0, 48), "z": entry(48, 48, [0])}),
        build(
            {
                "a": entry(0, 48, [48], "F8_E4M3"),
                "__metadata__": {"ss_tag_frequency": "{}" * 1000, "modelspec.thumbnail": "data:image/png;base64,iVBO"},
            }
        ),
        build({"a": entry(0, 48, [96], "F4")}),
    ],
)
def test_ordinary_files_are_no_issue(raw: bytes, worst: Callable[..., int]) -> None:
    assert worst(raw) == 0


def test_metadata_that_is_no_text_is_told(worst: Callable[..., int]) -> None:
    assert worst(build({**GOOD, "__metadata__": {"a": 1}})) == Severity.MEDIUM


def test_json_with_eight_blanks_before_it_is_no_safetensors(known_as: Callable[..., set[str]]) -> None:
    assert "safetensors" not in known_as(b"        {}")
