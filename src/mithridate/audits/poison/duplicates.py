"""Copies of one record that contradict each other, and bursts of copies with one wrong label."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mithridate.audits.poison import embedding
from mithridate.audits.poison.bursts import Bursts, find_bursts, judge
from mithridate.audits.poison.context import AuditSettings, Context
from mithridate.audits.poison.copies import Copies, find_copies
from mithridate.audits.poison.evidence import rows_evidence
from mithridate.core.errors import Skip
from mithridate.core.findings import Evidence, Finding, Severity, Subject, number
from mithridate.core.method import Outcome, RowScores
from mithridate.data.dataset import Dataset

ID, SLUG = "PSN105", "duplicate"
CERTAIN, CONTESTED = 0.01, 0.05  # a burst's p-value below which the finding is high; the same where a copy disagrees
COARSE = 0.2  # share of copied records with several labels above which the content can't tell the labels apart
_MANY = 10  # copied records from which that share is taken
SHARED = 0.01  # share of rows whose copies came from several sources that is worth a line
STANDARDS = ("AML.T0020", "ML02:2023", "NISTAML.013")

IntArray = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


class Groups(NamedTuple):
    """Copies of records, and for each row: has its group several rows, several labels, several sources."""

    copies: Copies
    copied: Flags
    labels_differ: Flags
    sources_differ: Flags


def duplicates(context: Context, settings: AuditSettings) -> Outcome:
    """Rows that are copies of each other and disagree about the label, and records replicated under one wrong label.

    Notes
    -----
    Every real data set has copies; equal copies are only counted, and equal rows that a table of few coarse columns
    holds by chance are no copies at all. A record with two labels is reported (low or
    medium): one of the labels is wrong, or the content can't decide. A *burst*, four copies or more under one label
    that the record's neighbours contradict, is high when lone records of that label are contradicted as much less
    than once in a hundred: that is how poison that makes a model leak its training data looks. Blind to copies
    changed by more than three per cent, and to bursts whose label is right.

    Raises
    ------
    Skip : fewer than two rows, or neither labels nor sources that copies could disagree about.

    References
    ----------
    Broder (1997), on the resemblance and containment of documents; Tramer et al. (2022), Truth Serum, CCS.
    """
    dataset = context.dataset
    if len(dataset) < 2:  # noqa: PLR2004 - a pair
        raise Skip("one row; duplicates need at least two")
    if dataset.codes is None and dataset.source_codes is None:
        raise Skip("neither labels nor sources that copies could disagree about; name them with --label or --source")
    groups = _group(dataset, find_copies(dataset, rng=context.rng("duplicates")))
    bursts = _bursts(context, groups.copies.near)
    guilty = np.flatnonzero(bursts.q_value <= settings.fdr)
    findings = [
        *_burst_findings(context, groups, bursts, guilty),
        *_label_conflict(context, groups, bursts.group[guilty]),
        *_shared_records(dataset, groups),
    ]
    return Outcome(tuple(findings), _scores(groups, bursts, guilty, dataset), _numbers(groups, bursts, guilty))


def _group(dataset: Dataset, copies: Copies) -> Groups:
    copied = np.bincount(copies.near)[copies.near] > 1
    return Groups(copies, copied, _differ(copies.near, dataset.codes), _differ(copies.near, dataset.source_codes))


def _differ(group: IntArray, codes: npt.NDArray[np.int32] | None) -> Flags:
    """(n,) whether the row's group holds two known codes."""
    if codes is None:
        return np.zeros(len(group), dtype=bool)
    n_groups = int(group.max()) + 1
    low, high = np.full(n_groups, np.iinfo(np.int32).max), np.full(n_groups, -1)
    known = codes >= 0
    np.minimum.at(low, group[known], codes[known])
    np.maximum.at(high, group[known], codes[known])
    return (low < high)[group]


def _bursts(context: Context, group: IntArray) -> Bursts:
    dataset = context.dataset
    codes = np.full(len(dataset), -1, dtype=np.int32) if dataset.codes is None else dataset.codes
    found = find_bursts(group, codes)
    if len(found.group) == 0 or dataset.n_classes < 2 or len(dataset) < embedding.MIN_ROWS:  # noqa: PLR2004 - one label
        return found
    return judge(found, group, codes, embedding.features(context))


def _rows_of(bursts: Bursts, chosen: IntArray, group: IntArray, dataset: Dataset) -> IntArray:
    """Array positions of the rows in these bursts, one burst after the other."""
    width = dataset.n_classes + 1
    keys = group * width + dataset.y
    wanted = bursts.group[chosen] * width + bursts.code[chosen]
    rows = np.flatnonzero(np.isin(keys, wanted))
    return rows[np.argsort(keys[rows], kind="stable")]


def _scores(groups: Groups, bursts: Bursts, guilty: IntArray, dataset: Dataset) -> RowScores:
    """Log10 odds: about -1 for a contradicted record, -2 where contradictions are common, above 1 for guilty bursts."""
    n_rows, near = len(groups.copied), groups.copies.near
    score, p_value = np.full(n_rows, -np.inf), np.ones(n_rows)
    flagged = np.zeros(n_rows, dtype=bool)
    score[groups.labels_differ] = -2.0 if _coarse(groups) else -1.0
    for burst in guilty:
        rows = _rows_of(bursts, np.array([burst]), near, dataset)
        strength = -np.log10(bursts.p_value[burst]) - 1.0 + 0.5 * np.log10(bursts.size[burst] / 4)
        score[rows], p_value[rows], flagged[rows] = np.clip(strength, 0.5, 3.0), bursts.p_value[burst], True
    return RowScores("duplicate", score, p_value, flagged)


