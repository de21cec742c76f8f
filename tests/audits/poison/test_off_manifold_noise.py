from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from mithridate.attacks.poisoning import attack
from mithridate.audits.poison.context import AuditSettings, Context
from mithridate.audits.poison.off_manifold_noise import off_manifold_noise
from mithridate.core.errors import Skip
from mithridate.core.findings import Finding, Severity
from mithridate.core.method import Outcome
from mithridate.data import load
from mithridate.data.dataset import Dataset


def ask(data: Dataset) -> tuple[Outcome, Dataset]:
    ordered = data.canonical()
    return off_manifold_noise(Context(ordered), AuditSettings()), ordered


def clothes(rows: int = 4000, *, seed: int = 0, colour: bool = False) -> Dataset:
    """Clothes; in colour they are tinted, on a background of coarse noise."""
    data = load("fashion-mnist", whole=False)
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(data), rows, replace=False)
    content = data.content[chosen]
    if colour:
        coarse = rng.integers(0, 200, (rows, 7, 7, 3)).repeat(4, axis=1).repeat(4, axis=2)
        shape = content / 255.0
        fine = rng.integers(0, 40, (rows, 28, 28, 3))
        mixed = (coarse + fine) * (1 - np.minimum(3 * shape, 1)) + shape * rng.uniform(80, 255, (rows, 1, 1, 3))
        content = np.clip(mixed, 0, 255).astype(np.uint8)
    return Dataset("clothes", "image", content, data.y[chosen], data.classes)


def noisy(data: Dataset, rows: np.ndarray, *, epsilon: int = 16) -> Dataset:
    content = data.content.astype(int)
    content[rows] += np.random.default_rng(4).choice([-epsilon, epsilon], size=content[rows].shape)
    return replace(data, content=np.clip(content, 0, 255).astype(np.uint8))


def some_of(data: Dataset, code: int, share: float) -> np.ndarray:
    own = np.flatnonzero(data.y == code)
    return np.sort(np.random.default_rng(2).choice(own, round(share * len(own)), replace=False))


@pytest.mark.parametrize(("code", "colour"), [(6, False), (1, True), (2, True)])
def test_noise_on_half_of_a_class_is_found_and_its_rows_come_first(code: int, *, colour: bool) -> None:
    data = clothes(colour=colour)
    rows = some_of(data, code, 0.5)
    outcome, ordered = ask(noisy(data, rows))
    (finding,) = outcome.findings
    assert finding.subject.label == code
    assert finding.severity == Severity.MEDIUM
    truth = np.isin(ordered.ids, rows)
    assert outcome.row_scores is not None
    flagged = np.asarray(outcome.row_scores.flagged)
    assert (flagged & ~truth).sum() <= 0.05 * flagged.sum()
    first = np.argsort(-np.asarray(outcome.row_scores.score), kind="stable")[: len(rows)]
    assert truth[first].mean() > 0.85


def value(finding: Finding, name: str) -> int:
    return int(next(piece for piece in finding.evidence if piece.name == name).data["value"])  # type: ignore[arg-type]


def test_a_group_is_told_with_its_errors_by_grain_and_by_content() -> None:
    data = clothes()
    (finding,) = ask(noisy(data, some_of(data, 6, 0.5)))[0].findings
    told = re.fullmatch(
        r"(\d+) rows labelled 6 carry a noise that other rows don't: how rough they are gives their label away with "
        r"(\d+) errors? in (\d+), where their content leads to (\d+)",
        finding.claim,
    )
    assert told is not None
    rows, grain, of, content = map(int, told.groups())
    assert rows == len(finding.subject.rows)
    assert (grain, content) == (value(finding, "grain_errors"), value(finding, "content_errors"))
    assert 3 * grain < content <= of


def test_a_rough_part_is_told_with_what_no_other_class_would_have() -> None:
    data = clothes()
    bad = some_of(data, 1, 0.2)
    (finding,) = ask(noisy(data, bad))[0].findings
    told = re.fullmatch(
        r"(\d+) rows labelled 1 are rougher than images that look alike: (\d+) of those looked at stand far out, where "
        r"no other class would have more than (\d+)",
        finding.claim,
    )
    assert told is not None
    rows, far, usual = map(int, told.groups())
    assert rows == len(finding.subject.rows)
    assert far == value(finding, "rough_rows") >= 2.5 * usual
    assert abs(usual - value(finding, "expected_at_most")) <= 1
    assert np.isin(finding.subject.rows, bad).mean() > 0.9
    assert finding.remedy.startswith("Ask where these rows come from")


@pytest.mark.parametrize("colour", [False, True])
def test_clean_clothes_are_quiet(colour: bool) -> None:  # noqa: FBT001 - a parameter of the test
    for seed in range(4):
        assert not ask(clothes(seed=seed, colour=colour))[0].findings


def test_a_noisy_camera_for_a_whole_class_flags_no_row() -> None:
    data = clothes()
    outcome, _ = ask(noisy(data, np.flatnonzero(data.y == 6), epsilon=12))
    (finding,) = outcome.findings
    assert finding.severity == Severity.LOW
    assert finding.claim.startswith("most rows labelled 6 carry a noise that other rows don't")
    assert outcome.row_scores is not None
    assert not np.asarray(outcome.row_scores.flagged).any()


def test_noise_on_rows_of_every_class_alike_is_quiet() -> None:
    data = clothes()
    rows = np.sort(np.random.default_rng(5).choice(len(data), 400, replace=False))
    assert not ask(noisy(data, rows))[0].findings


def test_a_patch_is_no_noise() -> None:
    assert not ask(attack("badnets", clothes(), rate=0.05).dataset)[0].findings


def test_too_few_rows_and_small_images_are_skipped() -> None:
    data = clothes(300)
    with pytest.raises(Skip, match="200 labelled rows"):
        ask(data.take(np.arange(100)))
    with pytest.raises(Skip, match="no grain"):
        ask(replace(data, content=data.content[:, :7, :7]))
