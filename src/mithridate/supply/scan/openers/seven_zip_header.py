"""The header of a 7z archive: folders of packed bytes, and which files lie in each.

References
----------
7-Zip, DOC/7zFormat.txt.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_END, _HEADER, _FILES, _PACK, _UNPACK, _SUB = 0, 1, 5, 6, 7, 8
_SIZE, _CRC, _FOLDER, _UNPACK_SIZE, _N_STREAMS, _EMPTY, _NAMES, _PACKED_HEADER = 9, 10, 11, 12, 13, 14, 17, 23
_MOST = 1_000_000


class OddHeaderError(ValueError):
    """No header that 7-Zip writes."""


@dataclass(frozen=True, slots=True)
class Coder:
    """One step of a packing: its method's id and its settings."""

    method: bytes
    settings: bytes


@dataclass(slots=True)
class Folder:
    """Bytes packed together: `coders` from the last step of unpacking to the first; `sizes` of the files in it."""

    coders: list[Coder]
    simple: bool
    n_sizes: int
    last: int = 0
    start: int = 0
    packed: int = 0
    unpacked: int = 0
    sizes: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Streams:
    """Where everything lies."""

    folders: list[Folder] = field(default_factory=list)


class Reader:
    """The header's own numbers and bits.

    Raises
    ------
    OddHeaderError : it ends too early, or counts more than a million of anything.
    """

    def __init__(self, content: bytes) -> None:
        self._stream = io.BytesIO(content)

    def take(self, length: int) -> bytes:
        """Exactly so many bytes."""
        found = self._stream.read(length) if length >= 0 else b""
        if len(found) != length:
            raise OddHeaderError("it ends too early")
        return found

    def byte(self) -> int:
        """One byte."""
        return self.take(1)[0]

    def number(self) -> int:
        """A number of one to nine bytes: as many more as the first has leading ones."""
        first, value, mask = self.byte(), 0, 0x80
        for position in range(8):
            if not first & mask:
                return value | (first & (mask - 1)) << (8 * position)
            value |= self.byte() << (8 * position)
            mask >>= 1
        return value

    def count(self) -> int:
        """A number of things that stand in the header, and so can't be many."""
        found = self.number()
        if found > _MOST:
            raise OddHeaderError(f"it counts {found:,}")
        return found

    def bits(self, count: int) -> list[bool]:
        """A bit each."""
        raw = self.take((count + 7) // 8)
        return [bool(raw[i // 8] & (0x80 >> i % 8)) for i in range(count)]

    def digests(self, count: int) -> None:
        """Checksums, which nobody needs here."""
        defined = [True] * count if self.byte() else self.bits(count)
        self.take(4 * sum(defined))


def streams(reader: Reader) -> Streams:
    """Pack, folder and sub-stream information."""
    made, position, packed = Streams(), 0, list[int]()
    while (kind := reader.byte()) != _END:
        if kind == _PACK:
            position, packed = _pack(reader)
        elif kind == _UNPACK:
            made.folders = _folders(reader)
        elif kind == _SUB:
            _substreams(reader, made.folders)
        else:
            raise OddHeaderError(f"part {kind}")
    place = 32 + position
    for folder, size in zip(made.folders, packed, strict=False):
        folder.start, folder.packed, place = place, size, place + size
    for folder in made.folders:
        folder.sizes = folder.sizes or [folder.unpacked]
    return made


def _pack(reader: Reader) -> tuple[int, list[int]]:
    position, count, sizes = reader.number(), reader.count(), list[int]()
    while (kind := reader.byte()) != _END:
        if kind == _SIZE:
            sizes = [reader.number() for _ in range(count)]
        elif kind == _CRC:
            reader.digests(count)
        else:
            raise OddHeaderError(f"pack part {kind}")
    return position, sizes


def _folders(reader: Reader) -> list[Folder]:
    if reader.byte() != _FOLDER:
        raise OddHeaderError("no folders")
    count = reader.count()
    if reader.byte():
        raise OddHeaderError("its folders stand elsewhere")
    folders = [_folder(reader) for _ in range(count)]
    if reader.byte() != _UNPACK_SIZE:
        raise OddHeaderError("no sizes")
    for folder in folders:
        sizes = [reader.number() for _ in range(folder.n_sizes)]
        folder.unpacked = sizes[folder.last] if sizes else 0
    while (kind := reader.byte()) != _END:
        if kind != _CRC:
            raise OddHeaderError(f"folder part {kind}")
        reader.digests(count)
    return folders


def _folder(reader: Reader) -> Folder:
    coders, n_in, n_out, simple = [], 0, 0, True
    for _ in range(reader.count()):
        flags = reader.byte()
        method = reader.take(flags & 15)
        ins, outs = (reader.count(), reader.count()) if flags & 0x10 else (1, 1)
        coders.append(Coder(method, reader.take(reader.count()) if flags & 0x20 else b""))
        n_in, n_out, simple = n_in + ins, n_out + outs, simple and (ins, outs) == (1, 1)
    pairs = [(reader.number(), reader.number()) for _ in range(max(0, n_out - 1))]
    if n_in - len(pairs) > 1:
        for _ in range(n_in - len(pairs)):
            reader.number()
    chain = _chain(dict(pairs), n_out) if simple else []
    return Folder(
        [coders[at] for at in chain] or coders, len(chain) == len(coders), n_out, last=chain[0] if chain else 0
    )


def _chain(feeds: Mapping[int, int], n_out: int) -> list[int]:
    """The coders from the last step of unpacking to the first: `feeds` says whose output each one's input is."""
    chain = [at for at in range(n_out) if at not in feeds.values()][:1]
    while chain and chain[-1] in feeds and len(chain) < n_out and feeds[chain[-1]] < n_out:
        chain.append(feeds[chain[-1]])
    return chain


def _substreams(reader: Reader, folders: Sequence[Folder]) -> None:
    counts = [1] * len(folders)
    kind = reader.byte()
    if kind == _N_STREAMS:
        counts = [reader.count() for _ in folders]
        kind = reader.byte()
    for folder, count in zip(folders, counts, strict=True):
        sizes = [reader.number() for _ in range(count - 1)] if kind == _SIZE else []
        folder.sizes = [*sizes, folder.unpacked - sum(sizes)] if count else []
        if min(folder.sizes, default=0) < 0:
            raise OddHeaderError("its files are larger than their folder")
    kind = reader.byte() if kind == _SIZE else kind
    while kind != _END:
        if kind != _CRC:
            raise OddHeaderError(f"stream part {kind}")
        reader.digests(sum(counts))
        kind = reader.byte()


def names(reader: Reader) -> tuple[list[str], list[bool]]:
    """The names of all files, and which of them have no content."""
    count = reader.count()
    found, empty = [""] * count, [False] * count
    while (kind := reader.number()) != _END:
        body = Reader(reader.take(reader.number()))
        if kind == _EMPTY:
            empty = body.bits(count)
        elif kind == _NAMES and not body.byte():
            found = _strings(body, count)
    return found, empty


def _strings(body: Reader, count: int) -> list[str]:
    found: list[str] = []
    for _ in range(count):
        raw = bytearray()
        while (unit := body.take(2)) != b"\0\0":
            raw += unit
        found.append(raw.decode("utf-16-le", "replace"))
    return found


def is_packed(reader: Reader) -> bool:
    """Whether the header itself is packed; it must be unpacked and read again."""
    kind = reader.byte()
    if kind not in {_HEADER, _PACKED_HEADER}:
        raise OddHeaderError(f"part {kind}")
    return kind == _PACKED_HEADER


def contents(reader: Reader) -> tuple[Streams, list[str], list[bool]]:
    """Everything in a plain header."""
    found, listed, empty = Streams(), list[str](), list[bool]()
    while (kind := reader.byte()) != _END:
        if kind == 4:  # noqa: PLR2004 - main streams
            found = streams(reader)
        elif kind == _FILES:
            listed, empty = names(reader)
        else:
            raise OddHeaderError(f"part {kind}")
    return found, listed, empty
