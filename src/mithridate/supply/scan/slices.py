"""Parts of blobs: a range of another blob, and a stream that is unpacked again when it is read again."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mithridate.supply.scan.blob import Blob


class SliceBlob:
    """A range of another blob, without a copy."""

    __slots__ = ("_blob", "_start", "name", "size")

    def __init__(self, name: str, blob: Blob, start: int, size: int) -> None:
        self.name, self._blob, self._start = name, blob, max(0, start)
        self.size = max(0, min(size, blob.size - self._start))

    def read(self, offset: int, length: int) -> bytes:
        """At most `length` bytes from `offset` on."""
        length = min(length, self.size - offset)
        return self._blob.read(self._start + offset, length) if offset >= 0 and length > 0 else b""


class StreamBlob:
    """Bytes that are too many to hold: unpacked as they are read, and from the start again to go back.

    Parameters
    ----------
    blocks : starts the unpacking afresh; whoever makes it spends the budgets there.
    size : bytes that it gives, or is said to give.
    """

    __slots__ = ("_at", "_blocks", "_head", "_stream", "_window", "name", "size")

    _KEPT = 1 << 20

    def __init__(self, name: str, size: int, blocks: Callable[[], Iterator[bytes]]) -> None:
        self.name, self.size, self._blocks = name, size, blocks
        self._head = b""
        self._restart()

    def _restart(self) -> None:
        self._stream = self._blocks()
        self._window, self._at = b"", 0  # the window ends where the next block starts

    def _more(self) -> bool:
        """Take one more block; false at the end."""
        block = next(self._stream, None)
        if block is None:
            return False
        if self._at == len(self._head) and self._at < self._KEPT:
            self._head += block[: self._KEPT - self._at]
        self._window = self._window[-self._KEPT :] + block
        self._at += len(block)
        return True

    def read(self, offset: int, length: int) -> bytes:
        """At most `length` bytes from `offset` on."""
        length = max(0, min(length, self.size - offset))
        if offset + length <= len(self._head):
            return self._head[offset : offset + length]
        if offset < self._at - len(self._window):
            self._restart()
        parts: list[bytes] = []
        while length > 0:
            start = self._at - len(self._window)
            found = self._window[offset - start : offset - start + length] if start <= offset < self._at else b""
            if found:
                parts.append(found)
                offset, length = offset + len(found), length - len(found)
            elif not self._more():
                break
        return b"".join(parts)
