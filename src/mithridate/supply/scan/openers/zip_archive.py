"""A zip archive: every member that some reader would see, however the headers lie, and each lie as an issue."""

from __future__ import annotations

import bz2
import lzma
import stat
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from mithridate.core.findings import Severity
from mithridate.supply.scan.blob import Blob
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.issue import Issue
from mithridate.supply.scan.names import link_issue, name_issue, own_path_issue
from mithridate.supply.scan.openers.member import Member
from mithridate.supply.scan.openers.torch_zip import is_script, raw_names, script_issue
from mithridate.supply.scan.openers.unpack import BLOCK, LAZY, Packed, unpacked
from mithridate.supply.scan.openers.zip_directory import END, LOCAL, Directory, Entry, directories, entries, local
from mithridate.supply.scan.slices import SliceBlob

_STORED, _DEFLATED, _BZIP2, _LZMA = 0, 8, 12, 14
_ENCRYPTED, _DESCRIPTOR = 1, 8
_BROKEN = (zlib.error, OSError, lzma.LZMAError, EOFError, ValueError)


def sniff(head: bytes, blob: Blob) -> bool:
    """Whether some reader takes this for a zip: by its first bytes, or by an end record at its end."""
    return head.startswith((LOCAL, END, b"PK00PK\3\4", b"PK\7\x08PK\3\4")) or any(
        found.stop == blob.size for found in directories(blob)
    )


def members(blob: Blob, budget: Budget) -> Iterator[Issue | Member]:
    """Members and tricks."""
    found = directories(blob)
    if not found:
        yield Issue("broken-archive", Severity.MEDIUM, "the zip has no directory; its members were looked for by hand")
        yield from _unlisted(blob, 0, blob.size, budget)
        return
    last = found[0]
    found = [last, *(one for one in found[1:] if one.stop > last.end)]  # others are ends of zips that lie in members
    if len({(one.start, one.size) for one in found}) > 1:
        yield Issue(
            "two-directories", Severity.HIGH,
            "the zip has more than one directory, and readers differ in which one they take",
        )  # fmt: skip
    for directory in found:
        yield from _directory(blob, directory, budget)


def _directory(blob: Blob, directory: Directory, budget: Budget) -> Iterator[Issue | Member]:
    listed = []
    for entry in entries(blob, directory):
        budget.spend(members=1)
        listed.append(entry)
    if len(listed) != directory.count and directory.count != 0xFFFF:  # noqa: PLR2004 - full: the zip64 record says it
        yield Issue(
            "broken-directory", Severity.MEDIUM,
            f"the zip's end record counts {directory.count:,} members, its directory lists {len(listed):,}",
        )  # fmt: skip
    yield from _same_names(listed)
    raw = raw_names([entry.name for entry in listed])
    covered: list[tuple[int, int]] = []
    judged = own_path_issue if len(listed) == 1 else name_issue
    for entry in listed:
        yield from filter(None, [judged(entry.name)])
        header = local(blob, entry.header)
        start = entry.header + 30 + len(entry.raw_name) if header is None else header.next
        covered.append((entry.header, start + entry.packed))
        yield from _lies(entry, header, blob)
        if not entry.name.endswith("/") or entry.packed:
            yield from _member(blob, entry, start, budget, numbers=entry.name in raw)
    yield from _around(blob, directory, covered, budget)


def _same_names(listed: list[Entry]) -> Iterator[Issue]:
    seen: dict[str, Entry] = {}
    for entry in listed:
        before = seen.setdefault(entry.name.casefold(), entry)
        if before is entry:
            continue
        same = (before.crc, before.unpacked) == (entry.crc, entry.unpacked)
        yield Issue(
            "duplicate-name", Severity.LOW if same else Severity.HIGH,
            f"two members are called {entry.name[:200]!r}"
            + (", with the same content" if same else ", and readers differ in which one they take"),
            place=entry.name[:200],
        )  # fmt: skip


