"""Rows of one label that carry noise no other row has: the mark of perturbed images under their right label."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from mithridate.audits.poison.context import AuditSettings, Context
from mithridate.audits.poison.evidence import rows_evidence
from mithridate.core.errors import Skip
from mithridate.core.findings import Evidence, Finding, Severity, Subject, number
from mithridate.core.method import Outcome, RowScores
from mithridate.numeric import shortcuts
from mithridate.numeric.grain import grain, random_features
from mithridate.numeric.rough_minority import Minority, odds, rough_minority, unexplained

ID, SLUG = "PSN112", "off-manifold-noise"
VALUES, LEAST_LOOKED, MOST_LOOKED = 6_000_000, 3000, 8000  # pixel values looked at, and the rows they may be
LEAST_ROWS, LEAST_SIDE, LEAST_GROUP = 200, 8, 10
SHARES = (0.005, 0.01, 0.02, 0.04, 0.08, 0.16)  # of all rows, those whose grain says the label most
LEVEL = 0.01  # chance of a false report on one data set, all tests together
FALSE = 0.05  # share of rows of other labels that a group may hold
WHOLE, ODD = 0.8, 0.1  # a camera or a codec explains as well what so many of a label's rows share, with so few others
RIDGE = 0.001
REMEDY = "Ask where these rows come from; without a reason such as another camera, leave them out of training."

Floats = npt.NDArray[np.float64]


class Group(NamedTuple):
    """The rows that grain gives `code` most: number, errors of content and of grain, p-value, least lead.

    whole: nearly all rows of the label have that grain.
    """

    code: int
    rows: int
    content_errors: int
    grain_errors: int
    p_value: float
    edge: float
    whole: bool


class Grain(NamedTuple):
    """Of the rows looked at (m,): position, label, whether content misses it; (m, c) leads by grain, (m, d) marks.

    rough: (m,) how much rougher than content explains.
    """

    rows: npt.NDArray[np.int64]
    codes: npt.NDArray[np.int32]
    missed: npt.NDArray[np.bool_]
    leads: npt.NDArray[np.float32]
    marks: npt.NDArray[np.float32]
    rough: npt.NDArray[np.float64]


def off_manifold_noise(context: Context, settings: AuditSettings) -> Outcome:
    """Rows whose grain alone, without a look at what they show, gives their label away.

    Clean-label poison is made by adding a little noise to images of the target class. Two out-of-fold models judge the
    same rows: one sees coarse content; the other only how rough the pixels are and how rough the smoothest places, not
    where. In natural images roughness hardly tells a label. A group of rows for which it errs less than a third as
    often as content is reported; when it holds most of a label, nothing is flagged, since another camera or codec does
    that too. Where content is never mistaken, grain has nothing to win; so a class is also reported when far more of
    its rows than of any other class's are rougher than their content explains (`numeric/rough_minority.py`).

    Notes
    -----
    Looks at up to 8,000 rows, fewer of large images, and scores all of them if it finds something. Noise that a blend
    or a sinusoid brings is found as well.

    What it can't find: noise on rows of all classes alike, since no label is rougher then; noise on fewer than ten of
    the rows looked at, or on no more than two and a half times the share of its class that the roughest other class
    has by nature; noise weaker than the grain of the photographs themselves; changes that leave pixels as rough as
    they were, such as a patch. With two classes only the contest of grain against content is left, which has nothing
    to win where content is never mistaken. And it can't tell an attack from rows of one label that came through a
    lossy or noisy channel: ask where they come from.

    Raises
    ------
    Skip : fewer than two classes or 200 labelled rows, or images under 8 pixels.

    References
    ----------
    Turner, Tsipras, Madry (2019), label-consistent backdoor attacks, arXiv 1912.02771; Zeng et al. (2023), Narcissus,
    CCS; Geiping et al. (2021), Witches' Brew, ICLR; Aghakhani et al. (2021), bullseye polytope, EuroS&P: attacks that
    leave such noise.
    """
    del settings  # the level is fixed: this method reports a group or nothing
    looked = _look(context)
    groups = [group for group in _groups(looked, context.dataset.n_classes) if group is not None]
    taken = {group.code for group in groups}
    parts = [part for part in _parts(looked, context.dataset.n_classes) if part.code not in taken]
    judged = _all_rows(context, looked) if groups or parts else looked
    scores = _scores(context, judged, groups, parts)
    findings = [_finding(context, group, scores) for group in groups]
    findings += [_part_finding(context, part, scores) for part in parts]
    return Outcome(tuple(findings), scores)


def _look(context: Context) -> Grain:
    dataset = context.dataset
    images = cast("npt.NDArray[Any]", dataset.content)
    known = np.flatnonzero(dataset.y >= 0)
    if len(np.unique(dataset.y[known])) < 2 or len(known) < LEAST_ROWS:  # noqa: PLR2004 - two classes to tell apart
        raise Skip(f"needs at least two classes and {LEAST_ROWS} labelled rows")
    if min(images.shape[1:3]) < LEAST_SIDE:
        raise Skip(f"images under {LEAST_SIDE} pixels have no grain")
    most = int(np.clip(VALUES // max(images[0].size, 1), LEAST_LOOKED, MOST_LOOKED))
    rows = known if len(known) <= most else np.sort(context.rng(SLUG).choice(known, most, replace=False))
    codes, folds, n_classes = dataset.y[rows], dataset.folds(2)[rows], dataset.n_classes
    seen = shortcuts.seen_content(images[rows], context.rng(f"{SLUG}-content"))
    content = shortcuts.cross_scores(seen, codes, folds, n_classes=n_classes, ridge=shortcuts.CONTENT_RIDGE)
    marks = grain(images[rows])
    rough = random_features(marks, context.rng(f"{SLUG}-grain"))
    scores = shortcuts.cross_scores(rough, codes, folds, n_classes=n_classes, ridge=RIDGE)
    rough_left = unexplained(marks, seen, folds)
    return Grain(rows, codes, content.argmax(axis=1) != codes, _lead(scores), marks, rough_left)


def _all_rows(context: Context, looked: Grain) -> Grain:
    """Every labelled row, with leads by models of the rows looked at and of the other fold."""
    dataset = context.dataset
    rows = np.flatnonzero(dataset.y >= 0)
    if len(rows) == len(looked.rows):
        return looked
    images, folds = cast("npt.NDArray[Any]", dataset.content), dataset.folds(2)
    marks = grain(images[rows])
    rough = random_features(marks, context.rng(f"{SLUG}-grain"), like=looked.marks)
    basis = random_features(looked.marks, context.rng(f"{SLUG}-grain"))
    scores = np.zeros((len(rows), dataset.n_classes), np.float32)
    for fold in (0, 1):
        seen, held = folds[looked.rows] != fold, folds[rows] == fold
        fitted = shortcuts.fit_scores(basis[seen], looked.codes[seen], n_classes=dataset.n_classes, ridge=RIDGE)
        scores[held] = fitted(rough[held])
    seen_rows = shortcuts.seen_content(images[rows], context.rng(f"{SLUG}-content"))
    rough_left = unexplained(marks, seen_rows, folds[rows])
    return Grain(rows, dataset.y[rows], np.zeros(len(rows), dtype=bool), _lead(scores), marks, rough_left)


def _lead(scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """(m, c) by how much each class leads the best of the others."""
    first = scores.argmax(axis=1)
    every = np.arange(len(scores))
    best = scores[every, first]
    rest = scores.copy()
    rest[every, first] = -np.inf
    second = rest.max(axis=1)
    leads = scores - best[:, None]
    leads[every, first] = best - second
    return np.asarray(leads)


def _groups(looked: Grain, n_classes: int) -> list[Group | None]:
    tests = n_classes * len(SHARES)
    return [_group(looked, code, tests) for code in range(n_classes)]


def _group(looked: Grain, code: int, tests: int) -> Group | None:
    """The largest group of nearly one label in which grain beats content; None without one."""
    order = np.argsort(-looked.leads[:, code], kind="stable")
    best = None
    for share in SHARES:
        top = order[: max(LEAST_GROUP, round(share * len(order)))]
        other = looked.codes[top] != code
        found = shortcuts.contest(looked.missed[top], other)
        if found.p_value * tests <= LEVEL and other.mean() <= FALSE:
            edge = float(looked.leads[top[-1], code])
            best = Group(code, len(top), *found[:2], found.p_value * tests, edge, whole=_reach(looked, code) >= WHOLE)
    return best


def _parts(looked: Grain, n_classes: int) -> list[Minority]:
    return rough_minority(looked.rough, looked.codes, n_classes=n_classes)


def _reach(looked: Grain, code: int) -> float:
    """Share of the label's rows in the longest list, grain first, of which a tenth at most are others."""
    own = looked.codes[np.argsort(-looked.leads[:, code], kind="stable")] == code
    pure = np.cumsum(own) >= (1 - ODD) * np.arange(1, len(own) + 1)
    return float(own[: int(np.flatnonzero(pure)[-1]) + 1].sum() / own.sum()) if pure.any() else 0.0


