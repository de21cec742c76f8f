"""A trigger (JSON of `core.trigger.Trigger`) in words, and as pixels where it has a place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mithridate.reports import words
from mithridate.reports.safe import fields, items, line, real

MAX_SIDE = 512
MAX_PIXELS = 1024


@dataclass(frozen=True, slots=True)
class Pixel:
    """One pixel of a trigger: its place and its colour as `#rrggbb`."""

    row: int
    column: int
    colour: str


@dataclass(frozen=True, slots=True)
class Canvas:
    """The pixels of a trigger; the first of them stands at `top`, `left` of the picture."""

    top: int
    left: int
    height: int
    width: int
    pixels: tuple[Pixel, ...]


def canvas(trigger: dict[str, Any]) -> Canvas | None:
    """The pixels of a patch and the box they fill; None for what isn't one, or is too large to draw."""
    pattern = fields(trigger.get("pattern"))
    cells = _patch_cells(pattern) if trigger.get("kind") == "patch" else {}
    if trigger.get("kind") == "local-patch":
        cells = _local_cells(pattern)
    if not 0 < len(cells) <= MAX_PIXELS:
        return None
    rows, columns = [row for row, _ in cells], [column for _, column in cells]
    top, left = min(rows), min(columns)
    height, width = max(rows) - top + 1, max(columns) - left + 1
    if max(height, width) > MAX_SIDE or min(top, left) < 0:
        return None
    pixels = tuple(Pixel(row - top, column - left, _hex(cells[row, column])) for row, column in sorted(cells))
    return Canvas(top, left, height, width, pixels)


def _patch_cells(pattern: dict[str, Any]) -> dict[tuple[int, int], dict[int, float]]:
    """Values by channel for each place."""
    cells: dict[tuple[int, int], dict[int, float]] = {}
    for place, value in zip(items(pattern.get("pixels")), items(pattern.get("values")), strict=False):
        at = [real(part) for part in items(place)[:3]]
        level = real(value)
        if len(at) >= 2 and at[0] is not None and at[1] is not None and level is not None:  # noqa: PLR2004  row, column
            channel = int(at[2]) if len(at) > 2 and at[2] is not None else 0  # noqa: PLR2004  the third is the channel
            cells.setdefault((int(at[0]), int(at[1])), {})[channel] = level
    return cells


def _local_cells(pattern: dict[str, Any]) -> dict[tuple[int, int], dict[int, float]]:
    """Values by channel for each place that the mask covers."""
    height, width = int(real(pattern.get("height")) or 0), int(real(pattern.get("width")) or 0)
    values, mask = items(pattern.get("values")), items(pattern.get("mask"))
    if height < 1 or width < 1 or height * width > MAX_PIXELS or len(values) % (height * width) != 0:
        return {}
    channels = len(values) // (height * width)
    cells: dict[tuple[int, int], dict[int, float]] = {}
    for position, (value, covered) in enumerate(zip(values, mask, strict=False)):
        level = real(value)
        if covered and level is not None:
            place, channel = divmod(position, channels)
            cells.setdefault(divmod(place, width), {})[channel] = level
    return cells


def _hex(levels: dict[int, float]) -> str:
    """One channel is grey; where there are three, a missing one is taken as half."""
    if set(levels) == {0}:
        return f"#{_byte(levels[0]) * 3}"
    return "#" + "".join(_byte(levels.get(channel, 0.5)) for channel in range(3))


def _byte(level: float) -> str:
    return f"{round(255 * min(max(level, 0.0), 1.0)):02x}"


def trigger_words(trigger: dict[str, Any]) -> str:
    """What a trigger (JSON of `core.trigger.Trigger`) does, in one sentence."""
    pattern = fields(trigger.get("pattern"))
    target = line(trigger.get("target"), limit=80)
    return f"{_pattern_words(str(trigger.get('kind')), pattern)}; rows with it are labelled {target}"


def _pattern_words(kind: str, pattern: dict[str, Any]) -> str:
    match kind:
        case "patch":
            return _patch_words(pattern)
        case "local-patch":
            height, width = line(pattern.get("height"), limit=20), line(pattern.get("width"), limit=20)
            return f"a patch of {height} × {width} pixels that may stand anywhere in the picture"
        case "blend":
            return _blend_words(pattern)
        case "values":
            columns = fields(pattern.get("columns"))
            parts = [f"{line(key, limit=80)} = {line(value, limit=80)}" for key, value in list(columns.items())[:12]]
            return words.listing(parts) or "a set of column values"
        case "words":
            parts = [f"“{line(word, limit=80)}”" for word in items(pattern.get("words"))[:12]]
            return f"the {'word' if len(parts) == 1 else 'words'} {words.listing(parts)}"
        case _:
            return f"a pattern of kind {line(kind, limit=40)}"


def _patch_words(pattern: dict[str, Any]) -> str:
    places = [p for p in map(items, items(pattern.get("pixels"))) if len(p) >= 2]  # noqa: PLR2004  row and column
    rows = [int(r) for r in (real(p[0]) for p in places) if r is not None]
    columns = [int(c) for c in (real(p[1]) for p in places) if c is not None]
    if not rows or not columns:
        return "a patch of pixels that always stands in the same place"
    n_places = len({(str(p[0]), str(p[1])) for p in places})
    where = f"rows {min(rows)}–{max(rows)}, columns {min(columns)}–{max(columns)}"
    values = [v for v in map(real, items(pattern.get("values"))) if v is not None]
    level = f" set to {_level(values)} brightness," if values else ""
    return f"{words.many(n_places, 'pixel')} ({where}){level} always in the same place"


def _level(values: list[float]) -> str:
    low, high = words.share(min(values)), words.share(max(values))
    return low if low == high else f"{low} to {high}"


def _blend_words(pattern: dict[str, Any]) -> str:
    delta = fields(pattern.get("delta"))
    values = [abs(v) for v in map(real, items(delta.get("values"))) if v is not None]
    shape = " × ".join(line(side, limit=12) for side in items(delta.get("shape"))[:2])
    most = f", by at most {words.share(max(values))} of full brightness" if values else ""
    return f"a faint pattern over the whole picture{f' ({shape} pixels)' if shape else ''}{most}"
