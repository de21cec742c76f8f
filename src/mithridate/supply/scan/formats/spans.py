"""Stretches between two marks, found in linear time however many marks are left open."""

from __future__ import annotations

from collections.abc import Iterator


def between(text: str, start: str, end: str) -> Iterator[tuple[int, int]]:
    """Where each stretch from `start` to the next `end` begins and stops, the marks not included.

    Examples
    --------
    >>> list(between("a{{b}}c{{d", "{{", "}}"))
    [(3, 4)]
    """
    at = text.find(start)
    while at >= 0:
        stop = text.find(end, at + len(start))
        if stop < 0:
            return
        yield at + len(start), stop
        at = text.find(start, stop + len(end))


def without(text: str, start: str, end: str) -> str:
    """The text with these stretches and their marks cut out.

    Examples
    --------
    >>> without("a<!--b-->c", "<!--", "-->")
    'ac'
    """
    parts, kept = [], 0
    for begin, stop in between(text, start, end):
        parts.append(text[kept : begin - len(start)])
        kept = stop + len(end)
    return "".join(parts) + text[kept:]
