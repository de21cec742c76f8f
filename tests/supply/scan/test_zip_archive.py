"""Zip archives: whatever some reader would see is opened, and every lie is said."""

from __future__ import annotations

import io
import time
import zipfile
import zlib
from contextlib import suppress

import numpy as np
import pytest
from archives import HARMFUL, HARMLESS, Part, codes, issues, make_zip, parts_of, worst
from hypothesis import given, settings
from hypothesis import strategies as st

from mithridate.supply.scan.blob import MemoryBlob
from mithridate.supply.scan.budget import Budget, OverBudgetError
from mithridate.supply.scan.openers import zip_archive

EVIL = Part(b"a/data.pkl", HARMFUL)
TEXT = Part(b"readme.txt", b"all good\n")


def opened(content: bytes) -> dict[str, bytes]:
    return dict(parts_of(zip_archive.members(MemoryBlob("z", content), Budget())))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_zipfile_packs_comes_out_whole_and_clean(method: int) -> None:
    made, content = io.BytesIO(), b"plain words\n" * 5000
    with zipfile.ZipFile(made, "w", method) as archive:
        archive.writestr("a.txt", content)
        archive.writestr("folder/b.txt", b"b")
        archive.mkdir("empty")
    assert opened(made.getvalue()) == {"z!a.txt": content, "z!folder/b.txt": b"b"}
    assert issues(made.getvalue()) == []


def test_a_streamed_zip_with_data_descriptors_is_ordinary() -> None:
    class Unseekable(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: object) -> int:
            raise io.UnsupportedOperation

    made = Unseekable()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", b"words " * 100)
        archive.writestr("b.txt", b"more " * 100)
    assert issues(made.getvalue()) == []


TRICKS = {
    "broken-checksum": make_zip([Part(b"a.pkl", HARMFUL, crc=1)]),
    "false-encryption": make_zip([Part(b"a.pkl", HARMFUL, flags=1)]),
    "two-flags": make_zip([Part(b"a.pkl", HARMFUL, flags=0, local_flags=1)]),
    "two-names": make_zip([Part(b"a.txt", HARMFUL, local_name=b"b.pkl")]),
    "two-sizes": make_zip([Part(b"a.pkl", HARMFUL, local_crc=7)]),
    "duplicate-name": make_zip([Part(b"a.pkl", HARMLESS), Part(b"A.PKL", HARMFUL)]),
    "hidden-member": make_zip([TEXT, Part(b"a.pkl", HARMFUL, listed=False), TEXT]),
    "overlap": make_zip([EVIL, Part(b"b.pkl", HARMFUL, at=0)]),
    "path-traversal": make_zip([Part(b"../../a.pkl", HARMFUL)]),
    "ambiguous-name": make_zip([Part(b"a.pkl\0.txt", HARMFUL)]),
    "two-directories": make_zip([TEXT], comment=make_zip([EVIL])),
}


@pytest.mark.parametrize("code", TRICKS)
def test_each_trick_is_said_and_does_not_hide_the_pickle(code: str) -> None:
    assert code in codes(TRICKS[code])
    assert worst(TRICKS[code]) == "critical"


@pytest.mark.parametrize("code", ["two-names", "false-encryption", "hidden-member", "overlap", "path-traversal"])
def test_what_never_happens_by_accident_is_high_even_around_harmless_bytes(code: str) -> None:
    tame = TRICKS[code].replace(HARMFUL, b"x" * len(HARMFUL))
    crc, plain = zlib.crc32(HARMFUL).to_bytes(4, "little"), zlib.crc32(b"x" * len(HARMFUL)).to_bytes(4, "little")
    assert worst(tame.replace(crc, plain)) == "high"


@pytest.mark.parametrize("head", [b"\x80\x02N.", b"#!/bin/sh\nexit\n", b"GIF89a" + bytes(30), b"words\n"])
def test_a_zip_behind_other_bytes_is_still_a_zip(head: bytes) -> None:
    assert worst(make_zip([EVIL], before=head)) == "critical"
    assert worst(make_zip([EVIL], before=head, shifted=False)) == "critical"


def test_bytes_after_the_end_are_looked_at() -> None:
    assert worst(make_zip([TEXT], after=HARMFUL)) == "critical"
    assert "not-analysed" in codes(make_zip([TEXT], after=bytes(range(1, 255)) * 9))


