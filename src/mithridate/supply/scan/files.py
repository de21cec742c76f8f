"""One file on disk: its issues, worst first, and its digest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from mithridate.core.findings import Severity
from mithridate.supply.scan.blob import Blob, open_file
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.dispatch import Area, Located, Seen, analyse
from mithridate.supply.scan.issue import Issue
from mithridate.supply.scan.names import disguise
from mithridate.supply.scan.walk import Entry

MOST_ISSUES = 1000
LARGEST_DIGEST = 8 << 30
_AREAS: tuple[Area, ...] = ("pickle", "format", "container", "code", "unknown")


@dataclass(frozen=True, slots=True)
class Scanned:
    """What is known of one file. `digest` is `sha256:` + hex, or empty where nobody computed it.

    kinds : what the file was taken for, and `pickle` when there is one anywhere in it. more : issues not kept.
    """

    path: str
    size: int
    located: tuple[Located, ...] = ()
    digest: str = ""
    kinds: tuple[str, ...] = ()
    more: int = 0

    @property
    def worst(self) -> Severity | None:
        """The highest severity; None without issues."""
        return max((one.issue.severity for one in self.located), default=None)


def scan_entry(entry: Entry, budget: Budget, *, digest: bool = False) -> Scanned:
    """Scan what the walk found; a file that can't be opened, or vanishes, is an issue."""
    path = str(entry.path)
    if entry.issue is not None:
        return Scanned(path, 0, (Located(path, "unknown", entry.issue),))
    try:
        with open_file(entry.path) as blob:
            return _scan(blob, budget, digest=digest)
    except OSError as error:
        why = f"it can't be read: {error.strerror or error}"
        return Scanned(path, entry.size, (Located(path, "unknown", Issue("not-analysed", Severity.MEDIUM, why)),))


def _scan(blob: Blob, budget: Budget, *, digest: bool) -> Scanned:
    located: list[Located] = []
    kinds: list[str] = []
    own: list[str] = []
    more = 0
    for found in analyse(blob, budget):
        if isinstance(found, Seen):
            if found.name == blob.name or found.kind == "pickle":
                kinds.append(found.kind)
            if found.name == blob.name:
                own.append(found.kind)
        elif len(located) < MOST_ISSUES:
            located.append(found)
        else:
            more += 1
    if any(one.name == blob.name and one.issue.code == "source-code" for one in located):
        own.append("script")
    located += [Located(blob.name, "format", issue) for issue in disguise(blob.name, own)]
    located.sort(key=lambda one: (-one.issue.severity, _AREAS.index(one.area)))
    wanted = digest or (bool(located) and blob.size <= LARGEST_DIGEST)
    return Scanned(
        blob.name, blob.size, tuple(located), _digest(blob) if wanted else "", tuple(dict.fromkeys(kinds)), more
    )


def _digest(blob: Blob) -> str:
    made, at = hashlib.sha256(), 0
    while part := blob.read(at, 1 << 20):
        made.update(part)
        at += len(part)
    return f"sha256:{made.hexdigest()}"
