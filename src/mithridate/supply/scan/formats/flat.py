"""FlatBuffers read with every offset checked: tables, vectors and texts.

References
----------
FlatBuffers, Internals. A table starts with the distance to its vtable; a vtable lists where each field lies.
"""

from __future__ import annotations

from typing import NamedTuple

from mithridate.supply.scan.formats.reading import BrokenError, Window


class Table(NamedTuple):
    """Where a table and its vtable lie, and the vtable's length in bytes."""

    at: int
    vtable: int
    length: int


class Vector(NamedTuple):
    """Where the elements start, and how many there are."""

    at: int
    length: int


EMPTY = Vector(0, 0)


def table_at(window: Window, at: int) -> Table:
    """The table that starts at `at`."""
    vtable = at - window.unpack("<i", at)[0]
    length = window.number(vtable, 2)
    if length < 4 or length % 2:  # noqa: PLR2004 - its own length and the table's
        raise BrokenError(f"a vtable of {length} bytes at {vtable}")
    window.take(vtable, length)
    return Table(at, vtable, length)


def root(window: Window) -> Table:
    """The table that the first four bytes point to."""
    return table_at(window, window.number(0, 4))


def _field(window: Window, table: Table, index: int) -> int:
    """Where the field lies; 0 if it is left out."""
    place = 4 + 2 * index
    offset = window.number(table.vtable + place, 2) if place + 2 <= table.length else 0
    return table.at + offset if offset else 0


def number(window: Window, table: Table, index: int, width: int, *, default: int = 0) -> int:
    """A scalar field, unsigned."""
    at = _field(window, table, index)
    return window.number(at, width) if at else default


def _target(window: Window, table: Table, index: int) -> int:
    at = _field(window, table, index)
    return at + window.number(at, 4) if at else 0


def table(window: Window, outer: Table, index: int) -> Table | None:
    """A table field."""
    at = _target(window, outer, index)
    return table_at(window, at) if at else None


def vector(window: Window, outer: Table, index: int, width: int) -> Vector:
    """A vector field of elements of `width` bytes; all of it lies in the file."""
    at = _target(window, outer, index)
    if not at:
        return EMPTY
    count = window.number(at, 4)
    if count * width > window.size - at - 4:
        raise BrokenError(f"a vector of {count} elements at {at} runs past the end")
    return Vector(at + 4, count)


def tables(window: Window, outer: Table, index: int) -> list[int]:
    """Where the tables of a vector of tables lie."""
    found = vector(window, outer, index, 4)
    places = (found.at + 4 * place for place in range(found.length))
    return [at + window.number(at, 4) for at in places]


def text(window: Window, outer: Table, index: int, limit: int = 4096) -> str:
    """A text field."""
    found = vector(window, outer, index, 1)
    return window.take(found.at, min(found.length, limit)).decode("utf-8", "replace") if found.length else ""


def text_at(window: Window, at: int, limit: int = 4096) -> str:
    """A text whose length stands at `at`."""
    length = window.number(at, 4)
    if length > window.size - at - 4:
        raise BrokenError(f"a text of {length} bytes at {at} runs past the end")
    return window.take(at + 4, min(length, limit)).decode("utf-8", "replace")
