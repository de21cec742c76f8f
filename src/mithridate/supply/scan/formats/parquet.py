"""Parquet: the footer's sizes and places, files that columns are read from, objects packed into its metadata.

References
----------
Apache Parquet, parquet.thrift. CVE-2023-47248 (`arrow.py_extension_type` unpickles), CVE-2025-30065 (Avro schemas in
the metadata build classes), Ray's extension types (cloudpickle in the schema).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Any

from mithridate.core.findings import Severity
from mithridate.supply.scan.blob import Blob
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.formats.extension_types import examine_metadata
from mithridate.supply.scan.formats.paths import leaves_the_folder
from mithridate.supply.scan.formats.reading import BrokenError, clip, malformed
from mithridate.supply.scan.formats.thrift import Reader
from mithridate.supply.scan.issue import Issue

_LARGEST_FOOTER = 32 << 20
_LARGEST_VALUE = 16 << 20
_MAGICS = (b"PAR1", b"PARE")
_ENDS = 12


def sniff(head: bytes, blob: Blob) -> bool:
    """The magic `PAR1` at the start."""
    return head[:4] in _MAGICS and blob.size >= 4  # noqa: PLR2004 - the magic


def analyse(blob: Blob, budget: Budget) -> Iterator[Issue]:
    """The footer; no page is read."""
    budget.spend()
    tail = blob.read(max(0, blob.size - 8), 8)
    length = int.from_bytes(tail[:4], "little")
    if blob.size < _ENDS or tail[4:] not in _MAGICS:
        yield malformed("Parquet", "it doesn't end with the magic that it starts with")
        return
    if length > blob.size - _ENDS:
        yield malformed("Parquet", f"a footer of {length} bytes in a file of {blob.size}", Severity.HIGH)
        return
    if tail[4:] == b"PARE":
        yield Issue("not-analysed", Severity.MEDIUM, "its footer is encrypted")
        return
    if length > _LARGEST_FOOTER:
        yield Issue(
            "parquet-metadata", Severity.HIGH, f"{length} bytes of metadata, which every reader holds in memory"
        )
        return
    try:
        footer = Reader(blob.read(blob.size - 8 - length, length), budget).struct()
    except BrokenError as error:
        yield malformed("Parquet", error, Severity.HIGH)
        return
    yield from _metadata(footer.get(5))
    yield from _columns(footer, blob.size - 8 - length)


def _records(value: Any) -> list[dict[int, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _metadata(pairs: Any) -> Iterator[Issue]:
    total = 0
    for pair in _records(pairs):
        key, value = pair.get(1), pair.get(2)
        if not isinstance(key, bytes) or not isinstance(value, bytes):
            continue
        total += len(value)
        name = key.decode("utf-8", "replace")
        if name == "ARROW:schema":
            try:
                value = base64.b64decode(value)
            except (binascii.Error, ValueError):
                yield malformed("Parquet", "its Arrow schema is no base64")
        yield from examine_metadata(name, value[:_LARGEST_VALUE])
    if total > _LARGEST_VALUE:
        yield Issue("parquet-metadata", Severity.MEDIUM, f"{total} bytes of key-value metadata")


def _columns(footer: dict[int, Any], end: int) -> Iterator[Issue]:
    """Column chunks: in another file, or outside this one."""
    for number, group in enumerate(_records(footer.get(4))):
        for chunk in _records(group.get(1)):
            path = chunk.get(1)
            if isinstance(path, bytes) and path:
                name = path.decode("utf-8", "replace")
                severity = Severity.HIGH if leaves_the_folder(name) else Severity.MEDIUM
                yield Issue(
                    "parquet-external",
                    severity,
                    f"columns are read from another file, {clip(name)}",
                    f"row group {number}",
                )
            elif wrong := _outside(chunk.get(3), end):
                yield malformed("Parquet", wrong, Severity.HIGH, f"row group {number}")
                return
    rows = footer.get(3)
    if isinstance(rows, int) and rows < 0:
        yield malformed("Parquet", f"it has {rows} rows", Severity.HIGH)


def _outside(meta: Any, end: int) -> str:
    if not isinstance(meta, dict):
        return ""
    places = [meta.get(key) for key in (9, 11)]
    starts = [place for place in places if isinstance(place, int) and place > 0]
    size = meta.get(7)
    if any(isinstance(place, int) and place < 0 for place in (*places, size, meta.get(5), meta.get(6))):
        return "a column has a negative size or place"
    if starts and isinstance(size, int) and min(starts) + size > end:
        return f"a column ends at byte {min(starts) + size} of {end}"
    return ""
