"""`mithridate.audit` in Python: every documented argument does something, and bad ones say so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

import mithridate
from mithridate.core.errors import InputError
from mithridate.core.findings import Finding, Severity, Subject
from mithridate.core.report import Report, Target
from mithridate.data import load
from mithridate.data.dataset import Dataset
from mithridate.flows.audit_report import AuditReport, save_report
from mithridate.reports.extent import affected
from mithridate.reports.json_format import read_report


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("digits", rows=900)


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    adult = load("adult", rows=900, whole=False)
    columns = adult.frame()
    columns["income"] = [adult.label_of(int(code)) for code in adult.y]
    columns["vendor"] = np.random.default_rng(0).choice(["a", "b"], len(columns))
    return columns


def status(report: AuditReport) -> dict[str, str]:
    return {check.method: check.status for check in report.checks}


def linear(dataset: Any, _seed: int) -> LogisticRegression:
    return LogisticRegression(max_iter=200).fit(dataset.x.reshape(len(dataset.y), -1), dataset.y)


def test_fitted_model_is_asked_what_it_says_of_its_rows(digits: Dataset) -> None:
    flat = np.asarray(digits.content, dtype=np.float32).reshape(len(digits), -1)
    model = LogisticRegression(max_iter=200).fit(flat, digits.y)
    report = mithridate.audit(np.asarray(digits.content), labels=digits.y, model=model, power="off")
    assert status(report)["PSN107"] in {"found", "clean"}


def test_recipe_may_be_a_function(digits: Dataset) -> None:
    report = mithridate.audit(digits, recipe=linear, power="off")
    assert status(report)["PSN107"] in {"found", "clean"}


def network(dataset: Any, _seed: int) -> MLPClassifier:
    return MLPClassifier((16,), max_iter=300, tol=0.01, random_state=0).fit(
        dataset.x.reshape(len(dataset.y), -1), dataset.y
    )


def test_a_networks_layers_are_looked_at_whether_it_is_given_or_trained_here(digits: Dataset) -> None:
    for given in ({"recipe": network}, {"model": network(digits, 0)}):
        report = mithridate.audit(digits, power="off", methods="PSN115", **given)
        assert status(report)["PSN115"] in {"found", "clean"}


def test_a_check_that_lacks_a_part_names_the_option_that_gives_it(digits: Dataset) -> None:
    reasons = {check.method: check.reason for check in mithridate.audit(digits, power="off").checks}
    assert "--recipe R" in reasons["PSN109"]
    assert "--model M or --recipe R" in reasons["PSN115"]
    assert "--reference CLEAN" in reasons["PSN111"]


def test_model_that_breaks_is_blamed_by_name(digits: Dataset) -> None:
    class Broken:
        classes_ = np.arange(10)

        def predict_proba(self, _x: object) -> None:
            raise ZeroDivisionError

    with pytest.raises(InputError, match="model failed"):
        mithridate.audit(digits, model=Broken(), power="off")


def test_frame_columns_are_named_as_in_a_file(frame: pd.DataFrame) -> None:
    report = mithridate.audit(frame, label="income", source_column="vendor", power="off")
    assert status(report)["PSN106"] in {"found", "clean"}
    assert report.target.extra["classes"] == 2


def test_reference_changes_what_trusted_rows_say(digits: Dataset) -> None:
    x, y = np.asarray(digits.content), digits.y.copy()
    flipped = np.random.default_rng(0).choice(600, 60, replace=False)
    y[flipped] = (y[flipped] + 3) % 10
    alone = mithridate.audit(x[:600], labels=y[:600], power="off", methods="PSN101")
    helped = mithridate.audit(x[:600], labels=y[:600], power="off", methods="PSN101", reference=(x[600:], y[600:]))
    assert alone.table is not None
    assert helped.table is not None
    assert not np.array_equal(alone.table.score, helped.table.score)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"probabilities": np.full((900, 10), np.nan)}, "add up to 1"),
        ({"probabilities": np.ones((3, 10))}, "probabilities must be"),
        ({"fdr": 0.0}, "fdr"),
        ({"power": "huge"}, "power"),
        ({"jobs": 0}, "jobs"),
        ({"recipe": "nope"}, "nope"),
        ({"model": object()}, "model"),
        ({"methods": ["PSN999"]}, "PSN999"),
        ({"label": "y", "labels": [0] * 900}, "one of the two"),
    ],
)
def test_bad_arguments_say_what_and_what_next(digits: Dataset, arguments: dict[str, Any], told: str) -> None:
    given = {"labels": digits.y, **arguments}
    with pytest.raises(InputError, match=told):
        mithridate.audit(np.asarray(digits.content), **given)


def test_report_gives_rows_html_and_assertions(digits: Dataset) -> None:
    report = mithridate.audit(digits, power="off", methods=["PSN104", "PSN105"])
    assert report.rows().column_names[:5] == ["row", "flagged", "kind", "score", "p_value"]
    assert "<" in report._repr_html_()
    report.assert_clean()
    grave = Finding("PSN103", "shared-trigger", Severity.HIGH, 0.9, "a claim", Subject("rows", (1,), 0))
    with pytest.raises(AssertionError, match="a claim"):
        replace(report, findings=(grave,)).assert_clean()


def test_more_than_ten_thousand_rows_go_to_a_file_and_still_count(tmp_path: Path) -> None:
    subject = Subject("rows", tuple(range(10_001)), 0)
    finding = Finding("PSN101", "label-error", Severity.MEDIUM, 0.9, "c", subject)
    save_report(Report(Target("dataset", "a", "sha256:0", 20_000), (), (finding,), {}), tmp_path / "r.json")
    again = read_report(str(tmp_path / "r.json"))
    extra = again.findings[0].subject.extra
    assert again.findings[0].subject.rows == ()
    assert pq.read_table(tmp_path / str(extra["rows_file"]))["row"].to_pylist() == list(range(10_001))
    assert affected(again.findings) == 10_001
