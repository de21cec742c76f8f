from __future__ import annotations

import numpy as np
import pytest

from mithridate.numeric.pattern_generator import coarse, fit_generator, generator_from_json


def pictures(n_rows: int, shape: tuple[int, int, int]) -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.random((n_rows, 1, 1, 1)) * rng.random((n_rows, *shape)) * 255).astype(np.uint8)


def test_a_generator_survives_a_trip_through_json() -> None:
    images = pictures(200, (9, 12, 3))
    made = fit_generator(images, 6, 0.3, np.random.default_rng(1))
    again = generator_from_json(made.to_json())
    assert np.abs(again.patterns(images) - made.patterns(images)).max() < 1e-3
    assert np.allclose(made.shares(images).sum(axis=1), 1)
    assert np.abs(made.patterns(images)).max() <= 0.3 + 1e-6


@pytest.mark.parametrize("modes", [2, 3, 64])
def test_flat_or_few_images_still_make_a_generator(modes: int) -> None:
    for images in (np.full((5, 8, 8, 1), 7, np.uint8), pictures(2, (8, 8, 1)), pictures(1, (30, 8, 1))):
        patterns = fit_generator(images, modes, 0.2, np.random.default_rng(0)).patterns(images)
        assert patterns.shape == images.shape
        assert np.isfinite(patterns).all()


def test_the_coarse_copy_holds_the_mean_of_each_cell() -> None:
    image = np.zeros((1, 16, 16, 1))
    image[0, :2, :2] = [[[1.0], [0.0]], [[0.5], [0.5]]]
    small = coarse(image)
    assert small.shape == (1, 64)
    assert small[0, 0] == 0.5
    assert small[0, 1:].max() == 0
