"""Whether every quote of a CSV closes: one that doesn't makes all that follows one value, as a table or not."""

from __future__ import annotations

import mmap
import re
from pathlib import Path

from mithridate.core.errors import InputError

_BOM = b"\xef\xbb\xbf"
_CLOSED = {
    delimiter: re.compile(rb'(?:[^"]++|(?<![^%b\r\n])"[^"]*+(?:""[^"]*+)*+"|(?<=[^%b\r\n])")*+' % (sign, sign))
    for delimiter, sign in ((",", b","), ("\t", b"\t"))
}  # all but quotes; a value in quotes, where it starts; a quote inside a value, which means itself


def refuse_open_quote(path: Path, delimiter: str) -> None:
    """`InputError` with the line on which a quote opens that never closes, if there is one.

    Notes
    -----
    Follows the parser: a quote opens at the start of a value alone, and two in a row inside are one. One pass over
    the mapped file, none where it has no quote.
    """
    if not path.stat().st_size:
        return
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if content.find(b'"') < 0:
            return
        start = len(_BOM) if content[: len(_BOM)] == _BOM else 0
        with memoryview(content) as whole, whole[start:] as rows:
            match = _CLOSED[delimiter].match(rows)
            end = start + (match.end() if match else 0)
            del match
        if end < len(content):
            raise InputError(
                f"{path.name}: the quote that opens on line {_line(content, end):,} never closes; close it, or write "
                'a quote that belongs to a value twice, as in "5"" pipe"'
            )


def _line(content: mmap.mmap, end: int) -> int:
    """The line of a byte, from 1; lines end as in the rest of the file."""
    before = content[:end]
    return 1 + (before.count(b"\n") or before.count(b"\r"))
