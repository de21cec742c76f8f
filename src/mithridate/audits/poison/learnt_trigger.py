"""Triggers of any shape that a model learns: warps and marks that differ in every row."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mithridate.audits.poison.context import AuditSettings, Context
from mithridate.audits.poison.evidence import rows_evidence
from mithridate.audits.poison.learnt_content import Opinions, opinions
from mithridate.audits.poison.learnt_gate import Verdict, judge
from mithridate.audits.poison.learnt_rows import Found, find_rows
from mithridate.core.errors import Skip
from mithridate.core.findings import Evidence, Finding, Severity, Subject, bars, number
from mithridate.core.method import Outcome, RowScores
from mithridate.numeric.learnt_gap import Spread, odds_beside, spread
from mithridate.numeric.rates import wilson
from mithridate.numeric.tails import flag_by_odds

ID, SLUG = "PSN109", "learnt-trigger"
LEAST_LABELS = 6  # fewer leave no room to tell a label that is found everywhere from a neighbour
LEAST_ROWS = 400
LEAST_SUSPECTS = 20
LEVEL = 0.02  # p-value of the spread, times the labels, from which on models are trained that test the label
THOROUGH = (
    0.25  # false share from which on rows are flagged that are likelier good than bad, so that hardly any bad is left
)
TOLERANCE = 2.0  # labels differ by nature in how often the content model is wrong
REMEDY = (
    "Leave these rows out, or give them the labels they look like, and train again. A few dozen rows keep such a "
    "backdoor alive: --fdr 0.3 --clean F leaves fewer of them, and drops more honest rows of the label."
)
STANDARDS = ("AML.T0020", "ML02:2023", "NISTAML.023")

Doubles = npt.NDArray[np.float64]


class Judged(NamedTuple):
    """A label with its verdict, its rows, their log10 odds and p-values, which are flagged, and what told them."""

    code: int
    verdict: Verdict
    rows: npt.NDArray[np.int64]
    odds: Doubles
    p_value: Doubles
    flagged: npt.NDArray[np.bool_]
    told: Found | None


def learnt_trigger(context: Context, settings: AuditSettings) -> Outcome:
    """Backdoors whose trigger has no fixed form, found by what models learn from the rows that carry it.

    A content model is trained on the half of the rows whose label is plain even to models too coarse to see a trigger,
    which are fitted again to the rows that they trust: a warp can be coarse enough to be seen by some of them.
    Rows whose label it denies while models of all rows, out of fold, insist on it are suspects. A label is put to the
    test when its suspects look like nearly every other label, not like a few neighbours. The causal test trains a model
    with the suspects of some looks, and asks it about suspects of the others: what it was taught by one kind of content
    must make it give the label to another kind, and not to honest rows. A trigger made from the content fails that; it
    is confirmed where rows of every kind that look like the label no more than honest ones do are learnt from rows of
    like content, stay unlearnt without suspects, and honest rows of the same looks don't turn. Rows of either
    are ranked by what the suspects share: the warp that bends honest images into them, or what a model learns of them;
    the rows found then teach two-class models by the recipe, which find those that were passed over.

    Parameters
    ----------
    context : with a recipe; its out-of-fold probabilities are used. One more model is trained, and three for each label
        that is put to the test.
    settings : `fdr` bounds the share of a confirmed label's flags that are expected to be false; from 0.25 on, rows are
        flagged too that are likelier good than bad, to leave hardly any bad one.

    Raises
    ------
    Skip : no recipe, fewer than 6 labels, or fewer than 400 labelled rows.

    Notes
    -----
    Blind to poison whose content fits its label, to triggers that move each label to another one or to no one label,
    and to fewer than 20 suspects. A trigger that even the coarsest models see hides its rows.

    References
    ----------
    Nguyen and Tran (2021), WaNet, ICLR; Nguyen and Tran (2020), input-aware dynamic backdoor attack, NeurIPS.
    Li et al. (2021), anti-backdoor learning, NeurIPS (training on the rows that are not isolated).
    """
    data = context.dataset
    if data.codes is None or np.count_nonzero(np.bincount(data.codes[data.codes >= 0], minlength=1)) < LEAST_LABELS:
        raise Skip(f"needs at least {LEAST_LABELS} labels to see that a trigger is put on content of every kind")
    if (data.codes >= 0).sum() < LEAST_ROWS:
        raise Skip(f"needs at least {LEAST_ROWS} labelled rows, got {int((data.codes >= 0).sum())}")
    found = opinions(context)
    everywhere = spread(found.look, data.codes, found.suspect, n_classes=data.n_classes)
    counts = np.bincount(data.codes[found.suspect], minlength=data.n_classes)
    tested = np.flatnonzero((everywhere.p_value <= LEVEL) & (counts >= LEAST_SUSPECTS))
    judged = [_judged(context, found, int(code), tested, settings.fdr) for code in tested]
    confirmed = [one for one in judged if one.verdict.confirmed]
    findings = tuple(_finding(context, found, everywhere, one) for one in confirmed if one.flagged.any())
    return Outcome(findings, _scores(len(data), confirmed), _numbers(found, judged))


def _judged(context: Context, found: Opinions, code: int, tested: npt.NDArray[np.int64], fdr: float) -> Judged:
    codes = context.dataset.y
    verdict = judge(context, found, code)
    rows = np.flatnonzero(codes == code)
    told = find_rows(context, found, code) if verdict.confirmed else None
    gap, honest = found.gap, (codes >= 0) & ~np.isin(codes, tested)
    if told is not None:
        gap, honest = told.score, honest & told.honest
    odds, p_value = odds_beside(gap[rows], gap[honest], tolerance=TOLERANCE)
    flagged = flag_by_odds(10.0**odds, fdr) & ((odds > 0) | (fdr >= THOROUGH))
    if not flagged.any():  # the label is proven: name the rows that are likelier bad than not
        flagged = odds > 0
    return Judged(code, verdict, rows, odds, p_value, flagged, told)


def _scores(n_rows: int, confirmed: list[Judged]) -> RowScores:
    score, p_value, flagged = np.full(n_rows, -np.inf), np.ones(n_rows), np.zeros(n_rows, dtype=bool)
    for one in confirmed:
        score[one.rows], p_value[one.rows], flagged[one.rows] = one.odds, one.p_value, one.flagged
    return RowScores("trigger", score, p_value, flagged)


def _finding(context: Context, found: Opinions, everywhere: Spread, one: Judged) -> Finding:
    data, verdict = context.dataset, one.verdict
    flagged = one.rows[one.flagged]
    order = flagged[np.argsort(-one.odds[one.flagged], kind="stable")]
    label = data.label_of(one.code)
    claim = _claim(verdict, len(flagged), label)
    return Finding(
        ID,
        SLUG,
        Severity.CRITICAL,
        0.99,
        claim.replace("%", " %"),
        Subject("rows", tuple(int(row) for row in np.sort(data.ids[flagged])), label, data.source_counts(flagged)),
        (
            *_shares(verdict),
            *_warp(one),
            number("leads", float(everywhere.leads[one.code]), unit="labels", note="whose look its suspects lead"),
            _chart(context, found, one.code),
            *rows_evidence(data, order, one.code, context),
        ),
        REMEDY,
        STANDARDS,
        place="learnt",
    )


def _claim(verdict: Verdict, n_rows: int, label: object) -> str:
    start = f"{n_rows} rows labelled {label} look like other labels and share something that a model learns: "
    if verdict.across or verdict.alike is None:
        taught, whom, extra = verdict.taught, "with other content", "confirmed by the causal test"
    else:
        taught, whom = verdict.alike.taught, f"that look least like {label}"
        extra = "confirmed by the causal test among rows of like content"
    return f"{start}taught by some of them, it calls {taught:.0%} of those {whom} {label}, {extra}"


def _shares(verdict: Verdict) -> tuple[Evidence, ...]:
    alike = verdict.alike
    if alike is not None and not verdict.across:
        low, high = wilson(round(alike.taught * alike.tested), alike.tested)
        note = f"rows far from the label, by out-of-fold models; interval: over {alike.tested} rows"
        return (
            number("taught", alike.taught, low=low, high=high, unit="share", note=note),
            number("taught:no-suspects", alike.untaught, unit="share", note="the same rows, no suspect in training"),
            number("taught:control", alike.control, unit="share", note="honest rows of the same looks"),
            number("taught:other-looks", verdict.taught, unit="share", note="suspects, by those of other looks alone"),
        )
    low, high = wilson(round(verdict.taught * verdict.tested), verdict.tested)
    note = f"interval: over {verdict.tested} suspects"
    return (
        number("taught", verdict.taught, low=low, high=high, unit="share", note=note),
        number("taught:no-suspects", verdict.untaught, unit="share", note="the same rows, no suspect in training"),
        number("taught:control", verdict.control, unit="share", note="honest rows of the same looks"),
    )


def _warp(one: Judged) -> tuple[Evidence, ...]:
    """How far pixels move, where the suspects are images bent by one warp."""
    if one.told is None or one.told.bending is None:
        return ()
    bending = one.told.bending
    note = f"one warp explains {bending.explained:.0%} of how suspects of looks it was not fitted to differ".replace(
        "%", " %"
    )
    return (number("warp", float(np.abs(bending.flow).mean()), unit="pixels", note=f"mean step of a pixel; {note}"),)


def _chart(context: Context, found: Opinions, code: int) -> Evidence:
    data = context.dataset
    looks = np.bincount(found.look[found.suspect & (data.codes == code)], minlength=data.n_classes)
    order = np.argsort(-looks, kind="stable")[:30]
    order = order[looks[order] > 0]
    names = [str(data.label_of(int(k))) for k in order]
    caption = f"Suspects labelled {data.label_of(code)} by the label that they look like"
    return bars("suspects by look", names, looks[order].tolist(), caption=caption, unit="rows")


def _numbers(found: Opinions, judged: list[Judged]) -> tuple[Evidence, ...]:
    note = "rows whose label a model of trusted rows denies and models of all rows insist on; most are hard, not bad"
    return (
        number("suspects", float(found.suspect.sum()), unit="rows", note=note),
        number("labels_tested", float(len(judged)), unit="labels", note="by training models with and without them"),
    )
