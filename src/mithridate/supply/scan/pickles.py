"""Pickles in a row, as loaders read them: one after another until the end, raw numbers between them skipped.

`torch.save` of old wrote five and then the storages; `joblib.dump` puts arrays into the stream; a log or a cache
appends one pickle a record. Each is scanned, and what is left over at the end is looked at like any other bytes.
"""

from __future__ import annotations

from collections.abc import Iterator

from mithridate.core.findings import Severity
from mithridate.supply.scan.blob import Blob
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.issue import Issue
from mithridate.supply.scan.openers.member import Member
from mithridate.supply.scan.openers.torch_legacy import MAGIC_PICKLE, N_PICKLES, is_storages
from mithridate.supply.scan.pickle import looks_like_pickle, scan_pickle
from mithridate.supply.scan.slices import SliceBlob

_COUNTED = {b"B": 4, b"X": 4, b"T": 4, b"\x8d": 8, b"\x8e": 8, b"\x96": 8}  # opcode: bytes of the length behind it

_SECTOR = 512
_BY_CHANCE = {"pickle-extension"}  # one byte that begins a map of MessagePack too, and fails where nobody registered it


def sniff(head: bytes, blob: Blob) -> bool:
    """Whether the bytes start as a pickle.

    A word that starts with `P`, a zip among them, would ask for a persistent id first, which plain loaders refuse; a
    pickle that does so and goes on is found by `against_all_looks`.
    """
    return not head.startswith(b"P") and not _runs_past(head, blob.size) and looks_like_pickle(head)


def _runs_past(head: bytes, size: int) -> bool:
    """The first opcode is a constant longer than the file, as `BM` of a bitmap would be: an unpickler stops there."""
    width = _COUNTED.get(head[:1], 0)
    return width > 0 and int.from_bytes(head[1 : 1 + width], "little") > size - 1 - width


def against_all_looks(blob: Blob, budget: Budget) -> tuple[Issue, ...] | None:
    """The issues of bytes that look like no pickle and are one: grave ones, or a pickle to the last byte; else None.

    The look is at the first bytes only, and a long constant can fill them; an unpickler takes what it gets.
    """
    if blob.read(0, 4) == b"PK\3\4":
        return None
    found = scan_pickle(blob, budget)
    grave = any(issue.severity >= Severity.HIGH and issue.code not in _BY_CHANCE for issue in found.issues)
    return found.issues if grave or (found.complete and found.end == blob.size) else None


def members(blob: Blob, budget: Budget) -> Iterator[Issue | Member]:
    """The issues of every pickle in the row, and what follows the last one."""
    start, n_pickles, torch = 0, 0, False
    while start < blob.size:
        torch |= MAGIC_PICKLE in blob.read(start, 32)
        if n_pickles >= N_PICKLES and torch and is_storages(blob, start):
            return
        if n_pickles and not looks_like_pickle(blob.read(start, 4096)):
            yield from _rest(blob, start)
            return
        budget.spend(members=1)
        found = scan_pickle(blob, budget, start=start)
        yield from found.issues
        yield from map(Member, found.nested)
        if not found.complete or found.end <= start:
            return
        start, n_pickles = _behind_padding(blob, found.end), n_pickles + 1


def _behind_padding(blob: Blob, end: int) -> int:
    """Where the next pickle begins: `dbm.dumb`, under `shelve`, fills each value up to 512 bytes with zeros."""
    padded = -(-end // _SECTOR) * _SECTOR
    is_padded = end < padded < blob.size and not any(blob.read(end, padded - end))
    return padded if is_padded and looks_like_pickle(blob.read(padded, 4096)) else end


def _rest(blob: Blob, start: int) -> Iterator[Issue | Member]:
    if any(blob.read(start, 1 << 16)):
        left = blob.size - start
        yield Issue("trailing-data", Severity.LOW, f"{left:,} bytes follow the last pickle", place=f"offset {start}")
        yield Member(SliceBlob(f"{blob.name}!trailing", blob, start, left))
