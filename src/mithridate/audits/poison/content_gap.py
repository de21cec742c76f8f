"""Rows whose content contradicts their label while the model insists on it: the mark of a backdoor."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mithridate.audits.poison import embedding
from mithridate.audits.poison.context import AuditSettings, Context
from mithridate.audits.poison.evidence import rows_evidence
from mithridate.core.errors import InputError, Skip
from mithridate.core.findings import Evidence, Finding, Severity, Subject, bars, number
from mithridate.core.method import Outcome, RowScores
from mithridate.numeric.rates import Excess, benjamini_hochberg, group_excess, rate_interval

ID, SLUG = "PSN107", "content-model-gap"
WRONG_OWN, WRONG_OTHER = 0.15, 0.5  # content contradicts: at most, and another label at least, this share of neighbours
RIGHT = 0.6  # content agrees: share of neighbours with the row's own label
SURE = 0.25  # the model insists: surer than of this share of the label's rows whose content agrees
OVERFITTED = 0.9  # share of contradicted rows that the model insists on above which its word says little
COUNT_SPREAD, SHARE_SPREAD = 1.0, 0.5  # how much labels differ by nature in gap rows, and in what the model insists on
STRICTER = 0.2  # naming a backdoor asks for a fifth of the rate at which rows are flagged
LEAST_ROWS = 10
STANDARDS = ("AML.T0020", "ML02:2023", "NISTAML.023")

Flags = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]


class Gap(NamedTuple):
    """(n,) each: content contradicts the label, the model insists on the label, and how far apart the two are."""

    wrong: Flags
    insists: Flags
    size: FloatArray


def content_gap(context: Context, settings: AuditSettings) -> Outcome:
    """Labels with many rows whose content says another label while the model is sure of the given one.

    Content (neighbours in coordinates never trained on labels) and model both against the label: an ordinary label
    error. Content against, model for it: the model has learnt something that the content does not show, as a backdoor
    makes it.

    Notes
    -----
    A model that has learnt its training rows by heart insists on wrong labels too. So a row counts only where the model
    is as sure as of ordinary rows of that label, and a label is reported only when both the share and the number of
    such rows pass what the other labels show. A model that is sure of everything says nothing, and nothing is reported.
    Blind to triggers that have no single target label and to poison whose content fits its label.

    Raises
    ------
    Skip : no labels, no predictions of a model for these rows, fewer than two labels or too few rows.

    References
    ----------
    Tran, Li and Madry (2018), spectral signatures in backdoor attacks, NeurIPS (the model's view of the same rows).
    """
    dataset = context.dataset
    if context.predictions is None:
        raise Skip("no model given whose word could be compared with the content; pass one with --model")
    if dataset.codes is None or dataset.n_classes < 2:  # noqa: PLR2004 - one label can't be wrong
        raise Skip("needs at least two labels")
    gap = _gap(context)
    whole, share, guilty = _test(dataset.codes, dataset.n_classes, gap, level=STRICTER * settings.fdr)
    findings = tuple(_finding(context, int(code), gap, whole, share) for code in guilty)
    return Outcome(findings, _scores(dataset.codes, gap, (whole, share), guilty), _numbers(gap))


def _gap(context: Context) -> Gap:
    dataset = context.dataset
    own, other = _votes(embedding.graph(context).indices, dataset.y, dataset.n_classes)
    margin = _margin(context.predictions, dataset.y, dataset.n_classes)
    if context.probabilities is not None:  # what holds for rows the model never saw is no memory
        margin = np.minimum(margin, _margin(context.probabilities, dataset.y, dataset.n_classes))
    known = dataset.y >= 0
    wrong = known & (own <= WRONG_OWN) & (other >= WRONG_OTHER)
    insists = np.zeros(len(dataset), dtype=bool)
    for code in range(dataset.n_classes):
        mine = dataset.y == code
        usual = margin[mine & (own >= RIGHT)]
        if usual.size >= LEAST_ROWS:
            insists[mine] = (margin[mine] > 0) & (margin[mine] >= np.quantile(usual, SURE))
    return Gap(wrong, insists, np.clip(other - own, 0, 1) * (1 / (1 + np.exp(-np.clip(margin, -30, 30)))))


def _votes(
    neighbours: npt.NDArray[np.int32], codes: npt.NDArray[np.int32], n_classes: int
) -> tuple[FloatArray, FloatArray]:
    """(n,) share of the neighbours with the row's own label, and with the commonest other one."""
    n_rows, k = neighbours.shape
    around = codes[neighbours]
    cells = np.arange(n_rows)[:, None] * (n_classes + 1) + around + 1
    counts = np.bincount(cells.ravel(), minlength=n_rows * (n_classes + 1)).reshape(n_rows, n_classes + 1)[:, 1:]
    every, place = np.arange(n_rows), np.maximum(codes, 0)
    own = counts[every, place].astype(np.float64)
    counts[every, place] = 0
    return own / k, counts.max(axis=1) / k


def _margin(probabilities: Any, codes: npt.NDArray[np.int32], n_classes: int) -> FloatArray:
    """(n,) log odds of the given label against the strongest other."""
    given = np.nan_to_num(np.asarray(probabilities, dtype=np.float64), posinf=1.0, neginf=0.0)
    if given.shape != (len(codes), n_classes):
        msg = (
            f"predictions must be ({len(codes)}, {n_classes}), a probability for each row and label, got {given.shape}"
        )
        raise InputError(msg)
    logs = np.log(np.clip(given, 1e-12, 1.0))
    every, place = np.arange(len(codes)), np.maximum(codes, 0)
    own = logs[every, place].copy()
    logs[every, place] = -np.inf
    margin: FloatArray = own - logs.max(axis=1)
    return margin


def _test(codes: npt.NDArray[np.int32], n_classes: int, gap: Gap, *, level: float) -> tuple[Excess, Excess, Any]:
    """Gap rows of each label out of all its rows, out of its contradicted rows; the labels where both are too many."""
    hits, wrong, every = (
        np.bincount(codes[rows & (codes >= 0)], minlength=n_classes)[:, None]
        for rows in (gap.wrong & gap.insists, gap.wrong, codes >= 0)
    )
    pool = every[:, 0] > 0
    while True:
        whole = group_excess(hits, every, pool, spread=COUNT_SPREAD)
        share = group_excess(hits, wrong, pool, spread=SHARE_SPREAD, min_rest=LEAST_ROWS)
        p_value = np.maximum(whole.p_value, share.p_value)
        q_value = np.ones(n_classes)
        q_value[every[:, 0] > 0] = benjamini_hochberg(p_value[every[:, 0] > 0])
        guilty = np.flatnonzero((q_value <= level) & (hits[:, 0] >= LEAST_ROWS))
        fresh = guilty[pool[guilty]]
        if fresh.size == 0 or pool.sum() <= max(1, (every[:, 0] > 0).sum() // 2):
            return whole, share, guilty
        pool[fresh[np.argmin(p_value[fresh])]] = False


def _scores(
    codes: npt.NDArray[np.int32], gap: Gap, tests: tuple[Excess, Excess], guilty: npt.NDArray[np.int64]
) -> RowScores:
    """Log10 odds from the share of a reported label's gap rows that the other labels' rates don't explain.

    The p-value of a row is its label's, corrected for the number of labels: rows of one label stand or fall together.
    """
    whole, share = tests
    score, p_value = np.full(len(codes), -np.inf), np.ones(len(codes))
    flagged = np.zeros(len(codes), dtype=bool)
    for code in guilty:
        rows = (codes == code) & gap.wrong & gap.insists
        usual = np.clip(whole.expected[code] / max(whole.hits[code], 1), 0.03, 0.9)
        score[rows] = np.log10((1 - usual) / usual) + 0.5 * (gap.size[rows] - 1)
        p_value[rows] = len(whole.p_value) * max(whole.p_value[code], share.p_value[code])
        flagged |= rows & (score > 0)
    return RowScores("trigger", score, np.clip(p_value, 0, 1), flagged)


def _finding(context: Context, code: int, gap: Gap, whole: Excess, share: Excess) -> Finding:
    dataset = context.dataset
    rows = np.flatnonzero((dataset.codes == code) & gap.wrong & gap.insists)
    rows = rows[np.argsort(-gap.size[rows], kind="stable")]
    label = dataset.label_of(code)
    own, usual = rate_interval(share.hits[code], share.rows[code]), share.expected[code] / max(share.rows[code], 1)
    resampled = "of contradicted rows; resampled: these rows (Jeffreys, 95 %)"
    ids = tuple(int(row) for row in np.sort(dataset.ids[rows]))
    claim = (
        f"{len(rows)} rows labelled {label} look like other labels, but the model is sure of {label}: it goes "
        f"by something that the content does not show, as after a backdoor ({whole.expected[code]:.0f} are usual)"
    )
    return Finding(
        ID,
        SLUG,
        Severity.MEDIUM,
        float(np.clip(1 - max(whole.p_value[code], share.p_value[code]) * dataset.n_classes, 0, 0.99)),
        claim,
        Subject("rows", ids, label, dataset.source_counts(rows), {"suspected": "backdoor"}),
        (
            number("insisted_share", own.value, low=own.low, high=own.high, unit="share", note=resampled),
            number("usual_share", float(usual), unit="share", note="of contradicted rows with other labels"),
            _chart(context, whole, code),
            *rows_evidence(dataset, rows, code, context),
        ),
        "Look for what these rows share (shared-trigger), and retrain without them.",
        STANDARDS,
        place="gap",
    )


def _chart(context: Context, whole: Excess, code: int) -> Evidence:
    rates = whole.hits / np.maximum(whole.rows, 1)
    order = np.argsort(-rates, kind="stable")[:30]
    names = [str(context.dataset.label_of(int(i))) for i in order]
    return bars(
        "gap rows by label",
        names,
        [float(rates[i]) for i in order],
        caption="Share of each label's rows whose content contradicts the label while the model insists on it",
        unit="share",
        marked=[str(context.dataset.label_of(code))],
    )


def _numbers(gap: Gap) -> tuple[Evidence, ...]:
    wrong = int(gap.wrong.sum())
    both = int((gap.wrong & ~gap.insists).sum())
    insisted = (wrong - both) / wrong if wrong else 0.0
    learnt = "the model insists on nearly every label: it was fitted to its rows and says little"
    share = "of rows whose content contradicts the label"
    return (
        number(
            "contradicted_by_both", float(both), unit="rows", note="content and model against the label: label errors"
        ),
        number("contradicted_by_content_only", float(wrong - both), unit="rows"),
        number("model_insists", insisted, unit="share", note=learnt if insisted > OVERFITTED else share),
    )
