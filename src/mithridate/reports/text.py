"""The report for a terminal: the same order as every format, no line wider than asked, colour only if asked."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from mithridate.core.report import Report
from mithridate.reports import words
from mithridate.reports.artefact import Problem
from mithridate.reports.page import Check, Item, Page, page
from mithridate.reports.pieces import Number, Pattern

MIN_WIDTH = 40
MAX_FINDINGS = 50
MAX_PROBLEMS = 3
_INDENT = 12
_CODES = {"critical": "1;31", "high": "31", "medium": "33", "low": "34", "clean": "32", "incomplete": "35"}
_MARKS = {**words.SHAPES, "clean": "✓", "incomplete": "?"}


def to_text(report: Report, *, width: int = 80, colour: bool = False) -> str:
    """The report as lines of at most `width` (>= 40) terminal cells, ending in a newline."""
    view, width = page(report, limit=MAX_FINDINGS), max(width, MIN_WIDTH)
    parts = [*_top(view, width, colour=colour), *_findings(view, width, colour=colour)]
    parts += [
        *_gaps(view, width, colour=colour),
        *_power(view, width, colour=colour),
        *_again(view, width, colour=colour),
    ]
    return "\n".join(part.rstrip() for part in parts) + "\n"


def _top(view: Page, width: int, *, colour: bool) -> Iterator[str]:
    yield from wrap(f"{view.name} · {view.target}", width)
    yield "─" * width
    first, *rest = wrap(view.headline, width - 2)
    yield f"{_paint(_MARKS[view.tone], view.tone, colour=colour)} {_paint(first, 'bold', colour=colour)}"
    yield from (f"  {part}" for part in (*rest, *wrap(f"{view.lead} {view.caveat}".strip(), width - 2)))
    yield from _labelled("First:", _remedy_text(view.remedy.text, view.remedy.command), width, indent=9)
    third = view.tiles[2].title.lower().removeprefix("expected ")
    figures = [
        f"worst: {view.tiles[0].value.lower()}",
        f"{view.tiles[1].title.split()[0].lower()}: {view.tiles[1].value.lower()}",
        f"{third}: {view.tiles[2].value}",
        f"checks: {view.tiles[3].value} run, {len(view.failed)} failed",
    ]
    yield from wrap(f"  {' │ '.join(figures)}", width)


def _findings(view: Page, width: int, *, colour: bool) -> Iterator[str]:
    if view.groups:
        yield ""
    for group in view.groups:
        for item in group.items:
            yield from _finding(item, group.title, width, colour=colour)
    if view.hidden:
        yield from wrap(f"… and {words.many(view.hidden, 'lesser finding')}, all in -o report.json", width)


def _finding(item: Item, kind: str, width: int, *, colour: bool) -> Iterator[str]:
    head = f"{words.SHAPES[item.severity]} {item.severity}"
    first, *rest = wrap(item.claim or "no claim given", width - _INDENT)
    yield f"{_paint(head.ljust(_INDENT), item.severity, colour=colour)}{_paint(first, 'bold', colour=colour)}"
    yield from (" " * _INDENT + _paint(part, "bold", colour=colour) for part in rest)
    for body in _details(item, kind):
        yield from (" " * _INDENT + part for part in wrap(body, width - _INDENT))


def _details(item: Item, kind: str) -> Iterator[str]:
    """The lines under a claim; a low finding has only the first."""
    sources = ", ".join(f"{name} {n}" for name, n in item.sources[:3])
    sure = f"{item.sure} ({words.share(item.confidence)})"
    yield " · ".join(filter(None, [kind.lower(), sure, _rows_text(item), sources, item.method]))
    if item.file:
        yield item.file
    if item.severity == "low":
        return
    yield from [part.text for part in item.pieces if isinstance(part, Pattern)][:1]
    problems = [part for part in item.pieces if isinstance(part, Problem)]
    yield from map(_problem, problems[1 : MAX_PROBLEMS + 1])
    numbers = [_number(number) for number in item.numbers if number.interval][:2]
    if numbers:
        yield " · ".join(numbers)
    if item.remedy.text or item.remedy.command:
        yield f"→ {_remedy_text(item.remedy.text, item.remedy.command)}"


def _problem(problem: Problem) -> str:
    place = f" ({problem.place})" if problem.place else ""
    return f"also {problem.severity}: {problem.text}{place}"


def _gaps(view: Page, width: int, *, colour: bool) -> Iterator[str]:
    for title, checks in (("FAILED", view.failed), ("NOT RUN", view.skipped)):
        if checks:
            yield from _heading(title, width, colour=colour)
            for check in checks:
                yield from _hanging(f"{_name(check)}: {check.reason}", width)


def _power(view: Page, width: int, *, colour: bool) -> Iterator[str]:
    if not view.power and not view.no_power:
        return
    yield from _heading("POWER: share of poison planted in a copy that was found", width, colour=colour)
    if not view.power:
        yield from wrap(view.no_power, width)
        return
    broad = min(28, max(cells(name) for name, _ in view.power))
    for name, number in view.power:
        note = f" · {number.note}" if number.note else ""
        text = f"{_pad(name, broad)}  {_pad(number.shown, 8)} {number.interval}{note}"
        yield from _hanging(text, width, indent=min(broad + 11, width // 2))


def _again(view: Page, width: int, *, colour: bool) -> Iterator[str]:
    yield from _heading("REPRODUCE", width, colour=colour)
    if view.command:
        yield from _hanging(view.command, width)
    yield from wrap(" · ".join(f"{name.lower()} {value}" for name, value in view.facts if name != "Data"), width)
    yield from (part for name, value in view.facts if name == "Data" for part in wrap(f"data {value}", width))


def _heading(title: str, width: int, *, colour: bool) -> Iterator[str]:
    yield ""
    yield from (_paint(part, "bold", colour=colour) for part in wrap(title, width))


def _name(check: Check) -> str:
    return f"{check.method} {check.title}{' (asked for by name)' if check.wanted else ''}"


def _rows_text(item: Item) -> str:
    return words.many(item.rows.total, "row") if item.rows.total else item.about


def _number(number: Number) -> str:
    return f"{number.title} {number.shown}{f' ({number.interval})' if number.interval else ''}"


def _remedy_text(text: str, command: str) -> str:
    return f"{text}: {command}" if text and command else text or command or "nothing to do"


def _labelled(label: str, text: str, width: int, *, indent: int) -> Iterator[str]:
    first, *rest = wrap(text, width - indent)
    yield f"  {label}".ljust(indent) + first
    yield from (" " * indent + part for part in rest)


def _hanging(text: str, width: int, *, indent: int = 2) -> Iterator[str]:
    first, *rest = wrap(text, width, later=width - indent)
    yield first
    yield from (" " * indent + part for part in rest)


def _paint(text: str, tone: str, *, colour: bool) -> str:
    code = _CODES.get(tone, "1")
    return f"\x1b[{code}m{text}\x1b[0m" if colour else text


def _pad(text: str, width: int) -> str:
    return text + " " * max(0, width - cells(text))


def cells(text: str) -> int:
    r"""How many terminal cells the text fills: wide characters two, combining ones none.

    Examples
    --------
    >>> cells("ab"), cells("日本"), cells("e\u0301")
    (2, 4, 1)
    """
    return sum(map(_cells_of, text))


def _cells_of(char: str) -> int:
    if unicodedata.category(char) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def wrap(text: str, width: int, *, later: int | None = None) -> list[str]:
    """The text in lines of at most `width` cells, those after the first `later`; long words are cut.

    Spaces inside a line stay as they are, so that columns keep their place.
    """
    lines, current, used, room = [], "", 0, width
    for word in _words(words.glue(text)):
        for part in _cut(word, later or width):
            need = cells(part)
            if used and used + need > room and part.strip():
                lines.append(current.rstrip())
                current, used, room = "", 0, later or width
            if not current and not part.strip():
                continue
            if used + need <= room:
                current, used = current + part, used + need
    return [part.replace("\u00a0", " ") for part in [*lines, current.rstrip()]]


def _words(text: str) -> Iterator[str]:
    """Words and the runs of spaces between them."""
    start = 0
    for position in range(1, len(text) + 1):
        if position == len(text) or (text[position] == " ") != (text[start] == " "):
            yield text[start:position]
            start = position


def _cut(word: str, width: int) -> Iterator[str]:
    """The word in parts of at most `width` cells."""
    part, used = "", 0
    for char in word:
        if used + _cells_of(char) > width:
            yield part
            part, used = "", 0
        part, used = part + char, used + _cells_of(char)
    yield part
