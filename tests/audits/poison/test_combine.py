"""The row table: one order over all methods, kinds from the strongest flag, expected false flags from the odds."""

from __future__ import annotations

import numpy as np

from mithridate.audits.poison.combine import combine, expected_false_flags
from mithridate.audits.poison.context import Context
from mithridate.core.findings import Finding, Severity, Subject
from mithridate.core.method import Outcome, RowScores
from mithridate.data.dataset import Dataset


def context() -> Context:
    ids = np.array([3, 1, 0, 2])
    data = Dataset("d", "embedding", np.eye(4, dtype=np.float32), np.zeros(4, np.int32), (0,), row_ids=ids)
    return Context(data)


def opinion(kind: str, score: list[float], flagged: list[bool]) -> Outcome:
    return Outcome(row_scores=RowScores(kind, np.array(score), np.full(4, 0.2), np.array(flagged)))


def test_rows_come_back_in_reading_order_with_the_highest_odds() -> None:
    outcomes = {
        "PSN103": opinion("trigger", [4.0, -9.0, -9.0, -9.0], [True, False, False, False]),
        "PSN101": opinion("label-error", [1.0, 2.0, -1.0, -2.0], [True, True, False, False]),
    }
    table = combine(context(), outcomes).rows
    assert table.row.tolist() == [0, 1, 2, 3]
    assert table.score.tolist() == [-1.0, 2.0, -2.0, 4.0]
    assert table.kind.tolist() == ["", "label-error", "", "trigger"]
    assert table.flagged.tolist() == [False, True, False, True]
    assert np.allclose(table.p_value, 0.4)
    assert table.by_method["PSN101"].tolist() == [-1.0, 2.0, -2.0, 1.0]


def test_expected_false_flags_adds_the_chances_of_flagged_rows() -> None:
    outcomes = {"PSN101": opinion("label-error", [0.0, 1.0, 5.0, 5.0], [True, True, False, False])}
    piece = expected_false_flags(combine(context(), outcomes).rows)
    assert abs(float(str(piece.data["value"])) - (0.5 + 1 / 11)) < 1e-12


def test_findings_come_worst_first_and_nothing_run_is_no_flag() -> None:
    mild = Finding("PSN104", "outlier", Severity.LOW, 1.0, "c", Subject("rows", (1,)))
    grave = Finding("PSN103", "shared-trigger", Severity.CRITICAL, 0.5, "c", Subject("rows", (1,)))
    combined = combine(context(), {"PSN104": Outcome((mild,)), "PSN103": Outcome((grave,))})
    assert [f.severity for f in combined.findings] == [Severity.CRITICAL, Severity.LOW]
    assert not combined.rows.flagged.any()
    assert np.isneginf(combined.rows.score).all()


def test_without_flags_the_number_of_false_ones_says_so() -> None:
    outcomes = {"PSN101": opinion("label-error", [0.0, 1.0, 5.0, 5.0], [False] * 4)}
    piece = expected_false_flags(combine(context(), outcomes).rows)
    assert (piece.data["value"], piece.data["note"]) == (0.0, "no row is flagged")
