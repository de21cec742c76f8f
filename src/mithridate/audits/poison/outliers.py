"""PSN104: rows far from all others, or far from the others of their label."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mithridate.audits.poison.context import AuditSettings, Context
from mithridate.audits.poison.embedding import columns, features, graph
from mithridate.core.findings import Evidence, Finding, Json, Severity, Subject, number, table
from mithridate.core.method import Outcome, RowScores
from mithridate.data.dataset import Dataset
from mithridate.numeric.outliers import column_tails, robust_distance, wild_values
from mithridate.numeric.tails import benjamini_hochberg, heavy_tail

AXES = 32  # coordinates that distances use: beyond these lies noise
CLASS_ROWS = 100  # a class with fewer rows has no shape of its own
MANY = 0.01  # above this share of rows, outliers are more than a few odd records
SHOWN = 10
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
    Robust Mahalanobis distance overall and per class, distance to the tenth neighbour, and for tables the mean tail
    share and the wildest of the cells. Each gets a p-value from a generalised Pareto tail fitted to its own bulk; the smallest of a
    row's, times their number, goes through Benjamini-Hochberg. Backdoors are rarely outliers: don't rely on this alone.

    References
    ----------
    Rousseeuw and Van Driessen (1999), Technometrics 41(3). Ramaswamy et al. (2000), SIGMOD. Li et al. (2022), ECOD.
    """
    p_values = _tests(context)
    stacked = np.stack(list(p_values.values()))
    p_value = np.minimum(stacked.min(axis=0) * len(stacked), 1.0)
    flagged = benjamini_hochberg(p_value, settings.fdr)
    false = float(settings.fdr * flagged.sum())
    numbers = (
        number(
            "expected_false_flags",
            round(false, 2),
            low=0.0,
            high=round(2 * false, 2),
            unit="rows",
            note="the false discovery rate times the flags",
        ),
    )
    found = (_finding(context.dataset, p_values, p_value, flagged, numbers),) if flagged.any() else ()
    return Outcome(found, RowScores("outlier", _score(p_value), p_value, flagged), numbers)


def _tests(context: Context) -> PValues:
    rows = features(context)[:, :AXES]
    distances = graph(context).distances
    tests = {
        "far from all rows": heavy_tail(robust_distance(rows)),
        "far from its neighbours": heavy_tail(distances[:, min(9, distances.shape[1] - 1)]),
    }
    codes = context.dataset.codes
    if codes is not None:
        tests["far from its label"] = _by_class(rows, codes)
    if context.dataset.modality == "table" and columns(context).numbers.shape[1]:
        tests["rare values"] = heavy_tail(column_tails(columns(context).numbers))
        tests["wild value"] = heavy_tail(wild_values(columns(context).numbers), start=0.5)
    return tests


def _by_class(rows: npt.NDArray[np.float32], codes: npt.NDArray[np.int32]) -> npt.NDArray[np.float64]:
    """Distances from the row's own class, each class on its own scale, judged by one tail; 1 for small classes."""
    distances = np.full(len(rows), -1.0)
    for code in np.unique(codes[codes >= 0]):  # a loop: every class has a shape of its own
        own = np.flatnonzero(codes == code)
        if len(own) >= CLASS_ROWS:
            distances[own] = robust_distance(rows[own])
    p_values = np.ones(len(rows))
    judged = distances >= 0
    if judged.any():
        p_values[judged] = heavy_tail(distances[judged])
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