def _scores(context: Context, looked: Grain, groups: list[Group], parts: list[Minority]) -> RowScores:
    """Log10 odds from the lead of the label by grain, 20 to 1 at the group's edge; flags inside the group.

    In the rough part of a class from how many rows of other classes are as rough.
    """
    n_rows = len(context.dataset)
    score, p_value, flagged = np.full(n_rows, -np.inf), np.ones(n_rows), np.zeros(n_rows, dtype=bool)
    for group in groups:
        own = looked.codes == group.code
        lead = looked.leads[own, group.code].astype(np.float64)
        spread = max(float(np.quantile(lead, 0.9) - np.median(lead)), 1e-6)
        rows = looked.rows[own]
        score[rows] = np.clip(1.3 + (lead - group.edge) / spread, -2, 2)
        inside = lead >= group.edge
        flagged[rows] = inside & (not group.whole)
        p_value[rows[inside]] = min(group.p_value, 1.0)
    for part in parts:
        score[looked.rows] = np.maximum(score[looked.rows], odds(looked.rough, looked.codes, part))
        inside = (looked.codes == part.code) & (looked.rough >= part.edge)
        flagged[looked.rows[inside]] = True
        p_value[looked.rows[inside]] = min(part.p_value, 1.0)
    return RowScores("trigger", score, p_value, flagged)


