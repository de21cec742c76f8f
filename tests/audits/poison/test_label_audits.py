"""Label errors, class pairs and outliers on whole data sets: hits, and quiet on clean data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.datasets import load_breast_cancer, load_digits, load_wine

from mithridate.attacks.poisoning import attack
from mithridate.audits.poison.border_labels import border_finding
from mithridate.audits.poison.class_pairs import class_pairs
from mithridate.audits.poison.combine import expected_false_flags, row_table
from mithridate.audits.poison.context import AuditSettings, Context
from mithridate.audits.poison.embedding import features, graph, out_of_fold
from mithridate.audits.poison.label_errors import label_errors
from mithridate.audits.poison.outliers import outliers
from mithridate.core.errors import Skip
from mithridate.core.findings import Severity
from mithridate.core.method import Outcome
from mithridate.core.report import CheckResult, Report, Target
from mithridate.data import load
from mithridate.data.dataset import Dataset
from mithridate.numeric.border_noise import BorderNoise
from mithridate.reports.page import page

SETTINGS = AuditSettings()
METHODS = [label_errors, class_pairs, outliers]


def digits(codes: np.ndarray[Any, Any] | None = None, images: np.ndarray[Any, Any] | None = None) -> Dataset:
    loaded = load_digits()
    content = (loaded.images * 15.9).astype(np.uint8)[..., None] if images is None else images
    labels = loaded.target if codes is None else codes
    return Dataset("digits", "image", content, codes=labels.astype(np.int32), classes=tuple(range(10))).canonical()


def flip(labels: np.ndarray[Any, Any], rate: float, seed: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    rng = np.random.default_rng(seed)
    rows = rng.choice(len(labels), round(rate * len(labels)), replace=False)
    n_classes = int(labels.max()) + 1
    changed = labels.copy()
    changed[rows] = (labels[rows] + rng.integers(1, n_classes, len(rows))) % n_classes
    return changed, rows


def at_true_count(outcome: Outcome, dataset: Dataset, rows: np.ndarray[Any, Any]) -> float:
    assert outcome.row_scores is not None
    bad = np.isin(dataset.ids, rows)
    return float(bad[np.argsort(-outcome.row_scores.score, kind="stable")[: len(rows)]].mean())


def test_flipped_digits_are_found_and_few_others_flagged() -> None:
    recalls, false, flags = [], 0, 0
    for seed in range(5):
        codes, rows = flip(load_digits().target, 0.05, seed)
        dataset = digits(codes)
        outcome = label_errors(Context(dataset), SETTINGS)
        recalls.append(at_true_count(outcome, dataset, rows))
        flagged = dataset.ids[outcome.row_scores.flagged]  # type: ignore[union-attr]
        flags, false = flags + len(flagged), false + int((~np.isin(flagged, rows)).sum())
        assert all(finding.subject.rows == tuple(sorted(flagged.tolist())) for finding in outcome.findings)
        assert all(finding.severity <= Severity.MEDIUM for finding in outcome.findings)
    assert np.median(recalls) > 0.95
    assert flags > 100
    assert false / flags < 0.08


@pytest.mark.parametrize("load", [load_wine, load_breast_cancer])
def test_flipped_table_labels_rank_first(load: Callable[..., Any]) -> None:
    loaded = load(as_frame=True)
    codes, rows = flip(loaded.target.to_numpy(), 0.05, 0)
    table = pa.Table.from_pandas(loaded.data, preserve_index=False)
    dataset = Dataset(
        "t", "table", table, codes=codes.astype(np.int32), classes=(0, 1, 2)[: codes.max() + 1]
    ).canonical()
    assert at_true_count(label_errors(Context(dataset), SETTINGS), dataset, rows) > 0.8


def test_flipped_text_labels_rank_first() -> None:
    rng = np.random.default_rng(0)
    words = np.array([f"word{i}" for i in range(300)])
    labels = rng.integers(0, 3, 600)
    texts = [" ".join(rng.choice(words[c * 60 : c * 60 + 120], 30)) for c in labels]
    codes, rows = flip(labels, 0.05, 1)
    dataset = Dataset("t", "text", np.array(texts, object), codes=codes.astype(np.int32), classes=(0, 1, 2)).canonical()
    assert at_true_count(label_errors(Context(dataset), SETTINGS), dataset, rows) > 0.8


@pytest.mark.parametrize("method", METHODS)
def test_clean_digits_are_left_alone(method: Callable[..., Outcome]) -> None:
    outcome = method(Context(digits()), SETTINGS)
    assert outcome.row_scores is not None
    assert outcome.row_scores.flagged.sum() <= 3
    assert all(finding.severity < Severity.HIGH for finding in outcome.findings)


def test_threes_relabelled_eight_are_named_as_a_pair() -> None:
    labels = load_digits().target
    rows = np.random.default_rng(0).choice(np.flatnonzero(labels == 3), 60, replace=False)
    codes = labels.copy()
    codes[rows] = 8
    dataset = digits(codes)
    outcome = class_pairs(Context(dataset), SETTINGS)
    (finding,) = outcome.findings
    assert finding.severity is Severity.HIGH
    assert finding.place == "3 -> 8"
    assert np.isin(finding.subject.rows, rows).mean() > 0.9
    assert at_true_count(outcome, dataset, rows) > 0.85


def test_random_flips_are_no_class_pair() -> None:
    codes, _ = flip(load_digits().target, 0.1, 0)
    assert not class_pairs(Context(digits(codes)), SETTINGS).findings


def test_noise_images_are_outliers() -> None:
    images = (load_digits().images * 15.9).astype(np.uint8)[..., None]
    images[:3] = np.random.default_rng(0).integers(0, 255, (3, 8, 8, 1))
    dataset = digits(images=images)
    outcome = outliers(Context(dataset), SETTINGS)
    assert outcome.row_scores is not None
    assert np.isin(np.arange(3), dataset.ids[np.argsort(outcome.row_scores.p_value)[:6]]).all()
    assert outcome.row_scores.score.max() <= 0


def test_impossible_cells_are_flagged_and_few_others() -> None:
    numbers = np.random.default_rng(0).normal(size=(2000, 4))
    numbers[:5, 1] = 300.0
    table = pa.table({name: numbers[:, j] for j, name in enumerate("abcd")})
    scores = outliers(Context(Dataset("t", "table", table)), SETTINGS).row_scores
    assert scores is not None
    assert scores.flagged[:5].all()
    assert scores.flagged[5:].sum() <= 2


def test_p_values_of_moved_labels_are_ranks_and_one_where_nothing_was_tested() -> None:
    codes = load_digits().target.copy()
    moved = np.flatnonzero(codes == 3)[::4]
    codes[moved] = 8
    dataset = digits(codes)
    scores = class_pairs(Context(dataset), SETTINGS).row_scores
    assert scores is not None
    assert np.median(scores.p_value[np.isin(dataset.ids, moved)]) < 0.05
    assert (scores.p_value[dataset.codes != 8] == 1).all()
    assert scores.p_value.min() > 1 / len(dataset)


def found_and_false(dataset: Dataset, bad: int) -> tuple[float, float]:
    outcome = outliers(Context(dataset), SETTINGS)
    assert outcome.row_scores is not None
    assert outcome.row_scores.false_share == SETTINGS.fdr
    assert outcome.numbers[0].name == "expected_false_flags:PSN104"
    flagged = outcome.row_scores.flagged
    return float(flagged[:bad].mean()) if bad else 1.0, float(flagged[bad:].sum()) / max(int(flagged.sum()), 1)


@pytest.mark.parametrize("bad", [3, 30, 60, 150])
def test_outliers_up_to_a_twentieth_of_the_rows_do_not_mask_themselves(bad: int) -> None:
    rows = np.random.default_rng(0).normal(size=(3000, 16))
    rows[:bad] += 8
    found, false = found_and_false(Dataset("e", "embedding", rows.astype(np.float32)), bad)
    assert found == 1
    assert false <= SETTINGS.fdr


@pytest.mark.parametrize("bad", [0, 3, 30, 60, 150])
def test_wild_cells_are_found_beside_heavy_tailed_columns(bad: int) -> None:
    rng = np.random.default_rng(2)
    usual = np.where(rng.random(3000) < 0.9, 0, rng.lognormal(7, 1, 3000))
    columns = [rng.lognormal(0, 1.5, 3000), rng.standard_cauchy(3000), rng.integers(17, 90, 3000) * 1.0, usual]
    columns[2][:bad] = 100_000
    table = pa.table(dict(zip("abcd", columns, strict=True)))
    dataset = Dataset("t", "table", table)
    scores = outliers(Context(dataset), SETTINGS).row_scores
    assert scores is not None
    assert scores.flagged[:bad].all()
    assert scores.flagged[bad:].sum() <= max(3, SETTINGS.fdr * bad)


@pytest.mark.parametrize("bad", [9, 18, 36, 90])
def test_noise_among_pictures_is_found(bad: int) -> None:
    images = (load_digits().images * 15.9).astype(np.uint8).repeat(3, axis=1).repeat(3, axis=2)[..., None]
    images[:bad] = np.random.default_rng(0).integers(0, 256, (bad, 24, 24, 1))
    found, false = found_and_false(Dataset("d", "image", images), bad)
    assert found > 0.95
    assert false <= SETTINGS.fdr


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_gives_the_same_scores_whatever_the_order(method: Callable[..., Outcome]) -> None:
    codes, _ = flip(load_digits().target, 0.05, 0)
    first = digits(codes)
    turned = first.take(np.random.default_rng(1).permutation(len(first))).canonical()
    one, other = method(Context(first), SETTINGS), method(Context(turned), SETTINGS)
    assert one.row_scores is not None
    assert other.row_scores is not None
    np.testing.assert_array_equal(one.row_scores.score, other.row_scores.score)


@pytest.mark.parametrize("method", METHODS)
def test_tiny_data_are_skipped_with_a_reason(method: Callable[..., Outcome]) -> None:
    dataset = digits().take(np.arange(20))
    with pytest.raises(Skip, match="at least"):
        method(Context(dataset), SETTINGS)


@pytest.mark.parametrize("method", [label_errors, class_pairs])
@pytest.mark.parametrize("codes", [np.zeros(1797, int), np.arange(1797)])
def test_labels_that_teach_nothing_are_skipped(method: Callable[..., Outcome], codes: np.ndarray[Any, Any]) -> None:
    loaded = digits(codes)
    dataset = Dataset("d", "image", loaded.content, codes=loaded.codes, classes=tuple(range(int(codes.max()) + 1)))
    with pytest.raises(Skip):
        method(Context(dataset), SETTINGS)


def test_missing_labels_nulls_and_rare_classes_do_no_harm() -> None:
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(200, 3))
    codes = (numbers[:, 0] > 0).astype(np.int32)
    codes[:10], codes[10] = -1, 2
    table = pa.table(
        {
            "a": pa.array([None if i % 7 == 0 else v for i, v in enumerate(numbers[:, 0])]),
            "b": numbers[:, 1],
            "same": np.ones(200),
            "none": pa.nulls(200, pa.float64()),
            "word": pa.array([None if i % 5 == 0 else f"w{i % 3}" for i in range(200)]),
        }
    )
    context = Context(Dataset("t", "table", table, codes=codes, classes=(0, 1, 2)))
    for method in METHODS:
        scores = method(context, SETTINGS).row_scores
        assert scores is not None
        assert not np.isnan(scores.score).any()
        assert not scores.flagged[:10].any() or method is outliers


def test_the_users_probabilities_are_used() -> None:
    codes, rows = flip(load_digits().target, 0.05, 0)
    dataset = digits(codes)
    truth = load_digits().target[dataset.ids]
    given = np.full((len(dataset), 10), 0.001, np.float32)
    given[np.arange(len(dataset)), truth] = 0.991
    assert at_true_count(label_errors(Context(dataset, probabilities=given), SETTINGS), dataset, rows) == 1.0


def test_shared_work_has_the_promised_shapes() -> None:
    context = Context(digits())
    assert features(context).shape[0] == 1797
    assert features(context).dtype == np.float32
    assert graph(context).indices.shape == (1797, 20)
    np.testing.assert_allclose(out_of_fold(context).sum(axis=1), 1, atol=1e-4)
    assert features(context) is features(context)


def test_a_careless_sources_rows_are_flagged_sooner_and_the_careful_ones_keep_theirs() -> None:
    labels, (sooner, false, flags) = load_digits().target, (0, 0, 0)
    for seed in range(4):
        rng = np.random.default_rng(seed)
        sources = rng.integers(0, 5, len(labels)).astype(np.int32)
        bad = np.flatnonzero((sources == 2) & (rng.random(len(labels)) < 0.1))
        codes = labels.copy()
        codes[bad] = (labels[bad] + rng.integers(1, 10, len(bad))) % 10
        named = replace(digits(codes), row_ids=None)
        dataset = replace(named, row_ids=digits(codes).ids, source_codes=sources[digits(codes).ids])
        dataset = replace(dataset, source_names=tuple("abcde"))
        found = label_errors(Context(dataset), SETTINGS).row_scores
        assert found is not None
        assert found.alike is not None
        truth = np.isin(dataset.ids, bad)
        sooner += int((found.flagged & truth).sum()) - int((found.alike.flagged & truth).sum())
        flags, false = flags + int(found.flagged.sum()), false + int((found.flagged & ~truth).sum())
    assert sooner > 0
    assert false / flags < 0.06


def test_a_useless_opinion_beside_the_audits_own_does_no_harm() -> None:
    codes, rows = flip(load_digits().target, 0.05, 0)
    dataset = digits(codes)
    useless = np.random.default_rng(0).dirichlet(np.ones(10), len(dataset)).astype(np.float32)
    outcome = label_errors(Context(dataset, probabilities=useless), SETTINGS)
    assert at_true_count(outcome, dataset, rows) > 0.95


def test_labels_moved_across_a_border_are_told_as_a_group_and_ranked_first() -> None:
    clean = load("fashion-mnist", rows=5000, whole=False)
    made = attack("label-flip", clean, rate=0.05, seed=1, mode="near-boundary")
    dataset = made.dataset.canonical()
    outcome = label_errors(Context(dataset), SETTINGS)
    told = [finding for finding in outcome.findings if finding.slug == "border-labels"]
    assert len(told) == 1
    assert told[0].severity is Severity.LOW
    assert at_true_count(outcome, dataset, clean.ids[made.rows]) > 0.25
    assert not [f for f in label_errors(Context(clean.canonical()), SETTINGS).findings if f.slug == "border-labels"]


def test_rows_at_a_border_are_named_and_drawn_as_a_group_without_flags() -> None:
    dataset = digits().take(np.arange(400))
    odds = np.zeros(400)
    first = np.arange(10, 30)
    odds[first] = np.linspace(0.9, 0.5, 20)
    noise = BorderNoise(odds, excess=12.4, low=5.2, high=19.6, sure=True)
    finding = border_finding(dataset, noise, (dataset.y + 1) % 10, ("AML.T0020",))
    assert set(finding.subject.rows) == set(dataset.ids[first[:12]].tolist())
    assert finding.claim.startswith("some 12 rows (5 to 20) near the border between two classes")
    table = row_table(Context(dataset), {})
    check = CheckResult("PSN101", "label-error", "Label errors", "found", numbers=(expected_false_flags(table),))
    drawn = page(Report(Target("dataset", "digits", "", 400), (check,), (finding,), {}), limit=9)
    worst, rows, flags, _ = drawn.tiles
    assert (worst.value, rows.value, rows.note) == ("Low", "12", "3 % of 400 rows")
    assert (flags.value, flags.note) == ("–", "findings speak of groups; no single row is flagged")
    assert drawn.groups[0].title == "Labels"
    flagged = replace(table, flagged=odds > 0.6, false_chance=np.full(400, 0.5))
    check = replace(check, numbers=(expected_false_flags(flagged),))
    drawn = page(Report(Target("dataset", "digits", "", 400), (check,), (finding,), {}), limit=9)
    assert drawn.tiles[2].value != "–"
