"""Which source of the data is worse than the rest: sloppy labels, a trigger, or contradicting copies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mithridate.audits.poison.context import AuditSettings, Context
from mithridate.audits.poison.evidence import rows_evidence
from mithridate.core.errors import Skip
from mithridate.core.findings import Evidence, Finding, Severity, Subject, bars, number
from mithridate.core.method import Outcome, RowScores
from mithridate.data.dataset import Dataset
from mithridate.numeric.rates import Excess, benjamini_hochberg, cauchy_combine, group_excess, rate_interval

ID, SLUG = "PSN106", "bad-source"
STRICTER = 0.5  # accusing a party asks for half the rate at which rows are flagged
KINDS = ("trigger", "label-error", "duplicate")  # in the order in which they name the deed
SHARES = (0.003, 0.01, 0.03)  # the most suspect rows, of all and of each label: what is looked at besides the flags
LEAST_HITS = 4  # fewer bad rows never accuse a source
TRIGGER_METHOD = "PSN103"  # the one that finds triggers; without its flags nobody is said to carry one
LEAST_CARRIERS = 8  # flagged carriers of a trigger below which a source isn't accused of it
LEAST_ERRORS = 8  # fewer label errors in one label alone may be a clump of like rows
MOST_BARS = 30
STANDARDS = ("AML.T0020", "AML.T0019", "ML02:2023")

Flags = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


class Sign(NamedTuple):
    """Rows that an earlier method suspects, at one threshold: (n,) `rows`, counted as (g, c) `hits`."""

    kind: str
    rows: Flags
    hits: IntArray


class Verdict(NamedTuple):
    """What the tests say: (g,) q-values, p-values by kind, the strongest sign of each kind for each source."""

    q_value: FloatArray
    p_value: Mapping[str, FloatArray]
    best: Mapping[str, IntArray]
    excess: tuple[Excess, ...]


def bad_source(context: Context, settings: AuditSettings) -> Outcome:
    """The sources (annotators, vendors, days) whose rows are suspect more often than the rest's, label by label.

    Notes
    -----
    Rests on what the other methods said of the rows, at several thresholds, flags and scores alike; where they lean on
    the sources themselves, on what they would have said without, so that no suspicion feeds itself. A source is
    compared with the others on the labels that they share, so that one with harder classes is not accused for them;
    honest sources may differ by a third and more without being named. Sources are named one after the other, worst
    first, and the named ones no longer count as a standard for the rest; never more than half of them. Naming a source
    is held to half of the chosen rate of false findings.

    Raises
    ------
    Skip : fewer than two sources, or no method has scored the rows.

    References
    ----------
    Efron and Morris (1975), data analysis using Stein's estimator; Hu, Zhao and Zhou (2010), false discovery rate
    control with groups, JASA 105.
    """
    dataset = context.dataset
    sources = dataset.source_codes
    if sources is None or len(np.unique(sources[sources >= 0])) < 2:  # noqa: PLR2004 - one has no rest
        raise Skip("fewer than two sources; name their column with --source (Python: sources=...)")
    rows = _count(dataset, sources >= 0)
    opinions = [opinion.alike or opinion for method, opinion in context.evidence.items() if _counts(method, opinion)]
    signs = [sign for opinion in opinions for sign in _signs(dataset, opinion)]
    if not signs:
        raise Skip("no other method suspects any row; a source is judged by what they find")
    guilty, verdict = peel(signs, rows, level=STRICTER * settings.fdr)
    findings = tuple(_finding(context, code, signs, verdict, rows) for code in guilty)
    return Outcome(findings, _scores(dataset, guilty, verdict), _numbers(rows, guilty))


def _count(dataset: Dataset, chosen: Flags) -> IntArray:
    """(g, c + 1) number of chosen rows of each source and label, the last column for rows without a label."""
    width, n_sources = dataset.n_classes + 1, len(dataset.source_names)
    codes = np.full(len(dataset), -1) if dataset.codes is None else dataset.codes
    sources = np.zeros(len(dataset), dtype=np.int64) if dataset.source_codes is None else dataset.source_codes
    cells = sources[chosen].astype(np.int64) * width + np.where(codes[chosen] < 0, width - 1, codes[chosen])
    return np.bincount(cells, minlength=width * n_sources).reshape(n_sources, width)


def _counts(method: str, opinion: RowScores) -> bool:
    """Whether the opinion may accuse anyone: a trigger only one that was found, not what merely scores high."""
    found = method == TRIGGER_METHOD and bool(np.asarray(opinion.flagged, dtype=bool).any())
    return found if opinion.kind == "trigger" else opinion.kind in KINDS


def _signs(dataset: Dataset, opinion: RowScores) -> list[Sign]:
    """The flags, and the rows with the highest scores at a few thresholds."""
    if dataset.source_codes is None:
        return []
    known = dataset.source_codes >= 0
    score = np.asarray(opinion.score, dtype=np.float64)
    chosen = [np.asarray(opinion.flagged, dtype=bool) & known]
    ranks = [_rank(score, np.zeros(len(score), dtype=np.int64))]
    if dataset.codes is not None:
        ranks.append(_rank(score, dataset.codes))
    chosen.extend((rank <= share) & np.isfinite(score) & known for rank in ranks for share in SHARES)
    distinct = {rows.tobytes(): rows for rows in chosen if rows.any()}
    return [Sign(opinion.kind, rows, _count(dataset, rows)) for rows in distinct.values()]


def _rank(score: FloatArray, codes: npt.NDArray[Any]) -> FloatArray:
    """(n,) share of the rows with the same code that score at least as high; ties share the largest."""
    order = np.lexsort((-score, codes))
    _, first, counts = np.unique(codes[order], return_index=True, return_counts=True)
    place = np.arange(1, len(score) + 1) - np.repeat(first, counts)
    last = np.ones(len(score), dtype=bool)
    last[:-1] = (score[order][1:] != score[order][:-1]) | (codes[order][1:] != codes[order][:-1])
    ends = np.flatnonzero(last)
    rank: FloatArray = np.empty(len(score))
    rank[order] = place[ends[np.searchsorted(ends, np.arange(len(score)))]] / np.repeat(counts, counts)
    return rank


def peel(signs: list[Sign], rows: IntArray, *, level: float) -> tuple[list[int], Verdict]:
    """Name the worst source, take it out of the standard, test again; stop when nobody passes or half are named."""
    present = rows.sum(axis=1) > 0
    guilty: list[int] = []
    most = max(1, (int(present.sum()) - 1) // 2)
    while True:
        pool = present.copy()
        pool[guilty] = False
        verdict = _judge(signs, rows, pool)
        order = np.argsort(verdict.q_value, kind="stable")
        fresh = [int(code) for code in order if verdict.q_value[code] <= level and int(code) not in guilty]
        if not fresh or len(guilty) >= most:
            return guilty, verdict
        guilty.append(fresh[0])


def _judge(signs: list[Sign], rows: IntArray, pool: Flags) -> Verdict:
    excess = tuple(
        group_excess(sign.hits, rows, pool, min_rest=30 if sign.kind == "label-error" else 0) for sign in signs
    )
    p_value: dict[str, FloatArray] = {}
    best: dict[str, IntArray] = {}
    for kind in KINDS:
        mine = [place for place, sign in enumerate(signs) if sign.kind == kind]
        if not mine:
            continue
        tails = np.stack([_tails(excess[place], signs[place]) for place in mine])
        p_value[kind] = cauchy_combine(tails.T)
        best[kind] = np.asarray(mine)[np.argmin(tails, axis=0)]
    joint = np.minimum(1.0, np.stack(list(p_value.values())).min(axis=0) * len(p_value))
    present = rows.sum(axis=1) > 0
    q_value = np.ones(len(rows))
    q_value[present] = benjamini_hochberg(joint[present])
    return Verdict(q_value, p_value, best, excess)


def _tails(excess: Excess, sign: Sign) -> FloatArray:
    """(g,) one p-value a source from all its labels together and each one alone."""
    at_least = LEAST_CARRIERS if sign.kind == "trigger" else LEAST_HITS
    whole = np.where(excess.hits >= at_least, excess.p_value, 1.0)
    least = LEAST_ERRORS if sign.kind == "label-error" else at_least
    cells = np.where(sign.hits >= least, excess.cell_p, 1.0)
    single = np.minimum(1.0, cells.min(axis=1) * np.maximum((excess.cell_p < 1).sum(axis=1), 1))
    joint: FloatArray = np.minimum(1.0, 2 * np.minimum(whole, single))
    return joint


def _deed(code: int, verdict: Verdict) -> str:
    """The kind of evidence that names what the source did: a trigger before labels before copies, if it is strong."""
    strong = [kind for kind, p in verdict.p_value.items() if p[code] <= 0.001]  # noqa: PLR2004 - on its own convincing
    return strong[0] if strong else min(verdict.p_value, key=lambda kind: float(verdict.p_value[kind][code]))


def _finding(context: Context, code: int, signs: list[Sign], verdict: Verdict, rows: IntArray) -> Finding:
    dataset = context.dataset
    kind = _deed(code, verdict)
    place = int(verdict.best[kind][code])
    excess, sign = verdict.excess[place], signs[place]
    mine = np.flatnonzero(sign.rows & (dataset.source_codes == code))
    own = rate_interval(excess.hits[code], excess.rows[code])
    rest = float(excess.expected[code] / max(excess.rows[code], 1))
    name = shown(dataset.source_names[code])
    told = (
        f"{_percent(own.value)} of its rows on the labels it shares, {_percent(rest)} expected from the other sources"
    )
    evidence = (
        number(
            "bad_share",
            own.value,
            low=own.low,
            high=own.high,
            unit="share",
            note="resampled: its rows (Jeffreys, 95 %)",
        ),
        number("expected_share", rest, unit="share", note="the other sources' rates, for its labels"),
        number("p_value", float(verdict.p_value[kind][code])),
        _chart(dataset, sign, rows, code),
        *rows_evidence(dataset, mine, None, context),
    )
    return Finding(
        ID,
        SLUG,
        Severity.HIGH,
        float(np.clip(1 - verdict.q_value[code], 0, 0.999)),
        f"Source '{name}' {_words(kind, dataset, mine)}: {told}",
        _subject(dataset, code, mine, kind),
        evidence,
        "Quarantine what this source delivered until it is explained, look at the rows, and train without it.",
        STANDARDS,
        place=dataset.source_names[code],
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _subject(dataset: Dataset, code: int, rows: IntArray, deed: str) -> Subject:
    ids = tuple(int(row) for row in np.sort(dataset.ids[rows]))
    return Subject("rows", ids, None, {dataset.source_names[code]: len(rows)}, {"deed": deed})


def _words(kind: str, dataset: Dataset, rows: IntArray) -> str:
    """What the source did, in plain words; one label that takes most of the rows is named."""
    if kind == "duplicate":
        return "delivers copies that contradict other rows"
    what = "carries a trigger" if kind == "trigger" else "has sloppy or manipulated labels"
    codes = dataset.y[rows]
    top = int(np.argmax(np.bincount(codes[codes >= 0], minlength=dataset.n_classes)))
    if dataset.n_classes > 2 and (codes == top).mean() > 0.7:  # noqa: PLR2004 - most of them, and not one of two
        return f"{what}, nearly always under label {dataset.label_of(top)}"
    return what


def shown(name: str) -> str:
    """A source's name as a report can print it: no control characters, at most 100 characters."""
    printable = "".join(letter if letter.isprintable() else "?" for letter in name[:101])
    return printable if len(printable) <= 100 else printable[:99] + "…"  # noqa: PLR2004 - as said


