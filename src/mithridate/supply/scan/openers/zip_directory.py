"""The central directory of a zip, read by hand: readers differ in what they check, so everything is compared.

References
----------
PKWARE, APPNOTE.TXT 6.3.10; CPython's zipfile (searches the last 64 KiB for the end record); PyTorch's miniz (ignores
checksums and local names).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from mithridate.supply.scan.blob import Blob

END, LOCAL, CENTRAL = b"PK\5\6", b"PK\3\4", b"PK\1\2"
_END64, _LOCATOR = b"PK\6\6", b"PK\6\7"
_TAIL = 22 + 65_535
_FULL = 0xFFFFFFFF
UTF8 = 0x800


@dataclass(frozen=True, slots=True)
class Directory:
    """One end record and what it points to. `shift`: bytes put before the archive since its offsets were written."""

    end: int
    stop: int
    start: int
    size: int
    count: int
    shift: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the central directory, or a local header; sizes in bytes."""

    name: str
    raw_name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    unpacked: int
    header: int
    mode: int
    next: int = 0


def directories(blob: Blob) -> list[Directory]:
    """Every plausible end record in the tail, the last first; readers take one of them."""
    start = max(0, blob.size - _TAIL)
    tail = blob.read(start, _TAIL)
    found: list[Directory] = []
    at = tail.rfind(END)
    while at >= 0 and len(found) < 8:  # noqa: PLR2004 - more end records than that say no more
        made = _directory(blob, start + at, tail[at : at + 22])
        if made is not None:
            found.append(made)
        at = tail.rfind(END, 0, at)
    return found


def _directory(blob: Blob, end: int, record: bytes) -> Directory | None:
    if len(record) < 22:  # noqa: PLR2004 - the length of an end record
        return None
    _, _, _, _, count, size, offset, comment = struct.unpack("<4s4H2LH", record)
    before = end
    locator = blob.read(end - 20, 20) if end >= 20 else b""  # noqa: PLR2004 - the length of a locator
    if locator.startswith(_LOCATOR):
        for place in (int.from_bytes(locator[8:16], "little"), end - 20 - 56):
            record64 = blob.read(place, 56) if 0 <= place < end else b""
            if record64.startswith(_END64) and len(record64) == 56:  # noqa: PLR2004 - its length
                count, size, offset = struct.unpack("<3Q", record64[32:56])
                before = place
                break
    shift = before - size - offset
    start = before - size
    if size and (start < 0 or blob.read(start, 4) != CENTRAL):
        start, shift = offset, 0
        if blob.read(start, 4) != CENTRAL:
            return None
    if not size and (count or (end and offset > end)):
        return None
    return Directory(end, end + 22 + comment, start, size, count, shift)


def entries(blob: Blob, directory: Directory) -> Iterator[Entry]:
    """The lines of the directory, until something that isn't one."""
    at, stop = directory.start, directory.end
    while at + 46 <= stop:
        fixed = blob.read(at, 46)
        if len(fixed) < 46 or not fixed.startswith(CENTRAL):  # noqa: PLR2004 - the fixed part of a line
            return
        (_, _, _, flags, method, _, _, crc, packed, unpacked, n_name, n_extra, n_comment, _, _, mode, header) = (
            struct.unpack("<4s6H3L5H2L", fixed)
        )
        body = blob.read(at + 46, n_name + n_extra)
        raw_name, extra = body[:n_name], body[n_name:]
        at += 46 + n_name + n_extra + n_comment
        unpacked, packed, header = _zip64(extra, [unpacked, packed, header])
        yield Entry(
            _name(raw_name, flags), raw_name, flags, method, crc, packed, unpacked, header + directory.shift,
            mode >> 16, at,
        )  # fmt: skip


def local(blob: Blob, at: int) -> Entry | None:
    """The local header at an offset, `next` being where its data starts; None where there is none."""
    fixed = blob.read(at, 30) if at >= 0 else b""
    if len(fixed) < 30 or not fixed.startswith(LOCAL):  # noqa: PLR2004 - the fixed part of a local header
        return None
    _, _, flags, method, _, _, crc, packed, unpacked, n_name, n_extra = struct.unpack("<4s5H3L2H", fixed)
    body = blob.read(at + 30, n_name + n_extra)
    raw_name = body[:n_name]
    unpacked, packed = _zip64(body[n_name:], [unpacked, packed])
    return Entry(
        _name(raw_name, flags), raw_name, flags, method, crc, packed, unpacked, at, 0, at + 30 + n_name + n_extra
    )


def _zip64(extra: bytes, values: list[int]) -> list[int]:
    """The values, those that are full replaced from the zip64 field in their order."""
    while len(extra) >= 4:  # noqa: PLR2004 - id and length
        kind, length = struct.unpack("<2H", extra[:4])
        if kind == 1:
            field = extra[4 : 4 + length]
            for position, value in enumerate(values):
                if value == _FULL and len(field) >= 8:  # noqa: PLR2004 - eight bytes each
                    values[position] = int.from_bytes(field[:8], "little")
                    field = field[8:]
            return values
        extra = extra[4 + length :]
    return values


def _name(raw: bytes, flags: int) -> str:
    return raw.decode("utf-8", "replace") if flags & UTF8 else raw.decode("cp437")
