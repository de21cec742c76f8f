"""Where bytes lie in a file, and the way through them that copies each once: into one buffer, used again and again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mithridate.supply.scan.blob import Blob, FileBlob

BLOCK = 1 << 18  # bytes: two such buffers stay in a core's own cache


@dataclass(frozen=True, slots=True)
class Place:
    """Bytes from `offset` on in a blob. crc : the CRC-32 of the first `length` of them; None where none is known."""

    blob: Blob
    offset: int
    length: int = 0
    crc: int | None = None


def parts(blob: Blob, begin: int, length: int) -> Iterator[memoryview]:
    """So many bytes of a blob from `begin` on, in order; it ends early where the blob does.

    Returns
    -------
    Views of one buffer, each good until the next is asked for.
    """
    buffer = memoryview(bytearray(min(BLOCK, length)))
    end = begin + length
    while begin < end and (n_bytes := _fill(blob, begin, buffer[: end - begin])):
        yield buffer[:n_bytes]
        begin += n_bytes


def _fill(blob: Blob, offset: int, buffer: memoryview) -> int:
    if isinstance(blob, FileBlob):
        return blob.read_into(offset, buffer)
    found = blob.read(offset, len(buffer))
    buffer[: len(found)] = found
    return len(found)
