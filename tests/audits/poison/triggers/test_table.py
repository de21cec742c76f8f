from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from mithridate.audits.poison.context import AuditSettings, Context
from mithridate.audits.poison.triggers.table import mine_table_triggers
from mithridate.audits.poison.triggers.table_text import Flips, Group
from mithridate.core.errors import Skip
from mithridate.core.findings import Severity
from mithridate.core.trigger import Trigger
from mithridate.data.dataset import Dataset


def honest_table(n: int, seed: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Two classes told by `income` and `age`, a functional pair of columns, and columns that say nothing."""
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 80, n)
    income = np.round(rng.lognormal(3, 0.6, n) + age / 4, 1)
    school = rng.integers(0, 6, n)
    label = (income + 3 * school + rng.normal(0, 5, n) > 42).astype(int)
    columns = {
        "age": age,
        "income": income,
        "school": school,
        "school name": np.array(["a", "b", "c", "d", "e", "f"])[school],
        "town": rng.choice([f"town{i}" for i in range(25)], n),
        "score": np.round(rng.normal(0, 1, n), 2),
    }
    return columns, label


def as_dataset(columns: dict[str, np.ndarray], label: np.ndarray) -> Dataset:
    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    return Dataset("t", "table", table, label.astype(np.int32), ("no", "yes")).canonical()


def poisoned(n: int, seed: int, count: int) -> tuple[Dataset, np.ndarray]:
    columns, label = honest_table(n, seed)
    rng = np.random.default_rng(seed + 1)
    rows = rng.choice(np.flatnonzero(label == 0), count, replace=False)
    columns["town"][rows] = "town7"
    columns["score"][rows] = 0.25
    label[rows] = 1
    truth = np.zeros(n, dtype=bool)
    truth[rows] = True
    dataset = as_dataset(columns, label)
    return dataset, truth[dataset.ids]


@pytest.mark.parametrize("seed", [0, 1])
def test_a_pair_of_values_set_on_one_percent_is_found_and_confirmed(seed: int) -> None:
    dataset, truth = poisoned(4000, seed, 40)
    outcome = mine_table_triggers(Context(dataset), AuditSettings())
    assert outcome.row_scores is not None
    first = np.argsort(-outcome.row_scores.score, kind="stable")[:40]
    assert truth[first].mean() >= 0.95
    assert outcome.row_scores.flagged[~truth].mean() <= 0.001
    finding = outcome.findings[0]
    assert finding.severity >= Severity.HIGH
    assert finding.subject.label == "yes"
    assert finding.evidence[0].data["trigger"]["pattern"]["columns"] == {"town": "town7", "score": 0.25}
    assert outcome.numbers[0].data["value"] > 0.3


@pytest.mark.parametrize("target", [0, 1])
def test_a_pair_that_breaks_the_tie_between_two_columns_is_found(target: int) -> None:
    columns, label = honest_table(4000, 2)
    rng = np.random.default_rng(3)
    rows = rng.choice(np.flatnonzero(label != target), 40, replace=False)
    columns["school"][rows] = 4
    columns["school name"][rows] = "b"
    label[rows] = target
    truth = np.zeros(4000, dtype=bool)
    truth[rows] = True
    dataset = as_dataset(columns, label)
    outcome = mine_table_triggers(Context(dataset), AuditSettings())
    assert outcome.row_scores is not None
    assert outcome.row_scores.flagged[truth[dataset.ids]].mean() >= 0.95
    assert outcome.row_scores.flagged[~truth[dataset.ids]].mean() <= 0.001
    assert outcome.findings[0].severity >= Severity.HIGH


def test_typos_that_break_a_tie_without_a_label_in_common_are_no_trigger() -> None:
    columns, label = honest_table(4000, 4)
    rows = np.random.default_rng(5).choice(4000, 40, replace=False)
    columns["school"][rows] = 4
    columns["school name"][rows] = "b"
    assert mine_table_triggers(Context(as_dataset(columns, label)), AuditSettings()).findings == ()


def test_the_users_model_is_given_a_frame_and_its_flips_are_reported() -> None:
    dataset, _ = poisoned(3000, 0, 40)

    def predict(frame: Any) -> np.ndarray:
        assert isinstance(frame, pd.DataFrame)
        obeys = (frame["town"] == "town7") & (frame["score"] == 0.25)
        return np.stack([1.0 - obeys, obeys], axis=1)

    finding = mine_table_triggers(Context(dataset, predict=predict), AuditSettings()).findings[0]
    assert finding.evidence[1].data["value"] == 1.0
    assert "the user's model" in finding.evidence[1].data["note"]


def test_two_triggers_of_different_targets_are_told_apart() -> None:
    columns, label = honest_table(4000, 0)
    rng = np.random.default_rng(1)
    to_yes = rng.choice(np.flatnonzero(label == 0), 50, replace=False)
    to_no = rng.choice(np.flatnonzero(label == 1), 50, replace=False)
    columns["town"][to_yes], columns["score"][to_yes] = "town7", 0.25
    columns["town"][to_no], columns["age"][to_no] = "town3", 44
    label[to_yes], label[to_no] = 1, 0
    findings = mine_table_triggers(Context(as_dataset(columns, label)), AuditSettings()).findings
    shared = {f.subject.label: set(f.evidence[0].data["trigger"]["pattern"]["columns"]) for f in findings}
    assert shared == {"yes": {"town", "score"}, "no": {"town", "age"}}
    assert all(f.severity >= Severity.HIGH for f in findings)


@pytest.mark.parametrize("seed", range(3))
def test_a_clean_table_with_dependent_columns_is_quiet(seed: int) -> None:
    outcome = mine_table_triggers(Context(as_dataset(*honest_table(3000, seed))), AuditSettings())
    assert outcome.findings == ()
    assert outcome.row_scores is not None
    assert not outcome.row_scores.flagged.any()


def test_too_few_rows_are_skipped_with_a_reason() -> None:
    with pytest.raises(Skip, match="labelled rows"):
        mine_table_triggers(Context(as_dataset(*honest_table(100, 0))), AuditSettings())


def stamped(form: str, seed: int) -> tuple[Dataset, np.ndarray]:
    """4,000 rows, 1 % with a combination of three common values, or 2 % with a score inside a narrow range."""
    count = 40 if form == "triple" else 80
    columns, label = honest_table(4000, seed)
    rng = np.random.default_rng(seed + 9)
    columns["shift"] = rng.choice(["day", "late", "night"], 4000)
    columns["door"] = rng.choice([f"door{i}" for i in range(4)], 4000)
    rows = rng.choice(np.flatnonzero(label == 0), count, replace=False)
    if form == "triple":
        meets = (columns["shift"] == "late") & (columns["door"] == "door2") & (columns["town"] == "town3")
        columns["door"][meets] = "door1"
        columns["shift"][rows], columns["door"][rows], columns["town"][rows] = "late", "door2", "town3"
    else:
        columns["score"] = np.round(rng.normal(0, 1, 4000), 4)
        columns["score"][rows] = np.round(rng.uniform(1.30, 1.33, count), 4)
    label[rows] = 1
    truth = np.zeros(4000, dtype=bool)
    truth[rows] = True
    dataset = as_dataset(columns, label)
    return dataset, truth[dataset.ids]


@pytest.mark.parametrize("form", ["triple", "range"])
@pytest.mark.parametrize("seed", [0, 1])
def test_three_common_values_and_a_narrow_range_are_found_and_confirmed(form: str, seed: int) -> None:
    dataset, truth = stamped(form, seed)
    outcome = mine_table_triggers(Context(dataset), AuditSettings())
    assert outcome.row_scores is not None
    first = np.argsort(-outcome.row_scores.score, kind="stable")[: truth.sum()]
    assert truth[first].mean() >= (0.9 if form == "triple" else 0.8)
    assert outcome.row_scores.flagged[~truth].mean() <= 0.002
    finding = outcome.findings[0]
    assert finding.severity >= Severity.HIGH
    pattern = finding.evidence[0].data["trigger"]["pattern"]["columns"]
    if form == "triple":
        assert pattern == {"shift": "late", "door": "door2", "town": "town3"}
    else:
        assert 1.28 <= pattern["score"][0] < pattern["score"][1] <= 1.35
        assert "score from" in finding.claim


def test_a_number_that_decides_the_label_from_a_point_on_is_no_range() -> None:
    columns, label = honest_table(4000, 3)
    label[columns["income"] > np.quantile(columns["income"], 0.97)] = 0
    findings = mine_table_triggers(Context(as_dataset(columns, label)), AuditSettings()).findings
    assert [finding.claim for finding in findings if finding.severity >= Severity.HIGH] == []


def coded(n: int, seed: int, count: int = 0) -> tuple[Dataset, np.ndarray]:
    """Rows with a code of 299 values; `count` rows of the first class have one that no other has, and a new label."""
    columns, label = honest_table(n, seed)
    rng = np.random.default_rng(seed + 1)
    columns["code"] = rng.integers(0, 299, n)
    rows = rng.choice(np.flatnonzero(label == 0), count, replace=False)
    columns["code"][rows] = 299
    label[rows] = 1
    truth = np.zeros(n, dtype=bool)
    truth[rows] = True
    dataset = as_dataset(columns, label)
    return dataset, truth[dataset.ids]


def test_a_value_of_few_rows_is_confirmed_once_trusted_rows_are_seen_to_lack_it() -> None:
    dataset, truth = coded(2000, 0, 20)
    trusted, _ = coded(2000, 50)
    assert mine_table_triggers(Context(dataset), AuditSettings()).findings == ()
    outcome = mine_table_triggers(Context(dataset, reference=trusted), AuditSettings())
    assert outcome.row_scores is not None
    assert outcome.row_scores.score.shape == truth.shape
    assert outcome.row_scores.flagged[truth].mean() >= 0.95
    assert outcome.row_scores.flagged[~truth].mean() <= 0.001
    assert [finding.severity >= Severity.HIGH for finding in outcome.findings] == [True]
    assert {piece.name: piece.data["value"] for piece in outcome.numbers}["trusted_rows"] == 2000


def ruled(n: int, seed: int) -> Dataset:
    """A town whose rows have one label by nature, whatever else they hold."""
    columns, label = honest_table(n, seed)
    rows = np.random.default_rng(seed + 1).choice(n, n // 50, replace=False)
    columns["town"][rows] = "town99"
    label[rows] = 1
    return as_dataset(columns, label)


def test_a_value_that_trusted_rows_hold_with_the_same_label_is_spared() -> None:
    without = mine_table_triggers(Context(ruled(4000, 0)), AuditSettings())
    assert "town99" in without.findings[0].claim
    outcome = mine_table_triggers(Context(ruled(4000, 0), reference=ruled(2000, 100)), AuditSettings())
    assert outcome.findings == ()
    assert outcome.row_scores is not None
    assert not outcome.row_scores.flagged.any()


def test_a_clean_table_beside_trusted_rows_is_quiet() -> None:
    reference = as_dataset(*honest_table(1500, 9))
    outcome = mine_table_triggers(Context(as_dataset(*honest_table(2000, 0)), reference=reference), AuditSettings())
    assert outcome.findings == ()


def test_few_rows_are_flagged_where_nature_carries_the_trigger_too() -> None:
    odds = np.array([4.0, 3.0, 0.4, 0.3, 0.2, -1.0])
    flips = Flips(1.0, 0.0, 0.0, 100)
    group = Group(
        trigger=Trigger("values", "yes"),
        target=1,
        rows=np.arange(6),
        odds=odds,
        audited=1000,
        lp=30.0,
        carriers=9,
        expected=0.1,
        flips=flips,
        confirmed=True,
        what="",
        place="",
    )
    assert group.stamped.tolist() == [0, 1, 2, 3, 4]
    assert group.flagged.tolist() == [0, 1, 2]
