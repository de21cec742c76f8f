"""Formats that are known by their first bytes and not looked into: a report says so, never that they are clean."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from mithridate.core.findings import Severity
from mithridate.supply.scan.blob import Blob
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.formats.payload_text import payload_in
from mithridate.supply.scan.formats.reading import BrokenError, Window, malformed
from mithridate.supply.scan.formats.wire import BYTES, FIXED32, VARINT, fields
from mithridate.supply.scan.issue import Issue


class _Magic(NamedTuple):
    """Bytes at an offset, and what they begin."""

    offset: int
    magic: bytes
    what: str
    severity: Severity = Severity.MEDIUM


_RUNS = Severity.HIGH
_DATA = Severity.LOW
_MAGICS = (
    _Magic(0, b"\xac\xed\x00\x05", "serialised Java objects, which build classes when they are read", _RUNS),
    _Magic(0, b"\x1bLua", "a compiled Lua program", _RUNS),
    _Magic(
        0,
        b"\x00\x01\x00\x00\x00\xff\xff\xff\xff",
        "serialised .NET objects, which build classes when they are read",
        _RUNS,
    ),
    _Magic(0, b"RDX", "R objects, which can hold code (CVE-2024-27322)"),
    _Magic(0, b"X\n\x00\x00\x00", "R objects, which can hold code (CVE-2024-27322)"),
    _Magic(4, b"ET12", "an ExecuTorch program"),
    _Magic(4, b"ET13", "an ExecuTorch program"),
    _Magic(0, b"ftrt", "a TensorRT engine, which can bring native plugins"),
    _Magic(0, b"ptrt", "a TensorRT engine, which can bring native plugins"),
    _Magic(0, b"RKNN", "a Rockchip model"),
    _Magic(0, b"7767517", "an ncnn graph", _DATA),
    _Magic(0, b"lmgg", "a ggml model of before GGUF", _DATA),
    _Magic(0, b"tjgg", "a ggml model of before GGUF", _DATA),
    _Magic(0, b"fmgg", "a ggml model of before GGUF", _DATA),
    _Magic(0, b"algg", "a ggml model of before GGUF", _DATA),
    _Magic(0, b"CNTK", "a CNTK model"),
    _Magic(0, b"MATLAB 5.0", "MATLAB data", _DATA),
    _Magic(0, b"Obj\x01", "Avro data"),
    _Magic(0, b"ORC", "ORC data", _DATA),
    _Magic(0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document, which can hold macros"),
)
_SMALL = 256
_LONGEST_SCHEMA = 4 << 20
_JAVA_CLASS = re.compile(rb'"java-(?:class|key-class|element-class)"\s*:\s*"([\w.$]{1,200})"')
_CATBOOST = b"CBM1"
_TABLE_END = bytes.fromhex("57fb808b247547db")
_VOCABULARY, _ONNX_TENSOR = "a SentencePiece vocabulary", "a tensor as ONNX stores it"
_TENSOR = {(1, VARINT), (1, BYTES), (2, VARINT), (8, BYTES), (9, BYTES), (12, BYTES)}  # of TensorProto, data inside
_COREML, _COREML_CUSTOM = "a Core ML model", "a Core ML model that names a class or a model from elsewhere"
_PADDLE, _PADDLE_FOREIGN = "a Paddle program", "a Paddle program that calls Python or a library"
_FOREIGN_OPS = (b"py_func", b"py_layer", b"load_op", b"save_combine", b"custom_op")
_PLAIN = {
    "the index of a TensorFlow checkpoint", "the fingerprint of a SavedModel", _VOCABULARY, _ONNX_TENSOR, _COREML,
    _PADDLE,
}  # fmt: skip
_LARGEST_CORE = 64 << 20
_COREML_KINDS = range(200, 3001)
_COREML_ELSEWHERE = {555, 556, 900}  # a class of the app, another model by its path, one of Apple's by its name


def sniff(head: bytes, blob: Blob) -> bool:
    """One of the magics, CatBoost, Core ML, Paddle, or what lies beside a SavedModel."""
    return bool(_what(head, blob))


def _what(head: bytes, blob: Blob) -> str:
    for entry in _MAGICS:
        if head[entry.offset : entry.offset + len(entry.magic)] == entry.magic:
            return entry.what
    if head[:4] == _CATBOOST:
        return "a CatBoost model"
    if blob.read(max(0, blob.size - 8), 8) == _TABLE_END:
        return "the index of a TensorFlow checkpoint"
    return _message(blob) if head[:1] in {b"\x08", b"\x0a"} else ""


def _message(blob: Blob) -> str:
    """Core ML (a version, a description, a model of one kind) or Paddle (blocks with an index and a parent)."""
    window = Window(blob)
    try:
        found = [(entry.number, entry.kind, entry) for entry in fields(window, 0, blob.size)]
        numbers = {number for number, _, _ in found}
        kinds = [(number, kind) for number, kind, _ in found]
        if {1, 2} <= numbers and any(number in _COREML_KINDS for number in numbers) and found[0][:2] == (1, VARINT):
            return _COREML_CUSTOM if numbers & _COREML_ELSEWHERE else _COREML
        if blob.size < _SMALL and {1, 6} <= numbers <= set(range(1, 8)) and dict(kinds).get(1) == VARINT:
            return "the fingerprint of a SavedModel"
        first = found[0][2]
        if numbers <= {1, 2, 3, 4, 5} and (first.number, first.kind) == (1, BYTES):
            inner = [
                (entry.number, entry.kind)
                for _, entry in zip(range(4), fields(window, first.start, first.end), strict=False)
            ]
            if inner[:3] == [(1, VARINT), (2, VARINT), (3, BYTES)]:
                return _PADDLE_FOREIGN if _names_foreign(blob) else _PADDLE
            if numbers <= {1, 2, 3, 4, 5} and inner[:2] == [(1, BYTES), (2, FIXED32)]:
                return _VOCABULARY
        if set(kinds) <= _TENSOR and {(2, VARINT), (9, BYTES)} <= set(kinds):
            return _ONNX_TENSOR
    except (BrokenError, IndexError):
        pass
    return ""


def _names_foreign(blob: Blob) -> bool:
    """Whether an operator stands in it that reaches outside of the graph."""
    content = blob.read(0, _LARGEST_CORE)
    return blob.size > _LARGEST_CORE or any(name in content for name in _FOREIGN_OPS)


def analyse(blob: Blob, budget: Budget) -> Iterator[Issue]:
    """One issue: what it is, and that it was not looked into."""
    budget.spend()
    what = _what(blob.read(0, 4096), blob)
    if what == "a CatBoost model":
        yield from _catboost(blob)
        return
    if what == "Avro data":
        yield from _avro(blob)
        return
    severity = next((entry.severity for entry in _MAGICS if entry.what == what), Severity.MEDIUM)
    if what in _PLAIN:
        severity = _DATA
    claim = f"it is {what}, recognised and not analysed"
    yield Issue(
        "native-code" if severity is _RUNS else "recognised", severity, claim, remedy="Ask its author what it is for."
    )


def _avro(blob: Blob) -> Iterator[Issue]:
    """Its schema, a JSON text in the header, can name Java classes to build (CVE-2023-39410, CVE-2024-47561)."""
    header = blob.read(0, _LONGEST_SCHEMA)
    if match := _JAVA_CLASS.search(header):
        claim = f"its schema names a Java class that a reader builds: {match.group(1).decode('latin-1')}"
        yield Issue("avro-class", Severity.HIGH, claim, remedy="Read it with a schema of your own.")
    else:
        yield Issue("recognised", _DATA, "it is Avro data, recognised and not analysed; its schema names no class")


def _catboost(blob: Blob) -> Iterator[Issue]:
    """Magic, the length of a FlatBuffer, the FlatBuffer with texts of its own."""
    length = int.from_bytes(blob.read(4, 4), "little")
    core = blob.read(8, min(length, _LARGEST_CORE))
    if length > blob.size - 8 or length < 8 or int.from_bytes(core[:4], "little") + 4 > length:  # noqa: PLR2004 - an offset and a table
        yield malformed("CatBoost", f"a model of {length} bytes in a file of {blob.size}", Severity.HIGH)
        return
    if what := payload_in(core.decode("latin-1")):
        yield Issue("payload-in-metadata", Severity.HIGH, f"a text in it holds {what}")
