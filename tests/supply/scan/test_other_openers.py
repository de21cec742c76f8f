"""Tar, packed streams and NumPy arrays."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from archives import HARMFUL, HARMLESS, Part, codes, info, issues, make_tar, make_zip, worst
from hypothesis import given, settings
from hypothesis import strategies as st

from mithridate.supply.scan.budget import Budget

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": lambda content: bz2.compress(content, 1),
    "xz": lzma.compress,
    "lzma": lambda content: lzma.compress(content, format=lzma.FORMAT_ALONE),
    "zlib": zlib.compress,
    "joblib-0.9": lambda content: b"ZF" + hex(len(content)).ljust(19).encode() + zlib.compress(content),
    "zlib-fast": lambda content: zlib.compress(content, 1),
    "zlib-best": lambda content: zlib.compress(content, 9),
}


@pytest.mark.parametrize("packer", PACKERS)
def test_a_packed_pickle_is_unpacked_and_read(packer: str) -> None:
    pack = PACKERS[packer]
    assert worst(pack(HARMFUL)) == "critical"
    assert worst(pack(pack(HARMFUL))) == "critical"
    assert issues(pack(HARMLESS)) == []
    assert issues(pack(b"words\n" * 1000)) == []


@pytest.mark.parametrize("packer", PACKERS)
def test_a_stream_that_breaks_off_is_read_as_far_as_it_goes(packer: str) -> None:
    noise = np.random.default_rng(0).bytes(300_000)
    whole = PACKERS[packer](HARMFUL + noise)
    assert worst(whole[: len(whole) - 1000]) == "critical"


@pytest.mark.parametrize("packer", ["gzip", "bzip2", "xz"])
def test_streams_in_a_row_are_one_content(packer: str) -> None:
    pack = PACKERS[packer]
    assert worst(pack(HARMFUL[:10]) + pack(HARMFUL[10:])) == "critical"


@pytest.mark.parametrize("packer", ["gzip", "bzip2", "xz", "zlib"])
def test_bytes_behind_a_stream_are_said(packer: str) -> None:
    assert "not-analysed" in codes(PACKERS[packer](HARMLESS) + b"\x07hidden")


@pytest.mark.parametrize("packer", ["gzip", "bzip2", "xz", "zlib"])
def test_a_packed_bomb_is_said_and_stops_early(packer: str) -> None:
    budget = Budget(ratio=100, ratio_from=1 << 20)
    assert codes(PACKERS[packer](bytes(6 << 20)), budget) == {"bomb"}
    assert budget.unpacked_bytes > (2 << 30) - (3 << 20)


def test_a_stream_too_large_to_hold_is_read_in_passes() -> None:
    noise = b"\x80\x02B" + (3_000_000).to_bytes(4, "little") + np.random.default_rng(0).bytes(3_000_000) + b"0"
    assert worst(zlib.compress(noise + HARMFUL, 1), Budget(held_bytes=1 << 20)) == "critical"


@pytest.mark.parametrize(
    "first", [b"\x80\x02B" + (5000).to_bytes(4, "little") + b"x" * 5000 + b"0", b"V" + b"x" * 5000 + b"\n0"]
)
def test_a_long_constant_at_its_beginning_does_not_hide_a_pickle(first: bytes) -> None:
    assert worst(first + HARMFUL) == "critical"


def test_a_zip_or_an_array_in_the_argument_of_a_call_is_opened() -> None:
    inner = make_zip([Part(b"m/data.pkl", HARMFUL)])
    outer = b"\x80\x03ctorch.storage\n_load_from_bytes\nB" + len(inner).to_bytes(4, "little") + inner + b"\x85R."
    assert worst(outer) == "critical"


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_members_of_every_kind_of_tar_are_read(form: int) -> None:
    name = "long/" * 30 + "a.pkl" if form != tarfile.USTAR_FORMAT else "a.pkl"
    made = make_tar((info("readme.txt"), b"words\n"), (info(name), HARMFUL), form=form)
    (found,) = issues(made)
    assert found.issue.severity.word == "critical"
    assert found.name == f"f!{name}"
    assert worst(gzip.compress(made)) == "critical"


@pytest.mark.parametrize("name", ["../evil.txt", "/etc/evil", "a/../../evil", "..\\evil", "C:\\evil"])
def test_names_that_leave_the_folder_are_high(name: str) -> None:
    assert worst(make_tar((info(name), b"words\n"))) == "high"


def test_links_that_leave_the_archive_are_high_and_others_pass() -> None:
    assert worst(make_tar((info("a/b", tarfile.SYMTYPE, "../../etc/passwd"), b""))) == "high"
    assert worst(make_tar((info("a", tarfile.LNKTYPE, "/etc/passwd"), b""))) == "high"
    assert issues(make_tar((info("t"), b"words\n"), (info("a/b", tarfile.SYMTYPE, "../t"), b""))) == []


def test_a_second_tar_behind_the_first_is_opened() -> None:
    first = make_tar((info("a.txt"), b"words\n"))
    assert worst(first + make_tar((info("b.pkl"), HARMFUL))) == "critical"


def test_a_device_in_a_tar_is_said() -> None:
    assert codes(make_tar((info("null", tarfile.CHRTYPE), b""))) == {"device"}


def test_the_first_torch_files_pass_and_a_pickle_among_their_storages_is_read() -> None:
    def storage(key: bytes) -> bytes:
        head = b"\x80\x02(X\x01\x00\x00\x00" + key + b"X\x03\x00\x00\x00cpuctorch\nFloatStorage\nt."
        return head + (3).to_bytes(8, "little") + b"\xff\x07\x00\x80" * 3

    def made(last: bytes) -> bytes:
        sizes = (1).to_bytes(4, "little") + bytes(4) + (3).to_bytes(8, "little") + (1).to_bytes(8, "little") + bytes(8)
        tensor = b"\x80\x02(K\x01K\x02ctorch\nFloatTensor\nt." + sizes
        count = b"\x80\x02K\x02."
        return make_tar(
            (info("sys_info"), HARMLESS), (info("pickle"), HARMLESS), (info("tensors"), count + tensor + tensor),
            (info("storages"), count + storage(b"a") + storage(b"b") + last),
        )  # fmt: skip

    assert worst(made(b"")) in {"", "low"}
    assert worst(made(HARMFUL)) == "critical"


def saved(array: object, **options: object) -> bytes:
    made = io.BytesIO()
    np.save(made, array, **options)  # type: ignore[arg-type]
    return made.getvalue()


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12.0), np.zeros((0, 3)), np.array(7), np.array(["a", "bcd"]), np.array([b"x"]),
        np.array(["2020-01-01"], dtype="M8[D]"), np.zeros(3, dtype=[("a", "<f4"), ("b", "i2", (2, 3))]),
        np.asfortranarray(np.eye(3)), np.array([1 + 2j]), np.array([True]), np.zeros(2, dtype="V5"),
        np.zeros(2, dtype=[("naïve", "f8")]), np.zeros(2, dtype=np.dtype("f4,i1", align=True)),
    ],
    ids=str,
)  # fmt: skip
def test_arrays_of_numbers_and_words_are_clean(array: object) -> None:
    assert issues(saved(array)) == []
    assert issues(saved(array) + saved(array)) == []


def test_an_array_of_objects_is_a_pickle() -> None:
    head = saved(np.array([None, 1], dtype=object))
    start = head.index(b"\x80")
    assert issues(head) == []
    assert worst(head[:start] + HARMFUL) == "critical"


def test_a_header_that_lies_is_said_and_the_rest_read_as_a_pickle() -> None:
    for header in (b"{'descr': " + b"[" * 5000, b"__import__('os')", b"{'descr': 'O', 'fortran_order': 0}", b"\xff"):
        made = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + HARMFUL
        assert "broken-header" in codes(made)


def test_bytes_behind_an_array_are_looked_at() -> None:
    assert worst(saved(np.arange(3.0)) + HARMFUL) == "critical"


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["tar", "npy", "gzip", "xz", "bzip2", "zlib", "lzma"]), st.data())
def test_damaged_files_are_never_an_exception(kind: str, data: st.DataObject) -> None:
    whole = {
        "tar": lambda: make_tar((info("a.txt"), b"words\n"), (info("x" * 120), HARMFUL)),
        "npy": lambda: saved(np.array([1, None], dtype=object)),
    }.get(kind, lambda: PACKERS[kind](HARMFUL + b"words " * 90))()
    made = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 6))):
        made[data.draw(st.integers(0, min(len(made), 1500) - 1))] = data.draw(st.integers(0, 255))
    issues(bytes(made), budget=Budget(unpacked_bytes=1 << 22))
