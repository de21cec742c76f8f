"""Archives built byte by byte, so that every header can lie; and harmful pickles that no test ever loads."""

from __future__ import annotations

import io
import struct
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from mithridate.supply.scan.blob import Blob, MemoryBlob
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.dispatch import Located, analyse
from mithridate.supply.scan.issue import Issue
from mithridate.supply.scan.openers.member import Member

HARMFUL = b"cos\nsystem\n(S'echo never'\ntR."  # a pickle of protocol 0 that would call os.system
HARMLESS = b"\x80\x02]q\x00(K\x01K\x02e."


@dataclass(frozen=True)
class Part:
    """A member and what its headers say; what isn't given is told truly."""

    name: bytes
    content: bytes
    method: int = 0
    local_name: bytes | None = None
    flags: int = 0
    local_flags: int | None = None
    crc: int | None = None
    local_crc: int | None = None
    mode: int = 0
    listed: bool = True
    at: int | None = None
    packed: bytes | None = None


def packed(part: Part) -> bytes:
    """The member's bytes as they stand in the archive."""
    if part.packed is not None:
        return part.packed
    if part.method == 8:
        made = zlib.compressobj(9, zlib.DEFLATED, -15)
        return made.compress(part.content) + made.flush()
    return part.content


def make_zip(
    parts: Iterable[Part], *, before: bytes = b"", after: bytes = b"", comment: bytes = b"", shifted: bool = True
) -> bytes:
    """A zip of the parts; `shifted`: the offsets count what stands before it."""
    out, lines = bytearray(before), []
    base = 0 if shifted else len(before)
    for part in parts:
        body = packed(part)
        crc = zlib.crc32(part.content) if part.crc is None else part.crc
        header = len(out) - base if part.at is None else part.at
        local_crc = crc if part.local_crc is None else part.local_crc
        local_flags = part.flags if part.local_flags is None else part.local_flags
        name = part.name if part.local_name is None else part.local_name
        sizes = (len(body), len(part.content))
        if part.at is None:
            out += struct.pack(
                "<4s5H3L2H", b"PK\3\4", 20, local_flags, part.method, 0, 33, local_crc, *sizes, len(name), 0
            )
            out += name + body
        if part.listed:
            fixed = struct.pack(
                "<4s6H3L5H2L", b"PK\1\2", 0x314, 20, part.flags, part.method, 0, 33, crc, *sizes, len(part.name), 0, 0,
                0, 0, part.mode << 16, header,
            )  # fmt: skip
            lines.append(fixed + part.name)
    start, body = len(out) - base, b"".join(lines)
    out += body
    out += struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, len(lines), len(lines), len(body), start, len(comment))
    return bytes(out) + comment + after


def make_tar(*members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar of the members, names as they are given."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=form) as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return made.getvalue()


def info(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    """A tar header."""
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, link
    return made


def parts_of(found: Iterable[Issue | Member]) -> Iterator[tuple[str, bytes]]:
    """Every member's name and content, read while it is held."""
    for one in found:
        if isinstance(one, Member):
            yield one.blob.name, one.blob.read(0, one.blob.size)


def issues(content: bytes | Blob, name: str = "f", budget: Budget | None = None) -> list[Located]:
    """Every issue of some bytes."""
    blob = MemoryBlob(name, content) if isinstance(content, bytes) else content
    return [one for one in analyse(blob, budget or Budget()) if isinstance(one, Located)]


def codes(content: bytes | Blob, budget: Budget | None = None) -> set[str]:
    """The codes of every issue of some bytes."""
    return {one.issue.code for one in issues(content, budget=budget)}


def worst(content: bytes | Blob, budget: Budget | None = None) -> str:
    """The highest severity; empty for none."""
    found = [one.issue.severity for one in issues(content, budget=budget)]
    return max(found).word if found else ""


def lying(part: Part, **lies: object) -> Part:
    """The part with other words in its headers."""
    return replace(part, **lies)  # type: ignore[arg-type]
