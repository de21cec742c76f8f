"""Who looks at which bytes: everything that recognises them does, since readers of a file may differ."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, Literal

from mithridate.core.findings import Severity
from mithridate.supply.scan import pickles
from mithridate.supply.scan.blob import Blob
from mithridate.supply.scan.budget import Budget, OverBudgetError
from mithridate.supply.scan.formats import FORMATS
from mithridate.supply.scan.issue import Issue
from mithridate.supply.scan.openers import (
    compressed,
    npy,
    seven_zip,
    stored_values,
    tar_archive,
    text_payloads,
    zip_archive,
)
from mithridate.supply.scan.openers.member import Member
from mithridate.supply.scan.openers.unpack import BombError
from mithridate.supply.scan.ordinary import is_native, kind_of
from mithridate.supply.scan.raw_numbers import numbers_in
from mithridate.supply.scan.slices import StreamBlob

Area = Literal["pickle", "format", "container", "code", "unknown"]
HEAD = 4096


@dataclass(frozen=True, slots=True)
class Located:
    """An issue, the file or member in which it lies, and which kind of analysis says so."""

    name: str
    area: Area
    issue: Issue


@dataclass(frozen=True, slots=True)
class Analyser:
    """Something that knows a kind of bytes; `members` yields issues, and parts that are looked at in their turn."""

    name: str
    area: Area
    sniff: Callable[[bytes, Blob], bool]
    members: Callable[[Blob, Budget], Iterator[Issue | Member]]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a blob turned out to be, for whoever asks whether there is a model beside it."""

    name: str
    kind: str


_AREAS: Mapping[str, Area] = MappingProxyType(
    {
        "not-analysed": "unknown",
        "raw-data": "unknown",
        "recognised": "unknown",
        "source-code": "code",
        "native-code": "code",
        "compiled-python": "code",
        "packed-source": "code",
    }
)
_HARM = frozenset(f"pickle-{kind}" for kind in ("exec", "import", "load", "file", "network", "native"))
_NPY = Analyser("npy", "container", npy.sniff, npy.members)
_OPENERS = (
    Analyser("zip", "container", zip_archive.sniff, zip_archive.members),
    Analyser("tar", "container", tar_archive.sniff, tar_archive.members),
    Analyser("7z", "container", seven_zip.sniff, seven_zip.members),
    Analyser("packed", "container", compressed.sniff, compressed.members),
    _NPY,
)
_IN_TEXT = Analyser("text", "container", lambda _head, _blob: False, text_payloads.members)
_STORED = Analyser("database", "container", lambda head, _blob: stored_values.holds_values(head), stored_values.members)
_PICKLE = Analyser("pickle", "pickle", pickles.sniff, pickles.members)


@cache
def _formats() -> tuple[Analyser, ...]:
    """The formats of the table, loaded at the first file."""
    loaded: list[tuple[str, Any]] = [(known.name, importlib.import_module(known.module)) for known in FORMATS]
    return tuple(Analyser(name, "format", module.sniff, module.analyse) for name, module in loaded)


def analyse(blob: Blob, budget: Budget, depth: int = 0) -> Iterator[Located | Seen]:
    """Every issue in the bytes and in what they contain; never an exception, whatever the bytes are."""
    if depth > budget.depth:
        yield Located(blob.name, "unknown", _unseen(f"containers lie {depth} deep in one another"))
        return
    claims, trouble = list[Analyser](), dict[str, Located]()
    try:
        head = blob.read(0, HEAD)
    except Exception as error:  # noqa: BLE001 - hostile bytes are a finding, never a crash
        yield _trouble(blob, "bytes", error)
        return
    for analyser in _asked(head, blob):
        try:
            claimed = analyser.sniff(head, blob)
        except Exception as error:  # noqa: BLE001 - as above
            told = _trouble(blob, analyser.name, error)
            trouble[told.issue.code] = told
            continue
        if claimed:
            claims.append(analyser)
            yield Seen(blob.name, analyser.name)
            yield from _run(analyser, blob, budget, depth)
    if text_payloads.KINDS & {claim.name for claim in claims}:
        yield from filter(_is_grave, _run(_IN_TEXT, blob, budget, depth))
    if _STORED.sniff(head, blob):
        yield from filter(_is_harm, _run(_STORED, blob, budget, depth))
    if not trouble:
        yield from _unclaimed(head, blob, budget, claims)
    yield from trouble.values()


