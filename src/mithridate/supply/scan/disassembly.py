"""Bytecode as lines that a person can read; nothing is unmarshalled, and nothing runs.

The standard library knows the opcodes of the Python that runs alone, and marshalled code doesn't say which Python wrote
it. So the bytes are read with those opcodes, and the reading counts only where it holds together: known opcodes alone,
every argument within its table, every jump onto an instruction, a return at the end. Else names and constants are told.
"""

from __future__ import annotations

import opcode
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from mithridate.supply.scan.code_object import Code

MOST_LINES = 40
_WIDTH = 120
_MOST_INSTRUCTIONS = 20_000
_SILENT = {"CACHE", "RESUME", "NOP", "PRECALL", "PUSH_NULL", "EXTENDED_ARG", "MAKE_CELL", "COPY_FREE_VARS", "NOT_TAKEN"}
_ENDS = {"RETURN_VALUE", "RETURN_CONST", "RAISE_VARARGS", "RERAISE", "JUMP_BACKWARD", "JUMP_BACKWARD_NO_INTERRUPT"}
_SHIFTS = {"LOAD_GLOBAL": 1, "LOAD_ATTR": 1 if sys.version_info >= (3, 12) else 0, "LOAD_SUPER_ATTR": 2}
_COMPARED = 4 if sys.version_info < (3, 13) else 5
_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


class Instruction(NamedTuple):
    """One instruction: its offset in bytes, its name, and its argument as a reader knows it."""

    offset: int
    name: str
    argument: str


class _MismatchError(Exception):
    """The bytes are those of another Python."""


def disassembled(code: Code, limit: int = MOST_LINES) -> tuple[str, list[str]]:
    """Which Python's opcodes fit the code and all functions in it, and its instructions, a line each.

    Returns
    -------
    The version, empty where this Python's opcodes don't fit; at most `limit` lines, of at most 120 characters: then
    they say which names and constants each function uses.
    """
    lines: list[str] = []
    version = _VERSION if code.layout == _layout() else ""
    try:
        for part in code.walk() if version else ():
            lines.append(f"{part.name or '<code>'}:")
            lines += [f"  {one.offset:4} {one.name} {one.argument}".rstrip() for one in instructions(part)]
    except _MismatchError:
        version = ""
    if not version:
        lines = [line for part in code.walk() for line in _used(part)]
    more = len(lines) - limit
    return version, [
        *(_clipped(line) for line in lines[:limit]),
        *([f"... and {more:,} lines more"] if more > 0 else ()),
    ]


def _layout() -> str:
    return "3.11 or later"


def _used(code: Code) -> Iterator[str]:
    """What a function of another Python's uses, without its order."""
    yield f"{code.name or '<code>'}: bytecode of a Python that isn't this one ({_VERSION}), so not disassembled"
    if code.names:
        yield f"  names {', '.join(code.names)}"
    constants = [constant for constant in code.constants if constant is not None and not isinstance(constant, Code)]
    if constants:
        yield f"  constants {', '.join(map(_constant, constants))}"


def instructions(code: Code) -> list[Instruction]:
    """The instructions of one function, without what does nothing.

    Raises
    ------
    _MismatchError : the bytes can't be this Python's.
    """
    raw, found, starts, targets = code.code, list[Instruction](), set[int](), set[int]()
    at, wide, last = 0, 0, ""
    if not raw or len(raw) % 2 or len(raw) > 2 * _MOST_INSTRUCTIONS:
        raise _MismatchError
    while at < len(raw):
        number, argument = raw[at], raw[at + 1] | wide
        name = opcode.opname[number]
        if name.startswith(("<", "INSTRUMENTED")):
            raise _MismatchError
        starts.add(at)
        offset, at = at, at + 2 + 2 * _caches(number, name)
        wide = argument << 8 if name == "EXTENDED_ARG" else 0
        text, target = _argument(code, number, name, argument, at)
        targets |= {target} if target is not None else set()
        last = name
        if name not in _SILENT:
            found.append(Instruction(offset, name, text))
    if at != len(raw) or last not in _ENDS or targets - starts:
        raise _MismatchError
    return found


def _caches(number: int, name: str) -> int:
    """Empty words behind an instruction."""
    table: Any = opcode._inline_cache_entries  # type: ignore[attr-defined]  # noqa: SLF001 - there is no public table
    return int(table.get(name, 0) if isinstance(table, dict) else table[number])


def _argument(code: Code, number: int, name: str, argument: int, after: int) -> tuple[str, int | None]:
    """The argument in words, and where the instruction jumps to."""
    if number in opcode.hasjrel:
        target = after + 2 * argument * (-1 if "BACKWARD" in name else 1)
        return f"to {target}", target
    if number in opcode.hasconst:
        return _constant(_of(code.constants, argument)), None
    if number in opcode.hasname:
        return str(_of(code.names, argument >> _SHIFTS.get(name, 0))), None
    if number in opcode.haslocal or number in opcode.hasfree:
        pair = sys.version_info >= (3, 13) and name.count("FAST") > 1
        places = (argument >> 4, argument & 15) if pair else (argument,)
        return ", ".join(str(_of(code.variables, place)) for place in places), None
    shown = _OTHERS.get(name)
    if shown is not None:
        return shown(argument), None
    return (str(argument) if number >= opcode.HAVE_ARGUMENT else ""), None


def _operator(argument: int) -> str:
    table: Sequence[tuple[str, str]] = getattr(opcode, "_nb_ops", ())
    return str(_of(table, argument)[1]) if table else str(argument)


def _compared(argument: int) -> str:
    return str(_of(opcode.cmp_op, argument >> _COMPARED if sys.version_info >= (3, 12) else argument))


_OTHERS: dict[str, Callable[[int], str]] = {"BINARY_OP": _operator, "COMPARE_OP": _compared}


def _of(table: Sequence[Any], place: int) -> Any:
    if place >= len(table):
        raise _MismatchError
    return table[place]


def _constant(value: Any) -> str:
    """A constant as its source has it; functions by their names."""
    if isinstance(value, Code):
        return f"<function {value.name}>"
    if isinstance(value, str | bytes):
        return repr(value[:_WIDTH]) + ("..." if len(value) > _WIDTH else "")
    if isinstance(value, tuple):
        return f"({', '.join(map(_constant, value[:8]))}{', ...' if len(value) > 8 else ''})"  # noqa: PLR2004 - to read
    return "StopIteration" if value is StopIteration else repr(value)


def _clipped(line: str) -> str:
    safe = "".join(one if one.isprintable() else "·" for one in line[:_WIDTH])
    return safe if len(line) <= _WIDTH else f"{safe}…"
