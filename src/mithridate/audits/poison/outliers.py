"""PSN104: rows far from all others, or far from the others of their label."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import numpy.typing as npt

from mithridate.audits.poison.context import AuditSettings, Context
from mithridate.audits.poison.embedding import columns, features, graph
from mithridate.audits.poison.trusted import LEAST, joint, judges, trusted_note
from mithridate.core.findings import Evidence, Finding, Json, Severity, Subject, number, table
from mithridate.core.method import Outcome, RowScores
from mithridate.data.dataset import Dataset
from mithridate.numeric.neighbours import distance_to
from mithridate.numeric.outliers import column_tails, fine_detail, residual, robust_distance, wild_tail, wild_values
from mithridate.numeric.tails import benjamini_hochberg, heavy_tail

AXES = 32  # coordinates that distances use: beyond these lies noise
NEAR = 10  # the neighbour whose distance counts
CLASS_ROWS = 100  # a class with fewer rows has no shape of its own
MANY = 0.01  # above this share of rows, outliers are more than a few odd records
SHOWN = 10
NOISY = "noisy"
PLAIN = ("image", "embedding")  # content that is an array, which main axes leave a rest of
CAP = -0.5  # an odd row is rarely a poisoned one
EXTREME = 1e-6  # expected rows this odd in the whole set, below which the cap is lifted to even odds

PValues = dict[str, npt.NDArray[np.float64]]


def outliers(context: Context, settings: AuditSettings) -> Outcome:
    """Rows that are odd for this data set, or for their label, beyond what its own heavy tails allow.

    Parameters
    ----------
    context : its embedding and neighbour graph are made here if no method asked before.
    settings : `fdr` is the false discovery rate among the flags.

    Returns
    -------
    One finding for all flagged rows, their odds (kept low: odd is not poisoned), and the expected false flags.

    Raises
    ------
    Skip : fewer than 30 rows.

    Notes
    -----
    Robust Mahalanobis distance overall and per class, distance to the tenth neighbour; for tables the mean tail share
    and the wildest of the cells, each column on its own; for images and embeddings what the main axes miss, and for
    images how noisy their pixels are. Each gets a p-value from a generalised Pareto tail fitted without the rows it
    doesn't expect, which holds up to about a twentieth of odd rows; the smallest of a row's, times their number, goes
    through Benjamini-Hochberg. A few noise images (0.1 %) may stay unseen. Backdoors are rarely outliers: don't rely
    on this alone.

    With a reference of at least 50 rows that aren't audited too, half of the trusted rows say where the bulk lies and
    what neighbours are, and each p-value is a row's rank among the other half, or beyond it their fitted tail. Then
    even a large group of odd rows can't pass for ordinary. Assumes trusted rows of the same mix.

    References
    ----------
    Rousseeuw and Van Driessen (1999), Technometrics 41(3). Ramaswamy et al. (2000), SIGMOD. Li et al. (2022), ECOD.
    """
    features(context)  # too few rows are skipped whatever the reference
    judging = judges(context, labelled=False)
    p_values = _tests(context, judging)
    stacked = np.stack(list(p_values.values()))
    p_value = np.minimum(stacked.min(axis=0) * len(stacked), 1.0)
    flagged = benjamini_hochberg(p_value, settings.fdr)
    false = float(settings.fdr * flagged.sum())
    numbers = (
        number(
            "expected_false_flags:PSN104",
            round(false, 2),
            low=0.0,
            high=round(2 * false, 2),
            unit="rows",
            note="the false discovery rate times the flags; 0 to twice that, nothing was resampled",
        ),
        *trusted_note(context, judging),
    )
    found = (_finding(context.dataset, p_values, p_value, flagged, numbers),) if flagged.any() else ()
    return Outcome(found, RowScores("outlier", _score(p_value), p_value, flagged, settings.fdr), numbers)


def _tests(context: Context, judging: npt.NDArray[np.int64]) -> PValues:
    """P-values by test: against the rows' own bulk, or with `judging` trusted rows against those."""
    if len(judging):
        return _trusted_tests(context, judging)
    rows = features(context)[:, :AXES]
    distances = graph(context).distances
    tests = {
        "far from all rows": heavy_tail(robust_distance(rows)),
        "far from its neighbours": heavy_tail(distances[:, min(NEAR, distances.shape[1]) - 1]),
    }
    codes = context.dataset.codes
    if codes is not None:
        tests["far from its label"] = _by_class(rows, codes)
    if context.dataset.modality == "table" and columns(context).numbers.shape[1]:
        tests["rare values"] = heavy_tail(column_tails(columns(context).numbers))
        tests["wild value"] = wild_tail(wild_values(columns(context).numbers))
    if context.dataset.modality in PLAIN:
        tests |= {name: heavy_tail(scores, gap=name == NOISY) for name, scores in _plain(context.dataset).items()}
    return tests


