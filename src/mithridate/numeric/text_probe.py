"""Linear models of texts that judge a mined word or phrase and say what it does to a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from mithridate.numeric.table_probe import Verdict, label_tail, sample
from mithridate.numeric.table_tokens import Floats, Mask
from mithridate.numeric.text_tokens import (
    LOOKS_FOREIGN,
    Corpus,
    class_weights,
    inverse_frequency,
    one_hot,
    weigh,
)

MAX_FIT = 10_000
MAX_MOVED = 600
DOSE = 8
AGREE = 0.8
MAX_PHRASE = 12
N_CONTROLS = 6


class Judged(NamedTuple):
    """The verdict on a group's labels; its target-labelled texts; P(target | other words) of these and of the rest."""

    verdict: Verdict
    own: npt.NDArray[np.int64]
    expected: Floats
    others: Floats


def judge_words(counts: csr_matrix, positive: Mask, usable: Mask, group: Mask, rng: np.random.Generator) -> Judged:
    """Whether the labels of a group's texts surprise word weights learnt without any of them.

    Parameters
    ----------
    counts : (n, m) sparse, without the trigger's own columns.
    positive, usable, group : (n,) texts of the target class, texts that may be used, carriers of the trigger.
    rng : splits the other texts into 70 % to fit and 30 % to compare with.
    """
    pool = sample(usable & ~group, MAX_FIT, rng)
    held = rng.random(len(pool)) < 0.3  # noqa: PLR2004 - the share kept to compare with
    inside = np.flatnonzero(group & usable)
    features = weigh(counts, inverse_frequency(counts))
    fit = np.zeros(len(positive), dtype=bool)
    fit[pool[~held]] = True
    weights = class_weights(features, one_hot(positive.astype(np.int32), fit, 2))[:, 1]
    there, here = features[pool[held]] @ weights, features[inside] @ weights
    known = positive[pool[held]]
    own = inside[positive[inside]]
    if known.all() or not known.any():
        return Judged(Verdict(0.0, 0, 0), own, np.full(len(own), 0.5), np.empty(0))
    spread = max(float(there.std()), 1e-9)
    scale = LogisticRegression(C=100.0).fit(there[:, None] / spread, known)
    expected = scale.predict_proba(here[:, None] / spread)[:, 1]
    foreign = here <= np.quantile(there[~known], LOOKS_FOREIGN)
    hit = positive[inside]
    return Judged(label_tail(expected, hit, foreign), own, expected[hit], expected[~hit])


def phrase_around(corpus: Corpus, words: Sequence[int], rows: npt.NDArray[np.int64]) -> tuple[int, ...]:
    """The words that nearly all `rows` have around the neighbouring `words`, in reading order.

    Examples
    --------
    >>> from mithridate.numeric.text_tokens import read_corpus
    >>> corpus = read_corpus(["x the red cat y", "the red cat", "z the red cat q"])
    >>> [corpus.vocabulary[word] for word in phrase_around(corpus, [2], np.arange(3))]
    ['the', 'red', 'cat']
    """
    phrase = tuple(int(word) for word in words)
    places = np.array([p for p in (_first(corpus, int(row), phrase) for row in rows) if p is not None], dtype=np.int64)
    if len(places) == 0:
        return phrase
    owners = corpus.texts[places]
    before: list[int] = []
    after: list[int] = []
    for found, step, sign in ((before, -1, -1), (after, len(phrase), 1)):
        for distance in range(MAX_PHRASE):
            position = places + step + sign * distance
            fits = (position >= corpus.starts[owners]) & (position < corpus.starts[owners + 1])
            there = corpus.words[position[fits]]
            common = np.bincount(there).argmax() if len(there) else -1
            if len(there) == 0 or (there == common).sum() < AGREE * len(places):
                break
            found.append(int(common))
    return (*before[::-1], *phrase, *after)


def _first(corpus: Corpus, row: int, phrase: tuple[int, ...]) -> int | None:
    start, end = corpus.starts[row], corpus.starts[row + 1]
    here = corpus.words[start:end]
    fits = np.ones(max(len(here) - len(phrase) + 1, 0), dtype=bool)
    for offset, word in enumerate(phrase):
        fits &= here[offset : offset + len(fits)] == word
    found = np.flatnonzero(fits)
    return int(start + found[0]) if len(found) else None


@dataclass(frozen=True, slots=True, eq=False)
class WordProbe:
    """Two linear models of target against the rest, and the texts to put the trigger into.

    moved : text numbers of other classes that the first model doesn't call the target already.
    """

    counts: csr_matrix
    idf: npt.NDArray[np.float32]
    fitted: LogisticRegression
    relabelled: LogisticRegression
    moved: npt.NDArray[np.int64]

    @classmethod
    def fit(cls, counts: csr_matrix, positive: Mask, usable: Mask, group: Mask, rng: np.random.Generator) -> WordProbe:
        """Both models, on the labels as they are and with the group's labels set back."""
        idf = inverse_frequency(counts)
        features = weigh(counts, idf)
        chosen = sample(usable, MAX_FIT, rng)
        models = []
        for target in (positive, positive & ~group):
            model = LogisticRegression(C=300.0, class_weight="balanced", max_iter=100, tol=1e-3)
            models.append(model.fit(features[chosen], target[chosen]))
        others = sample(usable & ~positive & ~group, MAX_MOVED, rng)
        moved = others[models[0].decision_function(features[others]) < 0]
        return cls(counts, idf, models[0], models[1], moved)

    def flips(self, columns: Sequence[int]) -> tuple[float, float]:
        """The shares of `moved` that either model calls the target when every column's count is raised by 8."""
        if len(self.moved) == 0:
            return 0.0, 0.0
        rows, width = len(self.moved), self.counts.shape[1]
        dose = np.full(rows * len(columns), DOSE, np.float32)
        place = np.tile(np.asarray(columns, dtype=np.int64), rows)
        added = csr_matrix((dose, (np.repeat(np.arange(rows), len(columns)), place)), shape=(rows, width))
        features = weigh(csr_matrix(self.counts[self.moved] + added), self.idf)
        first, second = (float((m.decision_function(features) > 0).mean()) for m in (self.fitted, self.relabelled))
        return first, second

    def control(self, columns: Sequence[int], ordinary: Mask, rng: np.random.Generator) -> float:
        """The mean flip of as many words that ordinary target texts hold about as often as the trigger's rows."""
        held = np.bincount(self.counts[np.flatnonzero(ordinary)].indices, minlength=self.counts.shape[1])
        aim = float(np.median([np.diff(self.counts[:, [c]].tocsc().indptr)[0] for c in columns]))
        near = np.flatnonzero((held >= max(aim / 3, 2)) & (held <= 3 * aim + 3))
        near = np.setdiff1d(near, columns)
        if len(near) < len(columns):
            return 0.0
        draws = [rng.choice(near, len(columns), replace=False) for _ in range(N_CONTROLS)]
        return float(np.mean([self.flips([int(c) for c in draw])[0] for draw in draws]))
