"""Copies that contradict each other, bursts with one wrong label, and quiet where copies are harmless."""

import time
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mithridate.audits.poison.context import AuditSettings, Context
from mithridate.audits.poison.copies import find_copies
from mithridate.audits.poison.duplicates import duplicates
from mithridate.core.errors import Skip
from mithridate.core.findings import Severity
from mithridate.core.method import Outcome
from mithridate.data.dataset import Dataset

SETTINGS = AuditSettings()


def audit(dataset: Dataset, settings: AuditSettings = SETTINGS) -> Outcome:
    return duplicates(Context(dataset.canonical(), settings), settings)


def blobs(rng: np.random.Generator, n_rows: int = 900) -> tuple[np.ndarray, np.ndarray]:
    """Pictures of three kinds that neighbours tell apart."""
    codes = rng.integers(0, 3, n_rows)
    images = rng.integers(0, 60, (n_rows, 12, 12, 1))
    for code in range(3):
        images[codes == code, 4 * code : 4 * code + 4] += 150
    return images.astype(np.uint8), codes.astype(np.int32)


def burst(rng: np.random.Generator, *, copies: int, wrong: bool, noise: int = 0) -> tuple[Dataset, np.ndarray]:
    images, codes = blobs(rng)
    targets = rng.choice(len(images), 3, replace=False)
    more = np.repeat(images[targets], copies, axis=0).astype(np.int64)
    more = np.clip(more + rng.integers(-noise, noise + 1, more.shape), 0, 255)
    labels = (np.repeat(codes[targets], copies) + int(wrong)) % 3
    x = np.concatenate([images, more.astype(np.uint8)])
    y = np.concatenate([codes, labels]).astype(np.int32)
    return Dataset("t", "image", x, y, (0, 1, 2)), np.arange(len(x)) >= len(images)


def texts(rng: np.random.Generator, n_rows: int) -> tuple[list[str], np.ndarray]:
    codes = rng.integers(0, 2, n_rows)
    topics = [[f"{name}{i}" for i in range(150)] for name in ("boat", "star")]
    return [" ".join(rng.choice(topics[code], 40)) for code in codes], codes


@pytest.mark.parametrize("noise", [0, 3])
def test_bursts_of_copies_under_a_wrong_label_are_high_and_no_other_row_is_flagged(noise: int) -> None:
    for seed in range(5):
        dataset, bad = burst(np.random.default_rng(seed), copies=8, wrong=True, noise=noise)
        outcome = audit(dataset)
        bursts = [finding for finding in outcome.findings if finding.place == "burst"]
        assert {row for finding in bursts for row in finding.subject.rows} == set(np.flatnonzero(bad).tolist())
        assert all(finding.severity is Severity.HIGH for finding in bursts)
        scores = outcome.row_scores
        assert scores is not None
        assert scores.score[scores.flagged].min() > 0.5
        assert scores.flagged.sum() == bad.sum()


def test_harmless_copies_are_counted_and_not_reported() -> None:
    for seed in range(5):
        outcome = audit(burst(np.random.default_rng(seed), copies=8, wrong=False)[0])
        assert outcome.findings == ()
        assert next(n for n in outcome.numbers if n.name == "exact_copies").data["value"] == 24


def test_pure_noise_with_honest_bursts_stays_quiet() -> None:
    named = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(300, 6)).astype(np.float32)
        y = rng.integers(0, 2, 300).astype(np.int32)
        chosen = rng.choice(300, 10, replace=False)
        data = np.concatenate([x, np.repeat(x[chosen], 5, axis=0)]), np.concatenate([y, np.repeat(y[chosen], 5)])
        named += bool(audit(Dataset("t", "embedding", data[0], data[1], (0, 1))).findings)
    assert named <= 3


def test_two_labels_for_one_record_are_reported_but_never_high() -> None:
    images, codes = blobs(np.random.default_rng(0))
    dataset = Dataset("t", "image", np.concatenate([images, images[:3]]), np.r_[codes, (codes[:3] + 1) % 3], (0, 1, 2))
    (finding,) = audit(dataset).findings
    assert finding.severity is Severity.MEDIUM
    assert finding.subject.rows == (0, 1, 2, 900, 901, 902)
    scores = audit(dataset).row_scores
    assert scores is not None
    assert not scores.flagged.any()
    assert sorted(set(scores.score.tolist())) == [-np.inf, -1.0]