def _lies(entry: Entry, header: Entry | None, blob: Blob) -> Iterator[Issue]:
    """Where the directory and the local header differ."""
    place = entry.name[:200]
    if header is None:
        yield Issue("broken-archive", Severity.MEDIUM, "the directory points to a member that isn't there", place)
        return
    if header.raw_name != entry.raw_name:
        yield Issue(
            "two-names", Severity.HIGH,
            f"a member is {entry.name[:200]!r} in the directory and {header.name[:200]!r} in its own header; readers "
            "differ in which one they take", place,
        )  # fmt: skip
    if header.method != entry.method:
        yield Issue("two-methods", Severity.HIGH, "the directory and the member's own header name two packings", place)
    sizes = (header.packed, header.unpacked, header.crc)
    if sizes != (entry.packed, entry.unpacked, entry.crc) and not (header.flags & _DESCRIPTOR and not any(sizes[:2])):
        yield Issue(
            "two-sizes", Severity.MEDIUM, "the directory and the member's own header differ in size or checksum", place
        )
    if (header.flags ^ entry.flags) & _ENCRYPTED:
        yield Issue("two-flags", Severity.HIGH, "one header says that the member is encrypted, the other not", place)
    if stat.S_ISLNK(entry.mode):
        target = blob.read(header.next, min(entry.packed, 4096)).decode("utf-8", "replace")
        yield from filter(None, [link_issue(entry.name, target)])


def _member(blob: Blob, entry: Entry, start: int, budget: Budget, *, numbers: bool) -> Iterator[Issue | Member]:
    """The member's content, by whichever of its packings gives the bytes that the checksum promises."""
    budget.spend()
    name = f"{blob.name}!{entry.name}"
    if numbers and entry.method == _STORED:
        yield Member(SliceBlob(name, blob, start, entry.packed), "numbers")
        return
    if entry.method not in _BLOCKS:
        yield Issue(
            "not-analysed", Severity.MEDIUM, f"a member is packed by method {entry.method}, which is not unpacked here",
            place=entry.name[:200],
        )  # fmt: skip
        return
    if entry.method == _STORED:
        content = SliceBlob(name, blob, start, entry.packed)
        yield from _checked(entry, _crc(content) if content.size <= LAZY else None)
        yield from _script(entry, content)
        yield Member(content, "numbers" if numbers else "file")
        return
    size = max(0, min(entry.packed, blob.size - start))
    packed = Packed(name, size, lambda packed: _unpack(blob, entry, start, packed), entry.unpacked)
    with unpacked(packed, budget) as inside:
        if packed.broken:
            yield from _unreadable(entry, packed.broken)
        elif packed.end >= 0:
            yield from _checked(entry, _crc(inside))
        yield from _script(entry, inside)
        yield Member(inside, "numbers" if numbers else "file")


def _script(entry: Entry, content: Blob) -> Iterator[Issue]:
    if is_script(entry.name):
        yield from filter(None, [script_issue(entry.name, content.read(0, LAZY))])


def _crc(blob: Blob) -> int:
    crc, at = 0, 0
    while part := blob.read(at, 1 << 20):
        crc, at = zlib.crc32(part, crc), at + len(part)
    return crc


def _checked(entry: Entry, crc: int | None) -> Iterator[Issue]:
    """A checksum that doesn't hold, and an encryption flag on a member whose checksum does."""
    if crc is None:
        return
    if crc == entry.crc and entry.flags & _ENCRYPTED:
        yield Issue(
            "false-encryption", Severity.HIGH, "a plain member is marked as encrypted, so that most scanners skip it",
            place=entry.name[:200],
        )  # fmt: skip
    elif entry.flags & _ENCRYPTED:
        yield from _unreadable(entry, "encrypted")
    elif crc != entry.crc:
        yield Issue(
            "broken-checksum", Severity.MEDIUM, "a member's checksum is wrong; readers differ in whether they mind",
            place=entry.name[:200],
        )  # fmt: skip


def _unreadable(entry: Entry, why: str) -> Iterator[Issue]:
    if entry.flags & _ENCRYPTED:
        yield Issue("not-analysed", Severity.MEDIUM, "a member is encrypted", place=entry.name[:200])
    else:
        yield Issue("broken-archive", Severity.MEDIUM, f"a member can't be unpacked: {why}", place=entry.name[:200])


