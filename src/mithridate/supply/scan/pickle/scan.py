"""One pickle of a blob, read to its STOP: what loading it would import and call, and what that amounts to."""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Collection
from dataclasses import dataclass

from mithridate.core.findings import Severity
from mithridate.supply.scan.blob import Blob, MemoryBlob
from mithridate.supply.scan.budget import Budget, OverBudgetError
from mithridate.supply.scan.issue import Issue
from mithridate.supply.scan.pickle.inspector import Inspector, Step
from mithridate.supply.scan.pickle.machine import Machine
from mithridate.supply.scan.pickle.opcodes import HANDLERS
from mithridate.supply.scan.pickle.payload import decoded
from mithridate.supply.scan.pickle.reader import BrokenError, Reader
from mithridate.supply.scan.pickle.recorder import Recorder
from mithridate.supply.scan.pickle.sniff import looks_like_pickle
from mithridate.supply.scan.pickle.values import Value, items_of

_LOADERS = {"torch.storage._load_from_bytes", "pickle.loads", "pickle.load", "_pickle.loads", "_pickle.load",
            "pickle._loads", "pickle._load", "dill.loads", "dill.load", "dill._dill.loads", "dill._dill.load",
            "cloudpickle.loads", "cloudpickle.load", "torch.load", "torch.serialization.load", "joblib.load",
            "joblib.numpy_pickle.load", "numpy.load", "pandas.read_pickle", "pandas.io.pickle.read_pickle",
            "numpy.lib.npyio.load", "numpy.lib._npyio_impl.load", "jsonpickle.decode"}  # fmt: skip
_NESTED_BYTES = 256 << 20
_BROKEN = "Load it nowhere; get the file anew from its source."


@dataclass(frozen=True, slots=True)
class PickleScan:
    """What one pickle says.

    issues : gravest first. end : the offset behind STOP, or of the opcode at which an unpickler would fail.
    complete : STOP was reached. calls : what would be imported and called, in order (the first 10,000).
    nested : bytes that a call would load and that are no bare pickle (a zip, an npy): for the caller to look into.
    """

    issues: tuple[Issue, ...]
    end: int
    complete: bool
    calls: tuple[Step, ...]
    nested: tuple[Blob, ...] = ()


def scan_pickle(blob: Blob, budget: Budget, *, start: int = 0, end: int | None = None) -> PickleScan:
    """Read the pickle that begins at `start`.

    Parameters
    ----------
    end : where the stream ends at the latest; the blob's end by default. A stream of several pickles is read by
        calling again with `start` at the last one's `end`.

    Notes
    -----
    Linear in the bytes that aren't skipped; long strings are skipped unread. Effects before a break stand. Where joblib
    would read the raw bytes of an array between two opcodes, the stream is read both ways, as joblib and as plain
    `pickle.load` do. Never an exception on any bytes.
    """
    return _Scan(blob, budget).read(start, blob.size if end is None else min(end, blob.size))


@dataclass(frozen=True, slots=True)
class _Reading:
    """Where one reading ended, what broke it, where joblib's first array lies, and what its frames promise."""

    end: int
    complete: bool
    trouble: tuple[Issue, ...]
    array: int | None
    crossed: int | None
    frame_end: int


