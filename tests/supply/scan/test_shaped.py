"""Layouts that fill a file exactly, and what must not pass for one."""

from __future__ import annotations

import struct

import pytest

from mithridate.supply.scan.blob import MemoryBlob
from mithridate.supply.scan.shaped import is_shaped

_STL = b"solid? no, binary".ljust(80, b" ") + struct.pack("<I", 2) + bytes(range(50)) * 2
_GLB = b"glTF" + struct.pack("<II", 2, 24) + struct.pack("<I", 4) + b"JSON{}  "
_BVECS = (struct.pack("<I", 9) + b"\x80ABCDEFG\xff") * 5
_DOUBLE = b"\0\5\x16\7\0\2\0\0" + b" " * 16 + struct.pack(">HIII", 1, 9, 38, 4) + b"data"
_DESC = bytes((8, 5, 16, 2, 16, 3))  # float32, 2 by 3
_TENSOR = b"\0" * 16 + struct.pack("<I", len(_DESC)) + _DESC + b"\x3f" * 24
_WHOLE = {
    "STL": _STL,
    "glTF": _GLB,
    "vectors": _BVECS,
    "AppleDouble": _DOUBLE,
    "Paddle": _TENSOR * 2,
}


def _shaped(content: bytes) -> bool:
    return is_shaped(MemoryBlob("x", content), content[:4096])


@pytest.mark.parametrize("kind", sorted(_WHOLE))
def test_a_whole_layout_is_told(kind: str) -> None:
    assert _shaped(_WHOLE[kind])


@pytest.mark.parametrize("kind", sorted(_WHOLE))
@pytest.mark.parametrize("tail", [b"\x80", b"\x80\x04cos\nsystem\n(S'id'\ntR."])
def test_a_layout_with_something_behind_it_is_not(kind: str, tail: bytes) -> None:
    assert not _shaped(_WHOLE[kind] + tail)


@pytest.mark.parametrize("kind", sorted(_WHOLE))
def test_a_layout_that_is_cut_off_is_not(kind: str) -> None:
    assert not _shaped(_WHOLE[kind][:-1])


def test_a_script_in_the_header_of_a_mesh_is_not_a_mesh() -> None:
    assert not _shaped(b"#!/bin/sh\nid\nexit\n" + _STL[18:])


def test_bytes_below_32_are_numbers_and_letters_are_not() -> None:
    assert _shaped(bytes((1, 7, 9, 0)) * 50)
    assert not _shaped(bytes((1, 7, 9, 0)) * 50 + b"(")
