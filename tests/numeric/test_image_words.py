"""Patch words: found wherever they stand, cut out as they are."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mithridate.numeric.image_tokens import Weights
from mithridate.numeric.image_words import N_WORDS, best_match, cut_out, word_counts, word_scores, words

CHECKER = (np.indices((3, 3)).sum(axis=0) % 2 * 255).astype(np.uint8)[..., None]


def stamped(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    images = rng.integers(90, 160, (n, 12, 12, 1)).astype(np.uint8)
    for image in images:
        y, x = rng.integers(0, 10, 2)
        image[y : y + 3, x : x + 3] = CHECKER
    return images


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_stamped_word_is_counted_in_every_row_wherever_it_stands(seed: int) -> None:
    images = stamped(5, seed)
    word = int(words(CHECKER[None])[0, 0, 0])
    counts = word_counts(images, np.arange(5))
    assert counts.shape == (N_WORDS, 2)
    assert counts[word].tolist() == [0, 5]
    assert (counts.sum(axis=1) == 5).all()
    weights = Weights(np.array([word]), np.array([[-1.0, 2.0]], np.float32), 0.0)
    assert word_scores(images, np.arange(5), weights).tolist() == [2.0] * 5


def test_the_patch_is_cut_out_as_it_stands_and_matches_only_its_carriers() -> None:
    images = stamped(60, 1)
    patch = cut_out(images, np.arange(60), int(words(CHECKER[None])[0, 0, 0]))
    assert patch is not None
    assert patch.values.shape == (3, 3, 1)
    assert np.array_equal(patch.values, CHECKER)
    assert best_match(images, patch).min() == 1.0
    plain = np.random.default_rng(2).integers(90, 160, (60, 12, 12, 1)).astype(np.uint8)
    assert best_match(plain, patch).max() < 0.5


def test_no_patch_is_cut_out_where_no_row_has_the_word() -> None:
    assert cut_out(np.zeros((3, 8, 8, 1), np.uint8), np.arange(3), N_WORDS - 1) is None
