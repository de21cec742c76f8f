"""Marshalled Python code, read by hand and never run: names, constants and bytecode, of Python 2.7 to 3.14.

`marshal.loads` isn't safe on hostile bytes and knows one version; here every count is checked against what is left.

References
----------
CPython, `Python/marshal.c` and `Lib/importlib/_bootstrap_external.py` (what changed with each magic number).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

_DEEPEST = 40
_MOST_VALUES = 200_000
_MOST_DIGITS = 300  # of 15 bits; a longer number is told by its length
_FLAG = 0x80
_PARTS = "code constants names"
_OLD = f"{_PARTS} variables free cells file name line table"


class _Layout(NamedTuple):
    """How some versions write a code object: `integers` numbers of 4 bytes, then these fields."""

    versions: str
    integers: int
    fields: tuple[str, ...]


_LAYOUTS = (
    _Layout("3.11 or later", 5, tuple(f"{_PARTS} variables kinds file name qualified line table caught".split())),
    _Layout("3.8 to 3.10", 6, tuple(_OLD.split())),
    _Layout("3.0 to 3.7", 5, tuple(_OLD.split())),
    _Layout("2.7", 4, tuple(_OLD.split())),
)
_FIXED = {"I": 8, "g": 8, "y": 16}
_SIZED = {"s": 4, "t": 4, "u": 4, "a": 4, "A": 4, "z": 1, "Z": 1}
_CONSTANTS: dict[str, Any] = {"N": None, "F": False, "T": True, "S": StopIteration, ".": ..., "0": None}


@dataclass(frozen=True, slots=True)
class Code:
    """One code object.

    layout : the Python versions that write it so. name : of the function. names : globals, attributes and imports that
    it uses, in order. variables : its own, with those of closures. constants : numbers, texts, bytes, tuples, `Code`.
    code : the bytecode. texts : the texts among its constants. inner : functions defined in it.
    """

    layout: str
    name: str
    names: tuple[str, ...]
    texts: tuple[str, ...]
    inner: tuple[Code, ...]
    constants: tuple[Any, ...] = ()
    variables: tuple[str, ...] = ()
    code: bytes = b""

    def walk(self) -> Iterator[Code]:
        """Itself and all functions in it, however deep."""
        yield self
        for code in self.inner:
            yield from code.walk()


class NotCodeError(Exception):
    """The bytes are no code object in any known layout. seen : the texts that were read until they broke."""

    def __init__(self, message: str, seen: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.seen = seen


def looks_marshalled(content: bytes) -> bool:
    """Whether the bytes begin with a code object."""
    return len(content) > 20 and content[0] & ~_FLAG == ord("c")  # noqa: PLR2004 - shorter than any code object


def read_code(raw: bytes) -> Code:
    """The code object that `marshal.loads` would build; nothing is executed.

    Raises
    ------
    NotCodeError : it is none, or larger or deeper than any function.
    """
    seen: tuple[str, ...] = ()
    for layout in _LAYOUTS:
        reader = _Reader(raw, layout)
        try:
            value = reader.value(0)
        except (NotCodeError, struct.error, IndexError):
            value = None
        if isinstance(value, Code):
            return value
        seen = max(seen, tuple(reader.texts), key=len)
    raise NotCodeError("no code object in a layout of Python 2.7 to 3.14", seen)


class _Reader:
    """Reads forward; keeps what later references name."""

    def __init__(self, raw: bytes, layout: _Layout) -> None:
        self._raw, self._at, self._layout = raw, 0, layout
        self._kept: list[Any] = []
        self._interned: list[str] = []
        self._left = _MOST_VALUES
        self.texts: list[str] = []

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
        kind, place = chr(tag & ~_FLAG), len(self._kept)
        if tag & _FLAG:
            self._kept.append(None)
        value = self._value_of(kind, depth)
        if tag & _FLAG:
            self._kept[place] = value
        return value

    def _value_of(self, kind: str, depth: int) -> Any:
        if kind in _CONSTANTS:
            return _CONSTANTS[kind]
        if kind in _SIZED:
            return self._text(kind)
        if kind in "irR":
            number = self._whole()
            return number if kind == "i" else (self._kept if kind == "r" else self._interned)[number & 0x7FFFFFFF]
        if kind == "c":
            return self._code(depth)
        return self._collection(kind, depth)

    def _text(self, kind: str) -> Any:
        raw = self._take(int.from_bytes(self._take(_SIZED[kind]), "little"))
        if kind == "s" and self._layout.versions != "2.7":
            return raw
        text = raw.decode("utf-8", "replace")
        self.texts.append(text)
        if kind == "t":
            self._interned.append(text)
        return text

    def _collection(self, kind: str, depth: int) -> Any:
        if kind in "([<>":
            return tuple(self.value(depth + 1) for _ in range(self._length(self._whole())))
        if kind == ")":
            return tuple(self.value(depth + 1) for _ in range(self._length(self._take(1)[0])))
        if kind == ":":
            return tuple(self.value(depth + 1) for _ in range(3))
        return self._number(kind)

    def _number(self, kind: str) -> Any:
        if kind == "l":
            count = self._whole()
            digits = struct.unpack(f"<{abs(count)}H", self._take(2 * abs(count)))
            if len(digits) > _MOST_DIGITS:
                return Unshown(f"<a number of {15 * len(digits):,} bits>")
            return sum(digit << 15 * place for place, digit in enumerate(digits)) * (-1 if count < 0 else 1)
        if kind == "g":
            return struct.unpack("<d", self._take(8))[0]
        if kind in _FIXED:
            return Unshown(f"<{self._take(_FIXED[kind]).hex()}>")
        if kind in "fx":
            parts = [self._take(self._take(1)[0]).decode("latin-1") for _ in range(1 if kind == "f" else 2)]
            return Unshown("+".join(parts))
        raise NotCodeError(f"the type {kind!r} is unknown")

    def _length(self, count: int) -> int:
        if not 0 <= count <= len(self._raw) - self._at:
            raise NotCodeError("a collection longer than the bytes")
        return count

    def _code(self, depth: int) -> Code:
        self._take(4 * self._layout.integers)
        found: dict[str, Any] = {
            field: self._whole() if field == "line" else self.value(depth + 1) for field in self._layout.fields
        }
        code, constants, names = (found[field] for field in _PARTS.split())
        if not isinstance(code, bytes | str) or not isinstance(constants, tuple) or not _all_text(names):
            raise NotCodeError("its fields are of other types")
        inner = tuple(constant for constant in constants if isinstance(constant, Code))
        name = found["name"] if isinstance(found["name"], str) else ""
        held = [found.get(field, ()) for field in ("variables", "cells", "free")]
        variables = tuple(str(part) for part in held if isinstance(part, tuple) for part in part)
        raw = code if isinstance(code, bytes) else b""
        return Code(self._layout.versions, name, names, tuple(_texts(constants)), inner, constants, variables, raw)


@dataclass(frozen=True, slots=True)
class Unshown:
    """A number that is told by its text."""

    text: str

    def __repr__(self) -> str:
        """The text alone."""
        return self.text


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
