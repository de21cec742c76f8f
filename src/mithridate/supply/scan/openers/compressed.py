"""One stream in gzip, bzip2, xz, lzma, zlib or joblib's first packing, as `joblib.dump(compress=...)` and tar write it.

References
----------
RFC 1950, RFC 1952; the .xz file format 1.2.1; joblib/compressor.py (the prefixes that joblib.load goes by).
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

from mithridate.core.findings import Severity
from mithridate.supply.scan.blob import Blob
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.issue import Issue
from mithridate.supply.scan.openers.member import Member
from mithridate.supply.scan.openers.unpack import BLOCK, Packed, unpacked

_DROP = 1 << 10
_SINGLE = {"lzma", "zlib", "joblib"}  # a second stream after the first is not read by anybody
_BROKEN = (zlib.error, OSError, lzma.LZMAError, EOFError, ValueError)


class _Decompressor(Protocol):
    """What bz2 and lzma give, and zlib through `_Zlib`."""

    eof: bool
    needs_input: bool
    unused_data: bytes

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """At most `max_length` bytes more."""


class _Zlib:
    """zlib's object in the manners of the other two."""

    def __init__(self, wbits: int) -> None:
        self._object = zlib.decompressobj(wbits)

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """At most `max_length` bytes more."""
        return self._object.decompress(self._object.unconsumed_tail + data, max_length)

    @property
    def eof(self) -> bool:
        """Whether the stream is at its end."""
        return self._object.eof

    @property
    def needs_input(self) -> bool:
        """Whether it can give nothing more from what it has."""
        return not self._object.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        """What came after the end."""
        return self._object.unused_data


def _lzma(form: int) -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(form, memlimit=256 << 20)


_MAKERS: dict[str, Callable[[], Any]] = {
    "gzip": partial(_Zlib, 31),
    "bzip2": bz2.BZ2Decompressor,
    "xz": partial(_lzma, lzma.FORMAT_XZ),
    "lzma": partial(_lzma, lzma.FORMAT_ALONE),
    "zlib": partial(_Zlib, 15),
    "joblib": partial(_Zlib, 15),
}


def _kind(head: bytes) -> str:
    """The packing that the first bytes announce; empty for none."""
    if head.startswith(b"\x1f\x8b\x08"):
        return "gzip"
    if head.startswith(b"BZh") and head[4:10] in {b"1AY&SY", b"\x17rE8P\x90"}:
        return "bzip2"
    if head.startswith(b"\xfd7zXZ\0"):
        return "xz"
    if head.startswith(b"ZF0x"):
        return "joblib"
    if head[:1] in {b"\x78", b"\x68", b"\x58", b"\x48", b"\x38", b"\x28", b"\x18", b"\x08"} and _opens("zlib", head):
        return "zlib"
    return "lzma" if _is_lzma(head) and _opens("lzma", head) else ""


def _opens(kind: str, head: bytes) -> bool:
    """Whether the head unpacks: for formats whose first bytes say next to nothing."""
    if kind == "zlib" and (len(head) < 6 or int.from_bytes(head[:2], "big") % 31 or head[1] & 0x20):  # noqa: PLR2004 - RFC 1950
        return False
    try:
        made: _Decompressor = _MAKERS[kind]()
        given = made.decompress(head, 1 << 12)
    except _BROKEN as error:
        return "data check" in str(error)  # whole but for its checksum
    return bool(given) or made.eof


def _is_lzma(head: bytes) -> bool:
    """A plausible .lzma header: properties below 225, a dictionary of 2^n or 2^n + 2^(n-1) bytes, a sane size."""
    if len(head) < 14 or head[0] >= 225:  # noqa: PLR2004 - 13 bytes of header; (4 * 5 + 4) * 9 + 9
        return False
    dictionary, size = int.from_bytes(head[1:5], "little"), int.from_bytes(head[5:13], "little")
    bits = dictionary.bit_length()
    round_size = dictionary in {1 << (bits - 1), 3 << (bits - 2)} if bits > 12 else False  # noqa: PLR2004 - 4 KiB
    return round_size and (size == (1 << 64) - 1 or 0 < size < 1 << 40)  # of 0 bytes, a header of some other kind


def sniff(head: bytes, blob: Blob) -> bool:
    """Whether this is one packed stream."""
    del blob
    return bool(_kind(head))


def members(blob: Blob, budget: Budget) -> Iterator[Issue | Member]:
    """The unpacked stream, and what is wrong with the packing."""
    kind = _kind(blob.read(0, 1 << 12))
    packed = Packed(blob.name, blob.size, lambda packed: _blocks(blob, kind, packed))
    with unpacked(packed, budget) as content:
        yield Member(content)
    if packed.broken:
        yield Issue("broken-packing", Severity.LOW, f"the {kind} stream is broken: {packed.broken}")
    elif 0 <= packed.end < blob.size and any(blob.read(packed.end, 1 << 16)):
        left = blob.size - packed.end
        yield Issue(
            "not-analysed", Severity.MEDIUM, f"{left:,} bytes follow the {kind} stream, and nobody analysed them",
            place=f"offset {packed.end}",
        )  # fmt: skip


def _start(blob: Blob, kind: str) -> int:
    """Where the stream begins: joblib up to 0.9 put `ZF` and the length before it, at first one space wider."""
    if kind != "joblib":
        return 0
    return 22 if blob.read(21, 1) == b" " else 21


def _blocks(blob: Blob, kind: str, packed: Packed) -> Iterator[bytes]:
    """Blocks of every stream in a row; what breaks ends it, and what came before counts."""
    offset, made, data = _start(blob, kind), _MAKERS[kind](), b""
    began, given = offset, 0
    packed.broken, packed.end = "", -1
    while True:
        if not data and (made.needs_input or made.eof):
            data = blob.read(offset, BLOCK)
            offset += len(data)
        try:
            block = made.decompress(data, BLOCK)
        except _BROKEN as error:
            packed.broken = str(error)
            yield _drop_by_drop(blob, kind, began, given)
            return
        if not data and not block and not made.eof:
            packed.broken = "it ends too early"
            return
        data = b""
        if block:
            given += len(block)
            yield block
        if made.eof:
            at = offset - len(made.unused_data)
            if kind in _SINGLE or _kind(blob.read(at, 16)) != kind:
                packed.end = at
                return
            offset, made = at, _MAKERS[kind]()
            began, given = at, 0


def _drop_by_drop(blob: Blob, kind: str, offset: int, given: int) -> bytes:
    """What a broken stream gives between the `given` bytes and where it breaks.

    Notes
    -----
    A wrong checksum is noticed behind the last byte: who reads in small pieces, as an unpickler does, has acted on
    them by then, while a decompressor that is asked for a large block keeps all of it back.
    """
    made: _Decompressor = _MAKERS[kind]()
    found = bytearray()
    with suppress(*_BROKEN):
        while len(found) < BLOCK:
            data = blob.read(offset, _DROP) if made.needs_input else b""
            offset += len(data)
            block = made.decompress(data, min(given, BLOCK) or 1)
            if made.eof or not (data or block):
                break
            if given:
                given -= len(block)
            else:
                found += block
    return bytes(found)
