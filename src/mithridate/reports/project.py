"""What a report about the project around a model says in plain words."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from types import MappingProxyType

from mithridate.core.findings import Finding
from mithridate.core.report import Report
from mithridate.reports import words
from mithridate.reports.coverage import chosen
from mithridate.reports.extent import Figure
from mithridate.reports.safe import line, plain, real

_CODE = ("Code", "Code that runs what somebody else wrote: a pickle, a hub's module, a tag in YAML")
_DEPENDENCIES = ("Dependencies", "Packages with known flaws, and requirements that the next install may read otherwise")
_MODELS = ("Models", "Model files that nobody vouches for or describes")
GROUPS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "leaked-secret": ("Secrets", "Keys and passwords in files; whoever can read them has them"),
        "vulnerable-dependency": _DEPENDENCIES,
        "loose-requirement": _DEPENDENCIES,
        "open-permissions": ("Permissions", "Files that other users of the machine can read or change"),
        "remote-code": _CODE,
        "unsafe-load": _CODE,
        "unsafe-yaml": _CODE,
        "open-server": ("Servers", "Services that whoever reaches the port can use"),
        "no-model-card": _MODELS,
        "unsigned-model": _MODELS,
        "no-incident-contact": ("Contact", "Whom to tell when something is wrong"),
        "not-looked-at": ("Not looked at", "Nobody read these files, so nothing is known of them"),
    }
)
TAG = "supply-chain"
NOTHING_TO_DO = "Nothing to do. Run it again when the project changes."
NO_DIGEST = ""
_UNSEEN = "not-looked-at"


def target(report: Report) -> str:
    """How many files the project has, and what was left out."""
    left_out = line(report.target.extra.get("left_out") or "", limit=200)
    return " · ".join(["project", words.many(_files(report), "file"), *([f"left out: {left_out}"] if left_out else [])])


def headline(report: Report) -> str:
    """The verdict in one short sentence."""
    if words.serious(report.worst):
        return "Don’t deploy this project yet."
    if report.verdict == "incomplete":
        return "Incomplete: this can’t say whether the project is safe."
    if report.findings:
        return "Nothing serious found, but something to look at."
    return f"Nothing found in {words.many(_files(report), 'file')}."


def lead(report: Report) -> str:
    """How many findings in how many files."""
    if not report.findings:
        return "" if report.verdict == "clean" else "Nothing was found, but that is no all-clear."
    serious = [finding for finding in report.findings if words.serious(finding.severity)]
    counted = serious or report.findings
    named = len({path for finding in counted if (path := _path(finding))})
    where = f" in {words.count(named)} of {words.many(_files(report), 'file')}" if named else ""
    return f"{words.many(len(counted), 'serious finding' if serious else 'finding')}{where}."


def caveat(report: Report) -> str:
    """Which checks did not run and how many files nobody read."""
    failed = sum(check.status == "failed" for check in report.checks)
    skipped = sum(check.status == "skipped" for check in report.checks)
    missed = unseen(report)
    parts = [f"{words.many(failed, 'check')} failed."] if failed else []
    parts += [f"{words.many(skipped, 'check')} did not run."] if skipped else []
    parts += [f"{words.many(missed, 'file')} could not be looked at."] if missed else []
    return " ".join(filter(None, [*parts, chosen(report), "Code was read, not run."]))


def figures(report: Report) -> tuple[Figure, Figure]:
    """How many files have a finding, and how many could not be looked at."""
    read = (finding for finding in report.findings if finding.slug != _UNSEEN)
    named = len({path for finding in read if (path := _path(finding))})
    return (
        Figure("Files affected", words.count(named), f"of {words.many(_files(report), 'file')}"),
        Figure("Not looked at", words.count(unseen(report)), "files that nobody could read"),
    )


def unseen(report: Report) -> int:
    """How many files could not be looked at."""
    missed = (finding for finding in report.findings if finding.slug == _UNSEEN)
    return sum(int(real(finding.subject.extra.get("files")) or 1) for finding in missed)


def file_of(finding: Finding, report: Report) -> str:
    """The file of a finding, as seen from where the folder's name holds; within the folder where that is absolute."""
    path, folder = _path(finding), plain(report.target.name).replace("\\", "/")
    if not path or folder.startswith("/") or ".." in folder.split("/"):
        return path
    return posixpath.normpath(posixpath.join(folder, path))


def _path(finding: Finding) -> str:
    return plain(finding.subject.extra.get("path") or "")


def _files(report: Report) -> int:
    return int(real(report.target.extra.get("files")) or 0)
