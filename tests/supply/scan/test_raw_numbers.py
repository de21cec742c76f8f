"""Bytes without a mark of their own: numbers all over, MessagePack and CBOR, IDX; and what is none of these."""

from __future__ import annotations

import io
import struct
import zipfile

import numpy as np
import pytest
from archives import HARMFUL, codes, issues, worst
from hypothesis import given, settings
from hypothesis import strategies as st

from mithridate.supply.scan import packed_values
from mithridate.supply.scan.blob import MemoryBlob
from mithridate.supply.scan.packed_values import is_packed_values
from mithridate.supply.scan.raw_numbers import numbers_in

RNG = np.random.default_rng(0)
WEIGHTS = (RNG.normal(size=4000) * 0.02).astype("<f4")
MNIST = struct.pack(">IIII", 2051, 2, 28, 28) + bytes(2 * 28 * 28)
MESSAGE = b"\x82\xa1a\x93\x01\x02\xcb" + bytes(8) + b"\xa1b\xc7\x04\x01abcd"
CBOR = bytes.fromhex("a2616183010203616219ffff")


@pytest.mark.parametrize("dtype", ["<f4", "<f8", "<f2"])
def test_weights_as_they_lie_are_no_worse_than_low(dtype: str) -> None:
    raw = WEIGHTS.astype(dtype).tobytes()
    assert numbers_in(MemoryBlob("w.bin", raw))
    assert worst(raw) == "low"


def test_a_short_header_before_the_numbers_changes_nothing() -> None:
    assert worst(struct.pack("<iiiq", 0, 2, 5, 0) + WEIGHTS.tobytes()) == "low"  # as darknet's


def test_packed_random_empty_and_mixed_bytes_are_not_taken_for_numbers() -> None:
    noise = RNG.bytes(16000)
    for raw in (noise, bytes(16000), b"\x01" + bytes(15999), WEIGHTS.tobytes()[:8000] + noise[:8000], b"\xff" * 4096):
        assert numbers_in(MemoryBlob("x", raw)) == ""
    assert worst(noise) == "medium"
    assert worst(HARMFUL + WEIGHTS.tobytes()) == "critical"


def test_idx_messagepack_and_cbor_are_data() -> None:
    for raw in (MNIST, MESSAGE, CBOR):
        assert issues(raw) == []
        assert worst(raw + b"\x07\x81\x99") == "medium"  # they end where they say


def test_what_is_longer_than_is_walked_is_not_called_data(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = b"\xdc\x00\x40" + bytes(64)
    assert is_packed_values(MemoryBlob("x", raw))
    monkeypatch.setattr(packed_values, "_MOST", 40)
    assert not is_packed_values(MemoryBlob("x", raw))


@settings(max_examples=200)
@given(st.binary(max_size=200))
def test_any_bytes_are_walked_to_an_answer(raw: bytes) -> None:
    for start in (b"", b"\0\0\x08\x03", b"\x82", b"\xa2", b"\xdf\xff\xff\xff\xff", b"\xbb" + b"\xff" * 8):
        assert is_packed_values(MemoryBlob("x", start + raw)) in {True, False}
        assert numbers_in(MemoryBlob("x", start + raw)) in {"", "float32", "float64", "float16", "bfloat16"}


def test_a_header_of_idx_that_breaks_off_is_none() -> None:
    assert worst(b"\0\0\x08\x03\x02\x02\x05k\x01\x04") == "medium"  # found by fuzzing


def test_a_header_that_promises_no_bytes_is_no_lzma_stream() -> None:
    assert "not-analysed" in codes(b"\0\0\0\0\x02" + bytes(8) + RNG.bytes(200))
    assert all("lzma" not in one.issue.claim for one in issues(b"\0\0\0\0\x02" + bytes(8) + RNG.bytes(200)))


def archive(*names: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as opened:
        for name in names:
            opened.writestr(name, b"words")
    return made.getvalue()


def test_the_path_of_the_zip_itself_is_low_and_any_other_outside_path_is_high() -> None:
    assert worst(archive("/data/df.pkl.zip")) == "low"
    for names in (("/etc/ld.so.preload",), ("../../df.zip",), ("/a/df.zip", "/b/df.zip")):
        assert worst(archive(*names)) == "high"
