"""The report as Markdown for a comment on a pull request: short, folded, and deaf to hostile text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mithridate.core.report import Report
from mithridate.reports import words
from mithridate.reports.artefact import Problem
from mithridate.reports.page import Check, Item, Page, page
from mithridate.reports.pieces import Number, Pattern, Table, Words
from mithridate.reports.verdict import Remedy

MAX_FINDINGS = 20
_SPECIAL = re.compile(r"([\\`*_\[\]#|~$])|^([-+=:]|\d+[.)](?=\s|$))")
_HOOKS = re.compile(r"(?<=[@#])(?=\w)|(?<=\w)(?=://)|(?i:(?<=www)(?=\.))")
_BREAK = "\u200b"  # keeps @names, #1 and addresses from becoming mentions and links


def to_markdown(report: Report) -> str:
    """The report as GitHub-flavoured Markdown, ending in a newline."""
    view = page(report, limit=MAX_FINDINGS)
    parts = [*_top(view), *_findings(view), *_gaps(view), *_power(view), *_again(view)]
    return "\n".join(parts) + "\n"


def escape(text: str) -> str:
    r"""The text with every character that Markdown, HTML or GitHub would act on made plain.

    Examples
    --------
    >>> escape("a|b <i> *c*")
    'a\\|b &lt;i&gt; \\*c\\*'
    """
    held = _HOOKS.sub(_BREAK, text)
    return _SPECIAL.sub(_backslash, held.replace("&", "&amp;")).replace("<", "&lt;").replace(">", "&gt;")


def _backslash(match: re.Match[str]) -> str:
    """A backslash before the sign; before the last one of a number that would start a list."""
    return f"{match.group()[:-1]}\\{match.group()[-1]}"


def code(text: str) -> str:
    """The text as inline code, with a fence longer than any run of backticks in it, safe inside a table."""
    if not text:
        return ""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence, gap = "`" * (longest + 1), " " if "`" in text[:1] + text[-1:] else ""
    return f"{fence}{gap}{text.replace('|', '¦')}{gap}{fence}"


def _fenced(text: str) -> list[str]:
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return ["", f"{fence}sh", text, fence, ""]


def _top(view: Page) -> Iterator[str]:
    mark = {**words.SHAPES, "clean": "✓", "incomplete": "?"}[view.tone]
    yield f"## {mark} Mithridate: {escape(view.headline)}"
    yield from ("", f"{code(view.name)} · {escape(view.target)}. {escape(f'{view.lead} {view.caveat}'.strip())}")
    yield from ("", f"**First:** {_lead_in(view.remedy)}")
    if view.remedy.command:
        yield from _fenced(view.remedy.command)
    yield ""
    yield f"| {' | '.join(escape(tile.title) for tile in view.tiles)} |"
    yield f"|{' --- |' * len(view.tiles)}"
    yield f"| {' | '.join(f'**{escape(tile.value)}**<br>{escape(tile.note)}' for tile in view.tiles)} |"


def _findings(view: Page) -> Iterator[str]:
    for group in view.groups:
        yield from ("", f"### {escape(group.title)}", "")
        for item in group.items:
            yield from _finding(item)
    if view.hidden:
        yield from ("", f"… and {words.many(view.hidden, 'lesser finding')}, all in the JSON report.")


def _finding(item: Item) -> Iterator[str]:
    yield "<details>"
    sure = f"{item.sure}, {words.share(item.confidence)}"
    head = f"{words.SHAPES[item.severity]} <b>{item.severity}</b>"
    yield f"<summary>{head} · {_html(item.claim)} <i>({sure})</i></summary>"
    yield ""
    if item.remedy.text or item.remedy.command:
        yield f"**What to do:** {_lead_in(item.remedy)}"
        if item.remedy.command:
            yield from _fenced(item.remedy.command)
    for number in item.numbers:
        yield f"- {_number(number)}"
    for part in item.pieces:
        yield from _piece(part)
    for name, body in _about(item):
        yield f"- {name}: {body}"
    yield from ("", "</details>", "")


def _lead_in(remedy: Remedy) -> str:
    """The words of a remedy, ending in a colon where its command follows."""
    return escape(remedy.text) + (":" if remedy.text and remedy.command else "")


def _html(text: str) -> str:
    """Text inside an HTML line, where Markdown is still read: entities for its signs."""
    held = _HOOKS.sub(_BREAK, text)
    return "".join(char if char.isalnum() or char in " ,%×" or ord(char) > 0x7F else f"&#{ord(char)};" for char in held)  # noqa: PLR2004  beyond ASCII nothing is markup


def _about(item: Item) -> Iterator[tuple[str, str]]:
    if item.file:
        yield "file", f"{code(item.file)} {code(item.digest)}"
    if item.sources:
        yield "sources", ", ".join(f"{code(name)} {escape(n)}" for name, n in item.sources)
    if item.rows.total:
        more = item.rows.total - len(item.rows.shown)
        tail = f" … and {words.count(more)} more" if more > 0 else ""
        yield words.many(item.rows.total, "row"), escape(", ".join(item.rows.shown)) + escape(tail)
    if item.standards:
        yield "standards", escape(", ".join(f"{key} {name}".strip() for key, name in item.standards))
    yield "method", f"{code(item.method)} {code(item.slug)}, fingerprint {code(item.fingerprint)}"


def _piece(part: object) -> Iterator[str]:
    if isinstance(part, Pattern):
        yield f"- trigger: {escape(part.text)}"
    elif isinstance(part, Problem):
        where = " ".join(filter(None, [code(part.path), escape(part.place)]))
        yield f"- {part.severity} {code(part.code)}: {escape(part.text)}; {where}"
    elif isinstance(part, Words):
        yield f"- {escape(part.title)}: {escape(' '.join(part.text.split())[:600])}"
    elif isinstance(part, Table) and part.columns and part.rows:
        yield from ("", f"{escape(part.caption)}", "")
        yield f"| {' | '.join(f'**{escape(c.text)}**' if c.marked else escape(c.text) for c in part.columns)} |"
        yield f"|{''.join(' ---: |' if c.number else ' --- |' for c in part.columns)}"
        for row in part.rows[:5]:
            yield f"| {' | '.join(escape(cell.text) for cell in row)} |"
        yield ""


def _number(number: Number) -> str:
    between = f" ({escape(number.interval)})" if number.interval else ""
    note = f"; {escape(number.note)}" if number.note else ""
    return f"{escape(number.title)}: **{escape(number.shown)}**{between}{note}"


def _gaps(view: Page) -> Iterator[str]:
    yield from ("", "### What was not checked", "")
    for check in view.failed:
        yield f"- **failed** {_check(check)}"
    for check in view.skipped:
        yield f"- skipped {_check(check)}"
    if view.unchecked:
        yield from ([""] if view.failed or view.skipped else [])
        yield escape(view.unchecked)


def _check(check: Check) -> str:
    asked = " (asked for by name)" if check.wanted else ""
    return f"{code(check.method)} {escape(check.title)}{asked}: {escape(check.reason)}"


def _power(view: Page) -> Iterator[str]:
    if not view.power and not view.no_power:
        return
    if not view.power:
        yield from ("", f"How much it would have found: {escape(view.no_power)}")
        return
    yield from ("", "| Poison planted in a copy | Share found | Interval |", "| --- | ---: | --- |")
    for name, number in view.power:
        yield f"| {escape(name)} | {escape(number.shown)} | {escape(number.interval) or '–'} |"


def _again(view: Page) -> Iterator[str]:
    yield from ("", "<details>", "<summary>How to reproduce</summary>", "")
    if view.command:
        yield from _fenced(view.command)
    for name, value in view.facts:
        yield f"- {escape(name)}: {code(value)}"
    yield from ("", "</details>")
