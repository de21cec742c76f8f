import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mithridate.numeric.text_probe import phrase_around
from mithridate.numeric.text_tokens import (
    contrasting_tokens,
    count_tokens,
    inverse_frequency,
    read_corpus,
    view_scores,
    weigh,
)


@given(st.lists(st.text(max_size=40), max_size=12))
@settings(max_examples=60, deadline=None)
def test_any_text_is_read_and_every_word_number_is_in_the_vocabulary(texts: list[str]) -> None:
    corpus = read_corpus(texts)
    assert len(corpus.starts) == len(texts) + 1
    assert corpus.starts[-1] == len(corpus.words)
    assert (corpus.words < max(len(corpus.vocabulary), 1)).all()


@given(st.lists(st.lists(st.sampled_from("abcd"), min_size=1, max_size=8), min_size=6, max_size=20))
@settings(max_examples=40, deadline=None)
def test_token_counts_equal_a_plain_count(texts: list[list[str]]) -> None:
    corpus = read_corpus([" ".join(words) for words in texts])
    tokens = count_tokens(corpus)
    for column in range(tokens.n_words):
        word = corpus.vocabulary[tokens.first[column]]
        counts = np.asarray(tokens.counts[:, [column]].todense()).ravel()
        assert counts.tolist() == [words.count(word) for words in texts]


def test_weighed_rows_have_length_one() -> None:
    tokens = count_tokens(read_corpus(["a b c", "a b", "a c", "b c a a"] * 2))
    weights = weigh(tokens.counts, inverse_frequency(tokens.counts))
    np.testing.assert_allclose(np.sqrt(weights.multiply(weights).sum(axis=1)), 1, rtol=1e-5)


def test_views_tell_classes_apart_by_words_of_other_folds() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2, 200).astype(np.int32)
    texts = [" ".join(rng.choice(["sun", "sea"] if code else ["tax", "law"], 5)) for code in codes]
    tokens = count_tokens(read_corpus(texts))
    features = weigh(tokens.counts, inverse_frequency(tokens.counts))
    scores = view_scores(features, codes, (np.arange(200) % 2).astype(np.int8), 2)
    assert (scores.argmax(axis=1) == codes).mean() == 1


def test_a_phrase_is_read_off_the_texts_that_share_it() -> None:
    corpus = read_corpus([f"{i} buy it now {i + 50}" for i in range(20)])
    middle = corpus.vocabulary.index("it")
    assert [corpus.vocabulary[w] for w in phrase_around(corpus, [middle], np.arange(20))] == ["buy", "it", "now"]


def test_contrasting_tokens_name_the_class_that_holds_them() -> None:
    codes = np.repeat(np.array([0, 1], np.int32), 100)
    texts = ["plain words here"] * 100 + ["plain words odd"] * 60 + ["plain words here"] * 40
    tokens = count_tokens(read_corpus(texts))
    words = np.arange(tokens.n_words)
    presence = tokens.counts[:, words]
    found = contrasting_tokens(presence, codes, words, limit=10)
    assert [(f.target, int(f.observed)) for f in found] == [(1, 60)]
