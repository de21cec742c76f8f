"""Marshalled Python code, read and never run: the names and texts that it uses, in any layout from Python 2.7 to 3.14.

References
----------
CPython, `Python/marshal.c` and `Lib/importlib/_bootstrap_external.py` (what changed with each magic number).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_DEEPEST = 40
_MOST_VALUES = 200_000
_LAYOUTS = (
    ("3.11 or later", "iiiii" + "oooooooo" + "i" + "oo", (5, 6, 7)),
    ("3.8 to 3.10", "iiiiii" + "oooooooo" + "i" + "o", (6, 7, 8)),
    ("3.0 to 3.7", "iiiii" + "oooooooo" + "i" + "o", (5, 6, 7)),
    ("2.7", "iiii" + "oooooooo" + "i" + "o", (4, 5, 6)),
)
_FIXED = {"i": 4, "I": 8, "g": 8, "y": 16}
_SIZED = {"s": 4, "t": 4, "u": 4, "a": 4, "A": 4, "z": 1, "Z": 1}
_CONSTANTS: dict[str, Any] = {"N": None, "F": False, "T": True, "S": "StopIteration", ".": "...", "0": None}


@dataclass(frozen=True, slots=True)
class Code:
    """One code object.

    layout : the Python versions that write it so. name : of the function. names : globals, attributes and imports that
    it uses, in order. texts : the texts among its constants. inner : functions defined in it.
    """

    layout: str
    name: str
    names: tuple[str, ...]
    texts: tuple[str, ...]
    inner: tuple[Code, ...]

    def walk(self) -> Iterator[Code]:
        """Itself and all functions in it, however deep."""
        yield self
        for code in self.inner:
            yield from code.walk()


class NotCodeError(Exception):
    """The bytes are no code object in any known layout."""


def read_code(raw: bytes) -> Code:
    """The code object that `marshal.loads` would build; nothing is executed.

    Raises
    ------
    NotCodeError : it is none, or larger or deeper than any function.
    """
    for layout, fields, places in _LAYOUTS:
        try:
            value = _Reader(raw, layout, fields, places).value(0)
        except (NotCodeError, struct.error, IndexError):
            continue
        if isinstance(value, Code):
            return value
    raise NotCodeError("no code object in a layout of Python 2.7 to 3.14")


class _Reader:
    """Reads forward; keeps what later references name."""

    def __init__(self, raw: bytes, layout: str, fields: str, places: tuple[int, int, int]) -> None:
        self._raw, self._at = raw, 0
        self._layout, self._fields, self._places = layout, fields, places
        self._kept: list[Any] = []
        self._left = _MOST_VALUES

    def _take(self, length: int) -> bytes:
        found = self._raw[self._at : self._at + length]
        if length < 0 or len(found) != length:
            raise NotCodeError("it ends too early")
        self._at += length
        return found

    def _whole(self) -> int:
        return int(struct.unpack("<i", self._take(4))[0])

    def value(self, depth: int) -> Any:
        self._left -= 1
        if depth > _DEEPEST or self._left < 0:
            raise NotCodeError("it is deeper or larger than any function")
        tag = self._take(1)[0]
        kind, place = chr(tag & 0x7F), len(self._kept)
        if tag & 0x80:
            self._kept.append(None)
        value = self._value_of(kind, depth)
        if tag & 0x80:
            self._kept[place] = value
        return value

    def _value_of(self, kind: str, depth: int) -> Any:
        if kind in _CONSTANTS:
            return _CONSTANTS[kind]
        if kind in _FIXED:
            return _Other(self._take(_FIXED[kind]))
        if kind in _SIZED:
            return self._text(kind)
        if kind == "r":
            return self._kept[self._whole() & 0x7FFFFFFF]
        if kind == "c":
            return self._code(depth)
        return self._collection(kind, depth)

    def _text(self, kind: str) -> Any:
        raw = self._take(int.from_bytes(self._take(_SIZED[kind]), "little"))
        return raw if kind == "s" and self._layout != "2.7" else raw.decode("utf-8", "replace")

    def _collection(self, kind: str, depth: int) -> Any:
        if kind in "([<>":
            return tuple(self.value(depth + 1) for _ in range(self._length(self._whole())))
        if kind == ")":
            return tuple(self.value(depth + 1) for _ in range(self._length(self._take(1)[0])))
        if kind == ":":
            return tuple(self.value(depth + 1) for _ in range(3))
        if kind == "l":
            return _Other(self._take(2 * abs(self._whole())))
        if kind in "fx":
            first = self._take(self._take(1)[0])
            return _Other(first if kind == "f" else first + self._take(self._take(1)[0]))
        if kind == "R":
            return str(self._whole())
        raise NotCodeError(f"the type {kind!r} is unknown")

    def _length(self, count: int) -> int:
        if not 0 <= count <= len(self._raw) - self._at:
            raise NotCodeError("a collection longer than the bytes")
        return count

    def _code(self, depth: int) -> Code:
        values: list[Any] = [self._whole() if field == "i" else self.value(depth + 1) for field in self._fields]
        code, constants, names = values[self._places[0]], values[self._places[1]], values[self._places[2]]
        if not isinstance(code, bytes | str) or not isinstance(constants, tuple) or not _all_text(names):
            raise NotCodeError("its fields are of other types")
        texts = tuple(_texts(constants))
        inner = tuple(constant for constant in constants if isinstance(constant, Code))
        name = next((value for value in values[self._places[2] + 3 :] if isinstance(value, str) and "<" in value), "")
        return Code(self._layout, name, names, texts, inner)


@dataclass(frozen=True, slots=True)
class _Other:
    """A number."""

    raw: bytes


def _all_text(names: Any) -> bool:
    return isinstance(names, tuple) and all(isinstance(name, str) for name in names)


def _texts(constants: tuple[Any, ...]) -> Iterator[str]:
    for constant in constants:
        if isinstance(constant, bytes):
            yield constant.decode("latin-1")
        elif isinstance(constant, str):
            yield constant
        elif isinstance(constant, tuple):
            yield from (part for part in constant if isinstance(part, str))
