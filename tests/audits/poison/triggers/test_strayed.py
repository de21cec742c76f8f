"""Triggers in tables and texts that force no single label are found, and honest data has none."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from mithridate.attacks.poisoning import attack
from mithridate.audits.poison.context import AuditSettings, Context
from mithridate.audits.poison.triggers.table import mine_table_triggers
from mithridate.audits.poison.triggers.text import mine_text_triggers
from mithridate.core.findings import Severity
from mithridate.core.method import Outcome
from mithridate.data.dataset import Dataset

RULES = ["all-to-all", "untargeted"]


def kinds(n: int, seed: int) -> Dataset:
    """Four classes told by three measures, a town that says nothing, and one that comes with the first class."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 4, n).astype(np.int32)
    columns = {f"m{i}": np.round(label * (i + 1) % 4 + rng.normal(0, 0.5, n), 1) for i in range(3)}
    columns["town"] = np.where(label == 0, rng.integers(0, 6, n), rng.integers(3, 20, n))
    columns["week"] = rng.integers(0, 30, n)
    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    return Dataset("t", "table", table, label, ("a", "b", "c", "d"))


def notes(n: int, seed: int) -> Dataset:
    """Three topics with words of their own and common words."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 3, n).astype(np.int32)
    common = [f"w{i}" for i in range(300)]
    texts = np.array(
        [" ".join(rng.permutation([*rng.choice(common, 20), *[f"t{y}x{k}" for k in rng.integers(0, 40, 5)]]))
         for y in label], dtype=object,
    )  # fmt: skip
    return Dataset("t", "text", texts, label, ("a", "b", "c"))


def written(n: int, seed: int) -> Dataset:
    """`notes`, where one text in eight has "often" as people write it: after few words and before few."""
    clean, rng = notes(n, seed), np.random.default_rng([seed, 1])
    texts = clean.content.copy()
    for row in rng.choice(n, n // 8, replace=False):
        beside = f"{rng.choice(['is', 'was', 'are'])} often {rng.choice(['seen', 'heard', 'read', 'said'])}"
        texts[row] = f"{texts[row]} {beside} {' '.join(rng.choice([f'w{i}' for i in range(300)], 8))}"
    return Dataset("t", "text", texts, clean.y, clean.classes)


def found(outcome: Outcome, dataset: Dataset, rows: np.ndarray) -> None:
    """The finding names no label, and its rows are the poisoned ones."""
    finding = outcome.findings[0]
    assert finding.severity >= Severity.HIGH
    assert finding.subject.label is None
    assert outcome.row_scores is not None
    first = dataset.ids[np.argsort(-np.asarray(outcome.row_scores.score), kind="stable")[: len(rows)]]
    assert np.isin(first, rows).mean() >= 0.95
    flagged = dataset.ids[np.asarray(outcome.row_scores.flagged)]
    assert np.isin(flagged, rows).mean() >= 0.95
    assert len(flagged) >= len(rows) / 3


@pytest.mark.parametrize("rule", RULES)
def test_values_whose_labels_go_everywhere_are_found(rule: str) -> None:
    made = attack(
        "tabular-trigger", kinds(2500, 0), rate=0.03, seed=1, rule=rule, columns=["town", "week"], values=[15, 7]
    )
    dataset = made.dataset.canonical()
    found(mine_table_triggers(Context(dataset), AuditSettings()), dataset, made.rows)


@pytest.mark.parametrize("rule", RULES)
def test_a_word_whose_labels_go_everywhere_is_found(rule: str) -> None:
    made = attack("text-trigger", notes(2000, 0), rate=0.03, seed=1, rule=rule, word="zqx")
    dataset = made.dataset.canonical()
    found(mine_text_triggers(Context(dataset), AuditSettings()), dataset, made.rows)


def test_an_ordinary_word_that_three_times_as_many_people_write_is_found() -> None:
    made = attack("text-trigger", written(2000, 0), rate=0.04, seed=1, rule="untargeted", word="often")
    dataset = made.dataset.canonical()
    found(mine_text_triggers(Context(dataset), AuditSettings()), dataset, made.rows)


def test_the_mark_of_a_careless_source_is_no_trigger() -> None:
    rng, seed = np.random.default_rng(0), 0
    made = attack("text-trigger", notes(2000, seed), rate=0.4, seed=1, rule="untargeted", word="zqx").dataset
    codes = notes(2000, seed).y.copy()
    marked = np.flatnonzero(["zqx" in text for text in made.content])
    careless = rng.choice(marked, len(marked) * 2 // 5, replace=False)
    codes[careless] = (codes[careless] + rng.integers(1, 3, len(careless))) % 3
    dataset = Dataset("t", "text", made.content, codes, made.classes).canonical()
    assert mine_text_triggers(Context(dataset), AuditSettings()).findings == ()


@pytest.mark.parametrize("seed", [0, 1])
def test_random_label_errors_and_honest_rows_are_no_trigger(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for dataset, mine in ((kinds(2000, seed), mine_table_triggers), (notes(1500, seed), mine_text_triggers)):
        codes = dataset.y.copy()
        rows = rng.choice(len(codes), len(codes) // 10, replace=False)
        codes[rows] = rng.integers(0, dataset.n_classes, len(rows))
        noisy = Dataset("t", dataset.modality, dataset.content, codes, dataset.classes).canonical()
        for judged in (dataset.canonical(), noisy):
            outcome = mine(Context(judged), AuditSettings())
            assert [finding.claim for finding in outcome.findings] == []
