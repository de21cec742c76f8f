"""Faint overlays are found by the direction that tells carriers from all other rows."""

from __future__ import annotations

import numpy as np

from mithridate.numeric.image_overlay import directions, overlay_room, overlay_scores
from mithridate.numeric.image_search import isolated


def _scenes(n: int, seed: int) -> np.ndarray:
    """Smooth colour images (n, 16, 16, 3): no pixel value is typical of anything."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(40, 215, (n, 4, 4, 3)).astype(np.uint8)
    return coarse.repeat(4, axis=1).repeat(4, axis=2)


def test_rows_with_a_faint_overlay_score_above_nearly_all_others() -> None:
    images, rng = _scenes(1200, 0), np.random.default_rng(1)
    overlay = rng.integers(-20, 21, (16, 16, 3))
    carriers = np.arange(100)
    images[carriers] = np.clip(images[carriers].astype(int) + overlay, 0, 255)
    folds = rng.integers(0, 2, len(images))
    room = directions(overlay_room(images, np.zeros(len(images), int), folds, rng))
    scores = overlay_scores(room, carriers[:60], np.arange(len(images)))
    assert np.quantile(scores[60:100], 0.1) > np.quantile(scores[100:], 0.99)


def test_rows_chosen_at_random_give_no_direction() -> None:
    images, rng = _scenes(1200, 0), np.random.default_rng(1)
    folds = rng.integers(0, 2, len(images))
    room = directions(overlay_room(images, np.zeros(len(images), int), folds, rng))
    scores = overlay_scores(room, np.arange(60), np.arange(len(images)))
    assert abs(np.median(scores[:60]) - np.median(scores[60:])) < scores[60:].std()


def test_a_fold_without_chosen_rows_says_nothing() -> None:
    images = _scenes(20, 0)
    room = directions(overlay_room(images, np.zeros(20, int), np.zeros(20, int), np.random.default_rng(0)))
    assert not overlay_scores(room, np.array([], int), np.arange(20)).any()


def test_what_fades_out_over_a_class_is_not_isolated() -> None:
    assert isolated(np.full(30, 1 / 6001), 6000)
    assert not isolated(np.linspace(1 / 6001, 0.02, 200), 6000)
    assert not isolated(np.linspace(1 / 600, 0.2, 200), 599)
