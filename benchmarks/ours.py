"""Mithridate's side of every benchmark: run the audit as a user would, judge it by the truth."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import numpy as np

from metrics import Bools, flag_rates, judged
from mithridate.core.findings import Severity
from mithridate.data.dataset import Dataset


def audit(dataset: Dataset, **settings: Any) -> tuple[Any, float]:
    """The report with default settings, and the seconds it took."""
    import mithridate

    clock = time.perf_counter()
    report = mithridate.audit(dataset, **settings)
    return report, time.perf_counter() - clock


def row_table(report: Any) -> dict[str, Any]:
    """`row`, `flagged`, `kind`, `score`, `p_value` as numpy arrays in reading order."""
    table = report.rows()
    columns = {name: np.asarray(table[name].to_pylist()) for name in ("row", "flagged", "kind", "score", "p_value")}
    order = np.argsort(columns["row"])
    return {name: values[order] for name, values in columns.items()}


def confirmed(report: Any) -> list[Any]:
    """Findings of a trigger that passed the causal test: high or critical."""
    return [f for f in report.findings if "trigger" in f.slug and f.severity >= Severity.HIGH]


def judge(
    dataset: Dataset,
    truth: Bools,
    target: Any = None,
    *,
    backdoor: bool = True,
    judged_rows: Bools | None = None,
    **settings: Any,
) -> dict[str, Any]:
    """Everything the tables need of one audit: ranking, flags by kind, what was confirmed, what went wrong.

    Parameters
    ----------
    truth : (n,) true for poisoned rows, in reading order.
    target : the label that a backdoor forces; None for label flips, clean data, and backdoors without a single one.
    backdoor : whether there is a trigger that may be confirmed rightly.
    judged_rows : (n,) rows that count; all of them without it.
    """
    report, seconds = audit(dataset, **settings)
    rows = row_table(report)
    if judged_rows is not None:
        rows, truth = {name: values[judged_rows] for name, values in rows.items()}, truth[judged_rows]
    kinds = {
        kind: flag_rates(rows["flagged"] & (rows["kind"] == kind), truth) for kind in sorted(set(rows["kind"]) - {""})
    }
    proven = confirmed(report)
    poisoned = set(rows["row"][truth].tolist()) if backdoor else set()
    right = [f for f in proven if _right(f, target, poisoned)]
    both = truth.any() and not truth.all()
    ranking = judged(np.asarray(rows["score"], dtype=np.float64), rows["flagged"], truth) if both else {}
    return {
        **ranking, "seconds": seconds, "kinds": kinds, "confirmed_right": len(right),
        "confirmed_wrong": len(proven) - len(right), **outcome(report),
    }  # fmt: skip


def _right(finding: Any, target: Any, poisoned: set[int]) -> bool:
    """The label that the backdoor forces is named; where it forces no single one, most of the rows are poisoned."""
    if target is not None:
        return str(finding.subject.label) == str(target)
    return 2 * len(poisoned & set(finding.subject.rows)) > len(finding.subject.rows)


def outcome(report: Any) -> dict[str, Any]:
    """Findings by severity, claims of the grave ones, checks that failed, and the report's own numbers."""
    worst = [f"{f.slug}: {f.claim}"[:200] for f in report.findings if f.severity >= Severity.HIGH]
    numbers = {piece.name: dict(piece.data) for check in report.checks for piece in check.numbers}
    return {
        "findings": dict(Counter(f.severity.word for f in report.findings)),
        "grave": worst,
        "failed": [f"{check.method}: {check.reason}" for check in report.checks if check.status == "failed"],
        "check_seconds": {check.method: round(check.seconds, 3) for check in report.checks},
        "numbers": {name: {key: data.get(key) for key in ("value", "low", "high")} for name, data in numbers.items()},
    }
