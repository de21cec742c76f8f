"""Bytes that no parser of ours claims: inert kinds by their first bytes, text, native code, or unknown."""

from __future__ import annotations

import math
import re
import struct
from typing import Literal

from mithridate.supply.scan.blob import Blob
from mithridate.supply.scan.packed_values import is_packed_values
from mithridate.supply.scan.shaped import is_shaped

Kind = Literal["inert", "text", "script", "native", "packed", "unknown"]

_INERT: tuple[tuple[int, bytes], ...] = (
    (0, b"\x89PNG\r\n\x1a\n"), (0, b"\xff\xd8\xff"), (0, b"GIF87a"), (0, b"GIF89a"), (0, b"II*\0"),
    (0, b"MM\0*"), (0, b"\0\0\1\0"), (8, b"WEBP"), (8, b"WAVE"), (8, b"AVI "), (0, b"OggS"), (0, b"fLaC"), (0, b"ID3"),
    (0, b"\xff\xfb"), (0, b"\xff\xf3"), (4, b"ftyp"), (0, b"\x1aE\xdf\xa3"), (0, b"%PDF-"), (0, b"SQLite format 3\0"),
    (0, b"wOFF"), (0, b"wOF2"), (0, b"OTTO"), (0, b"\0\1\0\0\0"), (0, b"\xff\x0a"), (0, b"\0\0\0\x0cJXL "),
    (0, b"\0\0\0\x0cjP  "), (0, b"qoif"), (0, b"II+\0\x08\0"), (0, b"MM\0+\0\x08"), (0, b"icns"), (0, b"\x01\xda"),
    (0, b"DanM"), (0, b"LinS"), (0, b"bplist00"), (0, b"We love Marisa."), (0, b":W&B\xe1\xbe"),
    (0, b"\xde\xc0\xef\xbe"), (16, b"\xde\xc0\xef\xbe\1\0\0\0"),
    (0, b"PIEH"), (2, b"b2frame\0"), (0, b"DDS \x7c\0\0\0"), (0, b"\x0a\x05\x01\x08"),
    (0, b"FORM"), (0, b"MThd"), (0, b"#?RADIANCE"), (0, b"v/1\1"),
    (0, b"\xf7\x02"), (0, b"DICM"), (128, b"DICM"), (0, b"\x5c\1\0\0"), (0, b"SIMPLE  ="), (0, b"CDF\1"), (0, b"CDF\2"),
    (0, b"<stata_dta>"), (0, b"\x71\1\1\0"), (0, b"\x71\2\1\0"), (0, b"\x72\1\1\0"), (0, b"\x72\2\1\0"),
    (0, b"\x73\1\1\0"), (0, b"\x73\2\1\0"), (0, b"$FL2@(#)"), (0, b"$FL3@(#)"),
    (0, b"______LightGBM_Binary_File_Token______\n"),
    (0, b"\xba\x16\x4f\x2f"), (0, b"IxF2"), (0, b"IxFI"), (0, b"IwFl"), (0, b"IwPQ"), (0, b"IHNf"), (0, b"binf"),
    (0, b"\x01\xab\xff\xffversion:"),
    (0, b"NIFTI"), (344, b"n+1\0"), (344, b"ni1\0"), (0, b"DIRC"), (0, b"\0\0\0\1Bud1"), (0, b"\xfftOc"), (0, b"PACK"),
)  # fmt: skip
_NATIVE: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x7fELF", "an ELF program or library"),
    (0, b"MZ", "a Windows program or library"),
    (0, b"\xfe\xed\xfa\xce", "a Mach-O program or library"),
    (0, b"\xfe\xed\xfa\xcf", "a Mach-O program or library"),
    (0, b"\xce\xfa\xed\xfe", "a Mach-O program or library"),
    (0, b"\xcf\xfa\xed\xfe", "a Mach-O program or library"),
    (0, b"\xca\xfe\xba\xbe", "a Java class or a Mach-O program"),
    (0, b"\0asm", "a WebAssembly module"),
    (0, b"dex\n", "an Android program"),
    (0, b"\xed\xab\xee\xdb", "an RPM package, whose scripts run when it is installed"),
    (0, b"!<arch>\n", "an archive of native code"),
    (0, b"BC\xc0\xde", "LLVM bitcode"),
    (0, b"L\0\0\0\1\x14\x02\0", "a Windows shortcut"),
)
_PACKED: tuple[tuple[int, bytes, str], ...] = (
    (0, b"Rar!\x1a\x07", "RAR"), (0, b"\x28\xb5\x2f\xfd", "Zstandard"),
    (0, b"\x04\x22\x4d\x18", "LZ4"), (0, b"\x1f\x9d", "compress"), (0, b"\x1f\xa0", "compress"), (0, b"LZIP", "lzip"),
    (0, b"MSCF", "cabinet"), (0, b"\xff\x06\0\0sNaPpY", "Snappy"),
    (0, b"070701", "cpio"), (0, b"070707", "cpio"), (0, b"hsqs", "SquashFS"),
)  # fmt: skip
_TEXT_CONTROLS = bytes(set(range(32)) - {7, 8, 9, 10, 11, 12, 13, 27}) + b"\x7f"
_WHOLE = 4 << 20
_IDX_BYTES = {b"\x08": 1, b"\x09": 1, b"\x0b": 2, b"\x0c": 4, b"\x0d": 4, b"\x0e": 8}
_NETPBM = re.compile(rb"P[1-7](?:\s+(?:#[^\n]{0,200}\n)?\s*\d{1,9}){2}|P7\nWIDTH |P[Ff]\n")
_TARGA = re.compile(rb"[\s\S][\0\1][\1\2\3\x09\x0a\x0b]")
_WORD2VEC = re.compile(rb"(\d{1,9}) (\d{1,5})\n")


