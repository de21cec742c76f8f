"""The report's contract: JSON in and out, the verdict, fingerprints that survive a row more or less."""

from __future__ import annotations

import json

import pytest

from mithridate.core.errors import InputError
from mithridate.core.findings import Evidence, Finding, Severity, Subject, number
from mithridate.core.report import CheckResult, Report, Status, Target
from mithridate.core.trigger import Trigger


def finding(rows: tuple[int, ...] = (1, 2), severity: Severity = Severity.HIGH, label: object = 0) -> Finding:
    subject = Subject("rows", rows, label, {"vendor-b": len(rows)})  # type: ignore[arg-type]
    return Finding("PSN103", "shared-trigger", severity, 0.99, "rows share a patch", subject, place="y20x20")


def report(*statuses: tuple[Status, bool], findings: tuple[Finding, ...] = ()) -> Report:
    checks = tuple(
        CheckResult(f"PSN10{i}", "s", "t", status, "why", wanted=wanted) for i, (status, wanted) in enumerate(statuses)
    )
    return Report(Target("dataset", "a.npz", "sha256:0", 9, {"modality": "image"}), checks, findings, {"seed": 0})


def test_report_survives_json() -> None:
    trigger = Trigger("patch", 0, {"pixels": [[0, 0, 0]], "values": [1.0]})
    full = Finding(
        "PSN103", "shared-trigger", Severity.CRITICAL, 0.999, "claim", Subject("rows", (1,), "a", {"s": 1}, {"n": 2}),
        evidence=(number("flip_rate", 0.5, low=0.4, high=0.6, unit="share"), trigger.as_evidence()),
        remedy="do", place="p",
    )  # fmt: skip
    one = report(("found", False), ("skipped", False), findings=(full,))
    again = Report.from_json(json.loads(json.dumps(one.to_json())))
    assert again.to_json() == one.to_json()
    assert again.findings[0].fingerprint == full.fingerprint


@pytest.mark.parametrize(
    ("statuses", "found", "verdict"),
    [
        ([("clean", False), ("skipped", False)], False, "clean"),
        ([("found", False)], True, "findings"),
        ([("clean", False), ("failed", False)], False, "incomplete"),
        ([("found", False), ("failed", False)], True, "incomplete"),
        ([("clean", False), ("skipped", True)], False, "incomplete"),
        ([("skipped", False)], False, "incomplete"),
        ([], False, "incomplete"),
    ],
)
def test_verdict_never_calls_unchecked_clean(statuses: list[tuple[Status, bool]], *, found: bool, verdict: str) -> None:
    assert report(*statuses, findings=(finding(),) if found else ()).verdict == verdict


def test_fingerprint_ignores_rows_and_severity_but_not_label_or_place() -> None:
    base = finding()
    assert finding(rows=(1, 2, 3)).fingerprint == base.fingerprint
    assert finding(severity=Severity.MEDIUM).fingerprint == base.fingerprint
    assert finding(label=1).fingerprint != base.fingerprint


@pytest.mark.parametrize(
    "raw", [{}, {"schema": "other"}, {"schema": "mithridate.report/1"}, {"schema": "mithridate.report/1", "target": 3}]
)
def test_damaged_report_is_one_clear_line(raw: dict[str, object]) -> None:
    with pytest.raises(InputError, match="report"):
        Report.from_json(raw)


def test_number_is_found_by_name_in_the_checks() -> None:
    check = CheckResult("PSN101", "s", "t", "clean", numbers=(number("expected_false_flags", 2.5),))
    one = Report(Target("dataset", "a", "sha256:0"), (check,), (), {})
    piece = one.number("expected_false_flags")
    assert isinstance(piece, Evidence)
    assert piece.data["value"] == 2.5
    assert one.number("auc") is None
