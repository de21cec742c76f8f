"""The verdict in plain words: what it says, what it does not say, and the first thing to do."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mithridate.core.findings import Finding
from mithridate.core.report import CheckResult, Report
from mithridate.reports import words
from mithridate.reports.pieces import Number, number
from mithridate.reports.safe import line

POWER = "power:"
_COMMAND = re.compile(r"`([^`]+)`|(?:^|(?<=[\s:]))((?:mithridate|pip|python) \S.*)$")


@dataclass(frozen=True, slots=True)
class Remedy:
    """What to do: words, and the command in them if there is one."""

    text: str
    command: str


def tone(report: Report) -> str:
    """The colour of the verdict: the worst severity, `incomplete` or `clean`."""
    if words.serious(report.worst):
        return report.worst.word if report.worst else ""
    if report.verdict == "incomplete":
        return "incomplete"
    return report.worst.word if report.worst else "clean"


def headline(report: Report) -> str:
    """The verdict in one plain sentence or two."""
    n_found, what = len(report.findings), "this data" if report.target.kind == "dataset" else "it"
    if words.serious(report.worst):
        n_serious = sum(words.serious(finding.severity) for finding in report.findings)
        verb = "needs" if n_serious == 1 else "need"
        act = f"Don’t train on {what} yet" if report.target.kind == "dataset" else "Don’t use it yet"
        return f"{act}: {words.many(n_serious, 'serious finding')} {verb} action first."
    if report.verdict == "incomplete":
        extra = f" What ran has {words.many(n_found, 'lesser finding')}." if n_found else ""
        return f"Incomplete: this audit can’t say whether {what} is safe.{extra}"
    if n_found:
        return f"No serious poison found; {words.many(n_found, 'lesser finding')} to look at."
    return f"Nothing found by the {words.many(len(ran(report)), 'check')} that ran."


def caveat(report: Report) -> str:
    """What the verdict does not say: checks that failed or were skipped, and what the power was."""
    failed = sum(check.status == "failed" for check in report.checks)
    skipped = sum(check.status == "skipped" for check in report.checks)
    parts = [f"{words.many(failed, 'check')} failed"] if failed else []
    parts += [f"{words.many(skipped, 'check')} did not run"] if skipped else []
    gaps = f"{words.listing(parts)}." if parts else "Every check ran."
    if not report.checks:
        gaps = "No check ran."
    measured = [number.value for _, number in power(report) if number.value is not None]
    if measured:
        gaps += f" Of poison planted in a copy, the audit found {_range(measured)}."
    elif not report.findings:
        gaps += " How much poison the audit would have found was not measured."
    return gaps


def first_step(report: Report) -> Remedy:
    """The first thing to do: the remedy of the worst finding, or what makes the report complete."""
    worst = sorted(report.findings, key=worst_first)
    if words.serious(report.worst):
        return remedy(worst[0].remedy) if worst[0].remedy else Remedy("Look at the first finding below.", "")
    broken = [check for check in report.checks if check.status == "failed"]
    broken += [check for check in report.checks if check.status == "skipped" and check.wanted]
    if broken:
        reason = line(broken[0].reason or "no reason given", limit=300)
        return Remedy(f"Make “{line(broken[0].title or broken[0].slug, limit=120)}” run: {reason}", "")
    if not ran(report):
        return Remedy("No check could run on this input; see the reasons under “What was not checked”.", "")
    if worst:
        return remedy(worst[0].remedy) if worst[0].remedy else Remedy("Look at the first finding below.", "")
    return Remedy("Nothing to remove. Keep this report with the data, and audit again when the data changes.", "")


def remedy(text: str) -> Remedy:
    """The remedy split into words and the command that stands in them."""
    body = line(text, limit=1000)
    match = _COMMAND.search(body)
    if match is None:
        return Remedy(body, "")
    command = (match.group(1) or match.group(2) or "").strip()
    left = (body[: match.start()].rstrip(" :"), body[match.end() :].strip(" .;,"))
    return Remedy("; ".join(part for part in left if part), command)


def power(report: Report) -> tuple[tuple[str, Number], ...]:
    """Attack and share recovered, for each number named `power:<attack>`, in order."""
    return tuple(
        (line(evidence.name.removeprefix(POWER), limit=80), number(evidence))
        for check in report.checks
        for evidence in check.numbers
        if evidence.name.startswith(POWER)
    )


def ran(report: Report) -> list[CheckResult]:
    """The checks that ran to their end."""
    return [check for check in report.checks if check.status in {"found", "clean"}]


def worst_first(finding: Finding) -> tuple[int, float, int, str]:
    """A sort key: severity, confidence, size, then the fingerprint so that the order never wavers."""
    return (-int(finding.severity), -finding.confidence, -len(finding.subject.rows), finding.fingerprint)


def _range(shares: list[float]) -> str:
    low, high = words.share(min(shares)), words.share(max(shares))
    return low if low == high else f"{low} to {high}, depending on the attack"
