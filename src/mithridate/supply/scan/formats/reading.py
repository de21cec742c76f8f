"""Reading a blob at any place, in blocks, with one error for every broken promise."""

from __future__ import annotations

import struct
from typing import Any

from mithridate.core.findings import Severity
from mithridate.supply.scan.blob import Blob
from mithridate.supply.scan.issue import Issue

BLOCK = 1 << 16
MOST = 256 << 20


class BrokenError(Exception):
    """The bytes don't keep what their format promises; the message says what, without the file's name."""


class Window:
    """Random access to a blob through one held block of 64 KiB.

    Notes
    -----
    A `take` above 256 MiB is refused: no structure of any format here is that large, only weights are, and those are
    never read.
    """

    __slots__ = ("_block", "_start", "blob", "size")

    def __init__(self, blob: Blob) -> None:
        self.blob, self.size = blob, blob.size
        self._block, self._start = b"", 0

    def take(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes from `offset` on.

        Raises
        ------
        BrokenError : they don't all lie in the blob, or are more than 256 MiB.
        """
        if offset < 0 or length < 0 or offset + length > self.size:
            raise BrokenError(f"{length} bytes at offset {offset} lie outside the {self.size} bytes")
        if length > MOST:
            raise BrokenError(f"a structure of {length} bytes at offset {offset}")
        at = offset - self._start
        if not 0 <= at <= len(self._block) - length:
            self._block = self.blob.read(offset, max(length, BLOCK))
            self._start, at = offset, 0
            if len(self._block) < length:
                raise BrokenError(f"the file shrank to {offset + len(self._block)} bytes while it was read")
        return self._block[at : at + length]

    def unpack(self, form: str, offset: int) -> tuple[Any, ...]:
        """`struct.unpack` at an offset."""
        return struct.unpack(form, self.take(offset, struct.calcsize(form)))

    def number(self, offset: int, width: int) -> int:
        """An unsigned little-endian integer of `width` bytes."""
        return int.from_bytes(self.take(offset, width), "little")


def clip(text: object, limit: int = 80) -> str:
    """A name as a claim may quote it: printable, at most `limit` characters."""
    raw = str(text)
    shown = "".join(c if c.isprintable() else "·" for c in raw[:limit])
    return shown if len(raw) <= limit else shown + "…"


def malformed(kind: str, error: object, severity: Severity = Severity.MEDIUM, place: str = "") -> Issue:
    """The issue of a file whose structure is broken."""
    return Issue(
        f"malformed-{kind}",
        severity,
        f"not a well-formed {kind} file: {error}",
        place,
        remedy="Get the file again from its author; a loader may crash on it or read something else.",
    )


def words(text: str) -> frozenset[str]:
    """The words of a text, as a set: how the tables of names here are written."""
    return frozenset(text.split())
