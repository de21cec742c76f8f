"""NumPy's `.npy`: a header of text, then raw numbers; or, for objects, a pickle that `numpy.load` runs.

References
----------
numpy.lib.format, versions 1.0 to 3.0.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mithridate.core.findings import Severity
from mithridate.supply.scan.blob import Blob
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.issue import Issue
from mithridate.supply.scan.openers.member import Member
from mithridate.supply.scan.slices import SliceBlob

MAGIC = b"\x93NUMPY"
LONGEST_HEADER = 1 << 16
_DEEPEST = 8
_LONG = re.compile(r"(?<=[(, ])(\d+)L\b")  # Python 2 wrote its long numbers so
_MOST_FIELDS = 10_000


@dataclass(frozen=True, slots=True)
class _Header:
    """Where the data starts, whether it is a pickle, and its bytes; -1 where the header doesn't say."""

    data: int
    objects: bool
    size: int


class _OddHeaderError(ValueError):
    """The header is none that NumPy writes."""


def sniff(head: bytes, blob: Blob) -> bool:
    """Whether this is an array that `numpy.save` wrote."""
    del blob
    return head.startswith(MAGIC)


def members(blob: Blob, budget: Budget) -> Iterator[Issue | Member]:
    """The pickles of object arrays; numbers pass. Arrays may stand in a row, where a file was saved to repeatedly."""
    offset = 0
    while offset < blob.size and blob.read(offset, len(MAGIC)) == MAGIC:
        budget.spend(members=1)
        try:
            header = _header(blob, offset)
        except _OddHeaderError as error:
            yield Issue(
                "broken-header", Severity.MEDIUM, f"its NumPy header can't be read: {error}", f"offset {offset}"
            )
            yield Member(SliceBlob(blob.name, blob, offset + 8, blob.size), "pickle")
            return
        if header.objects or header.size < 0:
            yield Member(SliceBlob(blob.name, blob, header.data, blob.size - header.data), "pickle")
            return
        offset = header.data + header.size
        if offset > blob.size:
            yield Issue(
                "broken-header", Severity.LOW, f"the array is cut off, {offset - blob.size:,} bytes are missing"
            )
            return
    if offset < blob.size:
        rest = SliceBlob(f"{blob.name}!trailing", blob, offset, blob.size - offset)
        yield Issue("trailing-data", Severity.LOW, f"{rest.size:,} bytes follow the array", place=f"offset {offset}")
        yield Member(rest)


def _header(blob: Blob, offset: int) -> _Header:
    start = blob.read(offset, 12)
    major = start[6] if len(start) > 6 else 0  # noqa: PLR2004 - the version stands after the magic
    if major not in {1, 2, 3}:
        raise _OddHeaderError(f"version {major}")
    width = 2 if major == 1 else 4
    length = int.from_bytes(start[8 : 8 + width], "little")
    if length > LONGEST_HEADER:
        raise _OddHeaderError(f"it says that it has {length:,} bytes")
    raw = blob.read(offset + 8 + width, length)
    try:
        text = raw.decode("utf-8" if major == 3 else "latin1").strip()  # noqa: PLR2004 - version 3
        said = ast.literal_eval(_LONG.sub(r"\1", text))
        descr, shape = said["descr"], said["shape"]
        size, objects = _itemsize(descr, 0)
        count = math.prod(int(side) for side in shape)
    except _OddHeaderError:
        raise
    except (ValueError, SyntaxError, TypeError, KeyError, RecursionError, MemoryError) as error:
        raise _OddHeaderError(f"{type(error).__name__}: {error}"[:200]) from error
    if count < 0:
        raise _OddHeaderError("a side of its shape is negative")
    return _Header(offset + 8 + width + length, objects, size * count if size >= 0 else -1)


def _itemsize(descr: Any, depth: int) -> tuple[int, bool]:
    """Bytes of one item, and whether there are objects in it."""
    if depth > _DEEPEST:
        raise _OddHeaderError("its type is nested too deep")
    if isinstance(descr, str):
        return _simple(descr)
    if isinstance(descr, tuple) and len(descr) == 2:  # noqa: PLR2004 - a type and its shape
        size, objects = _itemsize(descr[0], depth + 1)
        sides = descr[1] if isinstance(descr[1], tuple) else (descr[1],)
        return size * math.prod(int(side) for side in sides), objects
    if not isinstance(descr, list) or len(descr) > _MOST_FIELDS:
        raise _OddHeaderError(f"no type: {descr!r}"[:100])
    total, any_objects = 0, False
    for field in descr:
        size, objects = _itemsize(field[1], depth + 1)
        sides = field[2] if len(field) > 2 else ()  # noqa: PLR2004 - name, type, shape
        total += size * math.prod(int(side) for side in (sides if isinstance(sides, tuple) else (sides,)))
        any_objects |= objects
    return total, any_objects


def _simple(descr: str) -> tuple[int, bool]:
    body = descr.lstrip("<>|=")
    kind, digits = body[:1], body[1:].partition("[")[0]
    if kind == "O":
        return 8, True
    if kind in "biufcmMSaUV" and kind and digits.isascii() and digits.isdigit():
        return int(digits) * (4 if kind == "U" else 1), False
    named = {"?": 1, "float16": 2, "float32": 4, "float64": 8, "bool": 1, "int32": 4, "int64": 8, "uint8": 1}
    if body in named:
        return named[body], False
    raise _OddHeaderError(f"type {descr!r}"[:100])