def _suspects(context: Context, code: int, scores: RowScores) -> tuple[npt.NDArray[np.int64], bool]:
    """The flagged rows of a class, or all of it where none is; the most suspect first; and whether any is flagged."""
    own, score = context.dataset.y == code, np.asarray(scores.score)
    flagged = np.asarray(scores.flagged, dtype=bool) & own
    rows = np.flatnonzero(flagged if flagged.any() else own)
    return rows[np.argsort(-score[rows], kind="stable")], bool(flagged.any())


def _part_finding(context: Context, part: Minority, scores: RowScores) -> Finding:
    dataset, (rows, _) = context.dataset, _suspects(context, part.code, scores)
    label = dataset.label_of(part.code)
    level = f"{100 * part.quantile:.1f} %"
    far = f"rougher than {level} of the rows of all other classes, content allowed for"
    most = f"in a class of this size, at the upper end of the rate of the roughest other class, beyond the {level}"
    return Finding(
        ID,
        SLUG,
        Severity.MEDIUM,
        float(np.clip(1 - part.p_value, 0, 0.99)),
        f"{len(rows):,} rows labelled {label} are rougher than images that look alike: {part.rows:,} of those looked "
        f"at stand far out, where no other class would have more than {part.expected:,.0f}",
        Subject("rows", tuple(sorted(int(i) for i in dataset.ids[rows])), label, dataset.source_counts(rows)),
        (
            number("rough_rows", float(part.rows), unit="rows", note=far),
            number("expected_at_most", part.expected, unit="rows", note=most),
            *rows_evidence(dataset, rows, part.code, context),
        ),
        REMEDY,
        place="grain",
    )


def _finding(context: Context, group: Group, scores: RowScores) -> Finding:
    dataset, (rows, any_flagged) = context.dataset, _suspects(context, group.code, scores)
    label = dataset.label_of(group.code)
    who = f"{len(rows):,} rows labelled {label}" if any_flagged else f"most rows labelled {label}"
    errors = f"{group.grain_errors:,} error{'' if group.grain_errors == 1 else 's'} in {group.rows:,}"
    return Finding(
        ID,
        SLUG,
        Severity.MEDIUM if any_flagged else Severity.LOW,
        float(np.clip(1 - group.p_value, 0, 0.99)),
        f"{who} carry a noise that other rows don't: how rough they are gives their label away with "
        f"{errors}, where their content leads to {group.content_errors:,}",
        Subject("rows", tuple(sorted(int(i) for i in dataset.ids[rows])), label, dataset.source_counts(rows)),
        (
            *_numbers(group),
            *rows_evidence(dataset, rows, group.code, context),
        ),
        REMEDY,
        place="grain",
    )


def _numbers(group: Group) -> tuple[Evidence, ...]:
    note = f"of the {group.rows} rows whose grain says the label most, out of fold"
    return (
        number("content_errors", float(group.content_errors), unit="rows", note=note),
        number("grain_errors", float(group.grain_errors), unit="rows", note=note),
    )
