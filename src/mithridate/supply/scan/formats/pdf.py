"""PDF: actions that run when a document is opened, files in it, and what lies behind its end.

References
----------
ISO 32000-2, 12.6 (actions), 7.3.5 (names in hexadecimal), 7.5.7 (object streams).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator

from mithridate.core.findings import Severity
from mithridate.supply.scan.blob import Blob
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.formats.behind import behind
from mithridate.supply.scan.issue import Issue
from mithridate.supply.scan.openers.member import Member

_LONGEST = 64 << 20
_UNPACKED = 4 << 20  # of one object stream, and of which so many are looked into
_STREAMS = 200
_HEX = re.compile(rb"#([0-9A-Fa-f]{2})")
_NAMED_HEX = re.compile(rb"/[A-Za-z#0-9]{1,60}#[0-9A-Fa-f]{2}[A-Za-z#0-9]{0,60}")
_OBJECTS = re.compile(rb"/ObjStm\b[^>]{0,400}>>\s*stream\r?\n")
_ACTIONS = (
    (re.compile(rb"/S\s*/Launch\b"), Severity.HIGH, "starts a program when it is opened or clicked"),
    (re.compile(rb"/S\s*/JavaScript\b|/JavaScript\s*(?:<<|\d+ \d+ R)"), Severity.MEDIUM, "holds JavaScript"),
    (re.compile(rb"/S\s*/SubmitForm\b[^>]{0,200}(?:https?:|ftp:|\\\\\\\\)"), Severity.MEDIUM, "sends its fields away"),
    (re.compile(rb"/EmbeddedFiles\b[\s\S]{0,400}?\((?:[^()]{0,120})\.(?:exe|dll|scr|js|jse|vbs?|bat|cmd|ps1|jar|hta|lnk|"
                rb"pkl|pickle|so)\)", re.IGNORECASE), Severity.HIGH, "carries a program or a pickle as an attachment"),
    (re.compile(rb"/S\s*/GoTo[RE]\b[^>]{0,200}\\\\\\\\|/S\s*/ImportData\b"), Severity.MEDIUM, "reaches other files"),
)  # fmt: skip
_REMEDY = "Take its text and pictures out, or print it into a new PDF."


def sniff(head: bytes, _blob: Blob) -> bool:
    """`%PDF-` within the first kilobyte, where readers look for it."""
    return b"%PDF-" in head[:1024]


def analyse(blob: Blob, budget: Budget) -> Iterator[Issue | Member]:
    """Actions in plain objects and in object streams; what follows the last `%%EOF`."""
    raw = blob.read(0, _LONGEST)
    budget.spend()
    seen: set[str] = set()
    for part in (raw, *_object_streams(raw, budget)):
        plain = _NAMED_HEX.sub(lambda name: _HEX.sub(_letter, name.group()), part)
        for pattern, severity, what in _ACTIONS:
            if what not in seen and (match := pattern.search(plain)):
                seen.add(what)
                claim = f"the document {what}: {match.group()[:80].decode('latin-1')!r}"
                yield Issue("pdf-action", severity, claim, remedy=_REMEDY)
    at = raw.rfind(b"%%EOF")
    if at >= 0 and blob.size <= _LONGEST:
        yield from behind(blob, at + 5, "PDF")


def _letter(match: re.Match[bytes]) -> bytes:
    return bytes([int(match.group(1), 16)])


def _object_streams(raw: bytes, budget: Budget) -> Iterator[bytes]:
    """The unpacked streams that hold objects, as far as they are looked into."""
    for number, match in enumerate(_OBJECTS.finditer(raw)):
        if number >= _STREAMS:
            return
        try:
            unpacked = zlib.decompressobj().decompress(raw[match.end() : match.end() + _UNPACKED], _UNPACKED)
        except zlib.error:
            continue
        budget.spend(unpacked_bytes=len(unpacked))
        yield unpacked
