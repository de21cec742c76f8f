"""Words that were put into texts are told from those that people wrote."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mithridate.numeric.inserted_words import FEWEST_WRITTEN, Places, apart, beside_of, inserted, places_of
from mithridate.numeric.text_tokens import Corpus, read_corpus


def letters(seed: int, n: int = 150) -> tuple[Corpus, np.ndarray, Places]:
    """Texts in which "perhaps" is written before a few words, then as many in which it was put anywhere."""
    rng = np.random.default_rng(seed)
    usual = [f"w{i}" for i in range(400)]
    texts = []
    for row in range(2 * n):
        words = list(rng.choice(usual, 30 if row >= n else 60))
        place = int(rng.integers(1, len(words)))
        words[place:place] = ["perhaps"] if row >= n else ["or", "perhaps", str(rng.choice(["you", "we", "it"]))]
        texts.append(" ".join(words))
    corpus = read_corpus(texts)
    return corpus, np.arange(2 * n) >= n, places_of(corpus, [corpus.vocabulary.index("perhaps")], np.arange(2 * n))


@pytest.mark.parametrize("seed", range(3))
def test_inserted_words_stand_apart_from_written_ones(seed: int) -> None:
    _, put, places = letters(seed)
    written = np.where(put, 0.1, 0.9)
    assert apart(beside_of(places, written), put) > 10
    said = inserted(places, written)
    assert np.median(said[put]) > 1 > -1 > np.median(said[~put])
    assert abs(apart(beside_of(places, np.full(len(put), 0.5))[put], np.arange(put.sum()) % 2 == 0)) < 3


def test_a_text_is_no_example_of_itself() -> None:
    corpus = read_corpus([f"a{i} x b{i}" for i in range(60)])
    places = places_of(corpus, [corpus.vocabulary.index("x")], np.arange(60))
    assert beside_of(places, np.ones(60)) == pytest.approx(np.zeros(60), abs=12)
    assert (beside_of(places, np.ones(60)) >= 0).all()


def test_nothing_is_said_of_a_word_that_hardly_anybody_writes() -> None:
    _, put, places = letters(0)
    few = np.zeros(len(put))
    few[: int(FEWEST_WRITTEN) - 1] = 1
    assert (inserted(places, few) == 0).all()


def test_a_phrase_is_found_within_one_text_alone() -> None:
    corpus = read_corpus(["the red cat", "cat the red", "red the", "cat"])
    phrase = [corpus.vocabulary.index(word) for word in ("the", "red")]
    places = places_of(corpus, phrase, np.array([0, 1, 2, 3]))
    assert places.often.tolist() == [1, 1, 0, 0]
    edge = places.usual[-1]
    assert edge == pytest.approx(4 / 9)  # texts to words: how often a word stands at an edge
    assert places.usual[places.before].tolist() == pytest.approx([edge, 3 / 9])


@settings(max_examples=30)
@given(st.lists(st.text("ab ", max_size=12), min_size=1, max_size=12), st.integers(0, 99))
def test_any_texts_have_finite_evidence(texts: list[str], seed: int) -> None:
    corpus = read_corpus([*texts, "a b"] * 5)
    rows = np.arange(len(corpus.starts) - 1)
    written = np.random.default_rng(seed).random(len(rows))
    for phrase in ([0], [0, 0]):
        places = places_of(corpus, phrase, rows)
        assert np.isfinite(inserted(places, written)).all()
        assert np.isfinite(beside_of(places, written)).all()