def _around(
    blob: Blob, directory: Directory, covered: list[tuple[int, int]], budget: Budget
) -> Iterator[Issue | Member]:
    """Bytes that belong to no member: before, between and after; and members that overlap."""
    at, overlaps = 0, 0
    for start, stop in sorted([*covered, (directory.start, directory.stop)]):
        if start > at:
            yield from _gap(blob, at, start, budget)
        overlaps += start < at and (start, stop) != (directory.start, directory.stop)
        at = max(at, stop)
    if overlaps:
        yield Issue("overlap", Severity.HIGH, f"{overlaps:,} members overlap: a bomb, or two contents for one place")
    if at < blob.size:
        yield from _gap(blob, at, blob.size, budget)


def _gap(blob: Blob, start: int, stop: int, budget: Budget) -> Iterator[Issue | Member]:
    """Bytes outside: padding and data descriptors pass, hidden members are opened, the rest is looked at."""
    head = blob.read(start, min(stop - start, 1 << 16))
    if head.startswith(b"PK\7\x08"):
        start, head = start + 16, head[16:]
    elif start and stop - start in {12, 16, 20, 24}:
        return  # a data descriptor, with or without its mark, in 32 or 64 bits
    if stop <= start or not any(head):
        return
    at = head.find(LOCAL)
    if at >= 0:
        yield Issue("hidden-member", Severity.HIGH, "a member stands in the zip that its directory doesn't list")
        yield from _unlisted(blob, start + at, stop, budget)
    elif start:  # what stands before the archive is the file's own beginning, which is looked at anyway
        yield Issue(
            "outside-data", Severity.LOW, f"{stop - start:,} bytes belong to no member", place=f"offset {start}"
        )
        yield Member(SliceBlob(f"{blob.name}!outside", blob, start, stop - start))


def _unlisted(blob: Blob, at: int, stop: int, budget: Budget) -> Iterator[Issue | Member]:
    """Members found by their own headers in a row."""
    while at < stop and (entry := local(blob, at)) is not None:
        budget.spend(members=1)
        yield from filter(None, [name_issue(entry.name)])
        size = entry.packed or stop - entry.next
        yield from _member(blob, replace(entry, packed=size), entry.next, budget, numbers=False)
        at = entry.next + size


def _inflate(data: Blob, packed: Packed) -> Iterator[bytes]:
    made, at = zlib.decompressobj(-15), 0
    while not made.eof:
        part = made.unconsumed_tail or data.read(at, BLOCK)
        at += 0 if made.unconsumed_tail else len(part)
        block = made.decompress(part, BLOCK)
        if block:
            yield block
        elif not part:
            packed.broken = "it ends too early"
            return
    packed.end = at - len(made.unused_data)


def _feed(made: Any, data: Blob, at: int, packed: Packed) -> Iterator[bytes]:
    while not made.eof:
        part = data.read(at, BLOCK) if made.needs_input else b""
        at += len(part)
        block = made.decompress(part, BLOCK)
        if block:
            yield block
        elif not part:
            if not made.eof:
                packed.broken = "it ends too early"
            break
    packed.end = at


def _bzip2(data: Blob, packed: Packed) -> Iterator[bytes]:
    yield from _feed(bz2.BZ2Decompressor(), data, 0, packed)


def _lzma(data: Blob, packed: Packed) -> Iterator[bytes]:
    head = data.read(0, 4)
    length = int.from_bytes(head[2:4], "little")
    filters = [lzma._decode_filter_properties(lzma.FILTER_LZMA1, data.read(4, length))]  # type: ignore[attr-defined]  # noqa: SLF001 - as zipfile does
    yield from _feed(lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters), data, 4 + length, packed)


_BLOCKS: dict[int, Callable[[Blob, Packed], Iterator[bytes]]] = {
    _STORED: _inflate, _DEFLATED: _inflate, _BZIP2: _bzip2, _LZMA: _lzma,
}  # fmt: skip


def _unpack(blob: Blob, entry: Entry, start: int, packed: Packed) -> Iterator[bytes]:
    packed.broken, packed.end = "", -1
    try:
        yield from _BLOCKS[entry.method](SliceBlob(packed.name, blob, start, entry.packed), packed)
    except _BROKEN as error:
        packed.broken = str(error)
