"""GGUF: counts and lengths that a C loader trusts, metadata, and the chat template that a server renders.

References
----------
ggml, GGUF specification (versions 1 to 3). CVE-2024-21802, -21825, -21836, -23496, -23605 (llama.cpp: counts, lengths
and sizes that overflow); CVE-2024-34359 and CVE-2026-5760 (templates rendered without a sandbox).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from mithridate.core.findings import Severity
from mithridate.supply.scan.blob import Blob
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.formats.ggml_types import BLOCKS
from mithridate.supply.scan.formats.jinja import examine_template
from mithridate.supply.scan.formats.payload_text import payload_in
from mithridate.supply.scan.formats.reading import BrokenError, Window, clip, malformed
from mithridate.supply.scan.issue import Issue

_WIDTHS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_STRING, _ARRAY = 8, 9
_LONGEST_KEY = 1 << 16
_LONGEST_TEXT = 16 << 20
_MOST_DIMENSIONS = 4
_DEEPEST = 4
_COUNTS = (1, 2, 3)
_SHORTEST = 8
_LONG_TOKEN = 2048
_MOST_TEXTS = 1000
_LONGEST_PADDING = 1 << 16


def sniff(head: bytes, blob: Blob) -> bool:
    """The magic `GGUF`."""
    return head[:4] == b"GGUF" and blob.size >= _SHORTEST


@dataclass(slots=True)
class _Reader:
    """The place of the reader, and what it met: texts of the metadata, the alignment, how many tensors come."""

    window: Window
    budget: Budget
    offset: int = 4
    order: str = "<"
    wide: bool = True
    n_tensors: int = 0
    alignment: int = 32
    texts: list[tuple[str, str]] = field(default_factory=list)

    def number(self, code: str) -> int:
        (value,) = self.window.unpack(self.order + code, self.offset)
        self.offset += {"I": 4, "Q": 8}[code]
        return int(value)

    def count(self) -> int:
        return self.number("Q" if self.wide else "I")

    def skip(self, length: int) -> None:
        if length > self.window.size - self.offset:
            raise BrokenError(f"{length} bytes at offset {self.offset} run past the end of the file")
        self.offset += length

    def text(self, limit: int) -> str:
        length, start = self.count(), self.offset
        self.skip(length)
        return self.window.take(start, min(length, limit)).decode("utf-8", "replace")


def analyse(blob: Blob, budget: Budget) -> Iterator[Issue]:
    """Header, metadata and tensor table, as far as they can be followed."""
    budget.spend()
    reader = _Reader(Window(blob), budget)
    try:
        _version(reader)
        yield from _metadata(reader)
        yield from _tensors(reader)
    except BrokenError as error:
        yield malformed("GGUF", error, Severity.HIGH)
    for key, text in reader.texts:
        if "template" in key or "{%" in text or "{{" in text:
            yield from examine_template(text, clip(key))
        elif found := payload_in(text):
            yield Issue("payload-in-metadata", Severity.HIGH, f"the metadata {clip(key)} holds {found}", clip(key))


def _version(reader: _Reader) -> None:
    version = reader.number("I")
    if version not in _COUNTS:  # a big-endian file
        version = int.from_bytes(version.to_bytes(4, "little"), "big")
        reader.order = ">"
    if version not in _COUNTS:
        raise BrokenError("its version is none of 1, 2 and 3")
    reader.wide = version > 1


def _metadata(reader: _Reader) -> Iterator[Issue]:
    reader.n_tensors, n_pairs = reader.count(), reader.count()
    left = reader.window.size - reader.offset
    if reader.n_tensors * 24 > left or n_pairs * 13 > left:
        claim = f"it promises {reader.n_tensors} tensors and {n_pairs} metadata values in {left} bytes"
        yield Issue(
            "count-bomb", Severity.HIGH, claim, "header", remedy="Don't load it: loaders allocate what it promises."
        )
    seen: set[str] = set()
    for _ in range(n_pairs):
        reader.budget.spend(opcodes=1)
        key = reader.text(_LONGEST_KEY)
        if key in seen:
            yield Issue("duplicate-key", Severity.HIGH, f"the metadata {clip(key)} stands twice", clip(key))
        seen.add(key)
        yield from _value(reader, key)


def _value(reader: _Reader, key: str) -> Iterator[Issue]:
    kind = reader.number("I")
    if kind == _STRING:
        reader.texts.append((key, reader.text(_LONGEST_TEXT)))
    elif kind == _ARRAY:
        _array(reader, key, 1)
    elif kind in _WIDTHS:
        start = reader.offset
        reader.skip(_WIDTHS[kind])
        if key == "general.alignment":
            yield from _alignment(reader, start, _WIDTHS[kind])
    else:
        raise BrokenError(f"the metadata {clip(key)} has the unknown type {kind}")


def _alignment(reader: _Reader, start: int, width: int) -> Iterator[Issue]:
    raw = reader.window.take(start, width)
    value = int.from_bytes(raw, "little" if reader.order == "<" else "big")
    if value == 0 or value & (value - 1) or value > 1 << 20:
        claim = f"its alignment is {value}, no power of two that a loader could divide by"
        yield Issue("bad-alignment", Severity.HIGH, claim, "general.alignment")
    reader.alignment = value or 32


def _array(reader: _Reader, key: str, depth: int) -> None:
    kind, count = reader.number("I"), reader.count()
    if count > reader.window.size - reader.offset:
        raise BrokenError(f"the metadata {clip(key)} promises {count} values, more than there are bytes")
    if kind in _WIDTHS:
        reader.skip(count * _WIDTHS[kind])
        return
    if kind not in {_STRING, _ARRAY} or depth >= _DEEPEST:
        raise BrokenError(f"the metadata {clip(key)} is an array of the type {kind} at depth {depth}")
    for place in range(count):
        if place % 4096 == 0:
            reader.budget.spend(opcodes=min(4096, count))
        if kind == _ARRAY:
            _array(reader, key, depth + 1)
        else:
            _text_of_array(reader, key)


def _text_of_array(reader: _Reader, key: str) -> None:
    """Tokens are skipped; templates among them, which are long, are kept."""
    length, start = reader.count(), reader.offset
    reader.skip(length)
    if (length > _LONG_TOKEN or "template" in key) and len(reader.texts) < _MOST_TEXTS:
        text = reader.window.take(start, min(length, _LONGEST_TEXT)).decode("utf-8", "replace")
        reader.texts.append((key, text))


def _tensors(reader: _Reader) -> Iterator[Issue]:
    spans: list[tuple[int, int, str]] = []
    names: set[str] = set()
    for _ in range(reader.n_tensors):
        reader.budget.spend(opcodes=1)
        name = reader.text(_LONGEST_KEY)
        n_dimensions = reader.number("I")
        if n_dimensions > _MOST_DIMENSIONS:
            raise BrokenError(f"tensor {clip(name)} has {n_dimensions} dimensions, above {_MOST_DIMENSIONS}")
        shape = [reader.count() for _ in range(n_dimensions)]
        kind, offset = reader.number("I"), reader.number("Q")
        if name in names:
            yield Issue("duplicate-key", Severity.HIGH, f"the tensor {clip(name)} stands twice", f"tensor {clip(name)}")
        names.add(name)
        spans.append((offset, offset + _size(name, kind, shape), name))
    yield from _ranges(reader, spans)


def _size(name: str, kind: int, shape: list[int]) -> int:
    n_values = math.prod(shape)
    if n_values >= 1 << 63 or any(extent == 0 for extent in shape):
        raise BrokenError(f"tensor {clip(name)} has the shape {clip(shape)}")
    values, size = BLOCKS.get(kind, (1, 0))
    return -(-n_values // values) * size


def _is_hidden(reader: _Reader, offset: int) -> bool:
    """Whether anything but a padding of zeros lies behind the last tensor."""
    window = reader.window
    left = window.size - offset
    return left > _LONGEST_PADDING or (left > 0 and bool(window.take(offset, left).strip(b"\0")))


def _ranges(reader: _Reader, spans: list[tuple[int, int, str]]) -> Iterator[Issue]:
    start = -(-reader.offset // reader.alignment) * reader.alignment
    room = reader.window.size - start
    out = [clip(name) for begin, end, name in spans if end > room or begin % reader.alignment]
    if out:
        claim = f"the tensor {out[0]} lies outside the file or off the alignment"
        yield Issue("gguf-out-of-range", Severity.HIGH, claim, f"tensor {out[0]}", {"names": out[:20]})
    spans.sort()
    shared = [clip(b[2]) for a, b in itertools.pairwise(spans) if b[0] < a[1]]
    if shared:
        yield Issue(
            "gguf-overlap", Severity.HIGH, f"the tensor {shared[0]} shares bytes with another", f"tensor {shared[0]}"
        )
    reached = max((end for _, end, _ in spans), default=0)
    if spans and not out and _is_hidden(reader, start + reached) and all(b > a for a, b, _ in spans):
        claim = f"{room - reached} bytes lie behind the last tensor, where no reader looks"
        yield Issue("hidden-data", Severity.MEDIUM, claim)