def _asked(head: bytes, blob: Blob) -> tuple[Analyser, ...]:
    """Everybody; but of an array that has to be unpacked to be read, only who needs no more than its header."""
    if isinstance(blob, StreamBlob) and _NPY.sniff(head, blob):
        return (_NPY,)
    return (*_OPENERS, *_formats(), _PICKLE)


def _run(analyser: Analyser, blob: Blob, budget: Budget, depth: int) -> Iterator[Located | Seen]:
    """One analyser's issues, and those of the parts that it takes out."""
    try:
        for found in analyser.members(blob, budget):
            if isinstance(found, Issue):
                yield Located(blob.name, _AREAS.get(found.code, analyser.area), found)
            elif found.role == "pickle":
                yield from _run(_PICKLE, found.blob, budget, depth + 1)
            elif found.role == "file":
                yield from analyse(found.blob, budget, depth + 1)
    except Exception as error:  # noqa: BLE001 - as above
        yield _trouble(blob, analyser.name, error)


def _is_grave(found: Located | Seen) -> bool:
    """Of what a text holds in base64, harm alone is told: digests and keys look like the beginning of anything."""
    return isinstance(found, Located) and found.issue.severity >= Severity.HIGH


def _is_harm(found: Located | Seen) -> bool:
    """Of what looks like a pickle among stored values, calls that are known to do harm: a page may cut off the rest."""
    return _is_grave(found) and isinstance(found, Located) and found.issue.code in _HARM


def _trouble(blob: Blob, kind: str, error: Exception) -> Located:
    """Why an analyser did not come to its end."""
    if isinstance(error, BombError):
        return Located(blob.name, "container", Issue("bomb", Severity.MEDIUM, f"a part was not analysed: {error}"))
    if isinstance(error, OverBudgetError):
        return Located(blob.name, "unknown", _unseen(str(error)))
    return Located(blob.name, "unknown", _unseen(f"reading it as {kind} broke: {type(error).__name__}: {error}"[:300]))


def _unclaimed(head: bytes, blob: Blob, budget: Budget, claims: Sequence[Analyser]) -> Iterator[Located | Seen]:
    """What nobody recognised; and pickles that hide behind a long text from everybody but an unpickler."""
    if any(analyser in {*_OPENERS, _PICKLE} for analyser in claims):
        if is_native(head):
            claim = "this is a program, and an archive too: native code was not analysed"
            yield Located(blob.name, "code", Issue("native-code", Severity.MEDIUM, claim))
        return
    try:
        pickled = pickles.against_all_looks(blob, budget)
        if claims and not pickled:
            return
        kind, name = kind_of(head, blob) if pickled is None else ("pickle", "")
    except Exception as error:  # noqa: BLE001 - as above
        yield _trouble(blob, "text", error)
        return
    yield Seen(blob.name, kind)
    yield from (Located(blob.name, "pickle", issue) for issue in pickled or ())
    if kind == "native":
        claim = f"this is {name}: native code was not analysed"
        yield Located(blob.name, "code", Issue("native-code", Severity.MEDIUM, claim))
    elif kind == "packed":
        yield Located(blob.name, "unknown", _unseen(f"{name} is not unpacked here; unpack it and scan what comes out"))
    elif kind == "unknown":
        yield Located(blob.name, "unknown", _unknown(blob))


def _unknown(blob: Blob) -> Issue:
    """Bytes of no known kind; where they are an array of numbers all over, no loader runs them."""
    width = numbers_in(blob)
    if not width:
        return _unseen("no kind of file that is known here")
    claim = f"no kind of file that is known here; all over it reads as an array of {width}, which no loader runs"
    return Issue("raw-data", Severity.LOW, claim, remedy="Find out which program reads it.")


def _unseen(why: str) -> Issue:
    remedy = "Find out what this is before anything loads it."
    return Issue("not-analysed", Severity.MEDIUM, f"nobody analysed these bytes: {why}", remedy=remedy)
