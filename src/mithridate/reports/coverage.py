"""How much of what could have been checked was: said in each report, so that a part never looks like the whole."""

from __future__ import annotations

from mithridate.core.report import Report
from mithridate.reports import words
from mithridate.reports.safe import line

MOST_NAMED = 6  # checks asked for that are named; more are counted
_ONE_CHECK = frozenset({"signed", "sealed", "records"})  # targets that have one check, which nobody chose


def every_ran(report: Report) -> str:
    """What is said where no check failed and none was skipped."""
    if not report.checks:
        return "No check ran."
    return chosen(report) or "Every check ran."


def chosen(report: Report) -> str:
    """That only the checks asked for by name were run, and which; empty where all were."""
    names = [line(check.method, limit=40) for check in report.checks]
    if not names or report.target.kind in _ONE_CHECK or not all(check.wanted for check in report.checks):
        return ""
    who = words.listing(names) if len(names) <= MOST_NAMED else words.many(len(names), "check")
    return f"Only {who} {'was' if len(names) == 1 else 'were'} asked for; nothing else was looked for."
