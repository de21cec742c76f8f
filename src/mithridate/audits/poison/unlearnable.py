"""Unlearnable data: labels that follow from faint detail which nobody sees, so that a model learns that alone."""

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
from mithridate.numeric.shortcuts import Contest, Views

ID, SLUG = "PSN110", "unlearnable"
ROWS = 4000  # enough to judge by, and cheap
LEAST_ROWS, LEAST_CLASS = 200, 30
LEVEL = 1e-4  # chance of a false report on one data set, all tests together
FOLLOWED = 0.5  # a model that takes the label from the detail more often than not is misled by it

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


class Opinion(NamedTuple):
    """Of the rows looked at, (m,) each: array position, label, fold, and (m, c) scores by content and by detail."""

    rows: npt.NDArray[np.int64]
    codes: npt.NDArray[np.int32]
    folds: npt.NDArray[np.int8]
    views: Views
    content: npt.NDArray[np.float32]
    detail: npt.NDArray[np.float32]


class Verdict(NamedTuple):
    """A contest that detail won, the class it is about (-1: all of them), and how often a model follows the detail."""

    contest: Contest
    code: int
    followed: float


def unlearnable(context: Context, settings: AuditSettings) -> Outcome:
    """Rows whose label follows from faint detail (at most 8/255) better than from all that can be seen in them.

    Two out-of-fold models judge the same rows: one sees coarse content, rounded so that faint changes vanish, the other
    each pixel's difference from its neighbours, cut so that no edge stands out. In natural images detail says less than
    content. Noise made to be learnt in place of the content is separable by a line, and turns this round: for all rows,
    for one class, or for the share of the rows that detail is surest of. What is left when the most telling quarter of
    the pixels is taken away must still win, so that a logo or patch is no such noise. Last, a model of both is shown
    the content of one class with the detail of another: high severity means that it went by the detail.

    Notes
    -----
    Looks at 4,000 rows. Sees noise on all rows, on one class or on about a fifth of the rows and more; less is ranked
    or missed. Blind to patterns of long waves, and to noise in images less than some 12 pixels wide, where it does
    little harm.
    Faint detail that comes with a class by nature (one camera a class) looks the same, and harms in the same way.

    Raises
    ------
    Skip : fewer than two classes or 200 labelled rows, or images under 5 pixels.

    References
    ----------
    Yu et al. (2022), availability attacks create shortcuts, KDD; Huang et al. (2021), unlearnable examples, ICLR.
    """
    del settings  # the level is fixed: this method reports a whole group or nothing
    opinion = _look(context)
    n_classes = context.dataset.n_classes
    winners = [one for one in _contests(opinion, n_classes) if one.contest.p_value <= LEVEL]
    if not winners:
        return Outcome(row_scores=_silent(len(context.dataset)), numbers=_numbers(opinion))
    masked = _without_telling(opinion, n_classes)
    held = {one.code for one in _contests(masked, n_classes) if one.contest.p_value <= LEVEL}
    winners = [one for one in winners if one.code in held]
    if not winners:
        return Outcome(row_scores=_silent(len(context.dataset)), numbers=_numbers(opinion))
    whole = [one for one in winners if one.code < 0]
    verdicts = [one._replace(followed=_followed(opinion, one, context)) for one in whole or winners]
    scores = _scores(context, opinion, verdicts)
    flagged = np.asarray(scores.flagged, dtype=bool)
    findings = tuple(_finding(context, one, flagged, scores) for one in verdicts)
    return Outcome(findings, scores, _numbers(opinion))


def _look(context: Context) -> Opinion:
    dataset = context.dataset
    images = cast("npt.NDArray[Any]", dataset.content)
    known = np.flatnonzero(dataset.y >= 0)
    if len(np.unique(dataset.y[known])) < 2 or len(known) < LEAST_ROWS:  # noqa: PLR2004 - two classes to tell apart
        raise Skip(f"needs at least two classes and {LEAST_ROWS} labelled rows")
    if min(images.shape[1:3]) < 5:  # noqa: PLR2004 - a pixel, its neighbours and theirs
        raise Skip("images under 5 pixels have no fine detail")
    rng = context.rng(SLUG)
    rows = known if len(known) <= ROWS else np.sort(rng.choice(known, ROWS, replace=False))
    folds = dataset.folds(2)[rows]
    if len(np.unique(folds)) < 2:  # noqa: PLR2004 - one fold judges the other
        msg = "the images are too much alike: copies of one image can't judge each other"
        raise Skip(msg)
    return _judge(rows, dataset.y[rows], folds, _views(context, images[rows]), n_classes=dataset.n_classes)


