"""Triggers under cover: what rows of every class carry, and one class too often."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mithridate.numeric.image_cover import covered, even, mirrored, pixels
from mithridate.numeric.image_miner import Stage, prepare
from mithridate.numeric.image_overlay import directions, overlay_room
from mithridate.numeric.image_views import Surprise, label_surprise

N, SIDE, CLASSES, TARGET = 3000, 16, 6, 2


def _stage(case: str, seed: int) -> tuple[Stage, np.ndarray]:
    """Coarse scenes of six classes; 150 rows of others carry one of two faint stripes and the target's label."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, N)
    coarse = np.random.default_rng(5).integers(40, 215, (CLASSES, 4, 4))[labels] + rng.normal(0, 40, (N, 4, 4))
    images = np.clip(coarse, 0, 255).repeat(4, axis=1).repeat(4, axis=2) + rng.normal(0, 6, (N, SIDE, SIDE))
    stripes = np.random.default_rng(6).choice([-25, 25], (2, SIDE, SIDE))
    stripes[0, SIDE // 2 :], stripes[1, : SIDE // 2] = 0, 0
    rows = rng.permutation(np.flatnonzero(labels != TARGET))
    poison, cover = rows[:150], rows[150:300]
    if case == "one class's cover":
        cover = np.flatnonzero(labels == TARGET + 1)[:150]
    if case != "clean":
        marked = np.concatenate([poison, cover])
        images[marked] += stripes[rng.integers(0, 2, len(marked))]
    labels[poison] = TARGET  # without a mark, plain label errors
    content = np.clip(images, 0, 255).astype(np.uint8)[..., None]
    folds = rng.integers(0, 2, N)
    surprise: Surprise = label_surprise(content, labels, folds, n_classes=CLASSES, max_train=2000, rng=rng)
    trusted = np.zeros(N, np.bool_)
    stage = prepare(content, labels, folds, surprise, n_classes=CLASSES, trusted=trusted, rng=rng)
    return stage, np.isin(np.arange(N), poison)


def _found(stage: Stage) -> list:
    room = overlay_room(stage.images, stage.labels, stage.folds, np.random.default_rng(0))
    return covered(stage, directions(room), ~stage.trusted)


@pytest.mark.parametrize("seed", [0, 1])
def test_pieces_of_a_trigger_are_found_though_as_many_rightly_labelled_rows_carry_them(seed: int) -> None:
    stage, truth = _stage("cover", seed)
    ((mined, cover),) = _found(stage)
    assert mined.code == TARGET
    assert len(cover) >= 100
    assert not truth[cover].any()
    first = mined.rows[np.argsort(-mined.scores, kind="stable")[:150]]
    assert truth[first].mean() >= 0.9
    assert mined.log_p > 10


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_plain_label_errors_into_one_class_share_nothing(seed: int) -> None:
    assert not _found(_stage("clean", seed)[0])


def test_a_mark_that_only_a_neighbouring_class_has_besides_is_no_cover() -> None:
    assert not _found(_stage("one class's cover", 0)[0])


@given(arrays(np.float32, st.integers(1, 60), elements=st.floats(-100, 100, width=32)))
def test_mirrored_scores_are_symmetric_about_the_median_whatever_stands_above_it(scores: np.ndarray) -> None:
    middle, out = np.median(scores), mirrored(scores)
    assert np.allclose(np.sort(out - middle), np.sort(middle - out), atol=1e-3)
    raised = np.where(scores > middle, scores + 1000, scores).astype(np.float32)
    if len(scores) % 2:  # then the median is one of the scores
        assert np.array_equal(mirrored(raised), out)


def test_few_carriers_outside_a_class_say_nothing() -> None:
    labels = np.repeat(np.arange(4), 50)
    assert not even(labels, np.arange(200) % 25 == 0, 0, 4)


def test_small_and_colour_images_have_their_pixels_and_colours() -> None:
    rng = np.random.default_rng(0)
    assert pixels(rng.integers(0, 256, (3, 4, 5, 1)).astype(np.uint8)).shape == (3, 20)
    assert pixels(rng.integers(0, 256, (3, 40, 40, 3)).astype(np.uint8)).shape == (3, 20 * 20 + 2 * 64)
