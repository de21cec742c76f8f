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
_OF_MODULES = frozenset(
    f"__{name}__"
    for name in """
        name module qualname doc firstlineno static_attributes classcell file all annotations annotate version author
        license init new repr str len iter next getitem setitem delitem contains call eq ne lt le gt ge hash bool add
        sub mul truediv floordiv mod pow neg pos abs invert and or xor matmul radd rsub rmul rtruediv iadd isub imul
        enter exit aenter aexit post_init slots match_args copy deepcopy index int float array array_priority
        array_ufunc sklearn_tags sklearn_clone sklearn_is_fitted init_subclass class_getitem future wrapped
        """.split()  # noqa: SIM905 - a list of 70 words would be one line each
)
"""Names that ordinary modules and classes have, and through which nothing else is reached."""
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
        harm = harm_in(code, _OF_MODULES)
        facts = {**code_facts(code), "compiled_by": _version(raw)}
        claim = f"{what}; it {harm}" if harm else f"{what}; it uses nothing that reaches out of it"
        yield Issue("compiled-python", Severity.MEDIUM if harm else Severity.LOW, claim, "", facts, _REMEDY)
        return
    yield Issue("compiled-python", Severity.MEDIUM, f"{what}; its code can't be decoded", "", {}, _REMEDY)
