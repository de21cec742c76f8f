"""The page: a report arranged as a reader needs it, all text harmless; every format for people draws this.

Order: the verdict and the first thing to do, four tiles, findings by kind and worst first, what was not
checked and what would have been found, how to do it again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from mithridate.core.findings import Finding
from mithridate.core.report import CheckResult, Report
from mithridate.core.standards import STANDARDS
from mithridate.reports import artefact, project, proof, words
from mithridate.reports.coverage import chosen, every_ran
from mithridate.reports.extent import affected
from mithridate.reports.pieces import Number, Pattern, Picture, Piece, number, piece
from mithridate.reports.safe import fields, items, line, plain, real
from mithridate.reports.verdict import (
    POWER,
    Remedy,
    caveat,
    first_step,
    headline,
    lead,
    no_power,
    power,
    ran,
    remedy,
    tone,
    worst_first,
)
from mithridate.reports.voices import voice

_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?(?:Z|\+00:00)")
UNFLAGGED = "no row is flagged"
"""Note of the expected number of false flags where there are no flags."""

SHOWN_ROWS = 20
FOLDED_ROWS = 200
_GROUPS = (
    ("trigger", "Triggers", "Rows that share a pattern which forces a label"),
    ("source", "Sources", "Where bad rows come from"),
    ("duplicate", "Duplicates", "Copies whose labels or sources disagree, and bursts of near-copies"),
    ("burst", "Duplicates", "Copies whose labels or sources disagree, and bursts of near-copies"),
    ("label", "Labels", "Rows whose label does not fit their content"),
    ("flip", "Labels", "Rows whose label does not fit their content"),
    ("outlier", "Outliers", "Rows unlike all others"),
    ("noise", "Noise", "Images with a grain that their content doesn't explain"),
)
_OWN_GROUPS = {**artefact.GROUPS, **project.GROUPS, **proof.GROUPS}


@dataclass(frozen=True, slots=True)
class Tile:
    """One of the four figures at the top; `tone` names its colour."""

    title: str
    value: str
    note: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Rows:
    """Row positions of a finding: shown at once, folded, and how many are only in `--scores`."""

    total: int
    shown: tuple[str, ...]
    folded: tuple[str, ...]
    more: int
    file: str


@dataclass(frozen=True, slots=True)
class Item:
    """One finding, ready to draw."""

    anchor: str
    method: str
    slug: str
    title: str
    severity: str
    confidence: float
    sure: str
    claim: str
    about: str
    label: str
    sources: tuple[tuple[str, str], ...]
    rows: Rows
    numbers: tuple[Number, ...]
    pieces: tuple[Piece, ...]
    remedy: Remedy
    standards: tuple[tuple[str, str], ...]
    fingerprint: str
    place: str
    file: str
    digest: str


@dataclass(frozen=True, slots=True)
class Group:
    """Findings of one kind, worst first."""

    title: str
    about: str
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Check:
    """How one method fared."""

    method: str
    title: str
    status: str
    reason: str
    seconds: str
    wanted: bool
    numbers: tuple[Number, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """Everything that a format for people shows, in order."""

    name: str
    target: str
    tone: str
    headline: str
    lead: str
    caveat: str
    remedy: Remedy
    tiles: tuple[Tile, ...]
    ran: int
    skipped: tuple[Check, ...]
    failed: tuple[Check, ...]
    done: tuple[Check, ...]
    unchecked: str
    groups: tuple[Group, ...]
    total: int
    hidden: int
    power: tuple[tuple[str, Number], ...]
    no_power: str
    command: str
    facts: tuple[tuple[str, str], ...]


def page(report: Report, *, limit: int) -> Page:
    """The page of a report with its `limit` worst findings; how many were left out stands in `hidden`."""
    checks = tuple(map(_check, report.checks))
    done = tuple(check for check in checks if check.status in {"found", "clean"})
    return Page(
        name=line(report.target.name, limit=200),
        target=_target(report),
        tone=tone(report),
        headline=headline(report),
        lead=lead(report),
        caveat=caveat(report),
        remedy=first_step(report),
        tiles=_tiles(report),
        ran=len(done),
        skipped=tuple(check for check in checks if check.status == "skipped"),
        failed=tuple(check for check in checks if check.status == "failed"),
        done=done,
        unchecked=every_ran(report) if len(done) == len(checks) else chosen(report),
        groups=_groups(report, limit),
        total=len(report.findings),
        hidden=max(0, len(report.findings) - limit),
        power=power(report),
        no_power=no_power(report),
        command=line(fields(report.run).get("command") or "", limit=1000),
        facts=_facts(report),
    )


def _target(report: Report) -> str:
    own = voice(report)
    if own is not None:
        return own.target(report)
    target = report.target
    parts = [f"{words.many(target.rows, 'row')}"] if target.rows else []
    parts += [_extra(key, value) for key, value in list(target.extra.items())[:6]]
    return " · ".join([line(target.kind, limit=40), *parts])


def _extra(key: str, value: object) -> str:
    """One fact of the target; a shape without its number of rows."""
    if key == "shape" and len(items(value)) > 1:
        return " × ".join(line(side, limit=12) for side in items(value)[1:5])
    return f"{line(key, limit=40)} {line(value, limit=80)}"


def _tiles(report: Report) -> tuple[Tile, ...]:
    own = voice(report)
    middle = (_rows_tile(report), _flags_tile(report)) if own is None else [Tile(*part) for part in own.figures(report)]
    return (_worst_tile(report), *middle, _coverage_tile(report))


def _worst_tile(report: Report) -> Tile:
    if report.worst is None:
        return Tile("Worst severity", "None", "no findings", "none")
    n_worst = sum(finding.severity == report.worst for finding in report.findings)
    note = f"{words.count(n_worst)} of {words.many(len(report.findings), 'finding')}"
    return Tile("Worst severity", report.worst.word.capitalize(), note, report.worst.word)


def _rows_tile(report: Report) -> Tile:
    n_rows, total = affected(report.findings), report.target.rows
    others = len({plain(finding.subject.extra) for finding in report.findings if not finding.subject.rows})
    if not total and others:
        return Tile("Subjects affected", words.count(others), "files, models or clients named by a finding")
    note = f"{words.share(n_rows / total)} of {words.many(total, 'row')}" if total else "no rows in this target"
    return Tile("Rows affected", words.count(n_rows), note)


def _flags_tile(report: Report) -> Tile:
    evidence = report.number("expected_false_flags")
    if evidence is None:
        return Tile("Expected false flags", "–", "not measured in this run")
    shown = number(evidence)
    if shown.note == UNFLAGGED and affected(report.findings):
        return Tile("Expected false flags", "–", "findings speak of groups; no single row is flagged")
    flags = words.expected(shown.value) if shown.value is not None else "–"
    note = f"{shown.interval} by chance" if shown.interval else "rows flagged by chance, on average"
    return Tile("Expected false flags", flags, note)


def _coverage_tile(report: Report) -> Tile:
    n_ran = len(ran(report))
    skipped = sum(check.status == "skipped" for check in report.checks)
    failed = sum(check.status == "failed" for check in report.checks)
    note = f"{words.count(skipped)} skipped · {words.count(failed)} failed"
    tone_of = "incomplete" if report.verdict == "incomplete" else ""
    return Tile("Checks run", f"{words.count(n_ran)} of {words.count(len(report.checks))}", note, tone_of)


def _groups(report: Report, limit: int) -> tuple[Group, ...]:
    titles = {check.method: line(check.title, limit=160) for check in report.checks}
    made: dict[tuple[str, str], list[Item]] = {}
    ordered = sorted(report.findings, key=worst_first)[:limit]
    for position, finding in enumerate(ordered, start=1):
        made.setdefault(_kind(finding), []).append(_item(finding, titles.get(finding.method, ""), position))
    return tuple(Group(title, about, tuple(some)) for (title, about), some in made.items())


def _kind(finding: Finding) -> tuple[str, str]:
    slug = finding.slug.lower()
    if slug in _OWN_GROUPS:
        return _OWN_GROUPS[slug]
    known = next(((title, about) for key, title, about in _GROUPS if key in slug), None)
    return known or (line(finding.slug, limit=60).replace("-", " ").capitalize() or "Other", "")


def _item(finding: Finding, title: str, position: int) -> Item:
    pieces = tuple(map(piece, finding.evidence))
    subject, sure = finding.subject, real(finding.confidence) or 0.0
    sources = sorted(subject.sources.items(), key=lambda pair: (-(real(pair[1]) or 0.0), str(pair[0])))[:12]
    return Item(
        anchor=f"finding-{position}",
        method=line(finding.method, limit=40),
        slug=line(finding.slug, limit=80),
        title=title,
        severity=finding.severity.word,
        confidence=min(max(sure, 0.0), 1.0),
        sure=words.confidence(sure),
        claim=line(finding.claim, limit=600),
        about=line(subject.kind, limit=40) if subject.kind not in {"rows", "file"} else "",
        label=line(subject.label, limit=80) if subject.label is not None else "",
        sources=tuple((line(name, limit=80), line(n, limit=20)) for name, n in sources),
        rows=_rows(finding),
        numbers=tuple(part for part in pieces if isinstance(part, Number)),
        pieces=_drawn_once(pieces),
        remedy=remedy(finding.remedy),
        standards=tuple((line(key, limit=60), STANDARDS.get(str(key), "")) for key in finding.standards[:12]),
        fingerprint=line(finding.fingerprint, limit=80),
        place=line(finding.place, limit=160) if subject.kind != "file" else "",
        file=line(subject.extra.get("path") or "", limit=400) if subject.kind == "file" else "",
        digest=line(subject.extra.get("digest") or "", limit=100) if subject.kind == "file" else "",
    )


def _drawn_once(pieces: tuple[Piece, ...]) -> tuple[Piece, ...]:
    """What isn't a number; a trigger is drawn from its pixels only where no picture of it was sent."""
    pictured = any(isinstance(part, Picture) for part in pieces)
    return tuple(
        replace(part, canvas=None) if pictured and isinstance(part, Pattern) else part
        for part in pieces
        if not isinstance(part, Number)
    )


