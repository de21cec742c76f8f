"""Embeddings: the right shape, finite whatever comes, and near for like content."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mithridate.numeric import embed


def squares(n: int, rng: np.random.Generator, *, side: int = 16, channels: int = 1) -> np.ndarray[Any, Any]:
    """Bright squares at the left (even rows) or right (odd rows) on noise."""
    images = rng.integers(0, 60, (n, side, side, channels), dtype=np.uint8)
    half = side // 2
    images[::2, 4:-4, :half] += 150
    images[1::2, 4:-4, half:] += 150
    return images


@pytest.mark.parametrize(("side", "channels"), [(8, 1), (16, 3), (50, 1), (1, 1)])
def test_images_of_any_size_become_finite_rows(side: int, channels: int) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (40, side, side, channels), dtype=np.uint8)
    rows = embed.embed_images(images, rng=rng)
    assert rows.dtype == np.float32
    assert rows.shape[0] == 40
    assert rows.shape[1] <= 64
    assert np.isfinite(rows).all()


def test_images_with_the_same_shape_lie_closer_than_others() -> None:
    rows = embed.embed_images(squares(60, np.random.default_rng(1)), rng=np.random.default_rng(0))
    left, right = rows[::2].mean(axis=0), rows[1::2].mean(axis=0)
    within = np.linalg.norm(rows[::2] - left, axis=1).mean()
    assert np.linalg.norm(left - right) > within


def test_float_and_byte_images_give_the_same_embedding() -> None:
    images = squares(40, np.random.default_rng(2))
    one = embed.embed_images(images, rng=np.random.default_rng(0))
    other = embed.embed_images((images / 255).astype(np.float32), rng=np.random.default_rng(0))
    np.testing.assert_allclose(one, other, atol=1e-4)


def test_pooling_shares_a_pixel_between_two_cells() -> None:
    np.testing.assert_allclose(embed._pooling(3, 2), [[2 / 3, 0], [1 / 3, 1 / 3], [0, 2 / 3]], rtol=1e-6)  # noqa: SLF001 - worked by hand


def test_principal_axes_follow_the_widest_direction() -> None:
    rows = np.array([[-3.0, 0.1], [3.0, -0.1], [-3.0, -0.1], [3.0, 0.1]], np.float32)
    assert embed.principal_axes(rows, 1).axes.ravel().tolist() == pytest.approx([1.0, 0.0], abs=1e-5)


def test_missing_cells_stand_at_the_middle_and_constants_say_nothing() -> None:
    numbers = np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0], [np.nan, 5.0]])
    scaled = embed.standardise(numbers)
    assert scaled[3, 0] == 0
    assert not scaled[:, 1].any()


def test_row_identifiers_give_no_indicator_columns() -> None:
    codes = np.stack([np.arange(10), np.arange(10) % 2], axis=1)
    assert embed.one_hot(codes).shape == (10, 2)


@settings(max_examples=25, deadline=None)
@given(hnp.arrays(np.float64, st.tuples(st.integers(2, 30), st.integers(0, 4)), elements=st.floats(width=32)))
def test_any_table_becomes_finite_rows(numbers: np.ndarray[Any, Any]) -> None:
    codes = np.zeros((len(numbers), 1), np.int64)
    rows = embed.embed_table(numbers, codes, rng=np.random.default_rng(0))
    assert rows.shape[0] == len(numbers)
    assert np.isfinite(rows).all()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(max_size=20), min_size=2, max_size=20))
def test_any_texts_become_finite_rows(texts: list[str]) -> None:
    rows = embed.embed_texts(embed.text_counts(texts), rng=np.random.default_rng(0))
    assert rows.shape[0] == len(texts)
    assert np.isfinite(rows).all()


def test_texts_on_one_subject_lie_together() -> None:
    texts = ["engine wheel brake car", "car wheel engine oil", "prayer church faith", "faith prayer church hymn"] * 5
    rows = embed.embed_texts(embed.text_counts(texts), rng=np.random.default_rng(0))
    likeness = rows @ rows.T
    assert likeness[0, 1] > likeness[0, 2] + 0.5


def test_vectors_that_are_not_finite_are_replaced() -> None:
    vectors = np.random.default_rng(0).normal(size=(50, 6))
    vectors[3, 2], vectors[4, 1] = np.nan, np.inf
    assert np.isfinite(embed.embed_vectors(vectors, rng=np.random.default_rng(0))).all()


def test_rows_without_columns_all_lie_at_one_place() -> None:
    rows = embed.embed_vectors(np.zeros((5, 0), np.float32), rng=np.random.default_rng(0))
    assert rows.shape == (5, 1)
    assert not rows.any()
    assert embed.principal_axes(np.zeros((5, 0), np.float32), 3).axes.shape == (0, 0)
