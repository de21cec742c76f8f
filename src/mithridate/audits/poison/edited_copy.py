"""Edited copies of trusted rows: the same content but for a patch, some noise, a cell, a word or the label."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from mithridate.audits.poison import embedding
from mithridate.audits.poison.context import AuditSettings, Context
from mithridate.audits.poison.copies import table_parts
from mithridate.audits.poison.edited_what import Changes, what_changed
from mithridate.audits.poison.evidence import rows_evidence
from mithridate.audits.poison.trusted import LEAST, joint
from mithridate.core.errors import Skip
from mithridate.core.findings import Finding, Severity, Subject, number
from mithridate.core.method import Outcome, RowScores
from mithridate.data.dataset import Dataset
from mithridate.numeric import edits
from mithridate.numeric.image_hash import block_means, pixel_distance

ID, SLUG = "PSN111", "edited-copy"
STANDARDS = ("AML.T0020", "ML02:2023", "NISTAML.013")
NEAREST = 3  # trusted rows that each row is compared with
NEAR = 0.5  # a copy is nearer than this share of what trusted rows usually have to their nearest
MOST_COLUMNS = 128  # columns up to which a table is searched for rows that differ in one cell
COMMON = 0.5  # share of the copies that one change must be seen in to be what they have in common
FEW = 5  # copies from which on they have something in common

IntArray = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Matches(NamedTuple):
    """For each audited row: the trusted row (a joint position) it may be a copy of, -1 for none, and how sure.

    `p_value` is its rank among trusted rows, each beside the others; `relabelled` marks equal content under a label
    that no trusted copy has; `near` says that the distance is small besides.
    """

    match: IntArray
    p_value: Floats
    near: npt.NDArray[np.bool_]
    relabelled: npt.NDArray[np.bool_]


def edited_copy(context: Context, settings: AuditSettings) -> Outcome:
    """Rows that are near, but not equal, to a row of the trusted data, or equal to it under another label.

    Notes
    -----
    For data of which an earlier copy is trusted: what was edited since is named, and what the edits have in common.
    Two distances are taken to the nearest trusted rows: one that a patch, a cell or a word leaves small, and one that
    noise leaves small. A row's p-value is its rank among trusted rows, each compared with the other trusted ones, so
    that a reference which merely holds rows of the same kind flags little, and natural near copies, such as frames of
    one film, are no edits. The tail beyond the trusted rows' own distances is extrapolated: of 48 audits with another
    clean draw as reference 6 flagged 1 to 4 rows, so few rows are a low finding. A flag needs half the usual distance
    besides. Blind to copies that were turned, moved or rephrased, and to edits no smaller than what sets honest rows
    apart.

    Raises
    ------
    Skip : fewer than 50 different trusted rows, or rows of another form.

    References
    ----------
    Bates et al. (2023), Testing for outliers with conformal p-values, Ann. Stat. 51(1).
    Carlini et al. (2024), Poisoning web-scale training datasets is practical, IEEE S&P (split-view poisoning).
    """
    both = joint(context)
    if both is None:
        raise Skip("needs trusted rows of the same columns or shape, and no embedding of the user's own")
    n = len(context.dataset)
    whole = _distinct(both.dataset, n)
    if len(whole) - n < LEAST:
        raise Skip(f"{len(whole) - n} different trusted rows; at least {LEAST} are needed to know what is near")
    found = _matches(both, whole, n)
    share = edits.false_discovery_shares(found.p_value)
    flagged = (share <= settings.fdr) & (found.near | found.relabelled)
    with np.errstate(divide="ignore"):
        odds = np.log10((1 - share) / np.maximum(share, 1e-9))
    score = np.where(found.near | found.relabelled, np.clip(odds, None, 3.0), -np.inf)
    numbers = (
        number("edited_rows", float((flagged & ~found.relabelled).sum()), unit="rows", note="near a trusted row"),
        number("relabelled_rows", float((flagged & found.relabelled).sum()), unit="rows", note="equal, label changed"),
    )
    findings = (_finding(context, both, found, flagged, share),) if flagged.any() else ()
    return Outcome(findings, RowScores("edited", score, found.p_value, flagged), numbers)


def _distinct(both: Dataset, n: int) -> IntArray:
    """Joint positions: all audited rows, then one trusted row of each content."""
    hashes = both.hashes[n:]
    _, first = np.unique(hashes, return_index=True)
    return np.concatenate([np.arange(n), np.sort(first) + n])


def _matches(both: Context, whole: IntArray, n: int) -> Matches:
    rows = both.dataset.take(whole)
    candidates, measures = _compared(both, rows, whole, n)
    match, p_value, near = np.full(n, -1), np.ones(n), np.zeros(n, bool)
    for distances in measures:
        best = distances.argmin(axis=1)
        least = np.take_along_axis(distances, best[:, None], axis=1)[:, 0]
        null = least[n:]
        p_one = np.minimum(1.0, len(measures) * edits.smallness_p(least[:n], null))
        usual = float(np.median(null[np.isfinite(null)])) if np.isfinite(null).any() else 0.0
        close = least[:n] <= NEAR * usual
        better = close & (p_one < p_value)
        match[better] = whole[candidates[np.arange(n), best[:n]]][better]
        p_value[better], near[better] = p_one[better], True
    equal, differs, by_chance = _equal(both.dataset, n)
    known = equal >= 0
    match[known], near[known] = equal[known], False
    p_value[known] = np.where(differs[known], by_chance, 1.0)
    return Matches(match, p_value, near, differs)


def _equal(both: Dataset, n: int) -> tuple[IntArray, npt.NDArray[np.bool_], float]:
    """A trusted row of equal content, -1 for none; is the label one that no such row has; how common among trusted."""
    _, content = np.unique(both.hashes, return_inverse=True)
    codes = np.full(len(both), -1, np.int64) if both.codes is None else both.codes.astype(np.int64)
    first = np.full(int(content.max()) + 1, -1)
    first[content[n:][::-1]] = np.arange(n, len(both))[::-1]
    keys = content * (int(codes.max()) + 2) + codes + 1
    labelled = np.isin(content, content[n:][codes[n:] >= 0])
    differs = labelled[:n] & (codes[:n] >= 0) & ~np.isin(keys[:n], keys[n:])
    trusted = keys[n:][codes[n:] >= 0]
    labels_of = np.bincount(np.unique(trusted) // (int(codes.max()) + 2), minlength=len(first))
    disputed = labels_of[content[n:]] > 1
    return first[content[:n]], differs, float((0.5 + disputed.sum()) / (len(disputed) + 1))


def _compared(both: Context, rows: Dataset, whole: IntArray, n: int) -> tuple[IntArray, list[Floats]]:
    """(n + m, k) trusted candidates of each row, as positions in `whole`, and each measure's distances to them."""
    if rows.modality == "image":
        images = cast("npt.NDArray[Any]", rows.content)
        blocks = block_means(images)
        grey = blocks.reshape(len(blocks), -1, images.shape[3]).mean(axis=2)
        candidates = edits.trusted_neighbours(grey, n, k=NEAREST)
        return candidates, [
            _over(candidates, lambda left, right: edits.capped_difference(images, left, right)),
            _over(candidates, lambda left, right: pixel_distance(blocks[:, :, None], left, right)),
        ]
    if rows.modality == "text":
        near = embedding.features(both)[whole]
        counts = embedding.word_counts(both)[whole]
        candidates = edits.trusted_neighbours(near, n, k=NEAREST)
        return candidates, [_over(candidates, lambda left, right: edits.counts_apart(counts, left, right))]
    if rows.modality == "table":
        return _compared_cells(rows, n, both.rng(SLUG))
    vectors = np.asarray(rows.content, dtype=np.float32)
    candidates = edits.trusted_neighbours(vectors, n, k=NEAREST)
    return candidates, [
        _over(candidates, lambda left, right: (vectors[left] != vectors[right]).mean(axis=1)),
        _over(candidates, lambda left, right: np.linalg.norm(vectors[left] - vectors[right], axis=1)),
    ]


