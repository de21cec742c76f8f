"""Code that is read and never run: its instructions as lines, in Lambda layers, pickles and `.pyc` files."""

from __future__ import annotations

import dis
import importlib.util
import marshal
import struct
from collections.abc import Callable

import pytest

from mithridate.core.findings import Severity
from mithridate.supply.scan.blob import MemoryBlob
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.code_object import Code, read_code
from mithridate.supply.scan.disassembly import MOST_LINES, disassembled, instructions
from mithridate.supply.scan.issue import Issue
from mithridate.supply.scan.pickle import scan_pickle

Scan = Callable[[bytes | str], list[Issue]]
SOURCE = """
def run(x, *rest, **named):
    import os
    for i in range(3):
        try:
            os.system("echo %d" % i)
        except (OSError, ValueError) as error:
            print(error, i + 1 < 3, 10**30, -1.5, b"raw", (1, "two"))
    inner = lambda y: y * x
    with open("a") as lines:
        return [line for line in lines if line and inner(line)]
"""
SILENT = {"CACHE", "RESUME", "NOP", "PRECALL", "PUSH_NULL", "EXTENDED_ARG", "MAKE_CELL", "COPY_FREE_VARS", "NOT_TAKEN"}


def test_the_instructions_are_those_of_the_standard_library() -> None:
    def names(code: object) -> list[str]:
        return [one.opname for one in dis.get_instructions(code) if one.opname not in SILENT]  # type: ignore[arg-type]

    compiled = compile(SOURCE, "a", "exec")
    ours = read_code(marshal.dumps(compiled))
    theirs = [compiled, *(constant for constant in compiled.co_consts if hasattr(constant, "co_code"))]
    for code, real in zip((ours, *ours.inner), theirs, strict=True):
        assert [one.name for one in instructions(code)] == names(real)
    shown = [f"{one.opname} {one.argval}" for one in dis.get_instructions(theirs[1]) if one.opname == "LOAD_GLOBAL"]
    assert [f"{one.name} {one.argument}" for one in instructions(ours.inner[0]) if one.name == "LOAD_GLOBAL"] == shown


def test_a_disassembly_is_short_printable_and_says_what_is_left() -> None:
    version, lines = disassembled(read_code(marshal.dumps(compile(SOURCE, "a\n\x1b", "exec"))))
    assert version
    assert len(lines) == MOST_LINES + 1
    assert "lines more" in lines[-1]
    assert any("LOAD_CONST 'echo %d'" in line for line in lines)
    assert all(line.isprintable() and len(line) <= 121 for line in lines)


def test_bytecode_of_another_python_is_named_and_not_guessed_at() -> None:
    code = Code("3.0 to 3.7", "f", ("os", "system"), ("id",), (), ("id", None, 3), (), b"d\x01S\x00")
    version, lines = disassembled(code)
    assert not version
    assert "isn't this one" in lines[0]
    assert lines[1:] == ["  names os, system", "  constants 'id', 3"]


@pytest.mark.parametrize("raw", [b"", b"\xff\xff", b"d", b"d\xfa" * 3, b"\x00\x00" * 4])
def test_bytes_that_are_no_instructions_are_another_pythons(raw: bytes) -> None:
    assert disassembled(Code("3.11 or later", "f", (), (), (), (), (), raw))[0] == ""


def test_a_pickle_with_marshalled_code_tells_its_instructions() -> None:
    packed = marshal.dumps(compile("__import__('os').system('id')", "a", "eval"))
    stream = b"\x80\x03cmarshal\nloads\nB" + struct.pack("<I", len(packed)) + packed + b"\x85R."
    issue = scan_pickle(MemoryBlob("x", stream), Budget()).issues[0]
    assert "__import__" in issue.claim
    assert any("'id'" in str(line) for line in issue.facts["disassembly"])  # type: ignore[union-attr]


def test_code_that_a_pickle_builds_from_its_parts_tells_them() -> None:
    """`types.CodeType` with its arguments, as pickles of functions hold it."""
    code = compile("__import__('os').system('id')", "a", "eval")
    parts = b"C" + bytes([len(code.co_code)]) + code.co_code
    words = b"(X\x02\0\0\0osX\x02\0\0\0idt(X\n\0\0\0__import__X\x06\0\0\0systemt)X\x01\0\0\0aX\x01\0\0\0f"
    stream = b"\x80\x03ctypes\nCodeType\n(" + b"K\0" * 6 + parts + words + b"X\x01\0\0\0fK\1C\0C\0))tR."
    issue = scan_pickle(MemoryBlob("x", stream), Budget()).issues[0]
    assert {"__import__", "system", "os", "id"} <= set(issue.facts["code"])  # type: ignore[arg-type]
    assert any("system" in str(line) for line in issue.facts["disassembly"])  # type: ignore[union-attr]


def test_compiled_python_is_called_so_with_its_version_and_what_it_uses(scan: Scan) -> None:
    body = marshal.dumps(compile("import os\nos.system('id')", "a", "exec"))
    (issue,) = scan(importlib.util.MAGIC_NUMBER + bytes(12) + body)
    assert (issue.code, issue.severity) == ("compiled-python", Severity.MEDIUM)
    assert "uses os, system" in issue.claim
    old = struct.pack("<H", 62_211) + b"\r\n" + bytes(4) + b"c" + bytes(16) + b"s\x04\0\0\0d\0\0S"
    (issue,) = scan(old + bytes(40))
    assert "2.5 to 2.7" in issue.claim
    assert "can't be decoded" in issue.claim
