"""Evidence as every format shows it: typed, checked, harmless text, cut to a length that can be read."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from mithridate.core.findings import Evidence
from mithridate.reports import words
from mithridate.reports.artefact import Problem, problem
from mithridate.reports.patterns import Canvas, canvas, trigger_words
from mithridate.reports.safe import block, fields, finite, items, line, plain, real

PNG = b"\x89PNG\r\n\x1a\n"
MAX_TILES = 12
MAX_CELLS = 200
MAX_TABLE_ROWS = 20
MAX_COLUMNS = 24
MAX_BARS = 20
MAX_SERIES = 6
MAX_BINS = 400
MAX_IMAGE_CHARS = 200_000


@dataclass(frozen=True, slots=True)
class Number:
    """A measured number: `shown` and `interval` in words, the raw value and bounds for drawing."""

    title: str
    shown: str
    interval: str
    note: str
    unit: str
    value: float | None
    low: float | None
    high: float | None
    kind: Literal["number"] = "number"


@dataclass(frozen=True, slots=True)
class Picture:
    """One PNG; `uri` is a data address, empty when the bytes are no PNG."""

    title: str
    uri: str
    caption: str
    kind: Literal["image"] = "image"


@dataclass(frozen=True, slots=True)
class Thumb:
    """One row of the data as a picture."""

    uri: str
    row: str
    caption: str


@dataclass(frozen=True, slots=True)
class Gallery:
    """Flagged rows beside clean ones; `hidden` tiles were left out."""

    title: str
    caption: str
    flagged: tuple[Thumb, ...]
    clean: tuple[Thumb, ...]
    hidden: int
    kind: Literal["gallery"] = "gallery"


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell; `marked` when its column is a guilty one, `number` when it is set to the right."""

    text: str
    marked: bool
    number: bool


@dataclass(frozen=True, slots=True)
class Table:
    """Cells of rows; `hidden` rows were left out."""

    title: str
    caption: str
    columns: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]
    roles: tuple[str, ...]
    hidden: int
    kind: Literal["table"] = "table"


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a chart."""

    label: str
    value: float
    shown: str
    marked: bool


@dataclass(frozen=True, slots=True)
class Bars:
    """A bar chart; `hidden` bars were left out."""

    title: str
    caption: str
    bars: tuple[Bar, ...]
    hidden: int
    kind: Literal["bars"] = "bars"


@dataclass(frozen=True, slots=True)
class Series:
    """Counts of one group over the bins."""

    name: str
    counts: tuple[float, ...]
    marked: bool


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts of several groups over the same bins."""

    title: str
    caption: str
    unit: str
    edges: tuple[float, ...]
    series: tuple[Series, ...]
    kind: Literal["histogram"] = "histogram"


@dataclass(frozen=True, slots=True)
class Pattern:
    """A trigger in words, and its JSON for a machine."""

    title: str
    text: str
    raw: str
    canvas: Canvas | None
    kind: Literal["trigger"] = "trigger"


@dataclass(frozen=True, slots=True)
class Words:
    """An explanation in words, line breaks kept."""

    title: str
    text: str
    kind: Literal["text"] = "text"


Piece: TypeAlias = Number | Picture | Gallery | Table | Bars | Histogram | Pattern | Words | Problem


def piece(evidence: Evidence) -> Piece:
    """The piece for one evidence; of an unknown kind or shape, its JSON as text."""
    form = evidence.data.get("form") if evidence.kind == "plot" else ""
    draw = _DRAWN.get(f"{evidence.kind}:{form}" if form else evidence.kind, _unknown)
    return draw(evidence)


def number(evidence: Evidence) -> Number:
    """The number with its interval in words."""
    data, unit = evidence.data, line(evidence.data.get("unit") or "", limit=40)
    value, low, high = (real(data.get(key)) for key in ("value", "low", "high"))
    return Number(
        title=line(words.title(evidence.name), limit=120),
        shown=words.quantity(value, unit),
        interval=words.interval(low, high, unit),
        note=line(data.get("note") or "", limit=400),
        unit=unit,
        value=value,
        low=low,
        high=high,
    )


def png_uri(encoded: object) -> str:
    """A `data:` address of the picture; empty unless it is base64 of PNG bytes, so nothing else gets in."""
    if not isinstance(encoded, str) or len(encoded) > MAX_IMAGE_CHARS:
        return ""
    try:
        raw = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return ""
    return f"data:image/png;base64,{base64.b64encode(raw).decode('ascii')}" if raw.startswith(PNG) else ""


