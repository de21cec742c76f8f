"""Bytes in, issues out: every format of the table that knows the bytes judges them."""

from __future__ import annotations

import importlib
import struct
from collections.abc import Callable
from typing import Any

import pytest

from mithridate.core.findings import Severity
from mithridate.supply.scan.blob import MemoryBlob
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.formats import FORMATS
from mithridate.supply.scan.issue import Issue

MODULES = {known.name: importlib.import_module(known.module) for known in FORMATS}


def issues(content: bytes | str) -> list[Issue]:
    raw = content.encode() if isinstance(content, str) else content
    blob = MemoryBlob("file", raw)
    found: list[Issue] = []
    for module in MODULES.values():
        if module.sniff(raw[:4096], blob):
            found += [told for told in module.analyse(blob, Budget()) if isinstance(told, Issue)]
    return found


@pytest.fixture(scope="session")
def scan() -> Callable[[bytes | str], list[Issue]]:
    return issues


@pytest.fixture(scope="session")
def worst() -> Callable[[bytes | str], int]:
    """The gravest severity, 0 when there is no issue."""
    return lambda content: (
        max((issue.severity for issue in issues(content)), default=Severity(1)) if issues(content) else 0
    )


@pytest.fixture(scope="session")
def known_as() -> Callable[[bytes], set[str]]:
    def names(raw: bytes) -> set[str]:
        blob = MemoryBlob("file", raw)
        return {name for name, module in MODULES.items() if module.sniff(raw[:4096], blob)}

    return names


def _varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])


def _message(*parts: tuple[int, Any]) -> bytes:
    """A protobuf message of (field, integer, text, bytes or list of parts)."""
    out = b""
    for number, value in parts:
        if isinstance(value, int):
            out += _varint(number << 3) + _varint(value)
        else:
            raw = value.encode() if isinstance(value, str) else value if isinstance(value, bytes) else _message(*value)
            out += _varint(number << 3 | 2) + _varint(len(raw)) + raw
    return out


@pytest.fixture(scope="session")
def message() -> Callable[..., bytes]:
    return _message


def _text(value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(raw)) + raw


def _gguf(
    pairs: dict[str, Any], tensors: tuple[tuple[str, tuple[int, ...], int, int], ...] = (), data: bytes = b""
) -> bytes:
    """A GGUF file of version 3; tensors are (name, shape, type, offset)."""
    out = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(pairs))
    for key, value in pairs.items():
        out += _text(key)
        if isinstance(value, str):
            out += struct.pack("<I", 8) + _text(value)
        elif isinstance(value, list):
            out += struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(_text, value))
        else:
            out += struct.pack("<II", 4, value)
    for name, shape, kind, offset in tensors:
        out += _text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)
    return out + bytes(-len(out) % 32) + data


@pytest.fixture(scope="session")
def gguf() -> Callable[..., bytes]:
    return _gguf
