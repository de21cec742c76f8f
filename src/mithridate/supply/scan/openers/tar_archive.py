"""A tar archive: members, links and names that leave it; POSIX, GNU and old ones.

References
----------
POSIX.1-2001 pax; GNU tar's formats; torch's first serialization (members `sys_info`, `pickle`, `storages`, `tensors`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mithridate.core.findings import Severity
from mithridate.supply.scan.blob import Blob
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.issue import Issue
from mithridate.supply.scan.names import link_issue, name_issue
from mithridate.supply.scan.openers import torch_tar
from mithridate.supply.scan.openers.member import Member
from mithridate.supply.scan.slices import SliceBlob

_BLOCK = 512
_LONGEST_NAME = 1 << 16
_LINKS, _DEVICES = {b"1", b"2"}, {b"3", b"4", b"6"}
_BARE = {*_LINKS, *_DEVICES, b"5"}


@dataclass(slots=True)
class _Pending:
    """What the headers before a member say of it."""

    name: str = ""
    link: str = ""
    size: int = -1
    sparse: bool = False


@dataclass(frozen=True, slots=True)
class _Entry:
    """A member: its kind is one byte, its content starts at `data`."""

    name: str
    kind: bytes
    link: str
    data: int
    size: int
    sparse: bool


def sniff(head: bytes, blob: Blob) -> bool:
    """Whether the first block is a tar header whose checksum holds."""
    del blob
    return _valid(head[:_BLOCK]) and (head[257:262] == b"ustar" or _printable(head[:100].rstrip(b"\0")))


def _printable(name: bytes) -> bool:
    return bool(name) and b"\0" not in name and not any(byte < 0x20 for byte in name)  # noqa: PLR2004 - control characters


def _valid(header: bytes) -> bool:
    if len(header) < _BLOCK or not header[0]:
        return False
    said = _number(header[148:156])
    given = sum(header) - sum(header[148:156]) + 8 * 32
    signed = given - 256 * sum(byte > 127 for byte in header[:148] + header[156:])  # noqa: PLR2004 - old tars sum signed bytes
    return said >= 0 and said in {given, signed}


def _number(raw: bytes) -> int:
    """Octal digits, or base 256; -1 for neither."""
    if raw[:1] in {b"\x80", b"\xff"}:
        return int.from_bytes(raw[1:], "big", signed=raw[:1] == b"\xff")
    digits = raw.split(b"\0")[0].strip()
    try:
        return int(digits or b"0", 8)
    except ValueError:
        return -1


def members(blob: Blob, budget: Budget) -> Iterator[Issue | Member]:
    """Files in order; links, devices and names that leave the archive as issues."""
    at, pending, seen = 0, _Pending(), set[str]()
    while _valid(header := blob.read(at, _BLOCK)):
        budget.spend(members=1)
        kind, size, data = header[156:157], max(_number(header[124:136]), 0), at + _BLOCK
        if kind in {b"L", b"K", b"x", b"g", b"X"}:
            _extend(pending, kind, blob.read(data, min(size, _LONGEST_NAME)))
        else:
            entry = _entry(header, pending, data)
            pending, size = _Pending(), entry.size
            yield from _member(blob, entry, seen, budget)
        at = data + -(-size // _BLOCK) * _BLOCK
        if at > blob.size + _BLOCK:
            yield Issue("broken-archive", Severity.MEDIUM, "the tar is cut off inside a member")
    yield from _rest(blob, at)


def _entry(header: bytes, pending: _Pending, data: int) -> _Entry:
    kind, size = header[156:157], max(_number(header[124:136]), 0)
    size = pending.size if pending.size >= 0 else size
    link = pending.link or header[157:257].split(b"\0")[0].decode("utf-8", "replace")
    bare = kind in _BARE
    return _Entry(pending.name or _name(header), kind, link, data, 0 if bare else size, kind == b"S" or pending.sparse)


def _name(header: bytes) -> str:
    name = header[:100].split(b"\0")[0].decode("utf-8", "replace")
    prefix = header[345:500].split(b"\0")[0].decode("utf-8", "replace") if header[257:263] == b"ustar\0" else ""
    return f"{prefix}/{name}" if prefix else name


def _extend(pending: _Pending, kind: bytes, body: bytes) -> None:
    """Take a long name, or the fields of a pax header, for the member that follows."""
    if kind == b"L":
        pending.name = body.split(b"\0")[0].decode("utf-8", "replace")
    elif kind == b"K":
        pending.link = body.split(b"\0")[0].decode("utf-8", "replace")
    while kind in {b"x", b"X"} and body:
        digits, _, _ = body.partition(b" ")
        length = int(digits) if digits.isdigit() and len(digits) < 8 else 0  # noqa: PLR2004 - longer ones lie
        if not 0 < length <= len(body):
            return
        key, _, value = body[len(digits) + 1 : length - 1].decode("utf-8", "replace").partition("=")
        body = body[length:]
        if key in {"path", "GNU.sparse.name"}:
            pending.name = value
        elif key == "linkpath":
            pending.link = value
        elif key == "size" and value.isdigit():
            pending.size = int(value)
        pending.sparse |= key.startswith("GNU.sparse.")


def _member(blob: Blob, entry: _Entry, seen: set[str], budget: Budget) -> Iterator[Issue | Member]:
    place = entry.name[:200]
    yield from filter(None, [name_issue(entry.name)])
    if entry.kind in _LINKS:
        base = entry.name if entry.kind == b"2" else ""  # a hard link counts from the archive's root
        yield from filter(None, [link_issue(base, entry.link)])
    elif entry.kind in _DEVICES:
        yield Issue("device", Severity.MEDIUM, "the tar makes a device or a FIFO when it is unpacked", place=place)
    elif entry.sparse:
        yield Issue("not-analysed", Severity.MEDIUM, "a sparse member is not put together here", place=place)
    elif entry.size:
        if entry.name in seen:
            yield Issue("duplicate-name", Severity.LOW, "two members have one name; the last one wins", place=place)
        seen.add(entry.name)
        content = SliceBlob(f"{blob.name}!{entry.name}", blob, entry.data, entry.size)
        yield from torch_tar.parts(content, entry.name, budget)


def _rest(blob: Blob, at: int) -> Iterator[Issue | Member]:
    """What follows the end: padding passes, another archive or anything else is looked at."""
    while at < blob.size:
        part = blob.read(at, 1 << 20)
        if not part:
            return
        stripped = part.lstrip(b"\0")
        if stripped:
            at += len(part) - len(stripped)
            yield Issue(
                "trailing-data", Severity.MEDIUM, "data follow the end of the tar; some readers go on",
                place=f"offset {at}",
            )  # fmt: skip
            yield Member(SliceBlob(f"{blob.name}!trailing", blob, at, blob.size - at))
            return
        at += len(part)
