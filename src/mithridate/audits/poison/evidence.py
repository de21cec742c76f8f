"""Pictures, cells and excerpts that let a reader see for themselves what a finding is about."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mithridate.audits.poison.context import Context
from mithridate.core.findings import Evidence, Json, Tile, gallery, image, table, text
from mithridate.core.trigger import Trigger
from mithridate.data.dataset import Dataset
from mithridate.numeric.png import as_pixels, encode_png, resize

Rows = npt.NDArray[np.integer[Any]]

SHOWN = 8  # rows of each role in a gallery
GALLERY_BYTES = 29_000  # PNG bytes of one gallery; base64 makes them 39 kB
_SIDES = (64, 48, 32, 24, 16)  # longest edge of a tile in pixels: the largest that fits the budget
_TABLE_ROWS, _TABLE_COLUMNS, _CELL = 5, 12, 40
_EXCERPTS, _EXCERPT = 5, 200


def rows_evidence(
    dataset: Dataset, rows: Rows | Sequence[int], label: int | None, context: Context, *, marked: Sequence[str] = ()
) -> tuple[Evidence, ...]:
    """Some of these rows beside unsuspected rows of the same label: a gallery, a table of cells, or excerpts.

    Parameters
    ----------
    rows : array positions of the flagged rows, the most telling first.
    label : class code (not the stored label) that the clean rows shall have; None takes each flagged row's own label.
    context : rows that any method has flagged so far are not shown as clean.
    marked : names of table columns to point at; for texts, the words around which an excerpt is cut.

    Returns
    -------
    One piece of evidence, none for embeddings, which nobody can look at.
    """
    flagged = np.asarray(rows, dtype=np.int64)
    if flagged.size == 0 or dataset.modality == "embedding":
        return ()
    clean = _clean_rows(dataset, flagged, label, context)
    if dataset.modality == "image":
        return (_gallery(dataset, flagged[:SHOWN], clean[:SHOWN]),)
    if dataset.modality == "table":
        return (_cells(dataset, flagged[:_TABLE_ROWS], clean[:_TABLE_ROWS], marked),)
    return (_excerpts(dataset, flagged[:_EXCERPTS], clean[:_EXCERPTS], " ".join(marked)),)


def _clean_rows(dataset: Dataset, flagged: npt.NDArray[np.int64], label: int | None, context: Context) -> Rows:
    free = np.ones(len(dataset), dtype=bool)
    free[flagged] = False
    for opinion in context.evidence.values():
        free &= ~np.asarray(opinion.flagged, dtype=bool)
    if dataset.codes is None:
        return np.flatnonzero(free)[:SHOWN]
    if label is not None:
        return np.flatnonzero(free & (dataset.codes == label))[:SHOWN]
    wanted = dataset.codes[flagged[:SHOWN]]
    found: list[int] = []
    for code, count in zip(*np.unique(wanted, return_counts=True), strict=True):
        found.extend(np.flatnonzero(free & (dataset.codes == code))[: int(count)].tolist())
    return np.asarray(found, dtype=np.int64)


def _caption(dataset: Dataset, row: int) -> str:
    given = "" if dataset.codes is None or dataset.codes[row] < 0 else f", labelled {_label(dataset, row)}"
    return f"row {dataset.ids[row]}{given}"


def _label(dataset: Dataset, row: int) -> Json:
    if dataset.codes is None or dataset.codes[row] < 0:
        return None
    return _plain(dataset.label_of(int(dataset.codes[row])))


def _gallery(dataset: Dataset, flagged: Rows, clean: Rows) -> Evidence:
    content = cast("npt.NDArray[Any]", dataset.content)
    shown = [(int(row), role) for part, role in ((flagged, "flagged"), (clean, "clean")) for row in part]
    pictures = [as_pixels(content[row]) for row, _ in shown]
    pngs: list[bytes] = []
    for side in _SIDES:
        pngs = [encode_png(resize(picture, side=side)) for picture in pictures]
        if sum(map(len, pngs)) <= GALLERY_BYTES:
            break
    tiles = [
        Tile(png, int(dataset.ids[row]), role, _caption(dataset, row))
        for png, (row, role) in zip(pngs, shown, strict=True)
    ]
    return gallery(
        "rows", tiles, caption=f"{len(flagged)} flagged rows beside {len(clean)} that nothing was held against"
    )


def _cells(dataset: Dataset, flagged: Rows, clean: Rows, marked: Sequence[str]) -> Evidence:
    content = cast("pa.Table", dataset.content)
    first = [name for name in marked if name in content.column_names]
    names = [*first, *(name for name in content.column_names if name not in first)][:_TABLE_COLUMNS]
    lines: list[list[Json]] = []
    for part, role in ((flagged, "flagged"), (clean, "clean")):
        taken = content.select(names).take(pa.array(np.asarray(part, dtype=np.int64))).to_pydict()
        for position, row in enumerate(part):
            cells = [_plain(taken[name][position]) for name in names]
            lines.append([int(dataset.ids[row]), role, _label(dataset, int(row)), *cells])
    left_out = content.num_columns - len(names)
    rest = f"; {left_out} more columns are not shown" if left_out else ""
    return table(
        "rows",
        ["row", "role", dataset.label_name, *names],
        lines,
        caption=f"Flagged rows beside rows of the same label that nothing was held against{rest}",
        marked=first,
    )


def _excerpts(dataset: Dataset, flagged: Rows, clean: Rows, phrase: str) -> Evidence:
    content = cast("npt.NDArray[Any]", dataset.content)
    lines: list[list[Json]] = [
        [int(dataset.ids[row]), role, _label(dataset, int(row)), _short(_around(str(content[row]), phrase), _EXCERPT)]
        for part, role in ((flagged, "flagged"), (clean, "clean"))
        for row in part
    ]
    return table(
        "rows",
        ["row", "role", dataset.label_name, "text"],
        lines,
        caption="Flagged texts beside texts of the same label that nothing was held against, cut to 200 characters",
        marked=["text"],
    )


def _around(words: str, phrase: str) -> str:
    """The text from a little before the first place where the phrase stands as words of its own."""
    match = re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", words, re.IGNORECASE) if phrase else None
    start = 0 if match is None else match.start() - _EXCERPT // 2
    return words if start <= 0 else "…" + words[start:]


def _short(words: str, limit: int) -> str:
    one_line = " ".join(words[: 4 * limit].encode("utf-8", "replace").decode("utf-8").split())
    return one_line if len(one_line) <= limit else one_line[: limit - 1] + "…"


def _plain(value: Any) -> Json:
    """A cell as JSON: numbers stay numbers, NaN and missing are None, anything else is its short text."""
    item = value.item() if isinstance(value, np.generic) else value
    if item is None or (isinstance(item, float) and not np.isfinite(item)):
        return None
    if isinstance(item, bool | int):
        return item
    return float(f"{item:.6g}") if isinstance(item, float) else _short(str(item), _CELL)


def trigger_image(trigger: Trigger, dataset: Dataset) -> Evidence:
    """What the trigger looks like: on mid-grey for images, in words for tables and texts.

    A blended delta is stretched until its largest change is black or white; pictures are enlarged about eight times.
    """
    pattern: dict[str, Any] = dict(trigger.pattern)
    if trigger.kind == "values":
        said = ", ".join(f"{name} = {_plain(value)}" for name, value in pattern.get("columns", {}).items())
        return text("trigger picture", f"Column values of the trigger: {said}")
    if trigger.kind == "words":
        said = " ".join(str(word) for word in pattern.get("words", ()))
        return text("trigger picture", f"Words of the trigger: {_short(said, _EXCERPT)}")
    drawn, what = _draw(trigger.kind, pattern, cast("npt.NDArray[Any]", dataset.content).shape[1:])
    side = 8 * max(drawn.shape[:2])
    png = encode_png(resize(as_pixels(drawn), side=min(max(side, 64), 224)))
    return image("trigger picture", png, caption=what)


def _draw(kind: str, pattern: dict[str, Any], shape: tuple[int, ...]) -> tuple[npt.NDArray[np.float32], str]:
    """The picture (h, w, c) in [0, 1] and its caption."""
    if kind == "patch":
        canvas = np.full((shape[0], shape[1], shape[2] if len(shape) > 2 else 1), 0.5, dtype=np.float32)  # noqa: PLR2004
        places = np.asarray(pattern["pixels"], dtype=np.int64).reshape(-1, 3)
        canvas[places[:, 0], places[:, 1], places[:, 2]] = np.asarray(pattern["values"], dtype=np.float32)
        return canvas, f"The {len(places)} pixel values of the trigger where they are pasted; grey is left as it was"
    if kind == "blend":
        delta = np.asarray(pattern["delta"]["values"], dtype=np.float32).reshape(pattern["delta"]["shape"])
        largest = float(np.abs(delta).max()) or 1.0
        drawn = (0.5 + delta / (2 * largest)).astype(np.float32)
        return drawn, f"What is added to each image, stretched {0.5 / largest:.1f} times"
    size = (int(pattern["height"]), int(pattern["width"]), -1)
    values = np.asarray(pattern["values"], dtype=np.float32).reshape(size)
    mask = np.asarray(pattern["mask"], dtype=bool).reshape(size)
    return np.where(mask, values, 0.5).astype(
        np.float32
    ), f"The {size[0]} by {size[1]} patch, pasted anywhere in the image"
