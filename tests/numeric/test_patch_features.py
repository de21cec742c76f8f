"""Coordinates from small pieces: finite whatever comes, near for like texture, blind to who asks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mithridate.numeric.patch_features import patch_features


def stripes(n: int, rng: np.random.Generator, *, side: int = 16) -> np.ndarray[Any, Any]:
    """Upright stripes (even rows) or level ones (odd rows), each at a phase of its own, on noise."""
    waves = 100 * ((np.arange(side)[None, :] + rng.integers(0, 4, (n, 1))) % 4 < 2)
    images = rng.integers(0, 60, (n, side, side, 1))
    images[::2] += waves[::2, None, :, None]
    images[1::2] += waves[1::2, :, None, None]
    return images.astype(np.uint8)


@pytest.mark.parametrize(("side", "channels"), [(8, 1), (16, 3), (50, 1), (1, 1), (3, 2)])
def test_images_of_any_size_become_finite_rows(side: int, channels: int) -> None:
    rng = np.random.default_rng(0)
    rows = patch_features(rng.integers(0, 256, (40, side, side, channels), dtype=np.uint8), rng=rng)
    assert rows.dtype == np.float32
    assert rows.shape[0] == 40
    assert 1 <= rows.shape[1] <= 128
    assert np.isfinite(rows).all()


def test_like_texture_at_another_phase_is_near() -> None:
    rows = patch_features(stripes(80, np.random.default_rng(1)), rng=np.random.default_rng(0))
    distance = np.linalg.norm(rows[:, None] - rows[None], axis=2) + np.diag(np.full(80, np.inf))
    assert (np.argmin(distance, axis=1) % 2 == np.arange(80) % 2).mean() > 0.9


def test_pictures_as_floats_or_bytes_give_the_same() -> None:
    images = stripes(40, np.random.default_rng(2))
    one = patch_features(images, rng=np.random.default_rng(0))
    other = patch_features((images / 255).astype(np.float32), rng=np.random.default_rng(0))
    np.testing.assert_allclose(one, other, atol=1e-4)


def test_blank_and_broken_pictures_are_rows_like_others() -> None:
    images = np.zeros((30, 12, 12, 1), np.float32)
    assert np.isfinite(patch_features(images, rng=np.random.default_rng(0))).all()
    images[0], images[1], images[2] = np.nan, np.inf, -np.inf
    assert np.isfinite(patch_features(images, rng=np.random.default_rng(0))).all()
