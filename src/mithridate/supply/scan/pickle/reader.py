"""The bytes of one pickle, read forward as `_pickle.c` reads them: short reads break, long ones are never copied."""

from __future__ import annotations

import codecs
import re

from mithridate.supply.scan.blob import Blob

_BLOCK = 1 << 18
_LITTLE = 1 << 8  # read first behind a frame: the next one may begin there, and be as small
_PIECE = 1 << 24
_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|([0-7]{1,3})|(.)|)", re.DOTALL)
_SHORT = {b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v",
          b"\\": b"\\", b"'": b"'", b'"': b'"', b"\n": b""}  # fmt: skip


class BrokenError(Exception):
    """The unpickler would raise here: the message says why."""


class ShortError(BrokenError):
    """The data end before what is promised."""


class Reader:
    """A window on a blob; it never reaches beyond the end of the frame that is being read.

    Parameters
    ----------
    drops : what an opcode does whose argument goes on behind its frame. Python's own unpickler refuses it; the one in C
        reads on (False) or, where it fetched the frame from a file without `peek`, forgets the rest of the frame and
        takes the argument from behind it (True).

    Attributes
    ----------
    data, at : the window's bytes and the place in them. base : where the window begins in the blob.
    frame_end : where the last frame ends. crossed : the first place at which an argument went beyond its frame.
    """

    __slots__ = ("_ahead", "at", "base", "blob", "crossed", "data", "drops", "end", "frame_end")

    def __init__(self, blob: Blob, start: int, end: int, *, drops: bool = False) -> None:
        self.blob, self.base, self.end, self.drops = blob, start, end, drops
        self.data, self.at = blob.read(start, min(_BLOCK, end - start)), 0
        self.frame_end = start
        self._ahead = _BLOCK
        self.crossed: int | None = None

    @property
    def offset(self) -> int:
        """The place in the blob."""
        return self.base + self.at

    def left(self) -> int:
        """Bytes that are still to come."""
        return self.end - self.base - self.at

    def peek(self) -> int:
        """The next byte, left there."""
        return self.data[self.at] if self.at < len(self.data) else self._more(1)[0]

    def byte(self) -> int:
        """The next byte."""
        found = self.peek()
        self.at += 1
        return found

    def take(self, length: int) -> bytes:
        """The next `length` bytes."""
        stop = self.at + length
        if stop > len(self.data):
            self._more(length)
            stop = self.at + length
        found = self.data[self.at : stop]
        self.at = stop
        return found

    def skip(self, length: int) -> int:
        """Step over bytes; where they began."""
        begin = self.base + self.at
        if begin < self.frame_end < begin + length:
            begin = self._cross()
        if length > self.end - begin:
            raise ShortError(f"{length:,} bytes are promised and {self.end - begin:,} left")
        self.move(begin + length)
        return begin

    def frame(self, length: int) -> None:
        """A frame begins here.

        Raises
        ------
        BrokenError : so many bytes aren't left.
        """
        if self.offset + length <= self.frame_end:
            return
        if self.offset < self.frame_end:
            self.move(self._cross())
        if length > self.left():
            raise ShortError(f"a frame of {length:,} bytes is promised and {self.left():,} are left")
        self.base, self.data, self.at = self.offset, self.data[self.at : self.at + length], 0
        self.frame_end = self.base + length
        self._ahead = _LITTLE

    def _cross(self) -> int:
        """An argument goes on behind its frame: where it is read from."""
        here = self.base + self.at
        self.crossed = here if self.crossed is None else self.crossed
        after, self.frame_end = self.frame_end, here
        return after if self.drops else here

    def move(self, offset: int) -> None:
        """Go to an offset of the blob."""
        if self.base <= offset <= self.base + len(self.data):
            self.at = offset - self.base
        else:
            self.base, self.data, self.at = offset, b"", 0

    def line(self, limit: int) -> bytes:
        r"""The next line without its `\n`, which must be there."""
        stop = self.data.find(b"\n", self.at)
        if stop < 0:
            stop = self._line_end(limit)
        found = self.data[self.at : stop]
        self.at = stop + 1
        return found

    def _line_end(self, limit: int) -> int:
        """Widen the window until it holds the end of the line; every byte is searched once."""
        if self.offset < self.frame_end:
            self.move(self._cross())
            stop = self.data.find(b"\n", self.at)
            if stop >= 0:
                return stop
        length = len(self.data) - self.at
        while True:
            if length >= self.left():
                raise ShortError("a line has no end")
            if length > limit:
                raise BrokenError(f"a line is longer than {limit:,} bytes")
            searched, length = length, min(max(2 * length, _BLOCK), self.left())
            self._more(length)
            stop = self.data.find(b"\n", searched)
            if stop >= 0:
                return stop
            length = len(self.data)

    def _more(self, length: int) -> bytes:
        """Move the window so that it begins here and holds at least `length` bytes."""
        self.base += self.at
        self.at = 0
        if self.base < self.frame_end < self.base + length:
            self.base = self._cross()
        if length > self.end - self.base:
            left = max(self.end - self.base, 0)
            raise ShortError(f"{length:,} bytes are promised and {left:,} left" if left else "the data end here")
        stop = self.frame_end if self.base + length <= self.frame_end else self.end
        self.data = self.blob.read(self.base, min(max(length, self._ahead), stop - self.base))
        self._ahead = min(2 * self._ahead, _BLOCK)
        if len(self.data) < length:
            raise BrokenError("the file is shorter than it was")
        return self.data

    def check_text(self, begin: int, length: int) -> None:
        """Refuse text that is no UTF-8, without holding it all."""
        decoder = codecs.getincrementaldecoder("utf-8")("surrogatepass")
        try:
            for offset in range(begin, begin + length, _PIECE):
                piece = self.blob.read(offset, min(_PIECE, begin + length - offset))
                decoder.decode(piece, final=offset + _PIECE >= begin + length)
        except UnicodeDecodeError as error:
            raise BrokenError("a text is no UTF-8") from error


def unescape(text: bytes) -> bytes:
    r"""Backslash escapes undone as `PyBytes_DecodeEscape` does.

    Raises
    ------
    BrokenError : a lone backslash at the end, or `\x` without two digits.
    """

    def one(match: re.Match[bytes]) -> bytes:
        digits, octal, other = match.groups()
        if digits is not None:
            return bytes.fromhex(digits.decode())
        if octal is not None:
            return bytes([int(octal, 8) & 0xFF])
        if other is None or other == b"x":
            raise BrokenError("a string has a broken escape")
        return _SHORT.get(other, b"\\" + other)

    return _ESCAPE.sub(one, text)
