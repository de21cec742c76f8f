"""Image triggers: planted ones are found and confirmed, honest data stays quiet."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from mithridate import attack
from mithridate.audits.poison.context import AuditSettings, Context
from mithridate.audits.poison.triggers.image import mine_image_triggers
from mithridate.core.errors import Skip
from mithridate.core.findings import Severity
from mithridate.core.method import Outcome
from mithridate.data import load
from mithridate.data.dataset import Dataset

N, SIDE, CLASSES = 2500, 20, 5


def shapes(seed: int, *, n: int = N, colours: int = 1) -> tuple[Any, Any]:
    """Blobs of one shape a class, moved and faded by chance, on a dark noisy ground: (n, 20, 20, c) uint8."""
    rng = np.random.default_rng(seed)
    templates = gaussian_filter(np.random.default_rng(7).standard_normal((CLASSES, SIDE, SIDE)), (0, 3, 3))
    templates = np.clip(templates / templates.std() * 0.6, 0, 1)
    labels = rng.integers(CLASSES, size=n)
    moved = np.stack([np.roll(templates[c], rng.integers(-1, 2, 2), (0, 1)) for c in labels])
    images = moved * rng.uniform(0.5, 1, (n, 1, 1)) + rng.normal(0, 0.08, moved.shape)
    out = np.rint(np.clip(images, 0, 1) * 220).astype(np.uint8)[..., None]
    return np.repeat(out, colours, axis=3), labels.astype(np.int32)


def plant(images: Any, labels: Any, n_rows: int, kind: str, *, target: int = 1, seed: int = 0) -> Any:
    """Stamp rows of other classes in place, label them `target`; their positions as a mask."""
    rng = np.random.default_rng(seed + 50)
    rows = rng.choice(np.flatnonzero(labels != target), n_rows, replace=False)
    if kind == "patch":
        images[rows, 15:18, 15:18] = (np.indices((3, 3)).sum(axis=0) % 2 * 255)[..., None]
    else:
        pattern = np.random.default_rng(1).integers(0, 256, images.shape[1:])
        images[rows] = np.rint(0.8 * images[rows] + 0.2 * pattern)
    labels[rows] = target
    return np.isin(np.arange(len(labels)), rows)


def audit(images: Any, labels: Any) -> tuple[Outcome, Any]:
    classes = tuple(range(int(labels.max()) + 1))
    data = Dataset("shapes", "image", images, codes=labels, classes=classes).canonical()
    context = Context(data)
    return mine_image_triggers(context, AuditSettings()), data.ids


@pytest.mark.parametrize("kind", ["patch", "blend"])
@pytest.mark.parametrize("colours", [1, 3])
def test_a_planted_trigger_is_found_confirmed_and_its_rows_ranked_first(kind: str, colours: int) -> None:
    images, labels = shapes(1, colours=colours)
    truth = plant(images, labels, 100, kind)
    before = images.copy()
    outcome, ids = audit(images, labels)
    (finding,) = [one for one in outcome.findings if one.slug == "shared-trigger"]
    assert finding.severity >= Severity.HIGH
    assert finding.subject.label == 1
    assert outcome.row_scores is not None
    first = np.argsort(-outcome.row_scores.score, kind="stable")[:100]
    assert truth[ids][first].mean() >= 0.95
    assert outcome.row_scores.flagged[~truth[ids]].mean() <= 0.002
    assert any(piece.kind == "trigger" for piece in finding.evidence)
    assert np.array_equal(before, images)


@pytest.mark.parametrize("seed", range(5))
def test_clean_images_give_no_confirmed_trigger(seed: int) -> None:
    outcome, _ = audit(*shapes(seed + 10))
    assert [one.slug for one in outcome.findings if one.slug == "shared-trigger"] == []


@pytest.mark.parametrize("seed", range(3))
def test_random_label_flips_are_not_called_a_trigger(seed: int) -> None:
    images, labels = shapes(seed + 30)
    rng = np.random.default_rng(seed)
    rows = rng.choice(N, N // 10, replace=False)
    labels[rows] = (labels[rows] + rng.integers(1, CLASSES, len(rows))) % CLASSES
    outcome, _ = audit(images, labels)
    assert [one.slug for one in outcome.findings if one.slug == "shared-trigger"] == []


def test_a_logo_on_rightly_labelled_images_is_not_called_a_trigger() -> None:
    images, labels = shapes(40)
    rows = np.flatnonzero(labels == 2)[::3]
    images[rows, 1:5, 1:5] = 255
    outcome, _ = audit(images, labels)
    assert [one.slug for one in outcome.findings if one.slug == "shared-trigger"] == []


def test_images_without_labels_or_with_one_class_are_skipped() -> None:
    images, labels = shapes(0, n=300)
    with pytest.raises(Skip, match="no labels"):
        mine_image_triggers(Context(Dataset("x", "image", images)), AuditSettings())
    with pytest.raises(Skip, match="two classes"):
        audit(images, np.zeros_like(labels))


def test_a_patch_that_moves_is_found_too() -> None:
    images, labels = shapes(5)
    rng = np.random.default_rng(5)
    rows = rng.choice(np.flatnonzero(labels != 1), 150, replace=False)
    for row in rows:
        y, x = rng.integers(0, SIDE - 2, 2)
        images[row, y : y + 3, x : x + 3, 0] = np.indices((3, 3)).sum(axis=0) % 2 * 255
    labels[rows] = 1
    outcome, ids = audit(images, labels)
    (finding,) = [one for one in outcome.findings if one.slug == "shared-trigger"]
    assert finding.place == "anywhere"
    assert outcome.row_scores is not None
    first = ids[np.argsort(-outcome.row_scores.score, kind="stable")[:150]]
    assert np.isin(first, rows).mean() >= 0.9


def test_two_triggers_with_different_targets_are_both_found() -> None:
    images, labels = shapes(6)
    plant(images, labels, 80, "patch", target=1)
    rows = np.random.default_rng(9).choice(np.flatnonzero((labels != 3) & (labels != 1)), 80, replace=False)
    images[rows, 1:4, 1:4] = 255
    labels[rows] = 3
    outcome, _ = audit(images, labels)
    assert sorted(one.subject.label for one in outcome.findings if one.slug == "shared-trigger") == [1, 3]


def wave(images: Any, rows: Any, height: float = 40) -> None:
    """Add a sinusoid of five periods to these rows, in place."""
    added = height * np.sin(2 * np.pi * 5 * np.arange(SIDE) / SIDE)[None, None, :, None]
    images[rows] = np.clip(images[rows] + added, 0, 255)


def test_a_sinusoid_on_rightly_labelled_rows_that_flips_a_model_is_confirmed() -> None:
    data = load("fashion-mnist", rows=3000, whole=False)
    made = attack("sig", data, rate=0.06, target=data.label_of(2), seed=1)
    rows = made.truth["row"].to_numpy()
    data = made.dataset.canonical()
    outcome = mine_image_triggers(Context(data), AuditSettings())
    (finding,) = [one for one in outcome.findings if one.slug == "shared-trigger"]
    assert finding.severity == Severity.HIGH
    assert finding.subject.label == data.label_of(2)
    assert "labels that fit" in finding.claim
    assert outcome.row_scores is not None
    first = data.ids[np.argsort(-outcome.row_scores.score, kind="stable")[: len(rows)]]
    assert np.isin(first, rows).mean() >= 0.95
    assert np.isin(data.ids[outcome.row_scores.flagged], rows).mean() >= 0.99


def test_a_wave_that_no_model_follows_is_not_confirmed() -> None:
    images, labels = shapes(12)
    wave(images, np.flatnonzero(labels == 2)[::2])
    outcome, _ = audit(images, labels)
    assert [one.slug for one in outcome.findings if one.slug == "shared-trigger"] == []


def test_an_overlay_that_stands_apart_is_flagged_though_no_model_follows_it() -> None:
    images, labels = shapes(12)
    rows = np.flatnonzero(labels == 2)[::2]
    wave(images, rows)
    outcome, ids = audit(images, labels)
    assert outcome.row_scores is not None
    flagged = ids[outcome.row_scores.flagged]
    assert np.isin(flagged, rows).all()
    assert len(flagged) >= 0.9 * len(rows)


def test_a_wave_on_rows_of_all_classes_alike_is_no_trigger() -> None:
    images, labels = shapes(13)
    wave(images, np.arange(0, N, 2))
    outcome, _ = audit(images, labels)
    assert [one.slug for one in outcome.findings if one.slug == "shared-trigger"] == []


@pytest.mark.parametrize("rule", ["all-to-all", "untargeted"])
def test_a_trigger_whose_labels_go_everywhere_is_found(rule: str) -> None:
    images, labels = shapes(14)
    rng = np.random.default_rng(3)
    rows = rng.choice(N, 150, replace=False)
    images[rows, 15:18, 15:18] = (np.indices((3, 3)).sum(axis=0) % 2 * 255)[..., None]
    steps = 1 if rule == "all-to-all" else rng.integers(1, CLASSES, len(rows))
    labels[rows] = (labels[rows] + steps) % CLASSES
    outcome, ids = audit(images, labels)
    (finding,) = [one for one in outcome.findings if one.slug == "shared-trigger"]
    assert finding.subject.label is None
    assert outcome.row_scores is not None
    first = ids[np.argsort(-outcome.row_scores.score, kind="stable")[:150]]
    assert np.isin(first, rows).mean() >= 0.95
    assert outcome.row_scores.flagged[~np.isin(ids, rows)].mean() <= 0.001


def test_a_trigger_that_rightly_labelled_rows_carry_too_is_found_with_trusted_rows_and_without() -> None:
    images, labels = shapes(15)
    truth = plant(images, labels, 100, "patch")
    cover = np.random.default_rng(4).choice(np.flatnonzero(~truth), 100, replace=False)
    images[cover, 15:18, 15:18] = (np.indices((3, 3)).sum(axis=0) % 2 * 255)[..., None]
    clean = Dataset("clean", "image", *shapes(16, n=1000), classes=tuple(range(CLASSES)))
    data = Dataset("shapes", "image", images, codes=labels, classes=clean.classes).canonical()
    without, with_them = (mine_image_triggers(Context(data, reference=ref), AuditSettings()) for ref in (None, clean))
    assert [one.subject.label for one in with_them.findings if one.slug == "shared-trigger"] == [1]
    for outcome in (with_them, without):
        assert outcome.row_scores is not None
        assert truth[data.ids][outcome.row_scores.flagged].sum() >= 95
        assert (outcome.row_scores.flagged & ~truth[data.ids] & ~np.isin(data.ids, cover)).sum() <= 5


@pytest.mark.parametrize("name", ["adaptive-blend", "adaptive-patch"])
def test_pieces_of_a_trigger_under_cover_are_found_confirmed_and_ranked_first(name: str) -> None:
    images, labels = shapes(17, n=3000)
    clean = Dataset("shapes", "image", images, codes=labels, classes=tuple(range(CLASSES)))
    made = attack(name, clean, rate=0.06, target=1, seed=0)
    outcome, ids = audit(np.asarray(made.dataset.content), made.dataset.y)
    assert [one.subject.label for one in outcome.findings if one.severity >= Severity.HIGH] == [1]
    assert outcome.row_scores is not None
    judged = ~np.isin(ids, np.setdiff1d(made.truth["row"].to_numpy(), made.rows))  # cover counts neither way
    first = ids[judged][np.argsort(-outcome.row_scores.score[judged], kind="stable")[: len(made.rows)]]
    assert np.isin(first, made.rows).mean() >= 0.9


def test_the_order_of_the_rows_changes_nothing() -> None:
    images, labels = shapes(7)
    plant(images, labels, 80, "patch")
    order = np.random.default_rng(1).permutation(N)
    (one, ids), (other, moved) = audit(images, labels), audit(images[order], labels[order])
    assert [f.claim for f in one.findings] == [f.claim for f in other.findings]
    assert one.row_scores is not None
    assert other.row_scores is not None
    assert set(ids[one.row_scores.flagged]) == set(order[moved[other.row_scores.flagged]])


def test_the_users_own_model_is_asked_too() -> None:
    images, labels = shapes(8)
    plant(images, labels, 100, "patch")
    asked = []

    def predict(x: Any) -> Any:
        asked.append((x.dtype, float(x.max())))
        hit = x[:, 16, 17, 0] > 0.9
        return np.where(hit[:, None], np.eye(CLASSES)[1], np.eye(CLASSES)[0]).astype(np.float32)

    data = Dataset("shapes", "image", images, codes=labels, classes=tuple(range(CLASSES))).canonical()
    outcome = mine_image_triggers(Context(data, predict=predict), AuditSettings())
    numbers = {piece.name: piece.data["value"] for piece in outcome.findings[0].evidence if piece.kind == "number"}
    assert numbers["flip_rate:own-model"] > 0.9
    assert asked[0][0] == np.float32
    assert asked[0][1] <= 1


@pytest.mark.parametrize("case", ["float", "missing labels", "large", "many classes", "constant", "tiny"])
def test_unusual_image_sets_are_audited_without_an_error(case: str) -> None:
    images, labels = shapes(9, n=600)
    rng = np.random.default_rng(0)
    if case == "float":
        images = images.astype(np.float32) / 255
        images[0, 0, 0] = np.nan
    elif case == "missing labels":
        labels[::7] = -1
    elif case == "large":
        images = images.repeat(5, axis=1).repeat(4, axis=2)
    elif case == "many classes":
        labels = rng.integers(150, size=600).astype(np.int32)
    elif case == "constant":
        images = np.zeros_like(images)
    else:
        images = images[:, 8:12, 8:12]
    outcome, _ = audit(images, labels)
    assert outcome.row_scores is not None
    assert not outcome.row_scores.flagged.any()
