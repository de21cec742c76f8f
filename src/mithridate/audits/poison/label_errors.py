"""PSN101: rows whose label disagrees with their content."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import numpy.typing as npt

from mithridate.audits.poison.border_labels import border_finding
from mithridate.audits.poison.context import AuditSettings, Context
from mithridate.audits.poison.embedding import labelled, opinions
from mithridate.audits.poison.trusted import joint, judges, trusted_note
from mithridate.core.findings import Evidence, Finding, Json, Severity, Subject, bars, number, table
from mithridate.core.method import Outcome, RowScores
from mithridate.data.dataset import Dataset
from mithridate.numeric.border_noise import BorderNoise, border_noise
from mithridate.numeric.label_noise import LabelNoise, by_source, calibrate, detect_noise, flag_beside
from mithridate.numeric.tails import flag_by_odds, poisson_interval

FEW = 0.005  # below this share of rows, wrong labels are what every real data set has
SHOWN = 10
STANDARDS = ("AML.T0020", "ML02:2023")


def label_errors(context: Context, settings: AuditSettings) -> Outcome:
    """Rows whose label is likelier a random flip than an honest choice, judged by models that never saw that label.

    Parameters
    ----------
    context : its neighbour graph and out-of-fold class probabilities are made here if no method asked before.
    settings : `fdr` bounds the share of flags that are expected to be false.

    Returns
    -------
    One finding for all flagged rows, their odds, and the expected number of false flags.

    Raises
    ------
    Skip : fewer than 30 labelled rows, one class, or fewer than 4 rows a class.

    Notes
    -----
    Assumes that flips ignore the content, so that they reach class pairs which honest labels never confuse. Flips
    from one class to another only are the business of the class-pair test. Honest but gross label errors are flagged
    too. Two classes that overlap everywhere hide their flips, and then few or no rows are flagged. The odds are lower
    bounds, so few rows give few flags.

    Flips of the rows nearest the border stay hidden among honest hard rows: even models taught by the right labels of
    all other rows miss most of them. Together they still show, as labels that cross a border oftener than chance
    explains (`numeric/border_noise.py`); then the rows nearest the border rank first, a finding of its own says how
    many there are, and no row is flagged for it. What is found: benchmarks/results/poison.json,
    `fashion-near-boundary-5`.

    Where the rows name their sources, each source's share of flips is estimated, drawn towards the average by as
    much as the sources seem alike, and a row's odds are multiplied by its source's share over the average: a careless
    source's rows are flagged sooner, a careful one's later. Rows that a trigger explains don't count.
    With trusted rows that judge this is left out, since those have no source.

    With a reference, the models learn from the trusted rows as well. If at least 50 of them have a known label and
    aren't audited too, a row's p-value is its rank among them, and flags are those that the trusted rows bear out: then
    honest but hard rows are told from flips by what honest rows do, not by a fitted curve. Assumes trusted rows of the
    same mix as the audited ones.

    References
    ----------
    Northcutt, Jiang and Chuang (2021), confident learning: estimating uncertainty in dataset labels, JAIR 70.
    Bates et al. (2023), testing for outliers with conformal p-values, Ann. Stat. 51(1).
    Ignatiadis et al. (2016), data-driven hypothesis weighting, Nature Methods 13.
    """
    codes = labelled(context)
    judging = judges(context) if context.probabilities is None else np.zeros(0, np.int64)
    noise, flagged, alike = _weighed(context, _judge(context, codes, judging, settings.fdr), judging, settings.fdr)
    numbers = (*_numbers(noise, flagged, settings.fdr if len(judging) else None), *trusted_note(context, judging))
    findings = [_finding(context.dataset, noise, flagged, numbers)] if flagged.any() else []
    border = _border(context, codes, judging)
    if border is not None:
        findings.append(border_finding(context.dataset, border, noise.suggested, STANDARDS))
        noise = noise._replace(odds=np.maximum(noise.odds, border.odds))
    return Outcome(tuple(findings), _scores(noise, flagged, alike), numbers)


def _weighed(
    context: Context,
    judged: tuple[LabelNoise, npt.NDArray[np.bool_]],
    judging: npt.NDArray[np.int64],
    fdr: float,
) -> tuple[LabelNoise, npt.NDArray[np.bool_], RowScores | None]:
    """Odds and flags with each source's share of flips in them, none for rows that a trigger explains; and the scores
    as if all sources were alike, where they name sources and no trusted row judges.
    """  # noqa: D205 - what is returned reads better in one piece
    noise, flagged = judged
    sources = context.dataset.source_codes
    if sources is None or len(judging):
        return noise, flagged & ~context.explained, None
    alike = _scores(noise, flagged & ~context.explained)
    noise = by_source(noise, sources, counted=~context.explained)
    return noise, _flag(noise, fdr) & ~context.explained, alike


def _border(context: Context, codes: npt.NDArray[np.int32], judging: npt.NDArray[np.int64]) -> BorderNoise | None:
    """Labels across the borders, where they are certainly more than chance; trusted rows that judge know better."""
    if len(judging):
        return None
    found = border_noise(opinions(context).log_probabilities, np.where(context.explained, -1, codes))
    return found if found.sure else None


def _scores(noise: LabelNoise, flagged: npt.NDArray[np.bool_], alike: RowScores | None = None) -> RowScores:
    with np.errstate(divide="ignore"):
        score = np.log10(noise.odds)
    return RowScores("label-error", score, noise.p_value, flagged, alike=alike)


def _flag(noise: LabelNoise, fdr: float) -> npt.NDArray[np.bool_]:
    return flag_by_odds(noise.odds, fdr) & (noise.odds > 0)


def _judge(
    context: Context, codes: npt.NDArray[np.int32], judging: npt.NDArray[np.int64], fdr: float
) -> tuple[LabelNoise, npt.NDArray[np.bool_]]:
    """Odds and flags of the audited rows: from themselves, or beside the trusted rows where those may judge."""
    rng = context.rng("label-noise")
    if not len(judging):
        noise = detect_noise(opinions(context).log_probabilities, codes, rng=rng)
        return noise, _flag(noise, fdr)
    both = cast("Context", joint(context))
    noise = detect_noise(opinions(both).log_probabilities, both.dataset.y, rng=rng)
    return calibrate(noise, len(codes), judging), flag_beside(noise, len(codes), judging, fdr)


def _numbers(noise: LabelNoise, flagged: npt.NDArray[np.bool_], fdr: float | None) -> tuple[Evidence, ...]:
    false = float(np.sum(1 / (1 + noise.odds[flagged])))
    note = "Poisson interval around the sum of the flagged rows' chances of an honest label"
    if fdr is not None:
        false = min(float(noise.p_value[flagged].max(initial=0.0) * len(flagged)), fdr * float(flagged.sum()))
        note = "Poisson interval around the least suspect flag's p-value times the rows, at most the rate asked for"
    low, high = poisson_interval(false)
    return (
        number("expected_false_flags", round(false, 2), low=low, high=high, unit="rows", note=note),
        number("label_noise_rate", round(noise.rate, 5), unit="share"),
    )


def _finding(
    dataset: Dataset, noise: LabelNoise, flagged: npt.NDArray[np.bool_], numbers: tuple[Evidence, ...]
) -> Finding:
    rows = np.flatnonzero(flagged)
    n_false = float(numbers[0].data["value"])  # type: ignore[arg-type]
    labels_are, false = ("label looks", "is") if len(rows) == 1 else ("labels look", "are")
    at_most = max(int(np.ceil(n_false)), 1)
    return Finding(
        method="PSN101",
        slug="label-error",
        severity=Severity.MEDIUM if len(rows) >= FEW * len(dataset) else Severity.LOW,
        confidence=round(1 - n_false / len(rows), 4),
        claim=(
            f"{len(rows):,} of {len(dataset):,} {labels_are} wrong; at most {at_most:,} of these flags "
            f"{'is' if at_most == 1 else false} expected to be false"
        ),
        subject=Subject("rows", tuple(sorted(int(i) for i in dataset.ids[rows])), sources=dataset.source_counts(rows)),
        evidence=(_pairs(dataset, noise, rows), _examples(dataset, noise, rows), *numbers),
        remedy="Look at the rows listed first, then relabel them as suggested or leave them out (--clean FILE).",
        standards=STANDARDS,
    )


def _word(dataset: Dataset, code: int) -> str:
    return str(dataset.label_of(code))


def _pairs(dataset: Dataset, noise: LabelNoise, rows: npt.NDArray[np.int64]) -> Evidence:
    """Bars of the commonest (given, suggested) pairs among the flagged rows."""
    codes = dataset.y
    pairs, counts = np.unique(np.stack([codes[rows], noise.suggested[rows]], axis=1), axis=0, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:SHOWN]
    names = [f"{_word(dataset, int(given))} -> {_word(dataset, int(better))}" for given, better in pairs[order]]
    return bars(
        "label pairs",
        names,
        counts[order].tolist(),
        caption="Flagged rows by given -> suggested label, the commonest pairs",
        unit="rows",
    )


def _examples(dataset: Dataset, noise: LabelNoise, rows: npt.NDArray[np.int64]) -> Evidence:
    """Table of the most suspect rows."""
    chosen = rows[np.argsort(-noise.odds[rows], kind="stable")][:SHOWN]
    lines: list[list[Json]] = [
        [
            int(dataset.ids[i]),
            _word(dataset, int(dataset.y[i])),
            _word(dataset, int(noise.suggested[i])),
            _odds(noise.odds[i]),
        ]
        for i in chosen
    ]
    return table(
        "most suspect rows",
        ["row", "given label", "suggested label", "odds"],
        lines,
        caption="The ten rows whose labels are most likely wrong, with the odds that they are",
        marked=["given label"],
    )


def _odds(odds: Any) -> str:
    return f"{float(odds):,.0f} : 1" if odds >= 1 else f"1 : {1 / float(odds):,.0f}"
