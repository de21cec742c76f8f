"""Trusted rows beside the audited ones: what they must improve, and what must not throw the audit off."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from sklearn.datasets import load_digits, make_classification

from mithridate.audits.poison.class_pairs import class_pairs
from mithridate.audits.poison.context import AuditSettings, Context
from mithridate.audits.poison.label_errors import label_errors
from mithridate.audits.poison.outliers import outliers
from mithridate.audits.poison.trusted import joint, judges
from mithridate.core.method import Outcome, RowScores
from mithridate.data.dataset import Dataset

SETTINGS = AuditSettings()


class Case(NamedTuple):
    """Audited rows, trusted rows, and which audited ones were flipped."""

    dataset: Dataset
    reference: Dataset
    bad: np.ndarray[Any, Any]


def split(whole: Dataset, seed: int, *, trusted: int, rate: float) -> Case:
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(whole))
    reference, rest = (replace(whole.take(part), row_ids=None) for part in (order[:trusted], order[trusted:]))
    codes, rows = rest.y.copy(), rng.choice(len(rest), round(rate * len(rest)), replace=False)
    codes[rows] = (codes[rows] + rng.integers(1, whole.n_classes, len(rows))) % whole.n_classes
    dataset = replace(rest, codes=codes).canonical()
    return Case(dataset, reference, np.isin(dataset.ids, rows))


def digits() -> Dataset:
    loaded = load_digits()
    content = (loaded.images * 15.9).astype(np.uint8)[..., None]
    return Dataset("digits", "image", content, codes=loaded.target.astype(np.int32), classes=tuple(range(10)))


def overlapping() -> Dataset:
    """Two classes in a table, a tenth of them confused by nature."""
    x, y = make_classification(4000, 8, n_informative=5, flip_y=0.0, class_sep=0.9, random_state=0)
    table = pa.table({f"c{j}": x[:, j] for j in range(8)})
    return Dataset("t", "table", table, codes=y.astype(np.int32), classes=(0, 1))


def scores(case: Case, *, reference: Dataset | None) -> RowScores:
    found = label_errors(Context(case.dataset, reference=reference), SETTINGS).row_scores
    assert found is not None
    return found


def recall(found: RowScores, bad: np.ndarray[Any, Any]) -> float:
    return float(bad[np.argsort(-found.score, kind="stable")[: bad.sum()]].mean())


@pytest.mark.parametrize("rate", [0.05, 0.1])
@pytest.mark.parametrize("whole", [digits(), overlapping()], ids=["digits", "overlapping"])
def test_a_reference_lowers_no_recall_and_keeps_the_false_discovery_rate(whole: Dataset, rate: float) -> None:
    without, beside, hits, false, flags = [], [], 0, 0, 0
    for seed in range(4):
        case = split(whole, seed, trusted=min(1000, len(whole) // 2), rate=rate)
        plain, trusted = scores(case, reference=None), scores(case, reference=case.reference)
        without.append(recall(plain, case.bad))
        beside.append(recall(trusted, case.bad))
        flags, false = flags + int(trusted.flagged.sum()), false + int((trusted.flagged & ~case.bad).sum())
        hits += int((trusted.flagged & case.bad).sum()) - int((plain.flagged & case.bad).sum())
    assert np.mean(beside) >= np.mean(without) - 0.005
    assert false <= 0.05 * flags + 2 * np.sqrt(0.05 * flags) + 4  # the rate, and two standard errors
    assert hits >= -2  # of some 600 poisoned rows: where hardly any row can be flagged, one or two are chance


def test_trusted_rows_of_other_classes_and_without_labels_do_not_judge() -> None:
    case = split(digits(), 0, trusted=300, rate=0.05)
    unknown = replace(case.reference, codes=np.full(300, -1, np.int32))
    context = Context(case.dataset, reference=unknown)
    assert not len(judges(context))
    assert len(judges(context, labelled=False)) == 300
    outcome = label_errors(context, SETTINGS)
    assert outcome.row_scores is not None
    assert recall(outcome.row_scores, case.bad) > 0.9
    assert case.bad[outcome.row_scores.flagged].mean() > 0.9


def test_audited_rows_never_judge_themselves() -> None:
    case = split(digits(), 0, trusted=300, rate=0.05)
    same = replace(case.dataset, row_ids=None)
    assert not len(judges(Context(case.dataset, reference=same)))
    both = replace(
        same,
        content=np.concatenate([same.content, case.reference.content]),  # type: ignore[arg-type]
        codes=np.concatenate([same.y, case.reference.y]),
        row_ids=None,
    )
    assert len(judges(Context(case.dataset, reference=both))) == 300
    assert recall(scores(case, reference=both), case.bad) > 0.8


@pytest.mark.parametrize("size", [0, 1, 20])
@pytest.mark.parametrize("method", [label_errors, class_pairs, outliers])
def test_a_tiny_reference_changes_little_and_says_so(method: Any, size: int) -> None:
    case = split(digits(), 0, trusted=300, rate=0.05)
    tiny = case.reference.take(np.arange(size))
    outcome: Outcome = method(Context(case.dataset, reference=tiny), SETTINGS)
    said = [evidence for evidence in outcome.numbers if evidence.name == "trusted_rows"]
    assert all(evidence.data["value"] == 0 for evidence in said)
    assert said


def test_a_reference_with_other_columns_is_left_aside() -> None:
    case = split(overlapping(), 0, trusted=300, rate=0.05)
    other = replace(case.reference, content=pa.table({"elsewhere": np.arange(300.0)}))
    context = Context(case.dataset, reference=other)
    assert joint(context) is None
    assert np.array_equal(scores(case, reference=other).score, scores(case, reference=None).score)


def test_a_crowd_of_odd_rows_can_not_pass_for_ordinary_beside_trusted_ones() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(2500, 6))
    rows[:150] = rng.normal(size=(150, 6)) * 0.01 + 12
    whole = Dataset("t", "embedding", rows.astype(np.float32))
    dataset, reference = whole.take(np.arange(1500)).canonical(), whole.take(np.arange(1500, 2500))
    outcome = outliers(Context(dataset, reference=reference), SETTINGS)
    assert outcome.row_scores is not None
    odd = dataset.ids < 150
    assert outcome.row_scores.flagged[odd].mean() > 0.95
    assert outcome.row_scores.flagged[~odd].sum() <= 0.06 * 150 + 4


def test_order_of_the_reference_does_not_matter() -> None:
    case = split(digits(), 1, trusted=300, rate=0.05)
    turned = case.reference.take(np.arange(300)[::-1])
    assert np.array_equal(scores(case, reference=turned).score, scores(case, reference=case.reference).score)


def test_labels_swapped_both_ways_are_found_beside_trusted_rows_only() -> None:
    case = split(overlapping(), 0, trusted=1500, rate=0.0)
    codes = case.dataset.y.copy()
    swapped = np.random.default_rng(0).random(len(codes)) < 0.15
    codes[swapped] = 1 - codes[swapped]
    dataset = replace(case.dataset, codes=codes)
    assert not class_pairs(Context(dataset), SETTINGS).findings
    outcome = class_pairs(Context(dataset, reference=case.reference), SETTINGS)
    assert {finding.place for finding in outcome.findings} == {"0 -> 1", "1 -> 0"}
    assert all("among trusted rows" in finding.claim for finding in outcome.findings)
    named = np.isin(dataset.ids, [row for finding in outcome.findings for row in finding.subject.rows])
    assert swapped[named].mean() > 0.7
    assert not class_pairs(Context(case.dataset, reference=case.reference), SETTINGS).findings