def _rows(finding: Finding) -> Rows:
    rows, extra = finding.subject.rows, finding.subject.extra
    shown = [line(row, limit=20) for row in rows[:FOLDED_ROWS]]
    total = max(len(rows), int(real(extra.get("n_rows")) or 0))
    return Rows(
        total=total,
        shown=tuple(shown[:SHOWN_ROWS]),
        folded=tuple(shown[SHOWN_ROWS:]),
        more=max(0, total - len(shown)),
        file=line(extra.get("rows_file") or "", limit=200),
    )


def _check(check: CheckResult) -> Check:
    numbers = tuple(number(e) for e in check.numbers if not e.name.startswith(POWER))
    return Check(
        method=line(check.method, limit=40),
        title=line(check.title or check.slug or check.method, limit=160),
        status=check.status,
        reason=line(check.reason or "no reason given", limit=600),
        seconds=words.duration(check.seconds),
        wanted=check.wanted,
        numbers=numbers,
    )


def _facts(report: Report) -> tuple[tuple[str, str], ...]:
    run = fields(report.run)
    seconds, peak = real(run.get("seconds")), real(run.get("peak_bytes"))
    own = voice(report)
    digest = report.target.digest or ("no digest" if own is None else own.NO_DIGEST)
    known = [("Data", line(digest, limit=200))] if digest else []
    known += [
        ("Seed", line(run.get("seed", "not recorded"), limit=60)),
        ("Mithridate", line(run.get("version", "not recorded"), limit=60)),
        ("Started", _instant(line(run.get("started", "not recorded"), limit=60))),
        ("Time", words.duration(seconds) if seconds is not None else "not measured"),
    ]
    if peak is not None or own is None:
        known.append(("Peak memory", words.size(peak) if peak is not None else "not measured"))
    named = {"command", "seed", "version", "started", "seconds", "peak_bytes"}
    rest = [(line(words.title(str(k)), limit=60).capitalize(), _fact(v)) for k, v in run.items() if k not in named]
    return tuple(known + rest[:20])


def _instant(text: str) -> str:
    """`2026-11-22T15:30:00Z` as people write it; any other text as it is."""
    match = _INSTANT.fullmatch(text)
    return f"{match.group(1)} {match.group(2)} UTC" if match else text


def _fact(value: object) -> str:
    if fields(value):
        return " · ".join(f"{line(k, limit=60)} {line(v, limit=60)}" for k, v in list(fields(value).items())[:20])
    return ", ".join(line(part, limit=80) for part in items(value)[:20]) if items(value) else line(value, limit=300)
