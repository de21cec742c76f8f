"""Films and pictures made of boxes (MP4, QuickTime, HEIF, AVIF, JPEG 2000, JPEG XL): what lies behind the last box.

References
----------
ISO/IEC 14496-12, box structure: a length of 4 bytes (1: 8 more bytes say it, 0: up to the end), four letters, content.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mithridate.supply.scan.blob import Blob
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.formats.behind import behind
from mithridate.supply.scan.issue import Issue
from mithridate.supply.scan.openers.member import Member

_FIRST = (b"ftyp", b"jP  ", b"JXL ", b"moov", b"wide")
_KIND = re.compile(rb"[A-Za-z0-9 \xa9_-]{4}")
_MOST = 100_000
_SHORT, _LONG = 8, 16


def sniff(head: bytes, _blob: Blob) -> bool:
    """The first box is one of those that begin such files."""
    return head[4:8] in _FIRST and 0 < int.from_bytes(head[:4], "big") < 1 << 16


def analyse(blob: Blob, budget: Budget) -> Iterator[Issue | Member]:
    """Box after box; where no box can be, what lies there is looked at."""
    at = 0
    for _ in range(_MOST):
        budget.spend()
        head = blob.read(at, _LONG)
        length = int.from_bytes(head[:4], "big")
        least = _SHORT
        if length == 1:
            length, least = int.from_bytes(head[8:16], "big"), _LONG
        if len(head) >= _SHORT and length == 0 and _KIND.fullmatch(head[4:8]):
            return
        if length < least or length > blob.size - at or not _KIND.fullmatch(head[4:8]):
            yield from behind(blob, at, "film or picture")
            return
        at += length
