"""HDF5 walked by hand: groups, attributes, and what a dataset says of its bytes; no byte of data is read.

References
----------
The HDF Group, HDF5 file format specification, version 3.0. CVE-2026-1669, CVE-2026-9335, CVE-2026-12480 (external
storage, external links, virtual datasets read any file), CVE-2026-0897 and CVE-2026-12570 (shapes that exhaust memory).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from mithridate.supply.scan.blob import Blob
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.formats.hdf5_heaps import extent, local_text, managed_objects, vlen_text
from mithridate.supply.scan.formats.reading import BrokenError, Window

SIGNATURE = b"\x89HDF\r\n\x1a\n"
NOWHERE = (1 << 64) - 1
_DATASPACE, _LINK_INFO, _DATATYPE, _LINK, _EXTERNAL, _LAYOUT = 0x1, 0x2, 0x3, 0x6, 0x7, 0x8
_ATTRIBUTE, _CONTINUED, _TABLE, _ATTRIBUTE_INFO = 0xC, 0x10, 0x11, 0x15
_MOST_BLOCKS = 10_000
_LARGEST_HEADER = 64 << 20
_FIXED_TEXT, _VARIABLE = 3, 9
_VIRTUAL, _EXTERNAL_LINK, _HARD, _SOFT = 3, 64, 0, 1


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that a walk met.

    kind : `attribute` (text: its text), `external-link`, `external-storage`, `virtual`, `shape`, `unread`. path : of
    the object. name : of the attribute, or the file that is pointed to. size : bytes that a dataset claims to hold.
    """

    kind: str
    path: str
    name: str = ""
    text: str = ""
    size: int = 0


def find_signature(blob: Blob) -> int:
    """Where the superblock is: 0, 512, 1024, ... doubling; -1 if nowhere."""
    offset = 0
    while offset + len(SIGNATURE) <= blob.size:
        if blob.read(offset, len(SIGNATURE)) == SIGNATURE:
            return offset
        offset = offset * 2 or 512
    return -1


def end_of_data(blob: Blob) -> int:
    """Where the superblock says that the data end; the size of the file where it says nothing."""
    start = find_signature(blob)
    version = blob.read(start + 8, 1)
    place = {b"\0": start + 24, b"\1": start + 28}.get(version, start + 12)
    base = int.from_bytes(blob.read(place, 8), "little")
    said = int.from_bytes(blob.read(place + 16, 8), "little")
    return base + said if start >= 0 and said not in {0, NOWHERE} else blob.size


