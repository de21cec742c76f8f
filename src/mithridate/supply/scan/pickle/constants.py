"""The opcodes that push a number, a text or bytes, each read as `_pickle.c` reads it."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable

from mithridate.supply.scan.pickle.machine import Machine
from mithridate.supply.scan.pickle.reader import BrokenError, unescape
from mithridate.supply.scan.pickle.values import Chunk, Value

Handler = Callable[[Machine], None]

_LINE = 1 << 28
_SHORT_LINE = 1 << 16
_STRTOL = re.compile(rb"[ \t\r\v\f]*[+-]?(?:0[xX][0-9a-fA-F]+|[0-9]+)")
_FLOAT = re.compile(rb"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|inf(?:inity)?|nan)", re.IGNORECASE)
_ONES = re.compile(rb"(?:K.)+", re.DOTALL)
_TWOS = re.compile(rb"(?:M..)+", re.DOTALL)
_FOURS = re.compile(rb"(?:J....)+", re.DOTALL)
_FLOATS = re.compile(rb"(?:G.{8})+", re.DOTALL)
SSIZE = (1 << 63) - 1
_PRINTED = 40


def _number(text: bytes) -> int:
    """A whole number as `int(text, 0)` reads it, within Python's own limit of digits; to C, it ends at a NUL."""
    try:
        return int(until_nul(text).decode("ascii"), 0)
    except ValueError as error:
        raise BrokenError(f"{text[:_PRINTED]!r} is no whole number") from error


def until_nul(text: bytes) -> bytes:
    """What C sees of a text: `_pickle.c` reads numbers from it up to a NUL, and forgets the rest of the line."""
    return text.partition(b"\0")[0]


def text_line(machine: Machine, limit: int = _SHORT_LINE) -> bytes:
    """The line that is an opcode's argument."""
    return machine.reader.line(limit)


def _int(machine: Machine) -> None:
    text = text_line(machine)
    if not text:
        raise BrokenError("a line is empty")
    body = until_nul(text)
    if body and not _STRTOL.fullmatch(body):
        machine.stack.append(_number(body))
        return
    value = _c_number(body) if body else 0
    machine.stack.append(bool(value) if len(text) == 2 and value in {0, 1} else value)  # noqa: PLR2004 - `01` is True


def _c_number(text: bytes) -> int:
    """As C's `strtol` with base 0: a leading 0 means octal; a number beyond 64 bits is read by Python's rules."""
    body = text.strip(b" \t\r\v\f").decode()
    digits = body.lstrip("+-")
    if digits.startswith("0") and digits.isdigit() and len(digits) > 1:
        if set(digits) - set("01234567"):
            return _number(text)
        value = int(digits, 8) * (-1 if body.startswith("-") else 1)
    else:
        value = _number(text)
    return value if -SSIZE - 1 <= value <= SSIZE else _number(text)


def _long(machine: Machine) -> None:
    text = text_line(machine)
    if not text:
        raise BrokenError("a line is empty")
    machine.stack.append(_number(text.removesuffix(b"L")))


def _float(machine: Machine) -> None:
    text = until_nul(text_line(machine))
    if not _FLOAT.fullmatch(text):
        raise BrokenError(f"{text[:_PRINTED]!r} is no number")
    value = float(text)
    if math.isinf(value) and b"i" not in text.lower():
        raise BrokenError(f"{text[:_PRINTED]!r} is too large")
    machine.stack.append(value)


def _binint(machine: Machine) -> None:
    reader = machine.reader
    at = reader.at
    if reader.data[at + 4 : at + 5] == b"J" and (run := _FOURS.match(reader.data, at - 1)):
        machine.stack.extend(value for (value,) in struct.iter_unpack("<xi", run.group()))
        reader.at = run.end()
    else:
        machine.stack.append(int.from_bytes(reader.take(4), "little", signed=True))


def _binint1(machine: Machine) -> None:
    reader = machine.reader
    at = reader.at
    if reader.data[at + 1 : at + 2] == b"K" and (run := _ONES.match(reader.data, at - 1)):
        machine.stack.extend(reader.data[at : run.end() : 2])
        reader.at = run.end()
    else:
        machine.stack.append(reader.byte())


