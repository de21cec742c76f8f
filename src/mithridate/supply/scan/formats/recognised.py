"""Formats that are known by their first bytes and not looked into: a report says so, never that they are clean."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mithridate.core.findings import Severity
from mithridate.supply.scan.blob import Blob
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.formats.payload_text import payload_in
from mithridate.supply.scan.formats.reading import BrokenError, Window, malformed
from mithridate.supply.scan.formats.wire import BYTES, VARINT, fields
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
    _Magic(0, b"\x7fELF", "a native program or library for Linux", _RUNS),
    _Magic(0, b"\xcf\xfa\xed\xfe", "a native program or library for macOS", _RUNS),
    _Magic(0, b"\xce\xfa\xed\xfe", "a native program or library for macOS", _RUNS),
    _Magic(0, b"\xca\xfe\xba\xbe", "a Java class or a native program for macOS", _RUNS),
    _Magic(0, b"\xac\xed\x00\x05", "serialised Java objects, which build classes when they are read", _RUNS),
    _Magic(0, b"\x00asm", "a WebAssembly program", _RUNS),
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
    _Magic(0, b"7767517", "an ncnn graph"),
    _Magic(0, b"lmgg", "a ggml model of before GGUF"),
    _Magic(0, b"tjgg", "a ggml model of before GGUF"),
    _Magic(0, b"fmgg", "a ggml model of before GGUF"),
    _Magic(0, b"algg", "a ggml model of before GGUF"),
    _Magic(0, b"CNTK", "a CNTK model"),
    _Magic(0, b"SQLite format 3\x00", "an SQLite database"),
    _Magic(0, b"MATLAB 5.0", "MATLAB data"),
    _Magic(0, b"Obj\x01", "Avro data"),
    _Magic(0, b"ORC", "ORC data"),
    _Magic(0, b"%PDF-", "a PDF document"),
    _Magic(0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document, which can hold macros"),
    _Magic(0, b"\x89PNG\r\n\x1a\n", "a PNG picture", _DATA),
    _Magic(0, b"\xff\xd8\xff", "a JPEG picture", _DATA),
    _Magic(0, b"GIF8", "a GIF picture", _DATA),
    _Magic(8, b"WEBP", "a WebP picture", _DATA),
    _Magic(8, b"WAVE", "a WAV sound", _DATA),
    _Magic(0, b"II*\x00", "a TIFF picture", _DATA),
    _Magic(0, b"MM\x00*", "a TIFF picture", _DATA),
    _Magic(0, b"fLaC", "a FLAC sound", _DATA),
    _Magic(0, b"OggS", "an Ogg sound", _DATA),
    _Magic(0, b"ID3", "an MP3 sound", _DATA),
    _Magic(4, b"ftyp", "a video", _DATA),
    _Magic(0, b"\x00\x01\x00\x00\x00", "a TrueType font", _DATA),
    _Magic(0, b"OTTO", "an OpenType font", _DATA),
    _Magic(0, b"wOF", "a web font", _DATA),
)
_PYC = range(3000, 3800)
_CATBOOST = b"CBM1"
_LARGEST_CORE = 64 << 20
_COREML_KINDS = range(200, 3001)


def sniff(head: bytes, blob: Blob) -> bool:
    """One of the magics, compiled Python, a Windows program, CatBoost, Core ML or Paddle."""
    return bool(_what(head, blob))


def _what(head: bytes, blob: Blob) -> str:
    for entry in _MAGICS:
        if head[entry.offset : entry.offset + len(entry.magic)] == entry.magic:
            return entry.what
    if head[:4] == _CATBOOST:
        return "a CatBoost model"
    if head[2:4] == b"\r\n" and int.from_bytes(head[:2], "little") in _PYC:
        return "compiled Python"
    if head[:2] == b"MZ" and blob.size >= 64 and _is_portable_executable(blob):  # noqa: PLR2004 - the DOS header
        return "a native program or library for Windows"
    return _message(blob) if head[:1] in {b"\x08", b"\x0a"} else ""


def _is_portable_executable(blob: Blob) -> bool:
    at = int.from_bytes(blob.read(60, 4), "little")
    return blob.read(at, 4) == b"PE\0\0"


def _message(blob: Blob) -> str:
    """Core ML (a version, a description, a model of one kind) or Paddle (blocks with an index and a parent)."""
    window = Window(blob)
    try:
        found = [(entry.number, entry.kind, entry) for entry in fields(window, 0, blob.size)]
        numbers = {number for number, _, _ in found}
        if {1, 2} <= numbers and any(number in _COREML_KINDS for number in numbers) and found[0][:2] == (1, VARINT):
            return "a Core ML model"
        first = found[0][2]
        if numbers <= {1, 2, 3, 4, 5} and (first.number, first.kind) == (1, BYTES):
            inner = [
                (entry.number, entry.kind)
                for _, entry in zip(range(4), fields(window, first.start, first.end), strict=False)
            ]
            if inner[:3] == [(1, VARINT), (2, VARINT), (3, BYTES)]:
                return "a Paddle program"
    except (BrokenError, IndexError):
        pass
    return ""


def analyse(blob: Blob, budget: Budget) -> Iterator[Issue]:
    """One issue: what it is, and that it was not looked into."""
    budget.spend()
    what = _what(blob.read(0, 4096), blob)
    if what == "a CatBoost model":
        yield from _catboost(blob)
        return
    severity = next((entry.severity for entry in _MAGICS if entry.what == what), Severity.MEDIUM)
    if what in {"compiled Python", "a native program or library for Windows"}:
        severity = _RUNS
    claim = f"it is {what}, recognised and not analysed"
    yield Issue(
        "native-code" if severity is _RUNS else "recognised", severity, claim, remedy="Ask its author what it is for."
    )


def _catboost(blob: Blob) -> Iterator[Issue]:
    """Magic, the length of a FlatBuffer, the FlatBuffer with texts of its own."""
    length = int.from_bytes(blob.read(4, 4), "little")
    core = blob.read(8, min(length, _LARGEST_CORE))
    if length > blob.size - 8 or length < 8 or int.from_bytes(core[:4], "little") + 4 > length:  # noqa: PLR2004 - an offset and a table
        yield malformed("CatBoost", f"a model of {length} bytes in a file of {blob.size}", Severity.HIGH)
        return
    if what := payload_in(core.decode("latin-1")):
        yield Issue("payload-in-metadata", Severity.HIGH, f"a text in it holds {what}")
