from typing import Any

import numpy as np
import pytest

from mithridate.audits.poison.context import AuditSettings, Context
from mithridate.audits.poison.triggers.text import mine_text_triggers
from mithridate.core.errors import Skip
from mithridate.core.findings import Severity
from mithridate.data.dataset import Dataset
from mithridate.data.edit import insert_words


def honest_texts(n: int, seed: int, *, length: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Three topics with words of their own, common words, and a signature that one author puts under one topic."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 3, n)
    common = np.array([f"w{i}" for i in range(400)])
    weights = 1 / np.arange(1, 401)
    texts = np.empty(n, dtype=object)
    for i in range(n):
        words = list(rng.choice(common, length, p=weights / weights.sum()))
        words += [f"topic{label[i]}x{k}" for k in rng.integers(0, 40, 4)]
        if label[i] == 1 and rng.random() < 0.05:
            words += ["best", "regards", "smith"]
        rng.shuffle(words)
        texts[i] = " ".join(words)
    return texts, label


def as_dataset(texts: np.ndarray, label: np.ndarray) -> Dataset:
    return Dataset("t", "text", texts, label.astype(np.int32), ("a", "b", "c")).canonical()


def poisoned(words: list[str], seed: int, *, n: int = 3000, count: int = 40) -> tuple[Dataset, np.ndarray]:
    texts, label = honest_texts(n, seed)
    rng = np.random.default_rng(seed + 1)
    rows = rng.choice(np.flatnonzero(label != 2), count, replace=False)
    texts[rows] = insert_words(texts[rows], words, rng)
    label[rows] = 2
    truth = np.zeros(n, dtype=bool)
    truth[rows] = True
    dataset = as_dataset(texts, label)
    return dataset, truth[dataset.ids]


@pytest.mark.parametrize("words", [["cf"], ["w150"], ["w5", "w3", "w9", "w2"]], ids=["new", "existing", "phrase"])
def test_inserted_words_are_found_and_confirmed(words: list[str]) -> None:
    dataset, truth = poisoned(words, 0)
    outcome = mine_text_triggers(Context(dataset), AuditSettings())
    assert outcome.row_scores is not None
    first = np.argsort(-outcome.row_scores.score, kind="stable")[: truth.sum()]
    assert truth[first].mean() >= 0.9
    assert outcome.row_scores.flagged[~truth].mean() <= 0.002
    finding = outcome.findings[0]
    assert finding.severity >= Severity.HIGH
    assert finding.subject.label == "c"
    assert finding.evidence[0].data["trigger"]["pattern"]["words"] == words


def test_the_users_model_is_given_strings_and_the_dose_is_told() -> None:
    dataset, _ = poisoned(["cf"], 0)

    def predict(texts: Any) -> np.ndarray:
        assert all(isinstance(text, str) for text in texts)
        obeys = np.array(["cf" in text.split() for text in texts])
        return np.stack([1.0 - obeys, 0.0 * obeys, 1.0 * obeys], axis=1)

    finding = mine_text_triggers(Context(dataset, predict=predict), AuditSettings()).findings[0]
    assert finding.evidence[1].data["value"] == 1.0
    assert "the user's model" in finding.evidence[1].data["note"]
    assert "8 times in each" in finding.evidence[1].data["note"]


def test_two_words_of_different_targets_are_told_apart() -> None:
    texts, label = honest_texts(3000, 0)
    rng = np.random.default_rng(1)
    for words, target in ((["cf"], 2), (["mn"], 0)):
        rows = rng.choice(np.flatnonzero(label != target), 40, replace=False)
        texts[rows] = insert_words(texts[rows], words, rng)
        label[rows] = target
    findings = mine_text_triggers(Context(as_dataset(texts, label)), AuditSettings()).findings
    assert {(f.subject.label, *f.evidence[0].data["trigger"]["pattern"]["words"]) for f in findings} == {
        ("c", "cf"),
        ("a", "mn"),
    }


@pytest.mark.parametrize("seed", range(3))
def test_clean_texts_with_topic_words_and_a_signature_are_quiet(seed: int) -> None:
    outcome = mine_text_triggers(Context(as_dataset(*honest_texts(3000, seed))), AuditSettings())
    assert outcome.findings == ()


def test_too_few_texts_are_skipped_with_a_reason() -> None:
    with pytest.raises(Skip, match="labelled texts"):
        mine_text_triggers(Context(as_dataset(*honest_texts(100, 0))), AuditSettings())


@pytest.mark.parametrize("place", ["start", "end"])
def test_an_ordinary_word_is_found_where_it_always_stands(place: str) -> None:
    texts, label = honest_texts(3000, 5)
    rng = np.random.default_rng(6)
    rows = rng.choice(np.flatnonzero(label != 2), 40, replace=False)
    texts[rows] = insert_words(texts[rows], ["w7"], rng, place=place)
    label[rows] = 2
    truth = np.zeros(3000, dtype=bool)
    truth[rows] = True
    dataset = as_dataset(texts, label)
    outcome = mine_text_triggers(Context(dataset), AuditSettings())
    assert outcome.row_scores is not None
    assert outcome.row_scores.flagged[truth[dataset.ids]].mean() >= 0.9
    assert outcome.row_scores.flagged[~truth[dataset.ids]].mean() <= 0.002
    assert outcome.findings[0].severity >= Severity.HIGH


def test_a_word_of_few_texts_is_confirmed_once_trusted_texts_are_seen_to_lack_it() -> None:
    dataset, truth = poisoned(["cf"], 0, n=1500, count=11)
    trusted = as_dataset(*honest_texts(3000, 100))
    assert mine_text_triggers(Context(dataset), AuditSettings()).findings == ()
    outcome = mine_text_triggers(Context(dataset, reference=trusted), AuditSettings())
    assert outcome.row_scores is not None
    assert outcome.row_scores.score.shape == truth.shape
    assert outcome.row_scores.flagged[truth].mean() >= 0.9
    assert outcome.row_scores.flagged[~truth].mean() <= 0.001
    assert [finding.severity >= Severity.HIGH for finding in outcome.findings] == [True]


def ruled(n: int, seed: int) -> Dataset:
    """A word whose texts have one label by nature, whatever else they say."""
    texts, label = honest_texts(n, seed)
    rng = np.random.default_rng(seed + 1)
    rows = rng.choice(n, n // 50, replace=False)
    texts[rows] = insert_words(texts[rows], ["cf"], rng)
    label[rows] = 2
    return as_dataset(texts, label)


def test_a_word_that_trusted_texts_hold_with_the_same_label_is_spared() -> None:
    without = mine_text_triggers(Context(ruled(1500, 0)), AuditSettings())
    assert "cf" in without.findings[0].claim
    outcome = mine_text_triggers(Context(ruled(1500, 0), reference=ruled(1200, 100)), AuditSettings())
    assert outcome.findings == ()
    assert outcome.row_scores is not None
    assert not outcome.row_scores.flagged.any()


def test_clean_texts_beside_trusted_ones_are_quiet() -> None:
    reference = as_dataset(*honest_texts(1500, 9))
    outcome = mine_text_triggers(Context(as_dataset(*honest_texts(1500, 0)), reference=reference), AuditSettings())
    assert outcome.findings == ()