def _binint2(machine: Machine) -> None:
    reader = machine.reader
    at = reader.at
    if reader.data[at + 2 : at + 3] == b"M" and (run := _TWOS.match(reader.data, at - 1)):
        machine.stack.extend(value for (value,) in struct.iter_unpack("<xH", run.group()))
        reader.at = run.end()
    else:
        machine.stack.append(int.from_bytes(reader.take(2), "little"))


def _binfloat(machine: Machine) -> None:
    reader = machine.reader
    at = reader.at
    if reader.data[at + 8 : at + 9] == b"G" and (run := _FLOATS.match(reader.data, at - 1)):
        machine.stack.extend(value for (value,) in struct.iter_unpack(">xd", run.group()))
        reader.at = run.end()
    else:
        machine.stack.append(struct.unpack(">d", reader.take(8))[0])


def length_of(machine: Machine, width: int, *, signed: bool = False) -> int:
    """A length that stands before its bytes, in `width` bytes."""
    length = int.from_bytes(machine.reader.take(width), "little", signed=signed)
    if not 0 <= length <= SSIZE:
        raise BrokenError(f"a length is {length}")
    return length


def _sized(kind: str, width: int, *, signed: bool = False) -> Handler:
    """The opcode that pushes `kind`, whose length stands before it in `width` bytes."""

    def push(machine: Machine) -> None:
        reader = machine.reader
        length = length_of(machine, width, signed=signed)
        if length <= machine.keep:
            machine.stack.append(_DECODE[kind](reader.take(length)))
            return
        begin = reader.skip(length)
        if kind == "str":
            reader.check_text(begin, length)
        machine.stack.append(Chunk("str" if kind == "string" else kind, begin, length))

    return push


def _utf8(content: bytes) -> str:
    try:
        return content.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        raise BrokenError("a text is no UTF-8") from error


_DECODE: dict[str, Callable[[bytes], Value]] = {
    "str": _utf8,
    "string": lambda content: content.decode("latin-1"),
    "bytes": lambda content: content,
    "bytearray": bytearray,
    "int": lambda content: int.from_bytes(content, "little", signed=True),
}


def _short_text(machine: Machine) -> None:
    """SHORT_BINUNICODE, the most frequent of all."""
    reader = machine.reader
    length = reader.byte()
    try:
        machine.stack.append(reader.take(length).decode("utf-8", "surrogatepass"))
    except UnicodeDecodeError as error:
        raise BrokenError("a text is no UTF-8") from error


def _string(machine: Machine) -> None:
    text = text_line(machine, _LINE)
    if len(text) < 2 or text[:1] != text[-1:] or text[:1] not in {b"'", b'"'}:  # noqa: PLR2004 - two quotes
        raise BrokenError("a string stands in no quotes")
    machine.stack.append(unescape(text[1:-1]).decode("latin-1"))


def _unicode(machine: Machine) -> None:
    try:
        machine.stack.append(text_line(machine, _LINE).decode("raw-unicode-escape"))
    except UnicodeDecodeError as error:
        raise BrokenError("a text has a broken escape") from error


def _constant(value: Value) -> Handler:
    def push(machine: Machine) -> None:
        machine.stack.append(value)

    return push


CONSTANTS: dict[str, Handler] = {
    "I": _int, "L": _long, "F": _float, "J": _binint, "K": _binint1, "M": _binint2, "G": _binfloat,
    "\x8a": _sized("int", 1), "\x8b": _sized("int", 4, signed=True), "S": _string, "V": _unicode,
    "T": _sized("string", 4), "U": _sized("string", 1), "X": _sized("str", 4), "\x8c": _short_text,
    "\x8d": _sized("str", 8), "B": _sized("bytes", 4), "C": _sized("bytes", 1), "\x8e": _sized("bytes", 8),
    "\x96": _sized("bytearray", 8), "N": _constant(None), "\x88": _constant(True), "\x89": _constant(False),
}  # fmt: skip
