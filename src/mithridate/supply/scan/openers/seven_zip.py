"""A 7z archive, where the standard library unpacks it: LZMA and LZMA2 with or without filters, Deflate, bzip2, copies.

References
----------
7-Zip, DOC/7zFormat.txt and DOC/Methods.txt.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Iterator
from typing import Any

from mithridate.core.findings import Severity
from mithridate.supply.scan.blob import Blob
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.issue import Issue
from mithridate.supply.scan.names import name_issue
from mithridate.supply.scan.openers.member import Member
from mithridate.supply.scan.openers.seven_zip_header import (
    Coder,
    Folder,
    OddHeaderError,
    Reader,
    contents,
    is_packed,
    streams,
)
from mithridate.supply.scan.openers.unpack import BLOCK, Packed, unpacked
from mithridate.supply.scan.slices import SliceBlob

MAGIC = b"7z\xbc\xaf\x27\x1c"
_LONGEST_HEADER = 64 << 20
_LARGEST_DICTIONARY = 256 << 20
_COPY, _LZMA2, _LZMA, _AES = b"\0", b"\x21", b"\3\1\1", b"\6\xf1\7\1"
_FILTERS = {
    b"\3\3\1\3": lzma.FILTER_X86, b"\4": lzma.FILTER_X86, b"\3\3\2\5": lzma.FILTER_POWERPC,
    b"\3\3\4\1": lzma.FILTER_IA64,
    b"\3\3\5\1": lzma.FILTER_ARM, b"\3\3\7\1": lzma.FILTER_ARMTHUMB, b"\3\3\x08\5": lzma.FILTER_SPARC,
}  # fmt: skip
_BROKEN = (zlib.error, OSError, lzma.LZMAError, EOFError, ValueError)


def sniff(head: bytes, blob: Blob) -> bool:
    """Whether this is a 7z archive."""
    del blob
    return head.startswith(MAGIC)


def members(blob: Blob, budget: Budget) -> Iterator[Issue | Member]:
    """Every file, folder by folder; folders whose packing isn't unpacked here are not analysed."""
    head = blob.read(0, 32)
    offset, size = int.from_bytes(head[12:20], "little"), int.from_bytes(head[20:28], "little")
    try:
        found, listed, empty = contents(_plain(blob, blob.read(32 + offset, min(size, _LONGEST_HEADER)), budget))
    except OddHeaderError as error:
        yield Issue("not-analysed", Severity.MEDIUM, f"the header of the 7z archive can't be read: {error}")
        return
    full = iter([name for name, bare in zip(listed, empty, strict=True) if not bare])
    for name in listed:
        yield from filter(None, [name_issue(name)])
    for folder in found.folders:
        inside = [(next(full, "?"), size) for size in folder.sizes]
        budget.spend(members=len(inside))
        yield from _opened(blob, folder, inside, budget)


def _plain(blob: Blob, header: bytes, budget: Budget) -> Reader:
    """The header, unpacked as often as it is packed."""
    for _ in range(4):
        reader = Reader(header)
        if not is_packed(reader):
            return reader
        folders = streams(reader).folders
        if len(folders) != 1 or folders[0].unpacked > _LONGEST_HEADER or _why_not(folders[0]):
            raise OddHeaderError("it is packed in a way that is not unpacked here")
        header = b"".join(_stream(blob, folders[0]).spending(budget))
    raise OddHeaderError("it is packed too often")


def _opened(blob: Blob, folder: Folder, inside: list[tuple[str, int]], budget: Budget) -> Iterator[Issue | Member]:
    reason = _why_not(folder)
    if reason:
        claim = f"{len(inside):,} members of the 7z archive were not analysed: {reason}"
        yield Issue("not-analysed", Severity.MEDIUM, claim, inside[0][0][:200] if inside else "")
        return
    packed, at = _stream(blob, folder), 0
    with unpacked(packed, budget) as content:
        for name, size in inside:
            budget.spend()
            yield Member(SliceBlob(f"{blob.name}!{name}", content, at, size))
            at += size
    if packed.broken:
        yield Issue("broken-archive", Severity.MEDIUM, f"a folder of the 7z archive can't be unpacked: {packed.broken}")


def _why_not(folder: Folder) -> str:
    methods = [coder.method for coder in folder.coders]
    if _AES in methods:
        return "encrypted"
    if not methods or not folder.simple or _maker(folder.coders) is None:
        return f"packed by {', '.join(method.hex() for method in methods) or 'nothing'}, which is not unpacked here"
    return ""


def _stream(blob: Blob, folder: Folder) -> Packed:
    size = max(0, min(folder.packed, blob.size - folder.start))
    return Packed(blob.name, size, lambda packed: _blocks(blob, folder, packed), folder.unpacked)


def _maker(coders: list[Coder]) -> Any:
    """A decompressor for the chain; None where there is none."""
    first = coders[-1]
    try:
        if len(coders) == 1 and first.method == _COPY:
            return "copy"
        if len(coders) == 1 and first.method == b"\4\1\x08":
            return zlib.decompressobj(-15)
        if len(coders) == 1 and first.method == b"\4\2\2":
            return bz2.BZ2Decompressor()
        filters = [_filter(coder) for coder in coders]
        if any(one is None or one.get("dict_size", 0) > _LARGEST_DICTIONARY for one in filters):
            return None
        return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters)  # type: ignore[arg-type]
    except (ValueError, lzma.LZMAError):
        return None


def _filter(coder: Coder) -> dict[str, int] | None:
    """The step as liblzma wants it."""
    raw = coder.settings
    if coder.method == _LZMA and len(raw) == 5:  # noqa: PLR2004 - a byte of properties and the dictionary's size
        rest, lc = divmod(raw[0], 9)
        pb, lp = divmod(rest, 5)
        size = max(4096, int.from_bytes(raw[1:], "little"))
        return {"id": lzma.FILTER_LZMA1, "dict_size": size, "lc": lc, "lp": lp, "pb": pb}
    if coder.method == _LZMA2 and len(raw) == 1 and raw[0] <= 40:  # noqa: PLR2004 - 4 GiB
        return {"id": lzma.FILTER_LZMA2, "dict_size": (2 | raw[0] & 1) << (raw[0] // 2 + 11)}
    if coder.method == b"\3" and len(raw) == 1:
        return {"id": lzma.FILTER_DELTA, "dist": raw[0] + 1}
    return {"id": _FILTERS[coder.method]} if coder.method in _FILTERS else None


def _blocks(blob: Blob, folder: Folder, packed: Packed) -> Iterator[bytes]:
    packed.broken, made, left = "", _maker(folder.coders), folder.unpacked
    source = SliceBlob(blob.name, blob, folder.start, folder.packed)
    at, kept = 0, b""
    while left > 0:
        part = kept or (source.read(at, BLOCK) if made == "copy" or getattr(made, "needs_input", True) else b"")
        at += 0 if kept else len(part)
        try:
            block = part if made == "copy" else made.decompress(part, BLOCK)
        except _BROKEN as error:
            packed.broken = str(error)
            return
        kept = getattr(made, "unconsumed_tail", b"")
        if not block and not part:
            packed.broken = "it ends too early"
            return
        yield block[:left]
        left -= len(block)
    packed.end = at