def _trusted_tests(context: Context, judging: npt.NDArray[np.int64]) -> PValues:
    """Bulk and neighbours from every second trusted row, in content-hash order, tails from the others."""
    both = cast("Context", joint(context))
    n, fit, held = len(context.dataset), judging[::2], judging[1::2]

    def judge(scores: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
        return heavy_tail(scores[:n], honest=scores[held])

    rows = features(both)[:, :AXES]
    tests = {
        "far from all rows": judge(robust_distance(rows, fit=rows[fit])),
        "far from its neighbours": judge(distance_to(rows, rows[fit], k=NEAR)),
    }
    if both.dataset.modality == "table" and columns(both).numbers.shape[1]:
        numbers = columns(both).numbers
        tests["rare values"] = judge(column_tails(numbers, fit=numbers[fit]))
        widths = wild_values(numbers, fit=numbers[fit])
        tests["wild value"] = wild_tail(widths[:n], honest=widths[held])
    if both.dataset.modality in PLAIN:
        tests |= {name: judge(scores) for name, scores in _plain(both.dataset, fit).items()}
    codes = both.dataset.codes
    if codes is not None and np.any(codes[judging] >= 0):
        tests["far from its label"] = _by_class(rows, codes, n=n, held=judging[codes[judging] >= 0])
    return tests


def _plain(dataset: Dataset, fit: npt.NDArray[np.int64] | None = None) -> dict[str, npt.NDArray[np.float64]]:
    """What the main axes miss of each array, and for images the finest detail."""
    content = cast("npt.NDArray[Any]", dataset.content)
    scores = {"off the main axes": residual(content, fit=fit)}
    if dataset.modality == "image":
        scores[NOISY] = fine_detail(content)
    return scores


def _by_class(
    rows: npt.NDArray[np.float32],
    codes: npt.NDArray[np.int32],
    *,
    n: int | None = None,
    held: npt.NDArray[np.int64] | None = None,
) -> npt.NDArray[np.float64]:
    """Distances from the row's own class, each class on its own scale, judged by one tail; 1 for small classes.

    With trusted rows `held`, the first `n` rows give the classes their shapes and the held ones the tail.
    """
    audited = len(rows) if n is None else n
    distances = np.full(len(rows), -1.0)
    for code in np.unique(codes[codes >= 0]):  # a loop: every class has a shape of its own
        own = np.flatnonzero(codes == code)
        fit = own[own < audited]
        if len(fit) >= CLASS_ROWS:
            distances[own] = robust_distance(rows[own], fit=None if n is None else rows[fit])
    p_values = np.ones(audited)
    judged = distances[:audited] >= 0
    honest = None if held is None else distances[held][distances[held] >= 0]
    if judged.any() and (honest is None or len(honest) >= LEAST):
        p_values[judged] = heavy_tail(distances[:audited][judged], honest=honest)
    return p_values


def _score(p_value: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """log10 odds from the number of rows this odd expected in the whole set, shifted down by 2 and capped."""
    expected = p_value * len(p_value)
    return np.asarray(np.minimum(-np.log10(expected) - 2, np.where(expected < EXTREME, 0.0, CAP)))


def _finding(
    dataset: Dataset,
    tests: PValues,
    p_value: npt.NDArray[np.float64],
    flagged: npt.NDArray[np.bool_],
    numbers: tuple[Evidence, ...],
) -> Finding:
    rows = np.flatnonzero(flagged)
    most = rows[np.argsort(p_value[rows], kind="stable")][:SHOWN]
    names, stacked = list(tests), np.stack(list(tests.values()))
    lines: list[list[Json]] = [
        [int(dataset.ids[i]), names[int(np.argmin(stacked[:, i]))], f"{p_value[i]:.1e}"] for i in most
    ]
    return Finding(
        method="PSN104",
        slug="outlier",
        severity=Severity.MEDIUM if len(rows) >= MANY * len(dataset) else Severity.LOW,
        confidence=0.95,
        claim=f"{len(rows):,} of {len(dataset):,} rows are unlike the others, beyond what this data's own tails allow",
        subject=Subject("rows", tuple(sorted(int(i) for i in dataset.ids[rows])), sources=dataset.source_counts(rows)),
        evidence=(
            table(
                "oddest rows", ["row", "why", "p-value"], lines, caption="The ten oddest rows and the test they fail"
            ),
            *numbers,
        ),
        remedy="Look at these rows: broken records should go, rare but real ones should stay.",
        standards=("AML.T0020",),
    )
