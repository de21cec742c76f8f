"""PyTorch's first files: a tar whose members `storages` and `tensors` are pickles with raw numbers between them.

References
----------
torch/serialization.py, `legacy_load`: each storage is a pickle of (key, device, type), its length (8 bytes, in
elements) and its values; each tensor a pickle, the number of its dimensions, a gap of 4 bytes, sizes, strides and an
offset.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mithridate.supply.scan.blob import Blob
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.issue import Issue
from mithridate.supply.scan.openers.member import Member
from mithridate.supply.scan.pickle import scan_pickle
from mithridate.supply.scan.slices import SliceBlob

_TYPE = re.compile(rb"(Double|Float|BFloat16|Half|Long|Int|Short|Char|Byte|Bool|ComplexFloat|ComplexDouble)Storage")
_SIZES = {
    b"Double": 8, b"Float": 4, b"BFloat16": 2, b"Half": 2, b"Long": 8, b"Int": 4, b"Short": 2, b"Char": 1, b"Byte": 1,
    b"Bool": 1, b"ComplexFloat": 8, b"ComplexDouble": 16,
}  # fmt: skip
_MOST_DIMENSIONS = 64


def parts(content: Blob, name: str, budget: Budget) -> Iterator[Issue | Member]:
    """The member itself; of `storages` and `tensors`, each pickle in it, and what is left over at the end."""
    kind = name.rpartition("/")[2]
    if kind not in {"storages", "tensors"}:
        yield Member(content)
        return
    at, first = 0, True
    while at < content.size:
        budget.spend(members=1)
        end = scan_pickle(content, budget, start=at).end
        if end <= at:
            break
        yield Member(SliceBlob(content.name, content, at, end - at), "pickle")
        gap = 0 if first else _numbers(content, kind, at, end)
        at, first = end + gap, False
    if at < content.size:
        yield Member(SliceBlob(f"{content.name}!trailing", content, at, content.size - at))


def _numbers(content: Blob, kind: str, at: int, end: int) -> int:
    """How many bytes of raw numbers follow the pickle; none where what it says can't be right."""
    head = content.read(end, 8)
    if kind == "tensors":
        dimensions = int.from_bytes(head[:4], "little")
        return 8 + 16 * dimensions + 8 if dimensions <= _MOST_DIMENSIONS else 0
    found = _TYPE.search(content.read(at, min(end - at, 4096)))
    size = 8 + int.from_bytes(head, "little") * (_SIZES[found.group(1)] if found else 1)
    return size if found and end + size <= content.size else 0