def kind_of(head: bytes, blob: Blob) -> tuple[Kind, str]:
    """What these bytes are to a loader, with a name for what isn't inert."""
    native, packed = _called(_NATIVE, head), _called(_PACKED, head)
    if native or packed:
        return ("native", native) if native else ("packed", packed)
    if not blob.size or any(head.startswith(magic, at) for at, magic in _INERT) or _is_shaped(blob, head):
        return "inert", ""
    if is_text(blob):
        return ("script", "a script") if head.startswith(b"#!") else ("text", "")
    return "unknown", ""


def is_native(head: bytes) -> bool:
    """Whether the first bytes are those of a program or of a library."""
    return bool(_called(_NATIVE, head)) and (not head.startswith(b"MZ") or b"PE\0\0" in head or head[2:6] == b"qFpD")


def _called(table: tuple[tuple[int, bytes, str], ...], head: bytes) -> str:
    return next((name for at, magic, name in table if head.startswith(magic, at)), "")


def _is_shaped(blob: Blob, head: bytes) -> bool:
    """Kinds without a magic number that nothing else has: pixels, records, word vectors."""
    return (
        _is_boxed(blob, head)
        or _NETPBM.match(head) is not None
        or (_TARGA.match(head) is not None and blob.read(max(0, blob.size - 18), 18) == b"TRUEVISION-XFILE.\0")
        or _is_records(blob, head)
        or _is_word_vectors(blob, head)
        or _is_idx(blob, head)
        or is_packed_values(blob)
        or is_shaped(blob, head)
    )


def _is_idx(blob: Blob, head: bytes) -> bool:
    """IDX, as MNIST has it: a type, a number of dimensions, their extents, and as many values as these say."""
    width = _IDX_BYTES.get(head[2:3], 0) if head[:2] == b"\0\0" and head[3:4] else 0
    if not width or not 1 <= head[3] <= 8 or len(head) < 4 + 4 * head[3]:  # noqa: PLR2004 - dimensions, and theirs
        return False
    extents = struct.unpack(f">{head[3]}I", head[4 : 4 + 4 * head[3]])
    return bool(blob.size == 4 + 4 * head[3] + width * math.prod(extents))


def _is_records(blob: Blob, head: bytes) -> bool:
    """TFRecord, which TensorBoard's events are too: a length and its checksum, the record and its checksum."""
    length = int.from_bytes(head[:8], "little")
    return 0 < length <= blob.size - 16 and int.from_bytes(head[8:12], "little") == _masked_crc(head[:8])


def _masked_crc(raw: bytes) -> int:
    """CRC-32C as TFRecord masks it (tensorflow/core/lib/hash/crc32c.h)."""
    crc = 0xFFFFFFFF
    for byte in raw:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _is_word_vectors(blob: Blob, head: bytes) -> bool:
    """word2vec's binary form: two counts, then for each word the word, a blank and float32 values."""
    match = _WORD2VEC.match(head)
    if match is None:
        return False
    count, width = int(match.group(1)), int(match.group(2))
    first = head[match.end() : match.end() + 100].partition(b" ")
    least = count * (4 * width + 2)
    return bool(first[1]) and first[0].strip() != b"" and least <= blob.size - match.end() <= least + 200 * count


def _is_boxed(blob: Blob, head: bytes) -> bool:
    """RIFF and BMP say their own length, near the beginning."""
    said = int.from_bytes(head[4:8] if head.startswith(b"RIFF") else head[2:6], "little")
    return (head.startswith(b"RIFF") and said <= blob.size) or (head.startswith(b"BM") and said == blob.size)


def is_text(blob: Blob) -> bool:
    """Whether these are letters in UTF-8, UTF-16 or UTF-32 with their mark, or Latin-1 without control characters.

    Up to 4 MiB are read whole; of more, 64 places besides the two ends.
    """
    head = blob.read(0, 4)
    if head.startswith((b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")):
        return _wide(blob)
    step = max(_WHOLE, blob.size // 64)
    places = range(0, blob.size, step)
    parts = [blob.read(at, min(_WHOLE, step) if blob.size <= _WHOLE else 1 << 16) for at in places]
    parts.append(blob.read(max(0, blob.size - (1 << 16)), 1 << 16))
    return all(len(part) == len(part.translate(None, _TEXT_CONTROLS)) for part in parts)


def _wide(blob: Blob) -> bool:
    part = blob.read(0, 1 << 16)
    encoding = "utf-32" if part[:4] in {b"\xff\xfe\0\0", b"\0\0\xfe\xff"} else "utf-16"
    try:
        text = part[: len(part) // 4 * 4].decode(encoding, "strict")
    except UnicodeDecodeError as error:
        if error.end < len(part) // 4 * 4 - 4:
            return False
        text = part[: error.start].decode(encoding, "replace")
    return sum(not (char.isprintable() or char in "\r\n\t") for char in text) * 100 <= len(text)
