"""What lies in a text as base64 or in hexadecimal digits: pickles, bare and packed, and archives that may hold them.

Every long run of such characters is found by two passes in C (`translate`, `find`); the first bytes of each are
decoded, and only what begins as a pickle, a compressed stream or an archive is decoded whole. A text without such runs
costs no more than reading it.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator

from mithridate.supply.scan.blob import Blob, MemoryBlob
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.openers.member import Member
from mithridate.supply.scan.pickle import looks_like_pickle

KINDS = frozenset(("text", "JSON", "XML"))
"""The formats whose files are looked through."""

_BLOCK, _OVERLAP = 8 << 20, 1 << 12
_LONGEST = 16 << 20  # characters of one run
_SHORTEST = 28  # the shortest pickle that calls something, in base64
_MOST_MEMBERS = 1000
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_"
_RUNS = bytes(97 if byte in _ALPHABET else 32 for byte in range(256))
_WRAPPED = re.compile(rb"(?:[A-Za-z0-9+/_-]|\\[nr/]|&#(?:10|13|xA|xD);|\s)+={0,2}")
_WRAP = re.compile(rb"\\[nr]|&#(?:10|13|xA|xD);|\s|\\(?=/)")
_HEX = re.compile(rb"[0-9a-fA-F\s]+")
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_PACKED = re.compile(rb"\x78[\x01\x5e\x9c\xda]|\x1f\x8b\x08|BZh[1-9]|\xfd7zXZ\x00|PK\x03\x04|\x93NUMPY")
_PICKLED = re.compile(rb"\x80[\x00-\x05]|c[A-Za-z_]\w*|[()\]}SVIKJMNXBC]|\x8c|\x95")

_FIRST_BYTES = b"\x80c()]}SVIKJMNXBC\x8c\x95\x78\x1f\xfdP\x93"
_FIRST = frozenset(
    pair
    for byte in _FIRST_BYTES
    for pair in (
        *(binascii.b2a_base64(bytes([byte, low << 4]))[:2] for low in range(16)),
        b"%02x" % byte,
        b"%02X" % byte,
    )
) | {b"_T"}
"""How such a byte begins in base64 (its second letter has bits of the next byte) and in hexadecimal."""


def members(blob: Blob, budget: Budget) -> Iterator[Member]:
    """The payloads of a text, each once, as files to look at in their turn."""
    seen: set[bytes] = set()
    behind = 0
    for at in range(0, blob.size, _BLOCK):
        budget.spend()
        start = max(0, at - _OVERLAP)
        block = blob.read(start, _BLOCK + at - start)
        if block[1:2] == b"\0" or block[:1] == b"\0":
            block = block.replace(b"\0", b"")
        if b"\\/" in block:  # as JSON may write a slash
            block = block.replace(b"\\/", b"/")
        for place in _runs(block):
            if start + place < behind:
                continue
            run = _whole(blob, block, start, place)
            behind = start + place + len(run)
            content = _decoded(run)
            if content is None or content in seen:
                continue
            budget.spend(members=1, unpacked_bytes=len(content))
            seen.add(content)
            yield Member(MemoryBlob(f"{blob.name}!text at {start + place}", content), "file")
            if len(seen) >= _MOST_MEMBERS:
                return


def _runs(block: bytes) -> Iterator[int]:
    """Where the long runs begin."""
    shape = block.translate(_RUNS)
    wanted = b"a" * _SHORTEST
    at = shape.find(wanted)
    while at >= 0:
        if block[at : at + 2] in _FIRST:
            yield at
        end = shape.find(b" ", at)
        at = shape.find(wanted, end) if end >= 0 else -1


def _whole(blob: Blob, block: bytes, start: int, place: int) -> bytes:
    """The run with the lines that it is broken into; from the file where it goes on behind the block."""
    if not _begins(block[place : place + _SHORTEST]):
        return b""
    match = _WRAPPED.match(block, place, place + _LONGEST)
    if match is not None and match.end() == len(block) and len(block) >= _BLOCK:
        match = _WRAPPED.match(blob.read(start + place, _LONGEST))
    return match.group() if match is not None else b""


def _begins(head: bytes) -> bool:
    """Whether the first bytes of a run, in base64 or hexadecimal, are those of something worth decoding."""
    return any(_PICKLED.match(raw) or _PACKED.match(raw) for raw in (_base64(head), _hexadecimal(head)))


def _decoded(run: bytes) -> bytes | None:
    """The bytes that a run stands for, where they are a pickle or may hold one; None else."""
    plain = _WRAP.sub(b"", run)
    for raw in (_hexadecimal(plain), _base64(plain)):
        if _PACKED.match(raw) or (_PICKLED.match(raw) and looks_like_pickle(raw[:4096])):
            return raw
    return None


def _base64(text: bytes) -> bytes:
    text = text.rstrip(b"=").translate(_URL_SAFE)
    try:
        return binascii.a2b_base64(text[: len(text) - (len(text) % 4 == 1)] + b"=" * (-len(text) % 4))
    except binascii.Error:
        return b""


def _hexadecimal(text: bytes) -> bytes:
    return binascii.unhexlify(text[: len(text) // 2 * 2]) if _HEX.fullmatch(text) else b""
