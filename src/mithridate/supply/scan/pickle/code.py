"""What marshalled code holds, read by hand: `marshal.loads` isn't safe on hostile bytes and knows one version.

Format: `Python/marshal.c` of CPython 2.7 to 3.14. Only names and constants are wanted, so that the layout of code
objects, which changes with the version, matters little: their leading integers are told apart by what must follow.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_LIMIT = 20_000  # values read of one stream
_FLAG = 0x80
_SIMPLE = {ord(code) for code in "N0FTS."}
_TEXTS = {ord("a"): 4, ord("A"): 4, ord("u"): 4, ord("t"): 4, ord("z"): 1, ord("Z"): 1, ord("s"): 4}
_SEQUENCES = {ord("("): 4, ord("["): 4, ord(")"): 1, ord("<"): 4, ord(">"): 4}
_CODE = ord("c")
_HEAD_OBJECTS = 8  # code, constants, names, four lists of variables or their places, file, name
_INTEGERS = (5, 6, 4)


@dataclass(frozen=True, slots=True)
class CodeText:
    """What a reader of the code would see: texts and numbers, in order; complete: the stream was read to its end."""

    texts: tuple[str, ...]
    numbers: tuple[int, ...]
    complete: bool


def looks_marshalled(content: bytes) -> bool:
    """Whether the bytes begin with a code object."""
    return len(content) > 20 and content[0] & ~_FLAG == _CODE  # noqa: PLR2004 - shorter than any code object


def read_code(content: bytes) -> CodeText:
    """Names and constants of marshalled bytes; never an exception."""
    best = CodeText((), (), complete=False)
    for tables in (2, 1):  # behind the line number: two tables since 3.11, one before
        reader = _Reader(content, tables)
        try:
            reader.run()
        except (IndexError, struct.error, ValueError):
            if len(reader.texts) > len(best.texts):
                best = CodeText(tuple(reader.texts), tuple(reader.numbers), complete=False)
        else:
            return CodeText(tuple(reader.texts), tuple(reader.numbers), complete=True)
    return best


class _Reader:
    def __init__(self, content: bytes, tables: int) -> None:
        self.content, self.at, self.tables = content, 0, tables
        self.texts: list[str] = []
        self.numbers: list[int] = []

    def run(self) -> None:
        """Read one object, its parts by a list of what is still to come: a number is a count, `line` an integer."""
        todo: list[int | str] = [1]
        for _ in range(_LIMIT):
            while todo and todo[-1] == 0:
                todo.pop()
            if not todo:
                return
            top = todo.pop()
            if isinstance(top, str):
                self.at += 4
                continue
            todo.append(top - 1)
            self._object(todo)
        raise ValueError

    def _object(self, todo: list[int | str]) -> None:
        code = self.content[self.at] & ~_FLAG
        self.at += 1
        if code == _CODE:
            self._code(todo)
        elif code in _TEXTS:
            self._text(code)
        elif code in _SEQUENCES:
            todo.append(self._count(_SEQUENCES[code]))
        elif code == ord("{"):
            raise ValueError
        elif code in {ord("i"), ord("r"), ord("R")}:
            value = struct.unpack_from("<i", self.content, self.at)[0]
            self.at += 4
            if code == ord("i"):
                self.numbers.append(value)
        else:
            self._rare(chr(code))

    def _rare(self, code: str) -> None:
        """Numbers and constants; anything else breaks the reading."""
        if code == "l":
            self.at += 4 + 2 * abs(struct.unpack_from("<i", self.content, self.at)[0])
        elif code in "gI":
            self.at += 8
        elif code == "y":
            self.at += 16
        elif code in "fx":
            for _ in range(1 if code == "f" else 2):
                self.at += 1 + self.content[self.at]
        elif ord(code) not in _SIMPLE:
            raise ValueError

    def _count(self, width: int) -> int:
        found = int.from_bytes(self.content[self.at : self.at + width], "little")
        self.at += width
        if found > len(self.content):
            raise ValueError
        return found

    def _text(self, code: int) -> None:
        length = self._count(_TEXTS[code])
        raw = self.content[self.at : self.at + length]
        self.at += length
        text = raw.decode("utf-8", "replace")
        if text and (code != ord("s") or text.isprintable()):
            self.texts.append(text)

    def _code(self, todo: list[int | str]) -> None:
        """The integers at its head, as many as leave a bytes object next; then its parts."""
        for number in _INTEGERS:
            if self.content[self.at + 4 * number] & ~_FLAG == ord("s"):
                self.at += 4 * number
                todo.extend([self.tables, "line", _HEAD_OBJECTS])
                return
        raise ValueError
