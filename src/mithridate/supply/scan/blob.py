"""Bytes with a name, read in ranges: a file on disk, or a member that was unpacked into memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol


class Blob(Protocol):
    """Something to scan.

    name : path, and for a member of a container `path!member`, however deep. size : bytes.
    """

    @property
    def name(self) -> str:
        """How a report calls it."""

    @property
    def size(self) -> int:
        """Bytes in all."""

    def read(self, offset: int, length: int) -> bytes:
        """At most `length` bytes from `offset` on; fewer at the end, none past it."""


class MemoryBlob:
    """Bytes that are held."""

    __slots__ = ("_content", "name", "size")

    def __init__(self, name: str, content: bytes) -> None:
        self.name, self.size, self._content = name, len(content), content

    def read(self, offset: int, length: int) -> bytes:
        """At most `length` bytes from `offset` on."""
        return self._content[offset : offset + length]


class FileBlob:
    """A regular file, read with `pread`: one that shrinks meanwhile gives fewer bytes and never a signal."""

    __slots__ = ("_descriptor", "name", "size")

    def __init__(self, name: str, descriptor: int) -> None:
        self.name, self._descriptor = name, descriptor
        self.size = os.fstat(descriptor).st_size

    def read(self, offset: int, length: int) -> bytes:
        """At most `length` bytes from `offset` on."""
        parts: list[bytes] = []
        while length > 0 and (part := os.pread(self._descriptor, min(length, 1 << 30), offset)):
            parts.append(part)
            offset, length = offset + len(part), length - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def read_into(self, offset: int, buffer: memoryview) -> int:
        """Fill the buffer from `offset` on; how many bytes there were: fewer at the end, none past it."""
        return os.preadv(self._descriptor, [buffer], offset)


@contextmanager
def open_file(path: Path, name: str | None = None) -> Iterator[FileBlob]:
    """The file as a blob; links and FIFOs are the caller's business.

    Raises
    ------
    OSError : as `os.open`.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0))
    try:
        yield FileBlob(str(path) if name is None else name, descriptor)
    finally:
        os.close(descriptor)


class Cursor:
    """A place in a blob, read forward in blocks, as a loader reads a file.

    Parameters
    ----------
    start, end : the part of the blob that is read; the end of the blob by default.
    """

    __slots__ = ("_blob", "_block", "_block_start", "end", "offset")

    _LENGTH = 1 << 16

    def __init__(self, blob: Blob, start: int = 0, end: int | None = None) -> None:
        self._blob, self.offset = blob, start
        self.end = blob.size if end is None else min(end, blob.size)
        self._block, self._block_start = b"", start

    def read(self, length: int) -> bytes:
        """The next `length` bytes; fewer at the end."""
        length = max(0, min(length, self.end - self.offset))
        at = self.offset - self._block_start
        if at < 0 or at + length > len(self._block):
            self._block_start = self.offset
            self._block = self._blob.read(self.offset, min(max(length, self._LENGTH), self.end - self.offset))
            at = 0
        found = self._block[at : at + length]
        self.offset += len(found)
        return found

    def readline(self, limit: int = 1 << 20) -> bytes:
        r"""Up to and with the next `\n`, as `file.readline`; at most `limit` bytes."""
        at = self.offset - self._block_start
        stop = self._block.find(b"\n", max(at, 0)) if at >= 0 else -1
        if stop >= 0:
            self.offset = self._block_start + stop + 1
            return self._block[at : stop + 1]
        start = self.offset
        found = self.read(limit)
        stop = found.find(b"\n")
        if stop >= 0:
            found = found[: stop + 1]
            self.offset = start + stop + 1
        return found