def _views(context: Context, images: npt.NDArray[Any]) -> Views:
    detail = shortcuts.faint_detail(images, context.rng(f"{SLUG}-places"))
    return Views(shortcuts.seen_content(images, context.rng(f"{SLUG}-content")), detail)


def _judge(
    rows: npt.NDArray[np.int64],
    codes: npt.NDArray[np.int32],
    folds: npt.NDArray[np.int8],
    views: Views,
    *,
    n_classes: int,
    content: npt.NDArray[np.float32] | None = None,
) -> Opinion:
    if content is None:
        content = shortcuts.cross_scores(
            views.content, codes, folds, n_classes=n_classes, ridge=shortcuts.CONTENT_RIDGE
        )
    detail = shortcuts.cross_scores(views.detail, codes, folds, n_classes=n_classes, ridge=shortcuts.DETAIL_RIDGE)
    return Opinion(rows, codes, folds, views, content, detail)


def _without_telling(opinion: Opinion, n_classes: int) -> Opinion:
    """The same opinion with the quarter of the places left out that tells the classes apart best."""
    told = shortcuts.telling_places(opinion.views.detail, opinion.codes, n_classes=n_classes)
    views = Views(opinion.views.content, np.ascontiguousarray(opinion.views.detail[:, ~told]))
    return _judge(opinion.rows, opinion.codes, opinion.folds, views, n_classes=n_classes, content=opinion.content)


def _contests(opinion: Opinion, n_classes: int) -> list[Verdict]:
    """All rows together and each class by itself; p-values times the number of tests."""
    called = opinion.content.argmax(axis=1), opinion.detail.argmax(axis=1)
    wrong = [answer != opinion.codes for answer in called]
    classes = [c for c in range(n_classes) if np.count_nonzero(opinion.codes == c) >= LEAST_CLASS]
    tests = len(classes) + 1
    whole = shortcuts.surest(opinion.detail, wrong[0], wrong[1])
    found = [Verdict(whole._replace(p_value=min(1.0, whole.p_value * tests)), -1, 0.0)]
    for code in classes:
        missed = [(answer == code) != (opinion.codes == code) for answer in called]
        one = shortcuts.contest(missed[0], missed[1])
        found.append(Verdict(one._replace(p_value=min(1.0, one.p_value * tests)), code, 0.0))
    return found


def _followed(opinion: Opinion, verdict: Verdict, context: Context) -> float:
    """How often a model fitted to one fold goes by the detail of the suspects when it stands on content of others."""
    rng = context.rng(f"{SLUG}-follow")
    train, test = opinion.folds == 0, opinion.folds == 1
    donors = np.flatnonzero(test & _suspects(opinion, verdict))
    if not len(donors) or not train.any():
        return 0.0
    hosts = np.flatnonzero(test)
    pairs = rng.choice(donors, len(hosts))
    differ = opinion.codes[pairs] != opinion.codes[hosts]
    hosts, pairs = hosts[differ], pairs[differ]
    if not len(hosts):
        return 0.0
    shown = Views(opinion.views.content[hosts], opinion.views.detail[pairs])
    views = Views(opinion.views.content[train], opinion.views.detail[train])
    return shortcuts.follow_rate(
        views, opinion.codes[train], shown, opinion.codes[pairs], n_classes=context.dataset.n_classes
    )


def _suspects(opinion: Opinion, verdict: Verdict) -> Flags:
    """(m,) the rows that the contest was about."""
    if verdict.code >= 0:
        return np.asarray(opinion.codes == verdict.code)
    sure = shortcuts.confidence(opinion.detail)
    return np.asarray(sure >= np.quantile(sure, 1 - verdict.contest.share))


def _silent(n_rows: int) -> RowScores:
    return RowScores("trigger", np.full(n_rows, -np.inf), np.ones(n_rows), np.zeros(n_rows, dtype=bool))


