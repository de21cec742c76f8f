"""What edited copies have in common: the columns, pixels or words in which they differ from the trusted rows."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mithridate.core.findings import Evidence, bars, image
from mithridate.data.dataset import Dataset
from mithridate.numeric.png import as_pixels, encode_png, resize

SHOWN = 10  # columns or words in a chart
VISIBLE = 0.1  # difference of a pixel, of black to white, that is a change of its own
_WORD = re.compile(r"\w+", re.UNICODE)

IntArray = npt.NDArray[np.int64]


class Changes(NamedTuple):
    """`share` of the copies that have the commonest change, how a claim says it, evidence, and names to point at."""

    share: float = 0.0
    said: str = ""
    evidence: tuple[Evidence, ...] = ()
    marked: tuple[str, ...] = ()


def what_changed(both: Dataset, rows: IntArray, match: IntArray, *, least: float) -> Changes:
    """The commonest difference of these rows to their trusted copies; it is named from a share of `least` on."""
    if not len(rows):
        return Changes()
    if both.modality == "image":
        return _pixels(cast("npt.NDArray[Any]", both.content), rows, match, least)
    if both.modality == "table":
        return _columns(cast("pa.Table", both.content), rows, match, least)
    if both.modality == "text":
        return _words(cast("npt.NDArray[Any]", both.content), rows, match, least)
    vectors = cast("npt.NDArray[Any]", both.content)
    differ = vectors[rows] != vectors[match]
    return Changes(float(differ.mean(axis=0).max()), f", in {differ.mean():.0%} of their numbers".replace("%", " %"))


def _pixels(images: npt.NDArray[Any], rows: IntArray, match: IntArray, least: float) -> Changes:
    scale = 255.0 if images.dtype == np.uint8 else 1.0
    apart = np.abs(images[rows].astype(np.float32) - images[match].astype(np.float32)).max(axis=3) / scale
    visible = (apart >= VISIBLE).mean(axis=0)
    common = visible >= least
    said = ", changed a little everywhere"
    if common.any():
        lines, columns = np.flatnonzero(common.any(axis=1)), np.flatnonzero(common.any(axis=0))
        said = f", most of them changed in lines {lines[0]} to {lines[-1]}, columns {columns[0]} to {columns[-1]}"
    elif (apart >= VISIBLE).any(axis=(1, 2)).mean() >= least:
        said = ", changed in places of their own"
    mean = apart.mean(axis=0)[..., None]
    png = encode_png(resize(as_pixels((mean / max(float(mean.max()), 1e-9)).astype(np.float32)), side=160))
    drawn = image("where they differ", png, caption=f"Mean change of {len(rows)} edited rows; white is the most")
    return Changes(float(visible.max()), said, (drawn,))


def _columns(table: pa.Table, rows: IntArray, match: IntArray, least: float) -> Changes:
    counts = {}
    for name in table.column_names:
        column = table.column(name)
        ours, theirs = (column.take(pa.array(part)).to_pylist() for part in (rows, match))
        counts[name] = sum(map(_differ, ours, theirs))
    return _counted(counts, len(rows), least, "column", "changed")


def _differ(ours: object, theirs: object) -> bool:
    """Whether two cells differ; two NaN are equal."""
    return ours != theirs and not (ours != ours and theirs != theirs)  # noqa: PLR0124 - NaN


def _words(texts: npt.NDArray[Any], rows: IntArray, match: IntArray, least: float) -> Changes:
    counts: Counter[str] = Counter()
    for row, other in zip(rows.tolist(), match.tolist(), strict=True):  # a loop: Python strings
        ours, theirs = (Counter(_WORD.findall(str(texts[place]).lower())) for place in (row, other))
        counts.update(set(ours - theirs))
    return _counted(dict(counts), len(rows), least, "word", "put in")


def _counted(counts: dict[str, int], total: int, least: float, what: str, verb: str) -> Changes:
    order = sorted(counts, key=lambda name: (-counts[name], name))[:SHOWN]
    if not order or not counts[order[0]]:
        return Changes()
    share = counts[order[0]] / total
    marked = tuple(name for name in order if counts[name] >= least * total)
    names = ", ".join(repr(name[:40]) for name in marked[:3])
    said = f", most of them with {what} {names} {verb}" if marked else ""
    chart = bars(
        "what changed", order, [float(counts[name]) for name in order], caption=f"Edited rows by {what} {verb}",
        unit="rows", marked=list(marked),
    )  # fmt: skip
    return Changes(share, said, (chart,), marked)