def test_near_copies_of_texts_are_found_and_a_wrong_burst_too() -> None:
    rng = np.random.default_rng(3)
    words, codes = texts(rng, 500)
    copied = [f"{words[7]} {extra}" for extra in ("again", "once more", "please", "now", "today", "soon")]
    content = np.array([*words, *copied], dtype=object)
    labels = np.r_[codes, np.full(6, 1 - codes[7])].astype(np.int32)
    outcome = audit(Dataset("t", "text", content, labels, ("boat", "star")))
    burst_finding = next(finding for finding in outcome.findings if finding.place == "burst")
    assert set(range(500, 506)) <= set(burst_finding.subject.rows)
    assert 7 not in burst_finding.subject.rows


@pytest.mark.parametrize(("kind", "joined"), [("a", True), ("b", False)])
def test_tables_join_rounding_but_not_other_categories(kind: str, *, joined: bool) -> None:
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(400, 6))
    numbers[1] = numbers[0] + 1e-4
    kinds = rng.choice(["a", "b"], 400)
    kinds[:2] = ["a", kind]
    columns = {f"number {place}": column for place, column in enumerate(numbers.T)}
    group = find_copies(Dataset("t", "table", pa.table({**columns, "kind": kinds})), rng=rng).near
    assert (group[0] == group[1]) == joined


def narrow(columns: dict[str, Any], rng: np.random.Generator) -> Dataset:
    """A table with labels and sources by chance."""
    table = pa.table(columns)
    labels, sources = rng.integers(0, 2, (2, table.num_rows)).astype(np.int32)
    return Dataset("t", "table", table, labels, (0, 1), sources, ("A", "B"))


