"""Signatures estimate how many word triples two texts share."""

import time

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mithridate.numeric import minhash

words = st.lists(st.sampled_from("abcdefghij"), min_size=3, max_size=60)


def jaccard(left: list[str], right: list[str]) -> float:
    sets = [{tuple(part[i : i + 3]) for i in range(len(part) - 2)} for part in (left, right)]
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


@settings(max_examples=40, deadline=None)
@given(words, st.integers(0, 10))
def test_the_estimate_is_near_the_true_jaccard_index(text: list[str], cut: int) -> None:
    other = text[cut:] + list("xyz")
    signature = minhash.signatures([" ".join(text), " ".join(other)], slots=1024)
    pair = np.array([0]), np.array([1])
    assert abs(minhash.agreement(signature, *pair)[0] - jaccard(text, other)) < 0.2


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=40), min_size=1, max_size=8))
def test_any_strings_give_one_signature_each_whatever_their_neighbours(texts: list[str]) -> None:
    together = minhash.signatures(texts)
    alone = np.concatenate([minhash.signatures([text]) for text in texts])
    assert np.array_equal(together, alone)


def test_case_and_punctuation_do_not_count_but_words_do() -> None:
    one, two, three = minhash.signatures(["Pay NOW, or else!", "pay now or else", "pay later or else"])
    assert np.array_equal(one, two)
    assert (one == three).mean() < 0.5


def test_wordless_texts_have_empty_signatures() -> None:
    assert (minhash.signatures(["", "!?", " \n"]) == minhash.EMPTY).all()


def test_signs_of_scripts_without_spaces_count_as_words() -> None:
    long = "数据投毒是一种针对机器学习系统的攻击方法它会改变模型"
    left, right = minhash.signatures([long, long[:-1] + "人"])
    assert (left == right).mean() > 0.7


def test_texts_of_several_chunks_are_numbered_through() -> None:
    texts = [f"text number {i} of many with words {i * 7}" for i in range(9000)]
    signature = minhash.signatures(texts)
    for i in (0, 4500, 8999):
        assert np.array_equal(signature[i], minhash.signatures([texts[i]])[0])


def test_no_texts_give_no_signatures() -> None:
    assert minhash.signatures([]).shape == (0, 64)


def test_one_text_of_a_megabyte_costs_no_more_than_many_small_ones() -> None:
    start = time.perf_counter()
    minhash.signatures(["word " * 400_000])
    assert time.perf_counter() - start < 5


def test_bands_unite_near_copies_and_hardly_any_others() -> None:
    rng = np.random.default_rng(0)
    vocabulary = [f"w{i}" for i in range(2000)]
    texts = [" ".join(rng.choice(vocabulary, 80)) for _ in range(400)]
    copies = [text + " and one more" for text in texts[:50]]
    keys = minhash.band_keys(minhash.signatures(texts + copies))
    met = (keys[:, :50] == keys[:, 400:450]).any(axis=0)
    assert met.all()
    assert (keys[:, :200] == keys[:, 200:400]).any(axis=0).mean() < 0.02
