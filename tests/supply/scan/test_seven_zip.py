"""7z archives: what the standard library can unpack is read, the rest is said."""

from __future__ import annotations

import lzma
import struct
import zlib

import pytest
from archives import HARMFUL, HARMLESS, codes, issues, worst
from hypothesis import given, settings
from hypothesis import strategies as st

from mithridate.supply.scan.budget import Budget

_LZMA2 = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 20}]
_BCJ = [{"id": lzma.FILTER_X86}, *_LZMA2]


def number(value: int) -> bytes:
    """One byte up to 127, else nine."""
    return bytes([value]) if value < 0x80 else b"\xff" + struct.pack("<Q", value)


def folder(kind: str) -> tuple[bytes, int]:
    """The coders of a folder, and how many sizes it has."""
    coders = {
        "copy": b"\1\1\0", "lzma2": b"\1\x21\x21\1\x12", "deflate": b"\1\3\4\1\x08", "ppmd": b"\1\3\3\4\1",
        "aes": b"\2\x04\6\xf1\7\1\x21\x21\1\x12\1\0", "bcj": b"\2\4\3\3\1\3\x21\x21\1\x12\0\1",
    }  # fmt: skip
    return coders[kind], 2 if kind in {"bcj", "aes"} else 1


def pack(kind: str, content: bytes) -> bytes:
    if kind == "lzma2":
        return lzma.compress(content, lzma.FORMAT_RAW, filters=_LZMA2)
    if kind == "bcj":
        return lzma.compress(content, lzma.FORMAT_RAW, filters=_BCJ)
    if kind == "deflate":
        return zlib.compress(content, wbits=-15)
    return content


def make(kind: str, members: dict[str, bytes], *, packed_header: bool = False) -> bytes:
    """A 7z archive with one folder."""
    content = b"".join(members.values())
    body, (coders, n_sizes) = pack(kind, content), folder(kind)
    sizes = [len(part) for part in members.values()]
    unpack = b"\7\x0b\1\0" + coders + b"\x0c" + number(len(content)) * n_sizes + b"\0"
    subs = b"\x08\x0d" + number(len(sizes)) + b"\x09" + b"".join(map(number, sizes[:-1])) + b"\0"
    names = b"\0" + b"".join(name.encode("utf-16-le") + b"\0\0" for name in members)
    files = b"\5" + number(len(members)) + b"\x11" + number(len(names)) + names + b"\0"
    streams = b"\6\0\1\x09" + number(len(body)) + b"\0" + unpack + subs + b"\0"
    header = b"\1\4" + streams + files + b"\0"
    if packed_header:
        squeezed = lzma.compress(header, lzma.FORMAT_RAW, filters=_LZMA2)
        outer = b"\x17\6" + number(len(body)) + b"\1\x09" + number(len(squeezed)) + b"\0"
        outer += b"\7\x0b\1\0" + folder("lzma2")[0] + b"\x0c" + number(len(header)) + b"\0\0"
        body, header = body + squeezed, outer
    start = struct.pack("<QQI", len(body), len(header), zlib.crc32(header))
    return b"7z\xbc\xaf\x27\x1c\0\4" + struct.pack("<I", zlib.crc32(start)) + start + body + header


MEMBERS = {"readme.txt": b"plain words\n" * 30, "m/a.pkl": HARMFUL, "b.pkl": HARMLESS}


@pytest.mark.parametrize("packed_header", [False, True])
@pytest.mark.parametrize("kind", ["copy", "lzma2", "deflate", "bcj"])
def test_members_are_unpacked_and_read(kind: str, packed_header: bool) -> None:  # noqa: FBT001 - a parameter of pytest
    (found,) = issues(make(kind, MEMBERS, packed_header=packed_header))
    assert (found.name, found.issue.severity.word) == ("f!m/a.pkl", "critical")
    assert issues(make(kind, {"a.txt": b"words\n"}, packed_header=packed_header)) == []


@pytest.mark.parametrize("kind", ["ppmd", "aes"])
def test_packings_that_are_not_unpacked_are_not_analysed(kind: str) -> None:
    assert codes(make(kind, MEMBERS)) == {"not-analysed"}


def test_names_that_leave_the_folder_are_high() -> None:
    assert worst(make("copy", {"../../a.txt": b"words\n"})) == "high"


def test_a_broken_header_is_not_analysed() -> None:
    assert codes(make("copy", MEMBERS)[:-9]) == {"not-analysed"}


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damaged_archives_are_never_an_exception(data: st.DataObject) -> None:
    made = bytearray(make("lzma2", MEMBERS, packed_header=data.draw(st.booleans())))
    for _ in range(data.draw(st.integers(1, 4))):
        made[data.draw(st.integers(6, len(made) - 1))] = data.draw(st.integers(0, 255))
    issues(bytes(made), budget=Budget(unpacked_bytes=1 << 22))