@pytest.mark.parametrize("kind", ["one number", "two numbers", "coarse", "columns that determine each other"])
def test_rows_of_a_narrow_table_that_are_alike_by_chance_are_no_copies(kind: str) -> None:
    for seed in range(5):
        rng = np.random.default_rng(seed)
        place = rng.integers(0, 200, 3000)
        columns: dict[str, Any] = {
            "one number": {"a": rng.normal(size=3000), "b": rng.choice(list("pqr"), 3000)},
            "two numbers": {"a": rng.normal(size=3000), "b": rng.normal(size=3000)},
            "coarse": {name: rng.integers(0, 2 + i, 3000) for i, name in enumerate("abcde")},
            "columns that determine each other": {"zip": place, "city": place // 5, "land": place // 50},
        }[kind]
        outcome = audit(narrow(columns, rng))
        assert outcome.findings == ()
        assert outcome.row_scores is not None
        assert not outcome.row_scores.flagged.any()


def test_a_burst_beyond_chance_is_found_in_a_coarse_table() -> None:
    rng = np.random.default_rng(0)
    columns = {name: rng.integers(0, 3, 1200) for name in "abcdefgh"}
    labels = (columns["a"] + columns["b"] > 1).astype(np.int32)
    target = int(np.flatnonzero(labels == 0)[0])
    copied = {name: np.r_[column, np.full(40, column[target])] for name, column in columns.items()}
    outcome = audit(Dataset("t", "table", pa.table(copied), np.r_[labels, np.ones(40, np.int32)], (0, 1)))
    scores = outcome.row_scores
    assert scores is not None
    assert scores.flagged.sum() == 40
    (found,) = (finding for finding in outcome.findings if finding.place == "burst")
    assert set(range(1200, 1240)) == set(found.subject.rows)
    assert "40 times as equal copies" in found.claim


def test_near_copies_are_called_near_and_equal_ones_equal() -> None:
    images, codes = blobs(np.random.default_rng(0))
    for change, word in ((0, "equal copies"), (1, "near copies")):
        more = images[:3] + np.uint8(change)
        labels = np.r_[codes, (codes[:3] + 1) % 3].astype(np.int32)
        (finding,) = audit(Dataset("t", "image", np.concatenate([images, more]), labels, (0, 1, 2))).findings
        assert word in finding.claim


def test_rows_that_are_not_flagged_have_no_small_p_value() -> None:
    images, codes = blobs(np.random.default_rng(0))
    labels = np.r_[codes, (codes[:3] + 1) % 3].astype(np.int32)
    scores = audit(Dataset("t", "image", np.concatenate([images, images[:3]]), labels, (0, 1, 2))).row_scores
    assert scores is not None
    assert (scores.p_value == 1).all()


def test_row_order_changes_nothing() -> None:
    dataset, _ = burst(np.random.default_rng(0), copies=6, wrong=True, noise=2)
    shuffled = dataset.take(np.random.default_rng(1).permutation(len(dataset)))
    left, right = audit(dataset), audit(shuffled)
    assert [finding.to_json() for finding in left.findings] == [finding.to_json() for finding in right.findings]


def test_copies_from_several_sources_get_one_low_line() -> None:
    images, codes = blobs(np.random.default_rng(0))
    dataset = Dataset(
        "t", "image", np.concatenate([images, images[:50]]), np.r_[codes, codes[:50]], (0, 1, 2),
        np.r_[np.zeros(900, np.int32), np.ones(50, np.int32)], ("a", "b"),
    )  # fmt: skip
    (finding,) = audit(dataset).findings
    assert finding.severity is Severity.LOW
    assert len(finding.subject.rows) == 100


@pytest.mark.parametrize("content", ["equal", "two clumps", "generic"])
def test_two_hundred_thousand_hostile_rows_stay_fast(content: str) -> None:
    n, rng = 200_000, np.random.default_rng(0)
    column: Any = {
        "equal": np.zeros(n),
        "two clumps": rng.normal(0, 1e-9, n) + np.arange(n) % 2,
        "generic": rng.normal(size=n),
    }[content]
    dataset = Dataset("t", "table", pa.table({"a": column, "b": ["x"] * n}))
    start = time.perf_counter()
    find_copies(dataset, rng=rng)
    assert time.perf_counter() - start < 10


@pytest.mark.parametrize(
    "dataset",
    [
        Dataset("t", "embedding", np.zeros((1, 2), np.float32), np.zeros(1, np.int32), (0,)),
        Dataset("t", "embedding", np.zeros((9, 2), np.float32)),
    ],
)
def test_what_copies_cannot_disagree_about_is_skipped(dataset: Dataset) -> None:
    with pytest.raises(Skip):
        audit(dataset)


@pytest.mark.parametrize(
    "content",
    [
        np.full((50, 3), np.nan, np.float32),
        np.full((50, 2), np.inf, np.float32),
        np.zeros((50, 3), np.float32),
    ],
)
def test_degenerate_numbers_break_nothing(content: np.ndarray) -> None:
    labels = (np.arange(50) % 2).astype(np.int32)
    outcome = audit(Dataset("t", "embedding", content, labels, (0, 1)))
    assert all(finding.severity < Severity.HIGH for finding in outcome.findings)


def test_missing_labels_contradict_nothing() -> None:
    labels = np.array([-1, 0] * 20, np.int32)
    outcome = audit(Dataset("t", "embedding", np.zeros((40, 2), np.float32), labels, (0, 1)))
    assert outcome.findings == ()


def test_odd_texts_and_cells_break_nothing() -> None:
    odd = np.array(["", "", "!!", "\ud800", "a", "a b", "x" * 5000] * 8, dtype=object)
    labels = (np.arange(56) % 2).astype(np.int32)
    audit(Dataset("t", "text", odd, labels, (0, 1)))
    table = pa.table({"n": [None, 1.5, float("nan"), float("inf")] * 10, "s": [None, "", "a", "b"] * 10})
    audit(Dataset("t", "table", table, labels[:40], (0, 1)))
    audit(Dataset("t", "table", pa.table({"l": [[1], [2]] * 20}), labels[:40], (0, 1)))
