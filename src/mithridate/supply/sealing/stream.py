"""The STREAM construction over AES-256-GCM: chunks that can't be cut, moved, dropped or repeated unseen."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TypeAlias

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mithridate.core.errors import Refused

Buffer: TypeAlias = bytes | memoryview

TAG_BYTES = 16
COUNTER_BYTES = 11  # with the flag: a nonce of 12 bytes, never used twice under a key that is used for one file


def nonce(position: int, *, last: bool) -> bytes:
    """The chunk's nonce: its 0-based position in 11 bytes, and 1 in the twelfth for the last chunk.

    Examples
    --------
    >>> nonce(258, last=True).hex()
    '000000000000000000010201'
    """
    return position.to_bytes(COUNTER_BYTES, "big") + bytes([last])


def encrypt(key: bytes, context: bytes, blocks: Iterable[Buffer], write: Callable[[memoryview], object]) -> None:
    """Write each block sealed, the last one marked as the last; no block at all gives one empty chunk.

    Parameters
    ----------
    key : 32 bytes, used for one stream and never again.
    context : bytes that every chunk is bound to (associated data); the reader must know them.
    blocks : all of one size except the last, which may be shorter and is empty only when it is the only one. A block
        must stay as it is until the next but one is asked for.
    write : is given each chunk; what it is given holds during the call.

    Notes
    -----
    Position and end are in the nonce, so a chunk opens at its own place only, and only the true last one ends a
    stream. One pass, one chunk of memory. Cost and ratio to bare AES-GCM: benchmarks/sealing.py.

    References
    ----------
    Hoang, Reyhanitabar, Rogaway, Vizár (2015), Online authenticated-encryption and its nonce-reuse misuse-resistance,
    CRYPTO (the STREAM construction).
    """
    cipher, room = AESGCM(key), bytearray()
    rest = iter(blocks)
    held, position = next(rest, None), 0
    while True:
        following = None if held is None else next(rest, None)
        block = memoryview(b"" if held is None else held)
        if len(room) < len(block) + TAG_BYTES:
            room = bytearray(len(block) + TAG_BYTES)
        chunk = memoryview(room)[: len(block) + TAG_BYTES]
        cipher.encrypt_into(nonce(position, last=following is None), block, context, chunk)
        write(chunk)
        if following is None:
            return
        held, position = following, position + 1


class ChunkReader:
    """The plaintext of a stream that lies in an open file, a chunk at a time and in any order.

    Parameters
    ----------
    descriptor : of a regular file. start, end : offsets of the stream in it.
    chunk_bytes : plaintext bytes of every chunk but the last.

    Raises
    ------
    Refused : the length can't be a stream's.
    """

    __slots__ = ("_cipher", "_context", "_descriptor", "_end", "_start", "chunk_bytes", "n_chunks", "size")

    def __init__(self, descriptor: int, start: int, end: int, *, key: bytes, context: bytes, chunk_bytes: int) -> None:
        self._descriptor, self._start, self._end = descriptor, start, end
        self._cipher, self._context, self.chunk_bytes = AESGCM(key), context, chunk_bytes
        length, step = end - start, chunk_bytes + TAG_BYTES
        self.n_chunks = -(-length // step)
        last = length - (self.n_chunks - 1) * step
        if length < TAG_BYTES or last < TAG_BYTES + (self.n_chunks > 1):
            raise Refused("the sealed content is cut short")
        self.size = length - self.n_chunks * TAG_BYTES

    def chunk(self, position: int) -> bytes:
        """The plaintext of the chunk at that position in [0, n_chunks).

        Raises
        ------
        Refused : it isn't what was sealed at this place.
        """
        step = self.chunk_bytes + TAG_BYTES
        offset = self._start + position * step
        sealed = os.pread(self._descriptor, min(step, self._end - offset), offset)
        last = position == self.n_chunks - 1
        try:
            return self._cipher.decrypt(nonce(position, last=last), sealed, self._context)
        except InvalidTag:
            raise self._not_sealed(position) from None

    def write_all(self, write: Callable[[memoryview], object]) -> None:
        """Give every chunk's plaintext to `write`, in order; what it is given holds during the call.

        Raises
        ------
        Refused : a chunk isn't what was sealed at its place.
        """
        step = self.chunk_bytes + TAG_BYTES
        sealed, plain = bytearray(min(step, self._end - self._start)), bytearray(min(self.chunk_bytes, self.size))
        for position in range(self.n_chunks):
            offset = self._start + position * step
            view = memoryview(sealed)[: min(step, self._end - offset)]
            got = _fill(self._descriptor, view, offset)
            room = memoryview(plain)[: len(view) - TAG_BYTES]
            if got < len(view):
                raise self._not_sealed(position)
            try:
                self._cipher.decrypt_into(
                    nonce(position, last=position == self.n_chunks - 1), view, self._context, room
                )
            except InvalidTag:
                raise self._not_sealed(position) from None
            write(room)

    def _not_sealed(self, position: int) -> Refused:
        return Refused(
            f"chunk {position + 1} of {self.n_chunks} is not what was sealed there: "
            "changed, moved, cut short, or of another file"
        )


def _fill(descriptor: int, room: memoryview, offset: int) -> int:
    """Read into all of `room`, or to the end of the file; the bytes read."""
    got = 0
    while got < len(room) and (n_bytes := os.preadv(descriptor, [room[got:]], offset + got)):
        got += n_bytes
    return got
