"""What lies behind the end of a picture or a document, where viewers stop reading and loaders of other kinds don't.

Phones, scanners and editors leave bytes there too (a second picture, a film, padding), so only what something would
run or unpack is told; the rest is looked at in its turn where it is of a known kind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mithridate.core.findings import Severity
from mithridate.supply.scan.blob import Blob
from mithridate.supply.scan.issue import Issue
from mithridate.supply.scan.openers.member import Member
from mithridate.supply.scan.ordinary import is_native
from mithridate.supply.scan.pickle import looks_like_pickle
from mithridate.supply.scan.slices import SliceBlob

_SCRIPT = re.compile(rb"#!|<\?php\b|<script\b|<%|@echo off|powershell\b|import os\b", re.IGNORECASE)
_PACKED = re.compile(rb"PK\x03\x04|7z\xbc\xaf|Rar!|\x1f\x8b\x08|BZh[1-9]|\xfd7zXZ\0|\x93NUMPY|\x28\xb5\x2f\xfd")
_IN_TEXT = re.compile(rb"<\?php\b|<script\b|<%@", re.IGNORECASE)
_PADDING = b"\0\r\n\t \xff"
_LEAST = 4
_LONGEST = 1 << 20
_REMEDY = "Cut the file off at its end, or write it again from its content, before you keep it."


def behind(blob: Blob, end: int, what: str) -> Iterator[Issue | Member]:
    """The issues of what follows byte `end` of a file whose format ends there, and parts to look at in their turn.

    Parameters
    ----------
    what : the format, for the sentence: `PNG`.
    """
    rest = blob.size - end
    if rest < _LEAST:
        return
    padded = blob.read(end, 4096)
    start = end + len(padded) - len(padded.lstrip(_PADDING))
    head = padded.lstrip(_PADDING)
    if len(head) < _LEAST:
        return
    if is_native(head) or _SCRIPT.match(head):
        kind = "native code" if is_native(head) else "a script"
        claim = f"{kind} of {blob.size - start:,} bytes lies behind the end of the {what}, where no viewer looks"
        yield Issue("hidden-behind", Severity.HIGH, claim, f"byte {start:,}", remedy=_REMEDY)
    elif (film := padded.find(b"ftyp", 4, 64) - 4) >= 0:  # a phone's, which may have something behind it in its turn
        yield Member(SliceBlob(f"{blob.name}!behind", blob, end + film, rest - film), "file")
    elif looks_like_pickle(head) or _PACKED.match(head):
        claim = f"{rest:,} bytes lie behind the end of the {what}, and a loader of another kind would read them"
        yield Issue("hidden-behind", Severity.HIGH, claim, f"byte {start:,}", remedy=_REMEDY)
        yield Member(SliceBlob(f"{blob.name}!behind", blob, start, blob.size - start), "file")


def in_text(raw: bytes, place: str) -> Iterator[Issue]:
    """A script in a comment or a property: a server or a page that shows it would run it."""
    if match := _IN_TEXT.search(raw[:_LONGEST]):
        script = raw[match.start() : match.start() + 60].decode("latin-1")
        claim = f"a script stands in its {place}: {script!r}"
        yield Issue("script-in-property", Severity.HIGH, claim, place, remedy=_REMEDY)
