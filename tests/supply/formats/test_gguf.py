"""GGUF: what a C loader would trust."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from mithridate.core.findings import Severity

F32, Q8 = 0, 8


def test_an_ordinary_file_is_no_issue(worst: Callable[..., int], gguf: Callable[..., bytes]) -> None:
    pairs = {"general.architecture": "llama", "general.alignment": 32, "tokenizer.ggml.tokens": ["a", "b"]}
    assert worst(gguf(pairs, (("a", (8, 4), F32, 0), ("q", (32,), Q8, 128)), bytes(192))) == 0
    assert worst(gguf({"general.architecture": "llama"})) == 0


def test_a_big_endian_file_is_read(worst: Callable[..., int]) -> None:
    assert worst(b"GGUF" + struct.pack(">IQQ", 3, 0, 0)) == 0
    assert worst(b"GGUF" + struct.pack(">IQQ", 3, 0, 1) + struct.pack(">Q", 1 << 60)) == Severity.HIGH


def test_the_first_version_is_read(worst: Callable[..., int]) -> None:
    assert worst(b"GGUF" + struct.pack("<III", 1, 0, 0)) == 0


HOSTILE = {
    "CVE-2024-23605 count": b"GGUF" + struct.pack("<IQQ", 3, 0, (1 << 63) + 1),
    "CVE-2024-23496 tensors": b"GGUF" + struct.pack("<IQQ", 3, 1 << 60, 0),
    "CVE-2024-21825 array": b"GGUF"
    + struct.pack("<IQQ", 3, 0, 1)
    + struct.pack("<Q", 1)
    + b"k"
    + struct.pack("<IIQ", 9, 4, 1 << 61),
    "CVE-2024-21802 key": b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", (1 << 64) - 1) + b"k",
    "string": b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 1) + b"k" + struct.pack("<IQ", 8, 1 << 40),
    "type": b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 1) + b"k" + struct.pack("<IQ", 99, 0),
    "nested arrays": b"GGUF"
    + struct.pack("<IQQ", 3, 0, 1)
    + struct.pack("<Q", 1)
    + b"k"
    + struct.pack("<I", 9)
    + struct.pack("<IQ", 9, 1) * 50,
    "version": b"GGUF" + struct.pack("<IQQ", 77, 0, 0),
    "short": b"GGUF" + bytes(6),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_numbers_that_lie_are_grave(name: str, worst: Callable[..., int]) -> None:
    assert worst(HOSTILE[name] + bytes(64)) >= Severity.HIGH or name == "short"
    assert worst(HOSTILE[name]) >= Severity.HIGH


@pytest.mark.parametrize(
    "tensors",
    [
        (("a", (1 << 20, 1 << 20), F32, 0),),
        (("a", (1 << 40, 1 << 40), F32, 0),),
        (("a", (8,), F32, 1 << 40),),
        (("a", (8,), F32, 7),),
        (("a", (8, 8, 8, 8, 8), F32, 0),),
        (("a", (0,), F32, 0),),
        (("a", (8,), F32, 0), ("b", (8,), F32, 0)),
        (("a", (8,), F32, 0), ("a", (8,), F32, 32)),
    ],
)
def test_tensors_outside_the_file_or_in_one_another_are_grave(
    tensors: tuple[tuple[str, tuple[int, ...], int, int], ...], worst: Callable[..., int], gguf: Callable[..., bytes]
) -> None:
    assert worst(gguf({"a": "b"}, tensors, bytes(256))) >= Severity.HIGH


@pytest.mark.parametrize("value", [0, 3, 1 << 31])
def test_an_alignment_that_divides_by_zero_is_grave(
    value: int, worst: Callable[..., int], gguf: Callable[..., bytes]
) -> None:
    assert worst(gguf({"general.alignment": value})) == Severity.HIGH


def test_code_in_the_metadata_is_grave(worst: Callable[..., int], gguf: Callable[..., bytes]) -> None:
    assert worst(gguf({"general.description": "__import__('os').system('id')"})) == Severity.HIGH


def test_many_bytes_behind_the_last_tensor_are_told(worst: Callable[..., int], gguf: Callable[..., bytes]) -> None:
    assert worst(gguf({"a": "b"}, (("a", (8,), F32, 0),), bytes(32) + b"#!/bin/sh" * 1000)) == Severity.MEDIUM
