"""The verdict in plain words: what it says, what it does not say, and the first thing to do."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mithridate.core.findings import Finding
from mithridate.core.report import CheckResult, Report
from mithridate.reports import words
from mithridate.reports.coverage import chosen, every_ran
from mithridate.reports.extent import touching
from mithridate.reports.pieces import Number, number
from mithridate.reports.safe import line
from mithridate.reports.voices import voice

POWER = "power:"
_COMMAND = re.compile(r"`((?:mithridate|pip|python) [^`]+)`|(?:^|(?<=[\s:]))((?:mithridate|pip|python) \S.*)$")


@dataclass(frozen=True, slots=True)
class Remedy:
    """What to do: words, the command in them if there is one, and the claim that it answers."""

    text: str
    command: str
    about: str = ""


def tone(report: Report) -> str:
    """The colour of the verdict: the worst severity, `incomplete`, or `clean` where planted poison was found, too."""
    if words.serious(report.worst):
        return report.worst.word if report.worst else ""
    if report.verdict == "incomplete" or (not report.findings and blind(report)):
        return "incomplete"
    return report.worst.word if report.worst else "clean"


def headline(report: Report) -> str:
    """The verdict in one short sentence."""
    own = voice(report)
    if own is not None:
        return own.headline(report)
    data = report.target.kind == "dataset"
    if words.serious(report.worst):
        return "Don’t train on this data yet." if data else "Don’t use it yet."
    if report.verdict == "incomplete":
        return f"Incomplete: this audit can’t say whether {'the data is' if data else 'it is'} safe."
    if report.findings:
        return "Nothing serious found, but something to look at."
    found = f"Nothing found by the {words.many(len(ran(report)), 'check')} that ran"
    missed = blind(report)
    return f"{found}, and they miss {words.listing(missed)}." if missed else f"{found}."


def lead(report: Report) -> str:
    """What stands behind the verdict: how many findings touch how many rows."""
    own = voice(report)
    if own is not None:
        return own.lead(report)
    serious = [finding for finding in report.findings if words.serious(finding.severity)]
    if serious:
        return touching(serious, "serious finding", report)
    if report.findings:
        return touching(report.findings, "lesser finding" if report.verdict == "incomplete" else "finding", report)
    if report.verdict == "incomplete":
        return "Nothing was found, but that is no all-clear."
    return ""


def caveat(report: Report) -> str:
    """What the verdict does not say: checks that failed or were skipped, and what the power was."""
    own = voice(report)
    if own is not None:
        return own.caveat(report)
    failed = sum(check.status == "failed" for check in report.checks)
    skipped = sum(check.status == "skipped" for check in report.checks)
    parts = [f"{words.many(failed, 'check')} failed"] if failed else []
    parts += [f"{words.many(skipped, 'check')} did not run"] if skipped else []
    gaps = f"{words.listing(parts)}." if parts else every_ran(report)
    if parts and report.verdict == "incomplete":
        gaps = f"The audit is incomplete: {gaps}"
    if parts and chosen(report):
        gaps = f"{gaps} {chosen(report)}"
    measured = [number.value for _, number in power(report) if number.value is not None]
    if measured:
        gaps += f" Of poison planted in a copy, the audit found {_range(measured)}."
    elif not report.findings and voice(report) is None:
        gaps += " How much poison the audit would have found was not measured."
    return gaps


def first_step(report: Report) -> Remedy:
    """The first thing to do: the remedy of the worst finding, or what makes the report complete."""
    worst = sorted(report.findings, key=worst_first)
    if words.serious(report.worst):
        return _answer(worst[0])
    broken = [check for check in report.checks if check.status == "failed"]
    broken += [check for check in report.checks if check.status == "skipped" and check.wanted]
    if broken:
        reason = line(broken[0].reason or "no reason given", limit=300)
        name, fate = line(broken[0].title or broken[0].slug, limit=120), broken[0].status
        return Remedy(f"Get “{name}” to run; it {'failed' if fate == 'failed' else 'was skipped'}: {reason}", "")
    if not ran(report):
        return Remedy("No check could run on this input; see the reasons under “What was not checked”.", "")
    if worst:
        return _answer(worst[0])
    return _nothing(report)


def _nothing(report: Report) -> Remedy:
    """What to do where nothing was found."""
    own, missed = voice(report), blind(report)
    if own is not None:
        return Remedy(own.NOTHING_TO_DO, "")
    if missed:
        seen = f"Nothing seen to remove, but none of the planted {words.listing(missed)} was seen either"
        how = "trust this data as far as its sources, or audit with --reference, --recipe or --model"
        return Remedy(f"{seen}: {how}.", "")
    return Remedy("Nothing to remove. Keep this report with the data, and audit again when the data changes.", "")


def _answer(finding: Finding) -> Remedy:
    what = remedy(finding.remedy or "Look at this finding first.")
    return Remedy(what.text, what.command, line(finding.claim, limit=300))


def no_power(report: Report) -> str:
    """Why the audit's power is not known, and how to measure it; empty where there is none to measure."""
    if voice(report) is not None:
        return ""
    broken = [check for check in report.checks if check.status == "failed" and "control" in check.slug]
    if broken:
        return "Measuring it failed, so “nothing found” says little."
    how = "without --method" if chosen(report) else "with --power cheap"
    return f"Not measured in this run, so “nothing found” says little; run the audit {how}."


def remedy(text: str) -> Remedy:
    """The remedy split into words and the command that stands in them."""
    body = line(text, limit=1000)
    body = body if _COMMAND.match(body) else body[:1].upper() + body[1:]
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


def blind(report: Report) -> list[str]:
    """Attacks of which a copy's planted rows were all missed."""
    return [attack for attack, figure in power(report) if figure.value == 0]


def ran(report: Report) -> list[CheckResult]:
    """The checks that ran to their end."""
    return [check for check in report.checks if check.status in {"found", "clean"}]


def worst_first(finding: Finding) -> tuple[int, float, int, str]:
    """A sort key: severity, confidence, size, then the fingerprint so that the order never wavers."""
    return (-int(finding.severity), -finding.confidence, -len(finding.subject.rows), finding.fingerprint)


def _range(shares: list[float]) -> str:
    low, high = words.share(min(shares)), words.share(max(shares))
    return low if low == high else f"{low} to {high}, depending on the attack"
