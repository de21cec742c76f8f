"""Where HDF5 keeps names and long values: local heaps, global heap collections, fractal heaps."""

from __future__ import annotations

import math
from collections.abc import Iterator

from mithridate.supply.scan.formats.reading import BrokenError, Window

_COLLECTION = b"GCOL\1\0\0\0"
_LARGEST_NAMES = 16 << 20
_MOST_OBJECTS = 65_536
_MOST_ROWS = 64
_NOWHERE = (1 << 64) - 1
_LONGEST_HEAD = 4096


def local_text(window: Window, address: int, base: int) -> bytes:
    """The data segment of a local heap: zero-ended names."""
    if window.take(address, 4) != b"HEAP":
        raise BrokenError(f"no heap of names at {address}")
    size, data = window.number(address + 8, 8), window.number(address + 24, 8)
    if size > _LARGEST_NAMES:
        raise BrokenError(f"a heap of {size} bytes of names")
    return window.take(base + data, size)


def vlen_text(window: Window, address: int, index: int, length: int) -> str:
    """The text that a global heap holds under an index, at most `length` bytes."""
    if window.take(address, 4) != b"GCOL":
        raise BrokenError(f"no global heap at {address}")
    end = address + window.number(address + 8, 8)
    at = address + 16
    for _ in range(_MOST_OBJECTS):
        if at + 16 > min(end, window.size):
            break
        found, size = window.number(at, 2), window.number(at + 8, 8)
        if found == index:
            return window.take(at + 16, min(length, size)).decode("utf-8", "replace")
        if found == 0:
            break
        at += 16 + -(-size // 8) * 8
    raise BrokenError(f"the global heap at {address} lacks the object {index}")


def global_objects(window: Window, furthest: int) -> Iterator[tuple[int, int]]:
    """(offset, bytes) of every object in the global heap collections that start before `furthest`."""
    at, step = 0, 1 << 20
    while at < min(furthest, window.size):
        block = window.take(at, min(step + 8, window.size - at))
        found = block.find(_COLLECTION)
        if found < 0:
            at += step
            continue
        start = at + found
        end = min(window.size, start + max(16, window.number(start + 8, 8))) if start + 16 <= window.size else start
        inner = start + 16
        while inner + 16 <= end and window.number(inner, 2):
            size = min(window.number(inner + 8, 8), end - inner - 16)
            yield inner + 16, size
            inner += 16 + -(-size // 8) * 8
        at = max(start + 8, inner)


def managed_objects(window: Window, heap: int, base: int, *, links: bool) -> Iterator[bytes | None]:
    """The bodies in the direct blocks of a fractal heap; None where blocks can't be read so.

    Notes
    -----
    Objects lie one behind another and tell their own length. Compressed heaps and blocks behind a second level of
    indirection give None.
    """
    if window.take(heap, 4) != b"FRHP":
        raise BrokenError(f"no fractal heap at {heap}")
    if window.number(heap + 7, 2):
        yield None
        return
    flags, bits = window.number(heap + 9, 1), window.number(heap + 128, 2)
    width = window.number(heap + 110, 2)
    size = window.number(heap + 112, 8)
    root, rows = window.number(heap + 132, 8), window.number(heap + 140, 2)
    head = 4 + 1 + 8 + -(-bits // 8) + (4 if flags & 2 else 0)
    if root == _NOWHERE:
        return
    blocks = [(base + root, size)] if rows == 0 else _direct(window, base + root, (rows, width, size), bits, base)
    for address, length in blocks:
        if length <= 0 or window.take(address, 4) != b"FHDB":
            yield None
            return
        yield from _bodies(window.take(address, length)[head:], links=links)


def _direct(
    window: Window, address: int, table: tuple[int, int, int], bits: int, base: int
) -> Iterator[tuple[int, int]]:
    """(address, bytes) of the direct blocks that an indirect root lists; length 0 where it lists indirect ones."""
    rows, width, size = table
    if window.take(address, 4) != b"FHIB" or rows > _MOST_ROWS or width > _MOST_ROWS:
        raise BrokenError(f"no block list at {address}")
    at = address + 4 + 1 + 8 + -(-bits // 8)
    for row in range(rows):
        length = size << max(0, row - 1)
        for _ in range(width):
            block = window.number(at, 8)
            at += 8
            if block != _NOWHERE:
                yield base + block, length if window.take(base + block, 4) == b"FHDB" else 0


def _bodies(block: bytes, *, links: bool) -> Iterator[bytes | None]:
    """One body after another; None where other bytes than zeros are left, as after a deletion."""
    at = 0
    while at + 8 < len(block) and block[at] in ({1} if links else {1, 2, 3}):
        head = block[at : at + _LONGEST_HEAD]
        length = _link_length(head) if links else _attribute_length(head)
        if length <= 0 or length > len(block) - at:
            break
        yield block[at : at + length]
        at += length
    if block[at:].strip(b"\0"):
        yield None


def _link_length(head: bytes) -> int:
    flags, at = head[1], 2
    kind = head[at] if flags & 8 else 0
    at += (1 if flags & 8 else 0) + (8 if flags & 4 else 0) + (1 if flags & 16 else 0)
    width = 1 << (flags & 3)
    at += width + int.from_bytes(head[at : at + width], "little")
    return at + 8 if kind == 0 else at + 2 + int.from_bytes(head[at : at + 2], "little")


def _attribute_length(head: bytes) -> int:
    """Of an attribute message; its value is type size times extent."""
    lengths = [int.from_bytes(head[at : at + 2], "little") for at in (2, 4, 6)]
    if head[0] == 1:  # padded
        lengths = [-(-length // 8) * 8 for length in lengths]
    name, kind, space = lengths
    at = (9 if head[0] == 3 else 8) + name  # noqa: PLR2004 - version 3 adds the character set
    width = int.from_bytes(head[at + 4 : at + 8], "little")
    return at + kind + space + width * extent(head[at + kind : at + kind + space])


def extent(space: bytes) -> int:
    """How many values a dataspace message holds: 1 for a scalar, 0 for an empty one."""
    if len(space) < 4:  # noqa: PLR2004 - version, rank, flags, type
        return 1
    version, rank = space[0], space[1]
    start = 8 if version == 1 else 4
    return math.prod(int.from_bytes(space[start + 8 * i : start + 8 * i + 8], "little") for i in range(rank))
