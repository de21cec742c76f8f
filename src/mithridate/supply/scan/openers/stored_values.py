"""Pickles that lie as values in a database file: SQLite, LMDB, Avro. Who stored them unpickles them.

Pages cut a long value in pieces, so that a stream may break off; what it has called until then is told, and only that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mithridate.supply.scan.blob import Blob
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.openers.member import Member
from mithridate.supply.scan.pickle import looks_like_pickle
from mithridate.supply.scan.slices import SliceBlob

_STORES = ((0, b"SQLite format 3\0"), (16, b"\xde\xc0\xef\xbe\1\0\0\0"), (0, b"Obj\x01"))
_PROTOCOL = re.compile(rb"\x80[\x02-\x05][\x80-\xff(){}\[\]cX\x8c\x95]")
_BLOCK, _OVERLAP = 8 << 20, 16
_LONGEST = 1 << 20  # bytes of one value
_MOST = 2000


def holds_values(head: bytes) -> bool:
    """Whether the first bytes are those of such a file."""
    return any(head.startswith(magic, at) for at, magic in _STORES)


def members(blob: Blob, budget: Budget) -> Iterator[Member]:
    """Each place where a pickle says its protocol, as the stream that begins there."""
    count = 0
    for start in range(0, blob.size, _BLOCK):
        budget.spend()
        block = blob.read(start, _BLOCK + _OVERLAP)
        for match in _PROTOCOL.finditer(block):
            at = start + match.start()
            if match.start() >= _BLOCK or not looks_like_pickle(blob.read(at, 4096)):
                continue
            budget.spend(members=1)
            length = min(_LONGEST, blob.size - at)
            yield Member(SliceBlob(f"{blob.name}!value at {at}", blob, at, length), "pickle")
            count += 1
            if count >= _MOST:
                return