def _chart(dataset: Dataset, sign: Sign, rows: IntArray, code: int) -> Evidence:
    rates = sign.hits.sum(axis=1) / np.maximum(rows.sum(axis=1), 1)
    order = [code, *(int(i) for i in np.argsort(-rates, kind="stable") if i != code and rows[i].sum())][:MOST_BARS]
    order.sort(key=lambda i: -rates[i])
    left_out = int((rows.sum(axis=1) > 0).sum()) - len(order)
    rest = f"; {left_out} sources with lower rates are not shown" if left_out else ""
    return bars(
        "rates by source",
        [shown(dataset.source_names[i]) for i in order],
        [float(rates[i]) for i in order],
        caption=f"Share of each source's rows that look bad in this way{rest}",
        unit="share",
        marked=[shown(dataset.source_names[code])],
    )


def _scores(dataset: Dataset, guilty: list[int], verdict: Verdict) -> RowScores:
    """A mild score for every row of a named source: the share of its rows that are bad beyond expectation."""
    n_rows = len(dataset)
    score, p_value = np.full(n_rows, -np.inf), np.ones(n_rows)
    sources: Any = dataset.source_codes
    for code in guilty:
        share = max(
            (float((e.hits[code] - e.expected[code]) / max(e.rows[code], 1)) for e in verdict.excess), default=0
        )
        share = float(np.clip(share, 1e-3, 1 / 3))
        score[sources == code] = np.log10(share / (1 - share))
        p_value[sources == code] = min(
            1.0, len(verdict.p_value) * min(float(p[code]) for p in verdict.p_value.values())
        )
    return RowScores("source", score, p_value, np.zeros(n_rows, dtype=bool))


def _numbers(rows: IntArray, guilty: list[int]) -> tuple[Evidence, ...]:
    return (
        number("sources", float((rows.sum(axis=1) > 0).sum()), unit="sources"),
        number("bad_sources", float(len(guilty)), unit="sources"),
    )