def _compared_cells(rows: Dataset, n: int, rng: np.random.Generator) -> tuple[IntArray, list[Floats]]:
    scaled, codes = table_parts(cast("Any", rows.content))
    values = [np.unique(column, return_inverse=True)[1].reshape(-1) for column in (*scaled.T, *codes.T)]
    cells = np.stack(values, axis=1).astype(np.int64)
    sketch = np.clip(scaled, -10, 10)
    for column in codes.T:
        places = rng.standard_normal((int(column.max(initial=0)) + 2, 4)).astype(np.float32)
        sketch = np.concatenate([sketch, places[column + 1] / 2], axis=1)
    candidates = edits.trusted_neighbours(sketch.astype(np.float32), n, k=NEAREST)
    if cells.shape[1] <= MOST_COLUMNS:
        candidates = np.concatenate([edits.one_cell_apart(cells, n), candidates], axis=1)

    def apart(left: IntArray, right: IntArray) -> Floats:
        moved = np.minimum(np.abs(scaled[left] - scaled[right]), 1.0)
        other = (codes[left] != codes[right]).astype(np.float32)
        return np.asarray(np.concatenate([moved, other], axis=1).mean(axis=1), dtype=np.float64)

    return candidates, [
        _over(candidates, lambda left, right: edits.information_apart(cells, left, right)),
        _over(candidates, apart),
    ]