def _coarse(groups: Groups) -> bool:
    """Whether labels differ in so many copied records that the content can't tell the labels apart."""
    copied = len(np.unique(groups.copies.near[groups.copied]))
    return copied >= _MANY and len(np.unique(groups.copies.near[groups.labels_differ])) > COARSE * copied


def _subject(dataset: Dataset, rows: IntArray, code: int | None) -> Subject:
    ids = tuple(int(row) for row in np.sort(dataset.ids[rows]))
    return Subject("rows", ids, None if code is None else dataset.label_of(code), dataset.source_counts(rows))


def _burst_findings(context: Context, groups: Groups, bursts: Bursts, guilty: IntArray) -> list[Finding]:
    """One finding for each label that records were replicated under."""
    return [
        _burst_finding(context, groups, bursts, guilty[bursts.code[guilty] == code], int(code))
        for code in np.unique(bursts.code[guilty])
    ]


def _burst_finding(context: Context, groups: Groups, bursts: Bursts, mine: IntArray, code: int) -> Finding:
    dataset = context.dataset
    rows = _rows_of(bursts, mine, groups.copies.near, dataset)
    worst = float(bursts.p_value[mine].min())
    certain = worst <= CERTAIN or bool((bursts.contested[mine] & (bursts.p_value[mine] <= CONTESTED)).any())
    what = "One record stands" if len(mine) == 1 else f"{len(mine)} records stand"
    least, most = int(bursts.size[mine].min()), int(bursts.size[mine].max())
    times = f"{least} times" if least == most else f"{least} to {most} times"
    copies = f"{_kind(groups, rows)} labelled {dataset.label_of(code)}"
    seen = number("p_value", worst, note="against records without copies of the same label")
    return Finding(
        ID,
        SLUG,
        Severity.HIGH if certain else Severity.MEDIUM,
        float(np.clip(1 - bursts.q_value[mine].min(), 0, 0.99)),
        f"{what} in the data {times} as {copies}, though like records carry other labels",
        _subject(dataset, rows, code),
        (seen, *rows_evidence(dataset, rows, code, context)),
        "Keep one copy of each record with the label that its neighbours carry; ask the source for the origin.",
        STANDARDS,
        place="burst",
    )


def _kind(groups: Groups, rows: IntArray) -> str:
    """`equal copies` where equal content alone makes these groups, else `near copies`."""
    exact = len(np.unique(groups.copies.exact[rows])) == len(np.unique(groups.copies.near[rows]))
    return "equal copies" if exact else "near copies"


def _label_conflict(context: Context, groups: Groups, told: IntArray) -> list[Finding]:
    """The finding about copies with different labels, those of the groups `told` left out."""
    dataset = context.dataset
    rows = np.flatnonzero(groups.labels_differ & ~np.isin(groups.copies.near, told))
    if rows.size == 0:
        return []
    rows = rows[np.argsort(groups.copies.near[rows], kind="stable")]
    records, coarse = len(np.unique(groups.copies.near[rows])), _coarse(groups)
    one = "1 record has" if records == 1 else f"{records} records have"
    seen = (number("contradicting_rows", float(rows.size), unit="rows"), *rows_evidence(dataset, rows, None, context))
    return [
        Finding(
            ID,
            SLUG,
            Severity.LOW if coarse or dataset.modality == "table" else Severity.MEDIUM,
            0.5 if coarse else 0.9,
            f"{one} {_kind(groups, rows)} with different labels: {len(rows)} rows contradict each other",
            _subject(dataset, rows, None),
            seen,
            "Decide on one label for each record, or drop its copies.",
            STANDARDS,
            place="labels",
        )
    ]


def _shared_records(dataset: Dataset, groups: Groups) -> list[Finding]:
    rows = np.flatnonzero(groups.sources_differ)
    if rows.size < max(20.0, SHARED * len(dataset)):
        return []
    records = len(np.unique(groups.copies.near[rows]))
    return [
        Finding(
            ID,
            SLUG,
            Severity.LOW,
            0.9,
            f"{records} records have {_kind(groups, rows)} from more than one source, in {len(rows)} rows",
            _subject(dataset, rows, None),
            (number("shared_rows", float(rows.size), unit="rows"),),
            "Keep one copy of each record before splitting the data, else the same record trains and tests.",
            STANDARDS,
            place="sources",
        )
    ]


def _numbers(groups: Groups, bursts: Bursts, guilty: IntArray) -> tuple[Evidence, ...]:
    spare_exact = len(groups.copied) - len(np.unique(groups.copies.exact))
    spare_near = len(groups.copied) - len(np.unique(groups.copies.near))
    return (
        number("exact_copies", float(spare_exact), unit="rows", note="beyond the first of each record"),
        number("near_copies", float(spare_near - spare_exact), unit="rows", note="beyond the first of each record"),
        number("chance_copies", float(groups.copies.n_chance), unit="rows", note="equal, but chance explains it"),
        number("bursts", float(len(bursts.group)), unit="records", note="copied 4 times or more under one label"),
        number("suspicious_bursts", float(len(guilty)), unit="records"),
    )