def _gallery(evidence: Evidence) -> Gallery:
    tiles = [fields(item) for item in items(evidence.data.get("items"))]
    shown = {
        role: [t for t in tiles if (t.get("role") == "clean") == (role == "clean")] for role in ("flagged", "clean")
    }
    thumbs = {role: tuple(map(_thumb, some[:MAX_TILES])) for role, some in shown.items()}
    hidden = sum(max(0, len(some) - MAX_TILES) for some in shown.values())
    caption = line(evidence.data.get("caption", ""))
    return Gallery(_title(evidence), caption, thumbs["flagged"], thumbs["clean"], hidden)


def _thumb(tile: dict[str, Any]) -> Thumb:
    row, caption = line(tile.get("row", ""), limit=40), line(tile.get("caption", ""), limit=120)
    return Thumb(png_uri(tile.get("png")), row, caption.removeprefix(f"row {row}").lstrip(" ,:"))


def _table(evidence: Evidence) -> Table:
    data = evidence.data
    names = [line(name, limit=MAX_CELLS) for name in items(data.get("columns"))[:MAX_COLUMNS]]
    guilty = {line(name, limit=MAX_CELLS) for name in items(data.get("marked"))}
    marked = [name in guilty for name in names]
    every = items(data.get("rows"))
    rows = [items(row)[: len(names)] for row in every[:MAX_TABLE_ROWS]]
    right = [_numeric(rows, column) for column in range(len(names))]
    heads = tuple(Cell(*parts) for parts in zip(names, marked, right, strict=True))
    body = tuple(tuple(Cell(_cell(v), marked[i], right[i]) for i, v in enumerate(row)) for row in rows)
    roles = _roles(names, body)
    return Table(_title(evidence), line(data.get("caption", "")), heads, body, roles, len(every) - len(rows))


def _roles(names: list[str], rows: tuple[tuple[Cell, ...], ...]) -> tuple[str, ...]:
    """`flagged` or `clean` for each row where a column named `role` says so, else nothing."""
    if "role" not in names:
        return ()
    at = names.index("role")
    return tuple("clean" if at < len(row) and row[at].text == "clean" else "flagged" for row in rows)


def _numeric(rows: list[list[Any]], column: int) -> bool:
    values = [row[column] for row in rows if column < len(row) and row[column] is not None]
    return bool(values) and all(real(value) is not None for value in values)


def _cell(value: object) -> str:
    return "–" if value is None else line(plain(value), limit=MAX_CELLS)


def _bars(evidence: Evidence) -> Bars:
    data, unit = evidence.data, line(evidence.data.get("unit") or "", limit=40)
    guilty = {plain(name) for name in items(data.get("marked"))}
    pairs = zip(items(data.get("x")), map(real, items(data.get("y"))), strict=False)
    every = [
        Bar(line(label, limit=80), value or 0.0, words.quantity(value, unit), plain(label) in guilty)
        for label, value in pairs
    ]
    keep = sorted(range(len(every)), key=lambda i: (not every[i].marked, -abs(every[i].value), i))[:MAX_BARS]
    bars = tuple(every[i] for i in sorted(keep))
    return Bars(_title(evidence), line(data.get("caption", "")), bars, len(every) - len(bars))


def _histogram(evidence: Evidence) -> Histogram:
    data = evidence.data
    edges = tuple(edge for edge in map(real, items(data.get("edges"))) if edge is not None)[: MAX_BINS + 1]
    given = list(fields(data.get("series")).items())[:MAX_SERIES]
    series = tuple(
        Series(
            line(name, limit=60),
            tuple(max(0.0, real(c) or 0.0) for c in items(counts)[: max(0, len(edges) - 1)]),
            marked=len(given) > 1 and position == len(given) - 1,
        )
        for position, (name, counts) in enumerate(given)
    )
    unit = line(data.get("unit") or "", limit=40)
    return Histogram(_title(evidence), line(data.get("caption", "")), unit, edges, series)


def _picture(evidence: Evidence) -> Picture:
    return Picture(_title(evidence), png_uri(evidence.data.get("png")), line(evidence.data.get("caption", "")))


def _pattern(evidence: Evidence) -> Pattern:
    trigger = fields(evidence.data.get("trigger"))
    return Pattern(_title(evidence), trigger_words(trigger), _raw(trigger), canvas(trigger))


def _words(evidence: Evidence) -> Words:
    return Words(_title(evidence), block(evidence.data.get("text", "")))


def _unknown(evidence: Evidence) -> Words:
    return Words(_title(evidence), _raw(dict(evidence.data)))


def _title(evidence: Evidence) -> str:
    return line(words.title(evidence.name), limit=120)


def _raw(value: object) -> str:
    return block(json.dumps(finite(value), ensure_ascii=False, default=str), limit=2000)


_DRAWN: dict[str, Callable[[Evidence], Piece]] = {
    "number": number,
    "image": _picture,
    "gallery": _gallery,
    "table": _table,
    "plot:bars": _bars,
    "plot:histogram": _histogram,
    "trigger": _pattern,
    "text": _words,
    "issue": problem,
}
