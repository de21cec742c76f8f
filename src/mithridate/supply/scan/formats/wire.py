"""Protocol Buffers' wire format: fields one after another; a message is a range of the file, and is not copied.

References
----------
Protocol Buffers, Encoding. Groups (wire types 3 and 4) are in none of the formats read here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.formats.reading import BrokenError, Window

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 10
_DEEPEST = 64


class Field(NamedTuple):
    """One field: its number and wire type; the value of an integer, or where its bytes start and end."""

    number: int
    kind: int
    value: int
    start: int
    end: int


class Message(NamedTuple):
    """One message of a walk: its name, where it lies, its fields."""

    kind: str
    start: int
    end: int
    fields: list[Field]


def fields(window: Window, start: int, end: int) -> Iterator[Field]:
    """The fields of the message in [start, end).

    Raises
    ------
    BrokenError : a field runs past the end, or its tag is none.
    """
    at = start
    while at < end:
        tag, at = _varint(window, at, end)
        number, kind = tag >> 3, tag & 7
        if number == 0:
            raise BrokenError(f"a field without a number at {at}")
        value, begin = 0, at
        if kind == VARINT:
            value, at = _varint(window, at, end)
        elif kind == BYTES:
            length, begin = _varint(window, at, end)
            at = begin + length
        elif kind in {FIXED32, FIXED64}:
            at += 4 if kind == FIXED32 else 8
        else:
            raise BrokenError(f"a field of the wire type {kind} at {at}")
        if at > end:
            raise BrokenError(f"the field {number} at {begin} runs {at - end} bytes past its message")
        yield Field(number, kind, value, begin, at)


def _varint(window: Window, at: int, end: int) -> tuple[int, int]:
    raw = window.take(at, max(0, min(_LONGEST_VARINT, end - at)))
    value = 0
    for place, byte in enumerate(raw):
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:  # noqa: PLR2004 - the continuation bit
            return value, at + place + 1
    raise BrokenError(f"a number without end at {at}")


def text(window: Window, field: Field, limit: int = 1 << 20) -> str:
    """The field's bytes as text, the first `limit` of them."""
    if field.kind != BYTES:
        raise BrokenError(f"the field {field.number} at {field.start} is no text")
    return window.take(field.start, min(field.end - field.start, limit)).decode("utf-8", "replace")


def walk(window: Window, budget: Budget, down: Mapping[tuple[str, int], str], root: str) -> Iterator[Message]:
    """A message and all below it.

    Parameters
    ----------
    down : (message's name, field) -> the name of the message in that field; fields not listed are not entered.

    Raises
    ------
    BrokenError : a field is broken, or messages are nested deeper than 64.
    """
    stack = [(root, 0, window.size, 0)]
    while stack:
        kind, start, end, depth = stack.pop()
        if depth > _DEEPEST:
            raise BrokenError(f"messages nested deeper than {_DEEPEST}")
        budget.spend(opcodes=1)
        found: list[Field] = []
        for field in fields(window, start, end):
            found.append(field)
            below = down.get((kind, field.number))
            if below and field.kind == BYTES:
                stack.append((below, field.start, field.end, depth + 1))
        yield Message(kind, start, end, found)
