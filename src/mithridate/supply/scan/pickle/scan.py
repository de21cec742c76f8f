"""One pickle of a blob, read to its STOP: what loading it would import and call, and what that amounts to."""

from __future__ import annotations

import lzma
import zlib
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
from mithridate.supply.scan.pickle.recorder import Effect, Recorder
from mithridate.supply.scan.pickle.sniff import looks_like_pickle
from mithridate.supply.scan.pickle.values import items_of

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


class _Scan:
    """One blob, and the payloads that its calls hold."""

    def __init__(self, blob: Blob, budget: Budget) -> None:
        self.blob, self.budget = blob, budget
        self.inner: list[Issue] = []
        self.nested: list[Blob] = []
        self.inspector = Inspector(self._follow)

    def read(self, start: int, end: int) -> PickleScan:
        """Both readings of the stream, where there are two."""
        stop, broken, first_array = self._pass(start, end, arrays=True)
        if first_array is not None and self.budget.opcodes > 0:
            plain = _Scan(self.blob, self.budget)
            plain._pass(start, end, arrays=False)
            self.inner += [issue for issue in plain.inspector.issues() if issue.severity >= Severity.HIGH]
            self.inner += plain.inner
        issues = [*self.inspector.issues(), *self.inner, *([broken] if broken else [])]
        unique = {(issue.code, issue.claim, issue.place): issue for issue in issues}
        ordered = sorted(unique.values(), key=lambda issue: -issue.severity)
        return PickleScan(tuple(ordered), stop, broken is None, tuple(self.inspector.steps), tuple(self.nested))

    def _pass(self, start: int, end: int, *, arrays: bool) -> tuple[int, Issue | None, int | None]:
        """One reading: where it ended, what broke it, and where joblib's first array lies."""
        recorder = Recorder(self.inspector.tell, arrays=arrays)
        reader = Reader(self.blob, min(start, end), end)
        machine = Machine(reader, recorder, self.budget)
        try:
            machine.run(HANDLERS)
        except BrokenError as error:
            return machine.opcode_at, _broken(machine.opcode_at, str(error)), recorder.first_array
        except OverBudgetError as error:
            claim = f"the rest of the pickle was not analysed: {error}"
            issue = Issue("not-analysed", Severity.MEDIUM, claim, f"offset {machine.opcode_at:,}", {}, _BROKEN)
            return machine.opcode_at, issue, recorder.first_array
        failed = _broken(*recorder.failed_at) if recorder.failed_at else None
        return reader.offset, failed, recorder.first_array

    def _follow(self, effect: Effect, path: str) -> bool:
        """Scan what a call would load; whether all of it was read."""
        items = items_of(effect.payload)
        if path not in _LOADERS or not items or self.budget.depth <= 0:
            return False
        name = f"{self.blob.name}!argument at {effect.offset}"
        try:
            content = decoded(items[0], self.blob, self.budget, _NESTED_BYTES)
        except (ValueError, ArithmeticError, EOFError, OSError, zlib.error, lzma.LZMAError):
            return False
        if content is None:
            return False
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


def _broken(offset: int, reason: str) -> Issue:
    claim = f"breaks off before its end: {reason}; what comes before is run all the same"
    return Issue("pickle-broken", Severity.MEDIUM, claim, f"offset {offset:,}", {}, _BROKEN)
