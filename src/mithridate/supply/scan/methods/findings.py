"""A file's issues as one finding."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from mithridate.core.findings import Evidence, Finding, Json, Subject
from mithridate.core.method import Outcome
from mithridate.supply.scan.dispatch import Located
from mithridate.supply.scan.files import Scanned

SURE = 0.99  # a claim says what stands in the bytes; only our reading of them can be wrong
MOST_SHOWN = 50
_REMEDY = "Don't load it; ask for the weights as safetensors, or for a file from a source you trust."


def outcome(files: Sequence[Scanned], method: str, slug: str) -> Outcome:
    """One finding a file."""
    return Outcome(tuple(_finding(file, method, slug) for file in files))


def _finding(file: Scanned, method: str, slug: str) -> Finding:
    worst = file.located[0]
    rest = len(file.located) - 1 + file.more
    more = f"; and {rest:,} more issue{'s' if rest > 1 else ''}" if rest else ""
    extra: dict[str, Json] = {"path": worst.name, "digest": file.digest, "file": file.path, "bytes": file.size}
    return Finding(
        method=method,
        slug=slug,
        severity=worst.issue.severity,
        confidence=SURE,
        claim=f"{_short(file.path, worst.name)}: {worst.issue.claim}{more}",
        subject=Subject("file", extra=extra),
        evidence=tuple(map(_evidence, file.located[:MOST_SHOWN])),
        remedy=worst.issue.remedy or _REMEDY,
        place=file.digest or worst.issue.code,
    )


def _short(path: str, name: str) -> str:
    """The file's name without its folders, with its member."""
    return PurePath(path).name + name[len(path) :] if name.startswith(path) else name


def _evidence(one: Located) -> Evidence:
    issue = one.issue
    data: dict[str, Json] = {
        "severity": issue.severity.word, "claim": issue.claim, "path": one.name, "place": issue.place,
        "facts": dict(issue.facts), "remedy": issue.remedy,
    }  # fmt: skip
    return Evidence("issue", issue.code, data)
