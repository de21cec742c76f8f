"""Compiled Python (`.pyc`): an import runs it; what it uses is told, and its instructions where this Python knows them.

References
----------
CPython, `Lib/importlib/_bootstrap_external.py`: the magic number of each version; PEP 552: the header of 16 bytes.
"""

from __future__ import annotations

from collections.abc import Iterator

from mithridate.core.findings import Severity
from mithridate.supply.scan.blob import Blob
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.code_object import NotCodeError, looks_marshalled, read_code
from mithridate.supply.scan.formats.keras_code import code_facts, harm_in
from mithridate.supply.scan.issue import Issue

_MAGIC_END = b"\r\n"
_HEADERS = (16, 12, 8)  # since 3.7, since 3.3, before
_LARGEST = 64 << 20
_FIRST = ((3600, "3.14 or later"), (3550, "3.13"), (3500, "3.12"), (3450, "3.11"), (3430, "3.10"), (3420, "3.9"),
          (3400, "3.8"), (3390, "3.7"), (3360, "3.6"), (3310, "3.5"), (3250, "3.4"), (3190, "3.3"),
          (3000, "3.0 to 3.2"))  # fmt: skip
_SECOND = range(62_011, 62_300)  # Python 2.5 to 2.7
_REMEDY = "Delete it and keep the source, which Python compiles again; read that."


def sniff(head: bytes, blob: Blob) -> bool:
    """A magic number of some Python, and code behind one of the headers."""
    del blob
    return head[2:4] == _MAGIC_END and bool(_version(head)) and any(looks_marshalled(head[at:]) for at in _HEADERS)


def _version(head: bytes) -> str:
    magic = int.from_bytes(head[:2], "little")
    if magic in _SECOND:
        return "2.5 to 2.7"
    return next((version for first, version in _FIRST if first <= magic < 4000), "")  # noqa: PLR2004 - far ahead


def analyse(blob: Blob, budget: Budget) -> Iterator[Issue]:
    """One issue, with what the code uses."""
    budget.spend()
    raw = blob.read(0, _LARGEST)
    what = f"this is compiled Python ({_version(raw)}), which runs when it is imported"
    for at in _HEADERS:
        if not looks_marshalled(raw[at:]):
            continue
        try:
            code = read_code(raw[at:])
        except NotCodeError:
            continue
        harm = harm_in(code)
        facts = {**code_facts(code), "compiled_by": _version(raw)}
        claim = f"{what}; it {harm}" if harm else what
        yield Issue("compiled-python", Severity.MEDIUM, claim, "", facts, _REMEDY)
        return
    yield Issue("compiled-python", Severity.MEDIUM, f"{what}; its code can't be decoded", "", {}, _REMEDY)
