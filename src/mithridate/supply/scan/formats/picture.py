"""Pictures and sounds (PNG, JPEG, GIF, BMP, icns, RIFF): scripts in properties, payloads in chunks and behind the end.

References
----------
W3C, PNG (Third Edition), chunk layout; ITU-T T.81, annex B (markers); GIF89a; Microsoft, RIFF.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator

from mithridate.core.findings import Severity
from mithridate.supply.scan.blob import Blob
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.formats.behind import behind, in_text
from mithridate.supply.scan.issue import Issue
from mithridate.supply.scan.openers.member import Member
from mithridate.supply.scan.pickle import looks_like_pickle
from mithridate.supply.scan.slices import SliceBlob

_PNG, _JPEG, _GIF, _RIFF = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", (b"GIF87a", b"GIF89a"), b"RIFF"
_BMP_HEADERS = {12, 40, 52, 56, 64, 108, 124}  # lengths of the second header, by version
_TEXTS = {b"tEXt", b"iTXt", b"zTXt", b"eXIf", b"iCCP"}
_PIXELS = {b"IHDR", b"IDAT", b"PLTE", b"fdAT", b"fcTL", b"acTL", b"IEND"}
_MOST_PARTS = 100_000
_INFLATED = 1 << 20
_BLOCK = 1 << 20
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # neither stuffed nor a restart


def sniff(head: bytes, _blob: Blob) -> bool:
    """The first bytes of one of the formats."""
    return (
        head.startswith((_PNG, _JPEG, *_GIF, b"icns"))
        or (head.startswith(_RIFF) and head[8:12] in {b"WAVE", b"WEBP", b"AVI "})
        or _is_bitmap(head)
    )


def _is_bitmap(head: bytes) -> bool:
    return head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _BMP_HEADERS


def analyse(blob: Blob, budget: Budget) -> Iterator[Issue | Member]:
    """Properties and private chunks, then what lies behind the end; a broken file is not followed further."""
    head = blob.read(0, 16)
    if head.startswith(_PNG):
        yield from _png(blob, budget)
    elif head.startswith(_JPEG):
        yield from _jpeg(blob, budget)
    elif head.startswith(_RIFF):
        said = 8 + int.from_bytes(head[4:8], "little")
        yield from behind(blob, said + said % 2, "RIFF file") if said <= blob.size else ()
    elif head.startswith((b"BM", b"icns")):
        said = int.from_bytes(head[2:6], "little") if head.startswith(b"BM") else int.from_bytes(head[4:8], "big")
        yield from behind(blob, said, "picture") if 0 < said <= blob.size else ()
    else:
        yield from _gif(blob, budget)


def _png(blob: Blob, budget: Budget) -> Iterator[Issue | Member]:
    at = len(_PNG)
    for _ in range(_MOST_PARTS):
        budget.spend()
        head = blob.read(at, 8)
        length, kind = int.from_bytes(head[:4], "big"), head[4:8]
        if len(head) < 8 or length > blob.size - at - 12:  # noqa: PLR2004 - length, kind, and a checksum behind
            return
        if kind in _TEXTS:
            yield from in_text(_inflated(kind, blob.read(at + 8, min(length, _INFLATED))), f"{kind.decode()} chunk")
        elif kind not in _PIXELS and looks_like_pickle(blob.read(at + 8, min(length, 4096))):
            claim = f"the chunk {kind.decode('latin-1')!r} holds a pickle"
            yield Issue("hidden-behind", Severity.HIGH, claim, f"byte {at:,}")
            yield Member(SliceBlob(f"{blob.name}!{kind.decode('latin-1')}", blob, at + 8, length), "file")
        at += 12 + length
        if kind == b"IEND":
            yield from behind(blob, at, "PNG")
            return


def _inflated(kind: bytes, raw: bytes) -> bytes:
    """The text of a chunk with what is compressed in it, up to a mebibyte."""
    at = raw.find(b"\x78", raw.find(b"\0")) if kind in {b"zTXt", b"iTXt"} else -1
    if at < 0:
        return raw
    try:
        return raw[:at] + zlib.decompressobj().decompress(raw[at:], _INFLATED)
    except zlib.error:
        return raw


def _jpeg(blob: Blob, budget: Budget) -> Iterator[Issue | Member]:
    """Segments one by one; the pixels of a scan end at the first marker that is neither stuffed nor a restart."""
    at = 2
    for _ in range(_MOST_PARTS):
        budget.spend()
        head = blob.read(at, 4)
        marker = head[1:2]
        if len(head) < 2 or head[:1] != b"\xff":  # noqa: PLR2004 - a marker
            return
        if marker == b"\xd9":
            yield from behind(blob, at + 2, "JPEG")
            return
        if marker == b"\xff":  # fill
            at += 1
            continue
        length = int.from_bytes(head[2:4], "big")
        if b"\xe1" <= marker <= b"\xef" or marker == b"\xfe":
            yield from in_text(blob.read(at + 4, length), f"segment {marker.hex()}")
        at += 2 + length
        if marker == b"\xda":
            at = _scan_end(blob, at, budget)


def _scan_end(blob: Blob, at: int, budget: Budget) -> int:
    """Where the marker after entropy-coded data stands; the file's end where there is none."""
    while at < blob.size:
        budget.spend()
        part = blob.read(at, _BLOCK)
        if match := _MARKER.search(part):
            return at + match.start()
        at += max(1, len(part) - 1)
    return blob.size


def _gif(blob: Blob, budget: Budget) -> Iterator[Issue | Member]:
    """Blocks up to the trailer."""
    head = blob.read(0, 13)
    at = 13 + _colours(head[10:11])
    for _ in range(_MOST_PARTS):
        budget.spend()
        kind = blob.read(at, 2)
        if kind[:1] == b";":
            yield from behind(blob, at + 1, "GIF")
            return
        if kind[:1] == b"!":
            start = at + 2
        elif kind[:1] == b",":
            start = at + 11 + _colours(blob.read(at + 9, 1))
        else:
            return
        at = _blocks_end(blob, start, budget)
        if kind == b"!\xfe":
            yield from in_text(blob.read(start, min(at - start, _INFLATED)), "comment")


def _colours(flags: bytes) -> int:
    """Bytes of a table of colours, by the flags before it."""
    return 3 << ((flags[0] & 7) + 1) if flags and flags[0] & 0x80 else 0


def _blocks_end(blob: Blob, at: int, budget: Budget) -> int:
    """Behind a row of sub-blocks, each with its length before it."""
    part, start = b"", at
    while at < blob.size:
        if not 0 <= at - start < len(part):
            budget.spend()
            part, start = blob.read(at, _BLOCK), at
        length = part[at - start] if part else 0
        at += 1 + length
        if not length:
            break
    return at
