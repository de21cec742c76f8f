"""Plots as SVG text, drawn here so that a report needs no script: bars, histograms, intervals, coverage.

Every label passes through `escape`; every number is finite before it comes here. Colours are classes, so
that one style sheet serves light, dark and print; the guilty part is also told apart by a mark or a line.
"""

from __future__ import annotations

import math

from markupsafe import Markup, escape

from mithridate.reports import words
from mithridate.reports.pieces import Bar, Bars, Histogram, Number, Pattern, Series
from mithridate.reports.safe import clip

WIDTH = 360.0
_ROW = 24.0
_LANE = 64.0
_LABEL = 132.0


def bars(chart: Bars) -> Markup:
    """Horizontal bars, one row a label, its value at the right."""
    if not chart.bars:
        return Markup("")
    top = max(abs(bar.value) for bar in chart.bars) or 1.0
    low = min(0.0, 0.0, *(bar.value for bar in chart.bars))
    label = min(_LABEL, 10 + 6.4 * max(len(bar.label) + 2 * bar.marked for bar in chart.bars))
    room = WIDTH - label - 8 - 6.4 * max(len(bar.shown) for bar in chart.bars) - 8
    span = (max(0.0, 0.0, *(bar.value for bar in chart.bars)) - low) or top
    rows = [_bar(bar, (label, _ROW * i), room, low, span) for i, bar in enumerate(chart.bars)]
    said = ", ".join(f"{bar.label} {bar.shown}{' (suspect)' if bar.marked else ''}" for bar in chart.bars)
    return _svg(WIDTH, _ROW * len(rows) + 2, said, "".join(rows), "plot")


def _bar(bar: Bar, corner: tuple[float, float], room: float, low: float, span: float) -> str:
    x, y = corner
    start = x + 8 + room * (min(bar.value, 0.0) - low) / span
    width = max(1.5, room * abs(bar.value) / span)
    kind = "guilty" if bar.marked else "plain"
    label = escape(clip(bar.label, limit=18 if bar.marked else 20))
    mark = '<tspan class="mark">▲ </tspan>' if bar.marked else ""
    return (
        f'<text class="label {kind}" x="{x:.0f}" y="{y + 15:.1f}" text-anchor="end">{mark}{label}</text>'
        f'<rect class="{kind}" x="{start:.1f}" y="{y + 5:.1f}" width="{width:.1f}" height="13" rx="2"/>'
        f'<text class="value" x="{start + width + 6:.1f}" y="{y + 15:.1f}">{escape(bar.shown)}</text>'
    )


def histogram(plot: Histogram) -> Markup:
    """One lane a series over one axis, each as tall as its own largest bin, so that a small group is seen."""
    if len(plot.edges) < 2 or not plot.series:  # noqa: PLR2004  a bin has two edges
        return Markup("")
    lanes = [_lane(series, plot.edges, _LANE * i) for i, series in enumerate(plot.series)]
    foot = _LANE * len(lanes) - 6
    said = "; ".join(
        f"{s.name}: {words.figure(sum(s.counts))} in all, most {_peak(s, plot.edges)}" for s in plot.series
    )
    return _svg(WIDTH, foot + 20, said, "".join(lanes) + _axis(plot, foot), "plot")


def _lane(series: Series, edges: tuple[float, ...], y: float) -> str:
    base, tall = y + _LANE - 8, _LANE - 28
    top = max(series.counts, default=0.0) or 1.0
    steps = "".join(
        f"V{base - tall * count / top:.1f}H{_place(right, edges):.1f}"
        for count, right in zip(series.counts, edges[1:], strict=False)
    )
    last = _place(edges[min(len(series.counts), len(edges) - 1)], edges)
    kind = "guilty" if series.marked else "plain"
    total = f"{words.figure(sum(series.counts))} in all · tallest {words.figure(max(series.counts, default=0.0))}"
    return (
        f'<text class="label {kind}" x="0" y="{y + 12:.1f}">{escape(clip(series.name, limit=28))}</text>'
        f'<text class="value" x="{WIDTH:.0f}" y="{y + 12:.1f}" text-anchor="end">{escape(total)}</text>'
        f'<path class="area {kind}" d="M0 {base:.1f}{steps}V{base:.1f}H0z"/>'
        f'<path class="axis" d="M0 {base:.1f}H{max(last, WIDTH):.0f}"/>'
    )


