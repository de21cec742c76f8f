"""What the readers of text files share: where a bad byte stands, and a refusal before memory runs out."""

from __future__ import annotations

import codecs
from pathlib import Path

from mithridate.core.errors import InputError

BLOCK = 1 << 20  # bytes


def refuse_binary(path: Path) -> None:
    """`InputError` when the file holds NUL bytes, as no text file does (but UTF-16 does)."""
    offset = 0
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            found = block.find(b"\0")
            if found >= 0:
                start = block[:2] if offset == 0 else b""
                if start in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}:
                    raise InputError(f"{path.name} is UTF-16; save it as UTF-8")
                raise InputError(
                    f"{path.name} holds a NUL byte at offset {offset + found:,}; it's no text file, or damaged"
                )
            offset += len(block)


def bad_utf8(path: Path) -> int | None:
    """Offset of the first byte that isn't UTF-8; None when all of it is."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset = 0
    with path.open("rb") as stream:
        while True:
            block = stream.read(BLOCK)
            waiting = len(decoder.getstate()[0])
            try:
                decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                return offset - waiting + error.start
            if not block:
                return None
            offset += len(block)


def refuse_not_utf8(path: Path) -> None:
    """`InputError` with the offset of the first byte that isn't UTF-8, if there is one."""
    offset = bad_utf8(path)
    if offset is not None:
        raise InputError(
            f"{path.name} isn't UTF-8: the byte at offset {offset:,} doesn't fit; save it as UTF-8"
        ) from None