class _Scan:
    """One blob, and the payloads that its calls hold."""

    def __init__(self, blob: Blob, budget: Budget) -> None:
        self.blob, self.budget = blob, budget
        self.inner: list[Issue] = []
        self.nested: list[Blob] = []
        self.inspector = Inspector(self._follow)

    def read(self, start: int, end: int) -> PickleScan:
        """Every reading of the stream that some unpickler has; the first one's end and calls are told."""
        first = self._pass(start, end)
        if first.array is not None:
            self._again(start, end, arrays=False)
        if first.crossed is not None:
            self._again(start, end, drops=True)
            self.inner.append(_crossing(first.crossed))
        if first.complete and first.frame_end > first.end:
            self._behind(first.end, first.frame_end, end)
        issues = [*self.inspector.issues(), *self.inner, *first.trouble]
        unique = {(issue.code, issue.claim, issue.place): issue for issue in issues}
        ordered = sorted(unique.values(), key=lambda issue: -issue.severity)
        return PickleScan(tuple(ordered), first.end, first.complete, tuple(self.inspector.steps), tuple(self.nested))

    def _again(self, start: int, end: int, *, arrays: bool = True, drops: bool = False) -> None:
        """Another unpickler's reading: what it alone would do, gravely."""
        other = _Scan(self.blob, self.budget)
        other._pass(start, end, arrays=arrays, drops=drops)
        mine = {(f"offset {step.offset:,}", step.name.rpartition(".")[2]) for step in self.inspector.steps}
        judged = {issue.place for issue in self.inspector.issues()}
        self.inner += [
            issue
            for issue in other.inspector.issues()
            if issue.severity >= Severity.HIGH and (issue.place in judged or not _is_misread(issue, mine))
        ]
        self.inner += other.inner
        self.nested += other.nested

    def _behind(self, stop: int, frame_end: int, end: int) -> None:
        """A frame goes on behind STOP: readers disagree on where the next pickle begins, so both places are read."""
        claim = (
            f"has {frame_end - stop:,} bytes of a frame behind STOP: loaders disagree on where the next pickle begins"
        )
        self.inner.append(Issue("pickle-frame", Severity.MEDIUM, claim, f"offset {stop:,}", {}, _BROKEN))
        for place in (stop, frame_end):
            if place < end and looks_like_pickle(self.blob.read(place, min(4096, end - place))):
                self._again(place, end)

    def _pass(self, start: int, end: int, *, arrays: bool = True, drops: bool = False) -> _Reading:
        """One reading."""
        recorder = Recorder(self.inspector.tell, arrays=arrays)
        reader = Reader(self.blob, min(start, end), end, drops=drops)
        machine = Machine(reader, recorder, self.budget)
        trouble: list[Issue] = []
        complete = False
        try:
            machine.run(HANDLERS)
            complete = True
        except BrokenError as error:
            trouble.append(_broken(machine.opcode_at, str(error)))
        except OverBudgetError as error:
            claim = f"the rest of the pickle was not analysed: {error}"
            trouble.append(Issue("not-analysed", Severity.MEDIUM, claim, f"offset {machine.opcode_at:,}", {}, _BROKEN))
        if recorder.laughs:
            trouble.append(_laughing())
        if recorder.failed_at:
            trouble.append(_broken(*recorder.failed_at))
        stop = reader.offset if complete else machine.opcode_at
        return _Reading(stop, complete, tuple(trouble), recorder.first_array, reader.crossed, reader.frame_end)

    def _follow(self, path: str, arguments: Value, offset: int) -> bool | None:
        """Scan what a call would load; whether all of it was read, None where its bytes aren't known."""
        items = items_of(arguments)
        if path not in _LOADERS or not items or self.budget.depth <= 0:
            return None
        name = f"{self.blob.name}!argument at {offset}"
        try:
            content = decoded(items[0], self.blob, self.budget, _NESTED_BYTES)
        except (ValueError, ArithmeticError, EOFError, OSError, zlib.error, lzma.LZMAError):
            return None
        if content is None:
            return None
        inner = MemoryBlob(name, content)
        if not looks_like_pickle(content[:4096]):
            self.nested.append(inner)
            return False
        self.budget.depth -= 1
        try:
            return self._inner(inner)
        finally:
            self.budget.depth += 1

    def _inner(self, inner: Blob) -> bool:
        """The pickles of a payload, one behind the other."""
        at, complete = 0, True
        while complete and at < inner.size and looks_like_pickle(inner.read(at, 4096)):
            found = scan_pickle(inner, self.budget, start=at)
            self.inner += [
                Issue(
                    one.code, one.severity, f"in the argument of a call: {one.claim}", one.place, one.facts, one.remedy
                )
                for one in found.issues
            ]
            self.nested += found.nested
            at, complete = found.end, found.complete
        return complete


def _laughing() -> Issue:
    claim = (
        "holds one value in itself so often that a walk through it, as hashing, comparing, copying or printing it "
        "takes, doesn't end (billion laughs)"
    )
    return Issue("pickle-bomb", Severity.HIGH, claim, "", {}, _BROKEN)


def _is_misread(issue: Issue, steps: Collection[tuple[str, str]]) -> bool:
    """An unknown function of an unheard-of module, by the last name of what the first reading calls at the same place.

    joblib's arrays of objects are a pickle with a memo of its own. Read with the outer one, `numpy.dtype` becomes
    `dtype` of whatever text lies there, and the plain unpickler fails at an import that no package answers.
    """
    path = str(issue.facts.get("callable", ""))
    place = (issue.place, path.rpartition(".")[2])
    return issue.code == "pickle-unknown-call" and issue.facts.get("origin") == "foreign" and place in steps


def _crossing(offset: int) -> Issue:
    claim = (
        "has an argument that goes on behind its frame: unpicklers read different bytes there, as no pickler writes it"
    )
    return Issue("pickle-frame", Severity.HIGH, claim, f"offset {offset:,}", {}, _BROKEN)


def _broken(offset: int, reason: str) -> Issue:
    claim = f"breaks off before its end: {reason}; what comes before is run all the same"
    return Issue("pickle-broken", Severity.MEDIUM, claim, f"offset {offset:,}", {}, _BROKEN)
