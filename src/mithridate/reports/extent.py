"""How much of a target its findings touch, in figures and words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mithridate.core.findings import Finding
from mithridate.core.report import Report
from mithridate.reports import words


class Figure(NamedTuple):
    """One of the figures at the top of a report: what it counts, the count, and of what."""

    title: str
    value: str
    note: str


def touching(findings: Sequence[Finding], noun: str, report: Report) -> str:
    """How many findings touch how many rows, in one sentence."""
    n_rows, total = affected(findings), report.target.rows
    said, verb = words.many(len(findings), noun), "touches" if len(findings) == 1 else "touch"
    if not n_rows:
        return f"{said}."
    if not total:
        return f"{said} {verb} {words.many(n_rows, 'row')}."
    return f"{said} {verb} {words.count(n_rows)} of {words.many(total, 'row')} ({words.share(n_rows / total)})."


def affected(findings: Iterable[Finding]) -> int:
    """How many distinct rows of the target the findings name; rows that only its manifest has are none of them."""
    rows: set[int] = set()
    own = [finding for finding in findings if finding.subject.kind != "manifest-rows"]
    for finding in own:
        rows.update(finding.subject.rows)
    elsewhere = [finding.subject.extra.get("n_rows") for finding in own]  # rows that went to a file beside
    return max([len(rows), *(count for count in elsewhere if isinstance(count, int))])
