"""XGBoost's UBJSON: its structure followed without building it, so that lengths that lie are found.

References
----------
Universal Binary JSON draft 12, with XGBoost's typed arrays (`$` type, `#` count).
"""

from __future__ import annotations

from collections.abc import Iterator

from mithridate.core.findings import Severity
from mithridate.supply.scan.blob import Blob
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.formats.payload_text import payload_in
from mithridate.supply.scan.formats.reading import BrokenError, Window, clip, malformed
from mithridate.supply.scan.issue import Issue

_WIDTHS = {b"i": 1, b"U": 1, b"I": 2, b"l": 4, b"L": 8, b"d": 4, b"D": 8, b"C": 1, b"Z": 0, b"N": 0, b"T": 0, b"F": 0}
_SIGNED = {b"i": True, b"U": False, b"I": True, b"l": True, b"L": True}
_DEEPEST = 64
_LONGEST_KEY = 256
_MOST_TEXT = 16 << 20


def sniff(head: bytes, blob: Blob) -> bool:
    """An object whose first key, or its count, has a short binary length; XGBoost's keys near the start."""
    kind = head[1:2]
    width = _WIDTHS.get(kind, 0) if kind in _SIGNED else 0
    short = 0 < int.from_bytes(head[2 : 2 + width], "big") < _LONGEST_KEY if width else False
    counted = kind in {b"#", b"$"} and (head[2:3] in _SIGNED or head[3:4] == b"#")
    named = any(key in head[:64] for key in (b"learner", b"version", b"Config", b"Model"))
    return head[:1] == b"{" and (short or counted) and named and blob.size > _LONGEST_KEY // 16


def analyse(blob: Blob, budget: Budget) -> Iterator[Issue]:
    """Lengths, types and nesting; texts are searched."""
    reader = _Reader(Window(blob), budget)
    try:
        reader.follow()
    except BrokenError as error:
        yield malformed("UBJSON", error, Severity.HIGH)
    if reader.offset < blob.size and not reader.broken:
        yield Issue(
            "hidden-data",
            Severity.HIGH,
            f"{blob.size - reader.offset} bytes lie behind the model, where no reader looks",
        )
    for text in reader.texts:
        if what := payload_in(text):
            yield Issue("payload-in-metadata", Severity.HIGH, f"a text holds {what}: {clip(text, 100)}")


class _Reader:
    """Follows containers with a stack of what is open: (is an object, elements left or -1, their type)."""

    def __init__(self, window: Window, budget: Budget) -> None:
        self.window, self.budget, self.offset = window, budget, 0
        self.texts: list[str] = []
        self.broken = True
        self._kept = 0

    def follow(self) -> None:
        stack: list[tuple[bool, int, bytes]] = []
        self._value(self._mark(), stack)
        while stack:
            self.budget.spend(opcodes=1)
            is_object, left, kind = stack[-1]
            if left == 0 or (left < 0 and self.window.take(self.offset, 1) == (b"}" if is_object else b"]")):
                self.offset += left != 0
                stack.pop()
                continue
            if left > 0:
                stack[-1] = (is_object, left - 1, kind)
            if is_object:
                self._text(keep=False)
            self._value(kind or self._mark(), stack)
        self.broken = False

    def _mark(self) -> bytes:
        self.offset += 1
        return self.window.take(self.offset - 1, 1)

    def _length(self) -> int:
        kind = self._mark()
        if kind not in _SIGNED:
            raise BrokenError(f"a length of the type {kind!r} at {self.offset}")
        raw = self.window.take(self.offset, _WIDTHS[kind])
        self.offset += len(raw)
        value = int.from_bytes(raw, "big", signed=_SIGNED[kind])
        if value < 0:
            raise BrokenError(f"the length {value} at {self.offset}")
        return value

    def _skip(self, length: int) -> None:
        if length > self.window.size - self.offset:
            raise BrokenError(f"{length} bytes at {self.offset} run past the end")
        self.offset += length

    def _text(self, *, keep: bool) -> None:
        length, start = self._length(), self.offset
        self._skip(length)
        if keep and self._kept < _MOST_TEXT:
            self._kept += length
            self.texts.append(self.window.take(start, min(length, _MOST_TEXT)).decode("utf-8", "replace"))

    def _value(self, kind: bytes, stack: list[tuple[bool, int, bytes]]) -> None:
        if kind in _WIDTHS:
            self._skip(_WIDTHS[kind])
        elif kind in {b"S", b"H"}:
            self._text(keep=kind == b"S")
        elif kind in {b"[", b"{"}:
            self._open(stack, is_object=kind == b"{")
        else:
            raise BrokenError(f"the type {kind!r} at {self.offset} is unknown")

    def _open(self, stack: list[tuple[bool, int, bytes]], *, is_object: bool) -> None:
        if len(stack) > _DEEPEST:
            raise BrokenError(f"containers nested deeper than {_DEEPEST}")
        kind, count = b"", -1
        if self.window.take(self.offset, 1) == b"$":
            self.offset += 1
            kind = self._mark()
        if self.window.take(self.offset, 1) == b"#":
            self.offset += 1
            count = self._length()
        elif kind:
            raise BrokenError(f"a typed container without a count at {self.offset}")
        if kind in _WIDTHS and not is_object:
            self._skip(count * _WIDTHS[kind])
        else:
            if count > self.window.size - self.offset:
                raise BrokenError(f"{count} elements at {self.offset} run past the end")
            stack.append((is_object, count, kind))
