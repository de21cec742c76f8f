"""Arrow files and streams, Feather: lengths, and the types that their schema names.

References
----------
Apache Arrow, IPC file and streaming format. CVE-2023-47248.
"""

from __future__ import annotations

from collections.abc import Iterator

from mithridate.core.findings import Severity
from mithridate.supply.scan.blob import Blob
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.formats import flat
from mithridate.supply.scan.formats.extension_types import examine_metadata
from mithridate.supply.scan.formats.reading import BrokenError, Window, malformed
from mithridate.supply.scan.issue import Issue

_FILE, _FEATHER, _CONTINUES = b"ARROW1", b"FEA1", b"\xff\xff\xff\xff"
_LARGEST_SCHEMA = 64 << 20
_MOST_MESSAGES = 100_000


def sniff(head: bytes, blob: Blob) -> bool:
    """`ARROW1`, `FEA1`, or a stream's first message, which is a schema."""
    if head[:6] == _FILE or head[:4] == _FEATHER:
        return True
    length = int.from_bytes(head[4:8], "little")
    return head[:4] == _CONTINUES and 16 <= length < min(blob.size, _LARGEST_SCHEMA) and length % 8 == 0  # noqa: PLR2004 - a schema is longer


def analyse(blob: Blob, budget: Budget) -> Iterator[Issue]:
    """Messages one after another, and a file's footer."""
    window = Window(blob)
    head = blob.read(0, 8)
    try:
        if head[:4] == _FEATHER:
            yield from _feather(window)
            return
        if head[:6] == _FILE:
            yield from _footer(window)
        yield from _messages(window, 8 if head[:6] == _FILE else 0, budget)
    except BrokenError as error:
        yield malformed("Arrow", error, Severity.HIGH)


def _feather(window: Window) -> Iterator[Issue]:
    if window.size < 12 or window.take(window.size - 4, 4) != _FEATHER:  # noqa: PLR2004 - two magics and a length
        raise BrokenError("it doesn't end with the magic that it starts with")
    length = window.number(window.size - 8, 4)
    yield from examine_metadata("Feather metadata", window.take(window.size - 8 - length, length))


def _footer(window: Window) -> Iterator[Issue]:
    if window.size < 20 or window.take(window.size - 6, 6) != _FILE:  # noqa: PLR2004 - two magics and a length
        raise BrokenError("it doesn't end with the magic that it starts with")
    length = window.number(window.size - 10, 4)
    if length > _LARGEST_SCHEMA:
        raise BrokenError(f"a footer of {length} bytes")
    yield from examine_metadata("footer", window.take(window.size - 10 - length, length))


def _messages(window: Window, at: int, budget: Budget) -> Iterator[Issue]:
    for number in range(_MOST_MESSAGES):
        budget.spend(opcodes=1)
        if at + 8 > window.size or window.take(at, 4) != _CONTINUES:
            return
        length = window.number(at + 4, 4)
        if length == 0:
            return
        if length > _LARGEST_SCHEMA:
            raise BrokenError(f"a message of {length} bytes at {at}")
        start = at + 8
        if number == 0:
            yield from examine_metadata("schema", window.take(start, length))
        message = flat.table_at(window, start + window.number(start, 4))
        body = flat.number(window, message, 3, 8)
        if body > window.size - start - length:
            raise BrokenError(f"a body of {body} bytes at {start + length} runs past the end")
        at = start + length + body