def _over(candidates: IntArray, measure: Any) -> Floats:
    """(n + m, k) distances to the candidates, infinite where there is none."""
    out = np.full(candidates.shape, np.inf)
    left, slot = np.nonzero(candidates >= 0)
    out[left, slot] = measure(left, candidates[left, slot])
    return out


def _finding(context: Context, both: Context, found: Matches, flagged: npt.NDArray[np.bool_], share: Floats) -> Finding:
    data = context.dataset
    rows = np.flatnonzero(flagged)
    rows = rows[np.argsort(found.p_value[rows], kind="stable")]
    edited = rows[~found.relabelled[rows]]
    moved = _label_changed(both.dataset, rows, found.match)
    changes = what_changed(both.dataset, edited, found.match[edited], least=COMMON)
    shared = len(edited) >= FEW and changes.share >= COMMON
    telling = len(rows) >= FEW and (shared or moved >= COMMON * len(rows))
    numbers = (
        number("label_changed", float(moved), unit="rows", note="of the flagged rows, against the trusted copy"),
        number("changed_alike", changes.share, unit="share", note="of the edited rows, in the commonest place"),
    )
    return Finding(
        ID,
        SLUG,
        Severity.HIGH if telling else Severity.MEDIUM if len(rows) >= FEW else Severity.LOW,
        round(float(1 - share[rows].mean()), 4),
        _claim(len(edited), len(rows) - len(edited), moved, changes),
        Subject("rows", tuple(int(i) for i in np.sort(data.ids[rows])), sources=data.source_counts(rows)),
        (*changes.evidence, *rows_evidence(data, rows, None, context, marked=changes.marked), *numbers),
        "Compare these rows with the trusted copy; take its content and label, or ask who changed them.",
        STANDARDS,
    )


def _label_changed(both: Dataset, rows: IntArray, match: IntArray) -> int:
    if both.codes is None:
        return 0
    ours, theirs = both.codes[rows], both.codes[match[rows]]
    return int(((ours != theirs) & (ours >= 0) & (theirs >= 0)).sum())


def _claim(n_edited: int, n_relabelled: int, moved: int, changes: Changes) -> str:
    parts = []
    if n_edited:
        parts.append(f"{n_edited:,} rows are edited copies of trusted ones{changes.said}")
    if n_relabelled:
        parts.append(f"{n_relabelled:,} equal trusted ones under another label")
    return f"{'; '.join(parts)} ({moved:,} labels changed in all)"