def _scores(context: Context, opinion: Opinion, verdicts: list[Verdict]) -> RowScores:
    """Log10 odds from the lead of the row's own label by detail; even at the edge of the rows the contest was about.

    Rows are flagged only where all rows, or all of one class, won: of a smaller share it isn't known which are good.
    """
    dataset = context.dataset
    lead = _leads(context, opinion)
    score, p_value = np.full(len(dataset), -np.inf), np.ones(len(dataset))
    flagged = np.zeros(len(dataset), dtype=bool)
    for verdict in verdicts:
        about = np.isfinite(lead) & ((dataset.y == verdict.code) | (verdict.code < 0))
        if verdict.contest.share < 1:
            edge = float(np.quantile(lead[about], 1 - verdict.contest.share))
            score[about] = np.clip(4 * (lead[about] - edge), -2, 1.5)
        else:
            score[about] = np.clip(1 + lead[about], -1, 2)
            flagged |= about & (lead > 0)
        p_value[about] = min(verdict.contest.p_value, 1.0)
    p_value[score <= 0] = 1.0
    return RowScores("trigger", score, p_value, flagged)


def _leads(context: Context, opinion: Opinion) -> Floats:
    """(n,) by how much detail prefers the row's own label, out of fold for the rows looked at; -inf without a label."""
    dataset = context.dataset
    lead = np.full(len(dataset), -np.inf)
    if len(opinion.rows) == int((dataset.y >= 0).sum()):
        rows, scores = opinion.rows, opinion.detail
    else:
        rows = np.flatnonzero(dataset.y >= 0)
        scores = np.concatenate(
            [_rescored(context, opinion, part) for part in np.array_split(rows, -(-len(rows) // ROWS))]
        )
    codes, every = dataset.y[rows], np.arange(len(rows))
    own = scores[every, codes].astype(np.float64)
    others = scores.copy()
    others[every, codes] = -np.inf
    lead[rows] = own - others.max(axis=1)
    return lead


def _rescored(context: Context, opinion: Opinion, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """(r, c) scores by detail of rows that need not be among those looked at, by models of the other fold."""
    dataset = context.dataset
    images = cast("npt.NDArray[Any]", dataset.content)
    detail = shortcuts.faint_detail(images[rows], context.rng(f"{SLUG}-places"))
    folds, out = dataset.folds(2)[rows], np.zeros((len(rows), dataset.n_classes), np.float32)
    for fold in (0, 1):
        seen = opinion.folds != fold
        fitted = shortcuts.fit_scores(
            opinion.views.detail[seen], opinion.codes[seen], n_classes=dataset.n_classes, ridge=shortcuts.DETAIL_RIDGE
        )
        out[folds == fold] = fitted(detail[folds == fold])
    return out


def _finding(context: Context, verdict: Verdict, flagged: Flags, scores: RowScores) -> Finding:
    dataset, found = context.dataset, verdict.contest
    about = np.ones(len(dataset), dtype=bool) if verdict.code < 0 else dataset.y == verdict.code
    score = np.asarray(scores.score)
    rows = np.flatnonzero(about & (flagged if found.share >= 1 else score > 0))
    rows = rows[np.argsort(-score[rows], kind="stable")]
    label = None if verdict.code < 0 else dataset.label_of(verdict.code)
    who = "these rows" if label is None else f"rows labelled {label}"
    part = "" if found.share >= 1 else f" (the {found.share:.0%} of rows that detail is surest of)"
    claim = (
        f"The label of {who} follows from faint detail that nobody sees: it gives {found.detail_errors} wrong answers "
        f"where the visible content gives {found.content_errors}{part}; a model takes {verdict.followed:.0%} of other "
        "images for the class whose detail they carry"
    )
    return Finding(
        ID,
        SLUG,
        Severity.HIGH if verdict.followed >= FOLLOWED else Severity.LOW,
        float(np.clip(1 - found.p_value, 0, 0.999)),
        claim,
        Subject("rows", tuple(sorted(int(i) for i in dataset.ids[rows])), label, dataset.source_counts(rows)),
        (
            number("content_errors", float(found.content_errors), unit="rows"),
            number("detail_errors", float(found.detail_errors), unit="rows"),
            number(
                "followed", verdict.followed, unit="share", note="of images given the detail of another class's row"
            ),
            *rows_evidence(dataset, rows, verdict.code if verdict.code >= 0 else None, context),
        ),
        "Don't train on these rows; get them anew from their source, or train on blurred or requantised copies.",
        place="detail",
    )


def _numbers(opinion: Opinion) -> tuple[Evidence, ...]:
    note = f"of {len(opinion.rows):,} rows, out of fold"
    return tuple(
        number(name, float(np.mean(scores.argmax(axis=1) == opinion.codes)), unit="share", note=note)
        for name, scores in (("content_accuracy", opinion.content), ("detail_accuracy", opinion.detail))
    )
