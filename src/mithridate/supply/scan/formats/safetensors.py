"""safetensors: a length, a JSON header, and bytes that the header must cover exactly; only the header is read.

References
----------
Hugging Face, safetensors format and its validation rules (`MetadataIncompleteBuffer`, `InvalidOffset`), README.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from mithridate.core.findings import Severity
from mithridate.supply.scan.blob import Blob
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.formats.json_file import examine
from mithridate.supply.scan.formats.json_text import Document, looks_like_json, parse
from mithridate.supply.scan.formats.payload_text import payload_in
from mithridate.supply.scan.formats.reading import BrokenError, clip, malformed
from mithridate.supply.scan.issue import Issue

_LENGTH = 8
_TEXT = frozenset((9, 10, 13, *range(32, 127)))
_LARGEST_HEADER = 100_000_000
_LARGEST_METADATA = 8 << 20
_BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32,
    "C64": 64, "F64": 64, "I64": 64, "U64": 64, "C128": 128,
}  # fmt: skip
_REMEDY = "Don't load it; get the file again from its author or convert the weights anew."


def sniff(head: bytes, blob: Blob) -> bool:
    """Eight bytes of length that are no text, then `{`."""
    return blob.size > _LENGTH and head[8:9] == b"{" and not _printable(head[:8])


def _printable(raw: bytes) -> bool:
    return all(byte in _TEXT for byte in raw)


def analyse(blob: Blob, budget: Budget) -> Iterator[Issue]:
    """The header and whether the tensors cover the bytes after it exactly once."""
    budget.spend()
    length = int.from_bytes(blob.read(0, 8), "little")
    if length > _LARGEST_HEADER:
        yield _issue("safetensors-header-bomb", f"its header claims {length} bytes, above the format's limit of 100 MB")
    if length > blob.size - 8:
        yield _issue("safetensors-header-bomb", f"its header claims {length} bytes of a file of {blob.size}")
        return
    if length > _LARGEST_HEADER:
        return
    raw = blob.read(8, length)
    try:
        document = parse(raw)
    except BrokenError as error:
        yield malformed("safetensors", f"header: {error}", Severity.HIGH)
        return
    if not isinstance(document.value, dict):
        yield malformed("safetensors", "the header is no JSON object", Severity.HIGH)
        return
    if document.shadowed:
        keys = sorted({clip(key) for key, _ in document.shadowed})[:10]
        yield _issue(
            "safetensors-duplicate-key", f"the key {keys[0]} stands twice, and readers choose differently", keys
        )
    yield from _metadata(document.value.get("__metadata__"), budget)
    yield from _tensors(document.value, blob, 8 + length)


def _issue(code: str, claim: str, names: list[str] | None = None, severity: Severity = Severity.HIGH) -> Issue:
    return Issue(code, severity, claim, facts={"names": names or []}, remedy=_REMEDY)


def _metadata(metadata: Any, budget: Budget) -> Iterator[Issue]:
    if metadata is None:
        return
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        yield malformed("safetensors", "the metadata is no map of text to text")
        return
    size = sum(len(key) + len(value) for key, value in metadata.items())
    if size > _LARGEST_METADATA:
        yield _issue("safetensors-metadata", f"{size} characters of metadata", severity=Severity.MEDIUM)
    yield from _configurations(metadata, budget)
    for key, value in metadata.items():
        if found := payload_in(value):
            yield Issue(
                "payload-in-metadata",
                Severity.HIGH,
                f"the metadata {clip(key)} holds {found}",
                f"metadata {clip(key)}",
                {"text": clip(value, 400)},
                "Find out what reads this metadata before anything does.",
            )


def _configurations(metadata: dict[str, str], budget: Budget) -> Iterator[Issue]:
    """What a loader would build from the metadata, or from JSON in one of its texts (CVE-2026-22584)."""
    yield from examine(Document(metadata, ()), budget)
    for text in metadata.values():
        raw = text.encode("utf-8", "replace") if len(text) <= _LARGEST_METADATA else b""
        if looks_like_json(raw[:256]):
            with suppress(BrokenError):
                yield from examine(parse(raw), budget)


def _tensors(header: dict[str, Any], blob: Blob, start: int) -> Iterator[Issue]:
    spans: list[tuple[int, int, str]] = []
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        try:
            begin, end = _span(entry)
        except BrokenError as error:
            yield malformed("safetensors", f"tensor {clip(name)}: {error}", Severity.HIGH, f"tensor {clip(name)}")
            continue
        if end > blob.size - start:
            claim = f"tensor {clip(name)} ends at byte {end} of {blob.size - start}"
            yield _issue("safetensors-out-of-range", claim, [clip(name)])
        spans.append((begin, end, name))
    yield from _cover(sorted(spans), blob, start)


def _span(entry: Any) -> tuple[int, int]:
    if not isinstance(entry, dict):
        raise BrokenError("no object describes it")
    dtype, shape, offsets = entry.get("dtype"), entry.get("shape"), entry.get("data_offsets")
    if not (isinstance(shape, list) and all(_is_count(extent) for extent in shape)):
        raise BrokenError(f"its shape is {clip(shape)}")
    if not (
        isinstance(offsets, list)
        and len(offsets) == len(("begin", "end"))
        and all(_is_count(place) for place in offsets)
    ):
        raise BrokenError(f"its offsets are {clip(offsets)}")
    if offsets[1] < offsets[0]:
        raise BrokenError(f"its bytes end at {offsets[1]}, before they begin at {offsets[0]}")
    bits = _BITS.get(dtype) if isinstance(dtype, str) else None
    if bits is None:
        raise BrokenError(f"its type {clip(dtype)} is unknown")
    if math.prod(shape) * bits != 8 * (offsets[1] - offsets[0]):
        raise BrokenError(f"{clip(dtype)} of shape {clip(shape)} doesn't fill {offsets[1] - offsets[0]} bytes")
    return offsets[0], offsets[1]


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63


def _cover(spans: list[tuple[int, int, str]], blob: Blob, start: int) -> Iterator[Issue]:
    """Overlaps, holes and what lies behind the last tensor; one issue of each kind."""
    reached, overlaps, holes = 0, [], []
    for begin, end, name in spans:
        if begin < reached and end > begin:
            overlaps.append(clip(name))
        if begin > reached:
            holes.append((reached, begin))
        reached = max(reached, end)
    if overlaps:
        yield _issue("safetensors-overlap", f"tensor {overlaps[0]} shares bytes with another", overlaps[:20])
    behind = blob.size - start - reached
    if behind > 0:
        what = _kind(blob.read(start + reached, 16))
        yield _issue("hidden-data", f"{behind} bytes{what} lie behind the last tensor, where no reader looks")
    if holes:
        begin, end = holes[0]
        what = _kind(blob.read(start + begin, 16))
        yield _issue("hidden-data", f"{end - begin} bytes{what} between tensors belong to none")


def _kind(head: bytes) -> str:
    magics = {
        b"PK\x03\x04": "a zip archive", b"MZ": "a Windows program", b"\x7fELF": "a Linux program", b"#!": "a script",
        b"\x1f\x8b": "gzip data", b"\x80\x02": "a pickle", b"\x80\x03": "a pickle", b"\x80\x04": "a pickle",
        b"\x80\x05": "a pickle",
    }  # fmt: skip
    return next((f" that begin {what}" for magic, what in magics.items() if head.startswith(magic)), "")
