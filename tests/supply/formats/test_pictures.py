"""Pictures, sounds and PDF: what hides in their properties and behind their end, and what is ordinary there."""

from __future__ import annotations

import binascii
import struct
import zlib
from collections.abc import Callable

import pytest

from mithridate.core.findings import Severity
from mithridate.supply.scan.blob import MemoryBlob
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.dispatch import Located, analyse

PICKLE = b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00echo\x85R."
ELF = b"\x7fELF\x02\x01\x01" + bytes(60)
TAILS = (PICKLE, ELF, b"PK\x03\x04" + bytes(40), b"7z\xbc\xaf\x27\x1c" + bytes(40), b"#!/bin/sh\nid\n", b"<?php x ?>")
QUIET = (b"", b"\n", bytes(64), b"\xff\xd8\xff\xe0" + bytes(30), b"\0\0\0\x18ftypmp42" + bytes(30))


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    parts = ((b"IHDR", bytes(13)), *chunks, (b"IDAT", zlib.compress(b"\0\0")), (b"IEND", b""))
    framed = (
        struct.pack(">I", len(raw)) + kind + raw + struct.pack(">I", binascii.crc32(kind + raw)) for kind, raw in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


def jpeg(comment: bytes = b"hello") -> bytes:
    segment = b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment
    return b"\xff\xd8" + segment + b"\xff\xda\x00\x03\x01" + b"pixels\xff\x00\xff\xd3more" + b"\xff\xd9"


GIF = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0, 0, 0) + b"!\xfe\x05hello\0" + b"," + bytes(9) + b"\x02\x02D\x01\0;"
WAVE = b"RIFF" + struct.pack("<I", 12) + b"WAVEdata" + bytes(4)
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<<>>\n%%EOF\n"
BMP = b"BM" + struct.pack("<IIIIiiHHIIIIII", 58, 0, 54, 40, 1, 1, 1, 24, 0, 4, 0, 0, 0, 0) + bytes(4)
FILM = struct.pack(">I4s8sI4s", 16, b"ftyp", b"mp42" + bytes(4), 12, b"mdat") + b"film"
ICONS = struct.pack(">4sI4sI", b"icns", 20, b"ic07", 12) + b"icon"


def tiff(*, big: bool = False, order: str = "<") -> bytes:
    """One strip of four bytes behind the directory."""
    count, offset, head = ("Q", "Q", 16) if big else ("H", "I", 8)
    entry = struct.calcsize(f"={offset}{offset}") + 4
    strip = head + struct.calcsize(f"={count}{offset}") + 2 * entry
    start = b"II" if order == "<" else b"MM"
    mark = struct.pack(f"{order}HHHQ", 43, 8, 0, head) if big else struct.pack(f"{order}HI", 42, head)
    tags = b"".join(
        struct.pack(f"{order}HH{offset}", tag, 16 if big else 4, 1) + struct.pack(f"{order}{offset}", value)
        for tag, value in ((273, strip), (279, 4))
    )
    return start + mark + struct.pack(f"{order}{count}", 2) + tags + bytes(8 if big else 4) + b"grey"


WHOLE = {
    "PNG": png(), "JPEG": jpeg(), "GIF": GIF, "RIFF": WAVE, "PDF": PDF, "BMP": BMP, "film": FILM, "icons": ICONS,
    "TIFF": tiff(), "TIFF, big end first": tiff(order=">"), "BigTIFF": tiff(big=True),
}  # fmt: skip


@pytest.mark.parametrize("kind", WHOLE)
@pytest.mark.parametrize("tail", TAILS)
def test_what_a_loader_would_run_behind_the_end_is_grave(kind: str, tail: bytes, worst: Callable[[bytes], int]) -> None:
    assert worst(WHOLE[kind] + tail) >= Severity.HIGH


@pytest.mark.parametrize("kind", WHOLE)
@pytest.mark.parametrize("tail", QUIET)
def test_padding_and_a_second_picture_behind_the_end_are_ordinary(
    kind: str, tail: bytes, worst: Callable[[bytes], int]
) -> None:
    assert worst(WHOLE[kind] + tail) <= Severity.LOW


def test_a_film_behind_a_photograph_is_looked_through_to_its_end(worst: Callable[[bytes], int]) -> None:
    assert worst(jpeg() + FILM) == 0
    found = analyse(MemoryBlob("a.jpg", jpeg() + FILM + PICKLE), Budget())
    assert max(one.issue.severity for one in found if isinstance(one, Located)) >= Severity.HIGH


def test_a_directory_of_tiff_that_leads_nowhere_or_in_a_circle_ends(worst: Callable[[bytes], int]) -> None:
    circle = tiff()[:34] + struct.pack("<I", 8) + b"grey"
    for broken in (circle, tiff()[:20], b"II*\0\xff\xff\xff\xff", b"II*\0\x08\0\0\0\xff\xff" + bytes(60)):
        assert worst(broken) <= Severity.LOW


def test_a_script_in_a_property_is_grave_and_a_prompt_is_not(worst: Callable[[bytes], int]) -> None:
    packed = b"Comment\0\0" + zlib.compress(b"<script>x</script>")
    for hidden in (
        png((b"tEXt", b"c\0<?php x ?>")),
        png((b"zTXt", packed)),
        jpeg(b"<?php x ?>"),
        png((b"prIv", PICKLE)),
    ):
        assert worst(hidden) >= Severity.HIGH
    for plain in (b"parameters\0a cat, <lora:x:1>, steps: 20", b"Software\0matplotlib, https://matplotlib.org/"):
        assert worst(png((b"tEXt", plain))) <= Severity.LOW


@pytest.mark.parametrize(
    ("entry", "least"),
    [
        (b"/OpenAction<</S/JavaScript/JS(x)>>", Severity.MEDIUM),
        (b"/OpenAction<</S/J#61vaScript/JS(x)>>", Severity.MEDIUM),
        (b"/OpenAction<</S/Launch/F(x.exe)>>", Severity.HIGH),
        (b"/Names<</EmbeddedFiles<</Names[(a.exe)<</EF<</F 9 0 R>>>>]>>>>", Severity.HIGH),
    ],
)
def test_actions_of_a_document_are_told_also_from_packed_objects(
    entry: bytes, least: Severity, worst: Callable[[bytes], int]
) -> None:
    assert worst(PDF.replace(b"/Catalog", b"/Catalog" + entry)) >= least
    packed = (
        b"2 0 obj<</Type/ObjStm/Filter/FlateDecode>>stream\n" + zlib.compress(b"<<" + entry + b">>") + b"\nendstream"
    )
    assert worst(PDF.replace(b"trailer", packed + b"\ntrailer")) >= least


def test_links_and_a_second_revision_of_a_document_are_ordinary(worst: Callable[[bytes], int]) -> None:
    link = b"/Annots[<</A<</S/URI/URI(https://a.example)>>>>]"
    assert worst(PDF.replace(b"/Catalog", b"/Catalog" + link) + b"5 0 obj<<>>endobj\n%%EOF\r\n") <= Severity.LOW
