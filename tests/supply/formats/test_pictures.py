"""Pictures, sounds and PDF: what hides in their properties and behind their end, and what is ordinary there."""

from __future__ import annotations

import binascii
import struct
import zlib
from collections.abc import Callable

import pytest

from mithridate.core.findings import Severity

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
WHOLE = {"PNG": png(), "JPEG": jpeg(), "GIF": GIF, "RIFF": WAVE, "PDF": PDF}


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
