"""TIFF and BigTIFF: directories of tags; what lies behind the last byte that any of them points to.

References
----------
TIFF 6.0, section 2 (structure), tags 273, 279, 324, 325, 513, 514; TIFF Supplement 1 (SubIFDs, 330); Exif 2.3 (34665);
BigTIFF (Adobe, 2007: 43 for 42, counts and offsets of 8 bytes).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from mithridate.supply.scan.blob import Blob
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.formats.behind import behind
from mithridate.supply.scan.formats.reading import BrokenError, Window
from mithridate.supply.scan.issue import Issue
from mithridate.supply.scan.openers.member import Member

_ORDERS = {b"II*\0": "<", b"MM\0*": ">", b"II+\0": "<", b"MM\0+": ">"}
_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_LETTERS = {3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_PIXELS = ((273, 279), (324, 325), (513, 514))  # where strips, tiles, a thumbnail lie, and how long they are
_FOLDERS = (330, 34665, 34853, 40965)
_MOST_DIRECTORIES, _MOST_VALUES = 4096, 1 << 18


class _Sizes(NamedTuple):
    """Letters of `struct` for how many entries there are, for a count or an offset; bytes of an entry, of a place."""

    entries: str
    offset: str
    entry: int
    place: int
    first: int


_PLAIN, _BIG = _Sizes("H", "I", 12, 4, 4), _Sizes("Q", "Q", 20, 8, 8)


@dataclass(slots=True)
class _Walk:
    """Where the directories reach, and which are left to read."""

    window: Window
    order: str
    sizes: _Sizes
    end: int = 8
    left: list[int] = field(default_factory=list)


def sniff(head: bytes, _blob: Blob) -> bool:
    """The mark of one byte order, and 42 or 43."""
    return head[:4] in _ORDERS


def analyse(blob: Blob, budget: Budget) -> Iterator[Issue | Member]:
    """What follows the last directory, value and strip; nothing where a directory is broken."""
    magic = blob.read(0, 4)
    if magic not in _ORDERS:
        return
    walk = _Walk(Window(blob), _ORDERS[magic], _BIG if b"+" in magic else _PLAIN)
    seen: set[int] = set()
    try:
        walk.left.append(walk.window.unpack(walk.order + walk.sizes.offset, walk.sizes.first)[0])
        while walk.left and len(seen) < _MOST_DIRECTORIES:
            budget.spend()
            at = walk.left.pop()
            if at and at not in seen:
                seen.add(at)
                _directory(walk, at)
    except BrokenError:
        return
    if walk.end < blob.size:
        yield from behind(blob, walk.end, "TIFF")


def _directory(walk: _Walk, at: int) -> None:
    sizes, order = walk.sizes, walk.order
    (count,) = walk.window.unpack(order + sizes.entries, at)
    start = at + struct.calcsize(f"={sizes.entries}")
    raw = walk.window.take(start, sizes.entry * count + sizes.place)
    walk.end = max(walk.end, start + len(raw))
    walk.left.append(struct.unpack(order + sizes.offset, raw[-sizes.place :])[0])
    found: dict[int, tuple[int, ...]] = {}
    for here in range(0, sizes.entry * count, sizes.entry):
        head = raw[here : here + sizes.entry - sizes.place]
        tag, kind, number = struct.unpack(f"{order}HH{sizes.offset}", head)
        size, place = _BYTES.get(kind, 1) * number, start + here + len(head)
        if size > sizes.place:
            (place,) = walk.window.unpack(order + sizes.offset, place)
            walk.end = max(walk.end, place + size)
        if kind in _LETTERS and number <= _MOST_VALUES and tag in _WANTED:
            found[tag] = walk.window.unpack(f"{order}{number}{_LETTERS[kind]}", place)
    for where, lengths in _PIXELS:
        spans = zip(found.get(where, ()), found.get(lengths, ()), strict=False)
        walk.end = max([walk.end, *(start + length for start, length in spans)])
    walk.left += [start for tag in _FOLDERS for start in found.get(tag, ())]


_WANTED = frozenset((*_FOLDERS, *(tag for pair in _PIXELS for tag in pair)))