def test_a_zip_without_a_directory_is_read_member_by_member() -> None:
    cut = make_zip([TEXT, EVIL]).partition(b"PK\1\2")[0]
    assert worst(cut) == "critical"
    assert "broken-archive" in codes(cut)


def test_a_truly_encrypted_member_is_not_analysed() -> None:
    body = bytes(range(7, 207))
    made = make_zip([Part(b"a.pkl", HARMLESS, flags=1, packed=body)])
    assert codes(made) >= {"not-analysed"}


def test_a_packing_that_is_not_known_is_not_analysed() -> None:
    assert codes(make_zip([Part(b"a.bin", b"x" * 40, method=97)])) == {"not-analysed"}


def test_a_link_in_a_zip_that_leaves_it_is_high() -> None:
    assert worst(make_zip([Part(b"a/link", b"../../etc/passwd", mode=0o120777)])) == "high"
    assert "link-outside" not in codes(make_zip([Part(b"a/link", b"../b", mode=0o120777)]))


def test_raw_tensors_of_a_torch_archive_are_not_searched_for_code() -> None:
    made = make_zip([Part(b"m/data.pkl", HARMLESS), Part(b"m/data/0", HARMFUL), Part(b"m/version", b"3\n")])
    assert issues(made) == []
    loose = make_zip([Part(b"m/data/0", HARMFUL), Part(b"m/version", b"3\n")])
    assert worst(loose) == "critical"


def test_torchscript_that_writes_files_is_high_and_other_scripts_pass() -> None:
    def script(body: bytes) -> bytes:
        return make_zip([Part(b"m/data.pkl", HARMLESS), Part(b"m/code/__torch__.py", body)])

    assert worst(script(b"def forward(self, x: Tensor) -> Tensor:\n  return torch.relu(x)\n")) in {"", "low"}
    assert worst(script(b"def forward(self, x: Tensor) -> Tensor:\n  torch.save(x, '/tmp/a')\n  return x\n")) == "high"


def test_a_bomb_is_said_and_stops_early() -> None:
    bomb = make_zip([Part(b"a.bin", bytes(24 << 20), method=8)])
    budget = Budget()
    found = issues(make_zip([Part(b"b.zip", bomb, method=8)]), budget=budget)
    assert {one.issue.code for one in found} & {"bomb", "not-analysed"}
    assert budget.unpacked_bytes > (2 << 30) - (200 << 20)


def test_a_large_array_of_zeros_is_read_by_its_header_and_is_no_bomb() -> None:
    made = io.BytesIO()
    np.savez_compressed(made, a=np.zeros(3_000_000), b=np.arange(5))
    budget = Budget()
    assert issues(made.getvalue(), budget=budget) == []
    assert budget.unpacked_bytes > (2 << 30) - (1 << 20)


def test_a_member_that_lies_about_its_size_costs_no_time() -> None:
    lying = bytearray(make_zip([Part(b"a.json", b"[1, 2]" * 9, method=8)]))
    for mark, offset in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        at = lying.index(mark) + offset
        lying[at : at + 4] = b"\xf0\xff\xff\xff"
    clock = time.process_time()
    issues(bytes(lying))
    assert time.process_time() - clock < 1


def test_many_members_are_cut_off_by_the_budget() -> None:
    made = make_zip([Part(b"%d" % i, b"x") for i in range(300)])
    assert "not-analysed" in codes(made, budget=Budget(members=100))


def test_nested_zips_end_at_the_depth_budget() -> None:
    made = make_zip([EVIL])
    for _ in range(12):
        made = make_zip([Part(b"z.zip", made)])
    assert codes(made) == {"not-analysed"}


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_a_damaged_zip_is_never_an_exception(data: st.DataObject) -> None:
    made = bytearray(make_zip([TEXT, EVIL, Part(b"b.txt", b"y" * 50, method=8)], comment=b"c"))
    for _ in range(data.draw(st.integers(1, 6))):
        made[data.draw(st.integers(0, len(made) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(made[: data.draw(st.integers(0, len(made)))])
    with suppress(OverBudgetError):
        list(parts_of(zip_archive.members(MemoryBlob("z", cut), Budget(unpacked_bytes=1 << 20))))