def _axis(plot: Histogram, foot: float) -> str:
    low, high = plot.edges[0], plot.edges[-1]
    ticks = ((0.0, low, "start"), (WIDTH / 2, (low + high) / 2, "middle"), (WIDTH, high, "end"))
    return "".join(
        f'<text class="tick" x="{x:.0f}" y="{foot + 12:.1f}" text-anchor="{anchor}">'
        f"{escape(words.quantity(value, plot.unit))}</text>"
        for x, value, anchor in ticks
    )


def _place(value: float, edges: tuple[float, ...]) -> float:
    span = edges[-1] - edges[0]
    share = (value - edges[0]) / span if span > 0 and math.isfinite(span) else 0.0
    return WIDTH * min(max(share, 0.0), 1.0)


def _peak(series: Series, edges: tuple[float, ...]) -> str:
    if not series.counts:
        return "nowhere"
    at = max(range(len(series.counts)), key=series.counts.__getitem__)
    return f"between {words.figure(edges[at])} and {words.figure(edges[at + 1])}"


def interval(number: Number) -> Markup:
    """A number on its scale: a dot for the value, a band for its interval; empty for what has no scale."""
    if number.value is None:
        return Markup("")
    bounds = [number.value, number.low, number.high]
    known = [bound for bound in bounds if bound is not None]
    share = number.unit == "share" and min(known) >= 0 and max(known) <= 1
    if not share and len(known) == 1:
        return Markup("")
    low, high = (0.0, 1.0) if share else (min(0.0, *known), max(known) * 1.15 or 1.0)
    spot = [None if b is None else 6 + 148 * (b - low) / ((high - low) or 1.0) for b in bounds]
    band = ""
    if spot[1] is not None or spot[2] is not None:
        left, right = spot[1] or 6.0, spot[2] or 154.0
        band = f'<rect class="band" x="{left:.1f}" y="4" width="{max(1.5, right - left):.1f}" height="8" rx="2"/>'
    ends = "M6 5v6M154 5v6" if share else "M6 5v6"
    body = f'<path class="track" d="M6 8H154{ends}"/>{band}<path class="dot" d="M{spot[0]:.1f} 1.5v13"/>'
    said = f"{number.shown}{f', interval {number.interval}' if number.interval else ''}"
    return _svg(160, 16, said, body, "interval")


def trigger(pattern: Pattern) -> Markup:
    """The pixels of a trigger in their own colours, two grey ones around; empty for what can't be drawn."""
    drawn = pattern.canvas
    if drawn is None:
        return Markup("")
    height, width = drawn.height + 4, drawn.width + 4
    side = 112 / max(height, width)
    square = f"h{side:.2f}v{side:.2f}h-{side:.2f}z"
    body = "".join(
        f'<path fill="{p.colour}" d="M{side * (p.column + 2):.2f} {side * (p.row + 2):.2f}{square}"/>'
        for p in drawn.pixels
    )
    said = f"the {drawn.height} by {drawn.width} pixels of the trigger"
    ground = f'<path fill="#808080" d="M0 0H{side * width:.2f}V{side * height:.2f}H0z"/>'
    return _svg(side * width, side * height, said, ground + body, "pixels")


def meter(value: float, said: str) -> Markup:
    """A short bar filled to `value` in [0, 1]."""
    body = (
        '<rect class="rail" x="0" y="2" width="64" height="6" rx="3"/>'
        f'<rect class="fill" x="0" y="2" width="{64 * min(max(value, 0.0), 1.0):.1f}" height="6" rx="3"/>'
    )
    return _svg(64, 10, said, body, "meter")


def coverage(ran: int, skipped: int, failed: int) -> Markup:
    """One strip in three parts: run (filled), skipped (outlined), failed (hatched by a cross)."""
    total = ran + skipped + failed
    if not total:
        return Markup("")
    parts, x = [], 0.0
    for n_checks, kind in ((ran, "ran"), (skipped, "skipped"), (failed, "failed")):
        width = 160 * n_checks / total
        if n_checks:
            parts.append(f'<rect class="{kind}" x="{x + 0.75:.1f}" y="1" width="{width - 1.5:.1f}" height="8" rx="2"/>')
        x += width
    return _svg(160, 10, f"{ran} run, {skipped} skipped, {failed} failed", "".join(parts), "coverage")


def _svg(width: float, height: float, said: str, body: str, kind: str) -> Markup:
    label = escape(clip(said, limit=600))
    return Markup(  # noqa: S704  every part was escaped where it was made
        f'<svg class="{kind}" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}"'
        ' preserveAspectRatio="xMinYMid meet"'
        f' role="img" aria-label="{label}">{body}</svg>'
    )
