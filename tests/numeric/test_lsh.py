"""Near pairs are found among many rows, and no bucket, however full, is compared all with all."""

import time

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mithridate.numeric import image_hash, lsh


def group(vectors: np.ndarray, radius: float) -> np.ndarray:
    using = lsh.projections(vectors.shape[1], radius=radius, rng=np.random.default_rng(0))

    def near(left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return np.asarray(np.linalg.norm(vectors[left] - vectors[right], axis=1) <= radius)

    return lsh.group_near(
        len(vectors),
        using.tables,
        lambda table, rows: lsh.projection_keys(vectors[rows], using, table),
        near,
        vectors[:, 0],
    )


def test_near_copies_are_found_and_nothing_else_is_joined() -> None:
    rng = np.random.default_rng(1)
    lone = rng.normal(size=(3000, 16)).astype(np.float32)
    copies = lone[:200] + rng.normal(0, 0.002, (200, 16)).astype(np.float32)
    found = group(np.concatenate([lone, copies]), radius=0.02)
    assert (found[:200] == found[3000:]).mean() > 0.97
    assert len(np.unique(found[:3000])) == 3000


@settings(max_examples=40, deadline=None)
@given(hnp.arrays(np.float32, st.tuples(st.integers(1, 30), st.just(3)), elements=st.floats(-1, 1, width=32)))
def test_every_member_of_a_group_is_near_its_first_row(vectors: np.ndarray) -> None:
    found = group(vectors, radius=0.3)
    for number in np.unique(found):
        rows = np.flatnonzero(found == number)
        assert (np.linalg.norm(vectors[rows] - vectors[rows[0]], axis=1) <= 0.3).all()


def test_a_bucket_of_everything_costs_no_more_than_n_log_n() -> None:
    keys = np.zeros(300_000, np.uint64)
    start = time.perf_counter()
    left, _ = lsh.colliding_pairs(keys, np.arange(300_000))
    assert len(left) <= 3 * 300_000
    assert time.perf_counter() - start < 5


def test_a_chain_of_small_steps_falls_apart() -> None:
    chain = np.arange(0, 5, 0.05, dtype=np.float32)[:, None] * np.ones((1, 2), np.float32)
    found = group(chain, radius=0.1)
    assert np.bincount(found).max() <= 3


def test_block_means_of_a_flat_image_are_its_grey() -> None:
    images = np.full((2, 28, 28, 1), 51, np.uint8)
    assert np.allclose(image_hash.block_means(images), 0.2)
    assert np.allclose(image_hash.block_means(images.astype(np.float32) / 255), 0.2)


def test_block_means_take_any_size() -> None:
    for height, width, channels in ((1, 1, 1), (3, 50, 3), (100, 7, 4), (300, 200, 3)):
        images = np.random.default_rng(0).integers(0, 256, (3, height, width, channels)).astype(np.uint8)
        means = image_hash.block_means(images)
        assert means.shape[0] == 3
        assert 0 <= means.min() <= means.max() <= 1
    assert image_hash.block_means(np.zeros((0, 8, 8, 1), np.uint8)).shape == (0, 64)


def test_pixel_distance_is_the_root_mean_square_worked_by_hand() -> None:
    images = np.array([[[[0], [0]]], [[[255], [0]]]], np.uint8)
    assert np.allclose(image_hash.pixel_distance(images, np.array([0]), np.array([1])), np.sqrt(0.5))
