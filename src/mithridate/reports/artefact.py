"""What a report about files says in plain words: where the words for training data would be wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from mithridate.core.findings import Evidence, Finding
from mithridate.core.report import Report
from mithridate.reports import words
from mithridate.reports.coverage import chosen
from mithridate.reports.extent import Figure
from mithridate.reports.safe import block, fields, line, plain, real

GROUPS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "pickle-code": ("Pickles", "A pickle is a program that runs when the file is loaded"),
        "container-trick": ("Containers", "Archives that show a scanner and a loader different things, or burst"),
        "model-format": ("Formats", "Model and data files that run code, reach outside or hide something"),
        "code-beside-model": ("Code", "Programs and scripts that come with a model"),
        "not-analysed": ("Not analysed", "Nobody looked at these bytes, so nothing is known of them"),
    }
)
TAG = "supply-chain"
NOTHING_TO_DO = "Nothing to do. Scan again when the files change."
NO_DIGEST = "no digest of all files; --digest computes it"
MAX_FACTS = 12
_UNSEEN = {"not-analysed", "native-code", "bomb", "recognised", "special-file", "broken-link", "link-outside"}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a file: where in it, and the facts that show it."""

    severity: str
    code: str
    text: str
    path: str
    place: str
    facts: tuple[tuple[str, str], ...]
    remedy: str
    kind: Literal["issue"] = "issue"


def problem(evidence: Evidence) -> Problem:
    """The piece for one issue of a file."""
    data = evidence.data
    severity = plain(data.get("severity"))
    facts = list(fields(data.get("facts")).items())[:MAX_FACTS]
    return Problem(
        severity=severity if severity in words.SHAPES else "low",
        code=line(evidence.name, limit=80),
        text=line(data.get("claim") or "", limit=600),
        path=line(data.get("path") or "", limit=300),
        place=line(data.get("place") or "", limit=160),
        facts=tuple((line(words.title(str(name)), limit=60), _fact(name, value)) for name, value in facts),
        remedy=line(data.get("remedy") or "", limit=400),
    )


def _fact(name: object, value: object) -> str:
    """A fact as a block of text; bytecode line by line."""
    is_listing = name == "disassembly" and isinstance(value, list | tuple)
    return block("\n".join(map(str, value)) if is_listing else value, limit=2000)  # type: ignore[call-overload]


def target(report: Report) -> str:
    """How many files of how many bytes were scanned."""
    files, size = (int(real(report.target.extra.get(key)) or 0) for key in ("files", "bytes"))
    return f"{words.many(files, 'file')} · {words.size(size)}"


def figures(report: Report) -> tuple[Figure, Figure]:
    """How many files have a finding, and how many have bytes that were not analysed."""
    files, missed = int(real(report.target.extra.get("files")) or 0), unseen(report)
    named = len({file_of(finding, report) for finding in report.findings})
    return (
        Figure("Files affected", words.count(named), f"of {words.many(files, 'file')}"),
        Figure("Not analysed", words.count(missed), "files with bytes that nobody looked at"),
    )


def file_of(finding: Finding, report: Report) -> str:
    """The file on disk that a finding is about; the part of its path before the first member where it isn't said."""
    del report
    extra = finding.subject.extra
    return plain(extra.get("file") or plain(extra.get("path") or "").partition("!")[0])


def headline(report: Report) -> str:
    """The verdict in one short sentence."""
    several = int(real(report.target.extra.get("files")) or 0) != 1
    if words.serious(report.worst):
        return "Don’t load these files yet." if several else "Don’t load this file."
    if report.verdict == "incomplete":
        return "Incomplete: this scan can’t say whether it is safe to load."
    if unseen(report) or any(finding.severity.word == "medium" for finding in report.findings):
        return "Nothing harmful found, but some of it was not analysed or is not as it should be."
    if report.findings:
        return "Nothing harmful found; some of it is unknown but ordinary."
    return f"Nothing found in {words.many(int(real(report.target.extra.get('files')) or 0), 'file')}."


def lead(report: Report) -> str:
    """How many files have a finding."""
    if not report.findings:
        return "" if report.verdict == "clean" else "Nothing was found, but that is no all-clear."
    serious = [finding for finding in report.findings if words.serious(finding.severity)]
    counted, total = serious or report.findings, int(real(report.target.extra.get("files")) or 0)
    said = "harmful or unsafe to load" if serious else "with something to look at"
    return f"{words.count(len(counted))} of {words.many(total, 'file')} {said}."


def caveat(report: Report) -> str:
    """What was not analysed, or not reported because other checks were asked for."""
    failed = sum(check.status == "failed" for check in report.checks)
    missed = unseen(report)
    parts = [f"{words.many(failed, 'check')} failed."] if failed else []
    if missed:
        parts.append(f"In {words.many(missed, 'file')} there are bytes that nobody analysed: nothing is known of them.")
    parts = parts or ["Every byte that a loader may act on was analysed."]
    return " ".join(filter(None, [*parts, chosen(report)]))


def unseen(report: Report) -> int:
    """How many files have bytes that were not analysed."""
    return sum(any(piece.name in _UNSEEN for piece in finding.evidence) for finding in report.findings)
