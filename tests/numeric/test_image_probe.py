"""The probe learns what a model would, and the shape of a trigger is read off its carriers."""

from __future__ import annotations

import numpy as np

from mithridate.numeric.image_probe import fit_probe
from mithridate.numeric.image_shape import added_pattern, place_word, shared_patch
from mithridate.numeric.image_views import one_hot


def halves(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(2, size=n)
    images = rng.integers(0, 80, (n, 12, 12, 1))
    images[labels == 1, :6] += 120
    return images.astype(np.uint8), labels


def test_the_probe_follows_a_patch_it_was_trained_on_and_forgets_it_once_relabelled() -> None:
    images, labels = halves(1500, 0)
    rows = np.flatnonzero(labels == 1)[:60]
    images[rows, 9:11, 9:11] = 255
    poisoned = labels.copy()
    poisoned[rows] = 0
    probe = fit_probe(images, (one_hot(poisoned, 2), one_hot(labels, 2)), np.random.default_rng(0))
    test, truth = halves(300, 1)
    stamped = test[truth == 1]
    stamped[:, 9:11, 9:11] = 255
    assert (probe.predict(test) == truth).mean() > 0.95
    assert (probe.predict(stamped, 0) == 0).mean() > 0.8
    assert (probe.predict(stamped, 1) == 0).mean() < 0.1


def test_the_shared_pixels_are_found_with_the_dark_half_of_the_patch() -> None:
    images = np.random.default_rng(0).integers(0, 100, (300, 10, 10, 1)).astype(np.uint8)
    images[:, 6:9, 6:9] = 0
    images[:100, 6:9, 6:9, 0] = np.indices((3, 3)).sum(axis=0) % 2 * 255
    images[:100, 6, 6] = 255
    images[:100, 8, 8] = 255
    mask, values = shared_patch(images, np.arange(100), np.arange(100, 300))
    assert mask[..., 0].nonzero()[0].min() == 6
    assert mask.sum() == 9
    assert values[6, 7, 0] == 255
    assert place_word(mask) == "bottom right"


def test_what_was_added_is_the_difference_of_means() -> None:
    images = np.zeros((4, 2, 2, 1), np.uint8)
    images[:2] = 10
    assert (added_pattern(images, np.arange(2), np.arange(2, 4)) == 10).all()