class Walk:
    """One walk over a file.

    Raises
    ------
    BrokenError : while iterating, where the structure can't be followed.
    """

    def __init__(self, blob: Blob, budget: Budget) -> None:
        self._window, self._budget = Window(blob), budget
        self._base = 0
        self._queue: deque[tuple[int, str]] = deque()

    def facts(self) -> Iterator[Fact]:
        """Everything met, the root's attributes first."""
        self._queue.append((self._superblock(), ""))
        seen: set[int] = set()
        while self._queue:
            address, path = self._queue.popleft()
            if address not in seen:
                seen.add(address)
                self._budget.spend(opcodes=1)
                yield from self._object(address, path)

    def _superblock(self) -> int:
        start = find_signature(self._window.blob)
        if start < 0:
            raise BrokenError("no superblock")
        version = self._window.number(start + 8, 1)
        old = version in {0, 1}
        if version not in {0, 1, 2, 3}:
            raise BrokenError(f"superblock version {version}")
        widths = self._window.take(start + (13 if old else 9), 2)
        if widths != b"\x08\x08":
            raise BrokenError(f"addresses of {widths[0]} and lengths of {widths[1]} bytes")
        extra = 4 if version == 1 else 0
        self._base = self._window.number(start + (24 + extra if old else 12), 8)
        return self._address(self._window.number(start + (64 + extra if old else 36), 8))

    def _address(self, relative: int) -> int:
        return NOWHERE if relative == NOWHERE else self._base + relative

    def _object(self, address: int, path: str) -> Iterator[Fact]:
        dimensions, width, layout = 1, 0, False
        for kind, body in self._messages(address):
            if kind == _ATTRIBUTE:
                yield self._attribute(body, path)
            elif kind in {_LINK, _TABLE, _LINK_INFO, _ATTRIBUTE_INFO}:
                yield from self._children(kind, body, path)
            elif kind == _EXTERNAL:
                yield self._external(body, path)
            elif kind == _DATASPACE:
                dimensions = extent(body)
            elif kind == _DATATYPE:
                width = int.from_bytes(body[4:8], "little")
            elif kind == _LAYOUT:
                layout = True
                if body[:1] in {b"\x04", b"\x05"} and body[1:2] == bytes([_VIRTUAL]):
                    yield Fact("virtual", path)
        if layout:
            yield Fact("shape", path, size=dimensions * width)

    def _messages(self, address: int) -> Iterator[tuple[int, bytes]]:
        """(type, body) of each header message, continuation blocks followed."""
        window = self._window
        if window.take(address, 4) == b"OHDR":
            yield from self._messages_new(address)
            return
        if window.number(address, 1) != 1:
            raise BrokenError(f"no object header at {address}")
        blocks = deque([(address + 16, window.number(address + 8, 4))])
        yield from self._blocks(blocks, new=False, head=8)

    def _messages_new(self, address: int) -> Iterator[tuple[int, bytes]]:
        flags = self._window.number(address + 5, 1)
        at = address + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
        width = 1 << (flags & 3)
        blocks = deque([(at + width, self._window.number(at, width))])
        yield from self._blocks(blocks, new=True, head=6 if flags & 4 else 4)

    def _blocks(self, blocks: deque[tuple[int, int]], *, new: bool, head: int) -> Iterator[tuple[int, bytes]]:
        read = total = 0
        while blocks:
            start, length = blocks.popleft()
            read, total = read + 1, total + length
            if read > _MOST_BLOCKS or total > _LARGEST_HEADER:
                raise BrokenError("an object header without end")
            block = self._window.take(start, length)
            at = 0
            while at + head <= len(block):
                kind = block[at] if new else int.from_bytes(block[at : at + 2], "little")
                size = int.from_bytes(block[at + 1 : at + 3] if new else block[at + 2 : at + 4], "little")
                body = block[at + head : at + head + size]
                at += head + size
                if kind == _CONTINUED and len(body) >= 16:  # noqa: PLR2004 - an address and a length
                    place = self._address(int.from_bytes(body[:8], "little"))
                    span = int.from_bytes(body[8:16], "little")
                    blocks.append((place + 4, span - 8) if new else (place, span))
                elif kind:
                    yield kind, body

    def _attribute(self, body: bytes, path: str) -> Fact:
        if len(body) < 8:  # noqa: PLR2004 - version, flags and three lengths
            return Fact("unread", path, "attribute")
        version = body[0]
        lengths = [int.from_bytes(body[at : at + 2], "little") for at in (2, 4, 6)]
        at = 9 if version == 3 else 8  # noqa: PLR2004 - version 3 adds the character set
        padded = [-(-length // 8) * 8 if version == 1 else length for length in lengths]
        name = body[at : at + lengths[0]].split(b"\0")[0].decode("utf-8", "replace")
        kind = body[at + padded[0] : at + padded[0] + lengths[1]]
        value = body[at + sum(padded) :]
        return Fact("attribute", path, name, self._text(kind, value))

    def _text(self, kind: bytes, value: bytes) -> str:
        if len(kind) < 8:  # noqa: PLR2004 - class, bits and size of a datatype
            return ""
        if kind[0] & 0xF == _FIXED_TEXT:
            raw = value[: int.from_bytes(kind[4:8], "little")]
            return raw.decode("latin-1") if raw[:1] == b"\x80" else raw.split(b"\0")[0].decode("utf-8", "replace")
        if kind[0] & 0xF == _VARIABLE and len(value) >= 16:  # noqa: PLR2004 - length, address, index
            address = self._address(int.from_bytes(value[4:12], "little"))
            length, index = int.from_bytes(value[:4], "little"), int.from_bytes(value[12:16], "little")
            return vlen_text(self._window, address, index, length)
        return ""

    def _children(self, kind: int, body: bytes, path: str) -> Iterator[Fact]:
        if kind == _TABLE and len(body) >= 16:  # noqa: PLR2004 - two addresses
            yield from self._symbols(body, path)
        elif kind == _LINK:
            yield from self._link(body, path)
        elif kind in {_LINK_INFO, _ATTRIBUTE_INFO}:
            flags = body[1] if len(body) > 1 else 0
            at = 2 + (8 if kind == _LINK_INFO else 2) * (flags & 1)
            heap = self._address(int.from_bytes(body[at : at + 8], "little"))
            if heap != NOWHERE and len(body) >= at + 8:
                yield from self._dense(kind, heap, path)

    def _dense(self, kind: int, heap: int, path: str) -> Iterator[Fact]:
        """Links or attributes in a fractal heap: every object of its blocks, in the order in which they lie."""
        for body in managed_objects(self._window, heap, self._base, links=kind == _LINK_INFO):
            if body is None:
                yield Fact("unread", path, "links" if kind == _LINK_INFO else "attributes")
            elif kind == _LINK_INFO:
                yield from self._link(body, path)
            else:
                yield self._attribute(body, path)

    def _link(self, body: bytes, path: str) -> Iterator[Fact]:
        if len(body) < 3:  # noqa: PLR2004 - version, flags and a length
            return
        flags, at = body[1], 2
        kind = body[at] if flags & 8 else _HARD
        at += (1 if flags & 8 else 0) + (8 if flags & 4 else 0) + (1 if flags & 16 else 0)
        width = 1 << (flags & 3)
        length = int.from_bytes(body[at : at + width], "little")
        name = body[at + width : at + width + length].decode("utf-8", "replace")
        rest = body[at + width + length :]
        if kind == _HARD:
            self._queue.append((self._address(int.from_bytes(rest[:8], "little")), f"{path}/{name}"))
        elif kind == _EXTERNAL_LINK:
            yield Fact("external-link", f"{path}/{name}", rest[3:].split(b"\0")[0].decode("utf-8", "replace"))
        elif kind != _SOFT:
            yield Fact("unread", f"{path}/{name}", "a link of an unknown kind")

    def _symbols(self, body: bytes, path: str) -> Iterator[Fact]:
        """Children of an old group: a B-tree of nodes with names in a local heap."""
        window = self._window
        names = local_text(window, self._address(int.from_bytes(body[8:16], "little")), self._base)
        nodes = [self._address(int.from_bytes(body[:8], "little"))]
        seen: set[int] = set()
        while nodes:
            node = nodes.pop()
            if node in seen or len(seen) > _MOST_BLOCKS:
                raise BrokenError("a group's tree has a cycle or no end")
            seen.add(node)
            signature, count = window.take(node, 4), window.number(node + 6, 2)
            if signature == b"TREE":
                nodes += [self._address(window.number(node + 32 + 16 * i, 8)) for i in range(count)][::-1]
            elif signature == b"SNOD":
                self._entries(node, count, names, path)
            else:
                raise BrokenError(f"no group node at {node}")
        yield from ()

    def _entries(self, node: int, count: int, names: bytes, path: str) -> None:
        for place in range(count):
            start = node + 8 + 40 * place
            name_at, header = self._window.number(start, 8), self._window.number(start + 8, 8)
            name = names[name_at : name_at + 1024].split(b"\0")[0].decode("utf-8", "replace")
            if self._window.number(start + 16, 4) != 2:  # noqa: PLR2004 - 2 is a soft link, without a header
                self._queue.append((self._address(header), f"{path}/{name}"))

    def _external(self, body: bytes, path: str) -> Fact:
        if len(body) < 32:  # noqa: PLR2004 - the list's head and one slot
            return Fact("external-storage", path)
        names = local_text(self._window, self._address(int.from_bytes(body[8:16], "little")), self._base)
        at = int.from_bytes(body[16:24], "little")
        return Fact("external-storage", path, names[at : at + 1024].split(b"\0")[0].decode("utf-8", "replace"))
