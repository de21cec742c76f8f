from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mithridate.numeric.warp import elastic_flow, warp


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 3]), st.integers(-2, 2), st.integers(-2, 2))
def test_a_whole_step_is_a_shift_with_the_border_repeated(seed: int, channels: int, down: int, right: int) -> None:
    images = np.random.default_rng(seed).integers(0, 256, (3, 6, 5, channels), dtype=np.uint8)
    rows, columns = np.clip(np.arange(6) + down, 0, 5), np.clip(np.arange(5) + right, 0, 4)
    moved = warp(images, np.broadcast_to(np.array([down, right], np.float64), (6, 5, 2)))
    assert (moved == images[:, rows[:, None], columns]).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_each_image_can_have_a_field_of_its_own(seed: int) -> None:
    rng = np.random.default_rng(seed)
    images, flow = rng.random((4, 7, 6, 3)), rng.uniform(-9, 9, (4, 7, 6, 2))
    together = warp(images, flow)
    for one, field, moved in zip(images, flow, together, strict=True):
        assert np.allclose(warp(one[None], field)[0], moved)
    assert images.min() - 1e-6 <= together.min() <= together.max() <= images.max() + 1e-6


def test_half_a_step_is_the_mean_of_two_pixels() -> None:
    images = np.array([10, 20, 40], np.uint8).reshape(1, 1, 3, 1)
    assert warp(images, np.full((1, 3, 2), [0.0, 0.5])).ravel().tolist() == [15, 30, 40]


def test_a_field_passes_through_its_control_points() -> None:
    control = np.random.default_rng(0).normal(size=(4, 4, 2))
    assert np.allclose(elastic_flow(control, 28, 31)[::9, ::10], control)
