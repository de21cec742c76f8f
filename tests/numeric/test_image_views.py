"""Half-blind views: they doubt wrong labels, and can't see what they are blind to."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mithridate.numeric.image_views import binarise, label_surprise, one_hot, pool


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 40), st.integers(1, 16))
def test_pooling_keeps_the_range_and_the_number_of_cells(seed: int, h: int, w: int, side: int) -> None:
    images = np.random.default_rng(seed).integers(0, 256, (2, h, w, 3), dtype=np.uint8)
    cells = pool(images, side)
    assert max(cells.shape[1:3]) <= side
    assert images.min() / 255 - 1e-6 <= cells.min()
    assert cells.max() <= images.max() / 255 + 1e-6


def test_pooling_an_even_image_is_the_mean_of_its_blocks() -> None:
    images = np.arange(16, dtype=np.uint8).reshape(1, 4, 4, 1)
    np.testing.assert_allclose(pool(images, 2)[0, :, :, 0] * 255, [[2.5, 4.5], [10.5, 12.5]], rtol=1e-5)


def test_binarising_ignores_a_faint_overlay() -> None:
    cells = np.array([[[[0.0], [1.0]]]], np.float32)
    faint = 0.8 * cells + 0.2 * np.array([[[[1.0], [0.0]]]], np.float32)
    assert binarise(cells).ravel().tolist() == binarise(faint).ravel().tolist() == [0.0, 1.0]


def test_a_missing_label_is_a_row_of_zeros() -> None:
    assert one_hot(np.array([1, -1]), 2).tolist() == [[0.0, 1.0], [0.0, 0.0]]


def two_kinds(n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = rng.integers(2, size=n)
    images = rng.integers(0, 60, (n, 12, 12, 1))
    images[labels == 1, ::2] += 150
    return images.astype(np.uint8), labels


def test_wrong_labels_are_doubted_and_look_like_the_right_ones() -> None:
    images, labels = two_kinds(1200)
    given, folds = labels.copy(), np.arange(1200) % 2
    given[:40] = 1 - given[:40]
    found = label_surprise(images, given, folds, n_classes=2, max_train=500, rng=np.random.default_rng(0))
    assert found.doubt[:40].min() > np.quantile(found.doubt[40:], 0.95)
    assert (found.look[:40] == labels[:40]).all()
    assert found.accuracy[0] > 0.9


def test_rows_without_a_label_are_not_judged() -> None:
    images, labels = two_kinds(400)
    labels[:10] = -1
    found = label_surprise(images, labels, np.arange(400) % 2, n_classes=2, max_train=200, rng=np.random.default_rng(0))
    assert (found.doubt[:10] == -1).all()
