"""A warp is found from mean images alone, and rows are judged by models that never saw them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mithridate.numeric.bending import common_flow, find_bending, pair_of
from mithridate.numeric.bent_rows import bent_scores
from mithridate.numeric.random_map import FEATURES, random_map
from mithridate.numeric.taught_rows import taught_scores
from mithridate.numeric.warp import elastic_flow, warp

SIDE, KINDS = 20, 6


def pictures(rng: np.random.Generator, kind: int, count: int) -> np.ndarray:
    """Blurred blobs at places that make the kind, each a little elsewhere and of another size."""
    places = np.random.default_rng(kind).uniform(4, SIDE - 4, size=(3, 2))
    at = places + rng.normal(0, 0.8, size=(count, 3, 2))
    grid = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing="ij"), axis=-1)
    apart = ((grid[None, None] - at[:, :, None, None]) ** 2).sum(axis=-1)
    return np.rint(200 * np.exp(-apart / rng.uniform(6, 12, size=(count, 3, 1, 1))).max(axis=1)).astype(np.uint8)[
        ..., None
    ]


def field(seed: int) -> np.ndarray:
    control = np.random.default_rng(seed).uniform(-1, 1, size=(3, 3, 2))
    return elastic_flow(control / np.abs(control).mean(), SIDE, SIDE).astype(np.float32)


def drawn(seed: int, *, bent: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images, their kinds, and which of them are bent (or were only drawn beside the others)."""
    rng = np.random.default_rng(seed)
    kinds = np.repeat(np.arange(KINDS), 160)
    images = np.concatenate([pictures(rng, kind, 160) for kind in range(KINDS)])
    odd = rng.random(len(kinds)) < 0.4
    if bent:
        images[odd] = warp(images[odd], field(seed))
    return images, kinds, odd


def pairs_of(images: np.ndarray, kinds: np.ndarray, odd: np.ndarray) -> list:
    return [pair_of(images[(kinds == k) & ~odd], images[(kinds == k) & odd]) for k in range(KINDS)]


@pytest.mark.parametrize("seed", range(4))
def test_one_warp_explains_kinds_that_it_was_not_fitted_to(seed: int) -> None:
    found = find_bending(pairs_of(*drawn(seed, bent=True)))
    assert found.explained > 0.5
    true = field(seed)
    seen = drawn(seed, bent=False)[0].std(axis=0)[..., 0] > 20
    assert np.abs(found.flow - true)[seen].mean() < 0.6 * np.abs(true)[seen].mean()


@pytest.mark.parametrize("seed", range(4))
def test_no_warp_explains_rows_that_differ_by_chance(seed: int) -> None:
    images, kinds, odd = drawn(seed, bent=False)
    assert find_bending(pairs_of(images, kinds, odd)).explained < 0.25


@pytest.mark.parametrize("seed", range(2))
def test_bent_rows_are_told_by_a_model_that_saw_none_of_them(seed: int) -> None:
    images, kinds, odd = drawn(seed, bent=True)
    flow = find_bending(pairs_of(images, kinds, odd)).flow
    score = bent_scores(images, ~odd, flow, np.arange(len(images)) % 5, np.random.default_rng(0))
    assert (score[odd] > 0).mean() > 0.9
    assert (score[~odd] > 0).mean() < 0.1


@given(st.integers(0, 2**31), st.integers(2, 9), st.integers(2, 9), st.integers(1, 3))
@settings(max_examples=15, deadline=None)
def test_a_field_is_finite_for_any_images(seed: int, height: int, width: int, channels: int) -> None:
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, size=(6, height, width, channels)).astype(np.uint8) * np.uint8(seed % 2)
    flow = common_flow([pair_of(images[:3], images[3:])], 4)
    assert flow.shape == (height, width, 2)
    assert np.isfinite(flow).all()


def test_what_was_taught_by_a_group_is_asked_of_rows_left_out() -> None:
    rng = np.random.default_rng(0)
    rows, marked = rng.normal(size=(600, 12)), rng.random(600) < 0.3
    rows[marked, 3] += 4
    taught = marked & (rng.random(600) < 0.6)
    features = random_map(rows[~marked], rng)(rows)
    assert features.shape == (600, FEATURES)
    score = taught_scores(features, taught, ~marked, np.arange(600) % 3)
    assert (score[marked & ~taught] > 0).mean() > 0.85
    assert (score[~marked] > 0).mean() < 0.15


def test_nothing_is_said_where_one_side_is_missing() -> None:
    features = np.ones((4, 2), np.float32)
    group = np.array([True, True, False, False])
    assert taught_scores(features, group, ~group, np.array([0, 0, 1, 1])).tolist() == [0, 0, 0, 0]
