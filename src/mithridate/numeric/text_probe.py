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
    START,
    Corpus,
    inverse_frequency,
    log_ratio,
    one_hot,
    view_scores,
    weigh,
)

MAX_FIT = 10_000
MAX_MOVED = 600
DOSE = 8
AGREE = 0.8
MAX_PHRASE = 12
N_CONTROLS = 6
MIN_INNER = 8
N_DRAWS = 20
REPEATED = 2.5
REPEATED_FLOOR = 0.01
BARE = 0.3


class Judged(NamedTuple):
    """The verdict on a group's labels; its target-labelled texts; P(target | other words) of these and of the rest.

    place : (m,) where each target-labelled text stands among texts of other classes, by how much it looks like the
        target, in [0, 1]: stamped texts are spread evenly, natural ones crowd at the top.
    """

    verdict: Verdict
    own: npt.NDArray[np.int64]
    expected: Floats
    others: Floats
    place: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Word weights of the labelled texts, made so that a group can be taken out of them cheaply.

    features : (n, v) TF-IDF of words; codes : (n,) class numbers, -1 unused.
    fitted : (n,) texts that the weights are learnt from, 70 %; the others are compared with.
    sums : (v, k) total feature of the fitted texts by class.
    """

    features: csr_matrix
    codes: npt.NDArray[np.int32]
    fitted: Mask
    sums: Floats

    @classmethod
    def build(cls, features: csr_matrix, codes: npt.NDArray[np.int32], rng: np.random.Generator) -> Reference:
        """Split the labelled texts and add up the fitted ones."""
        fitted = (codes >= 0) & (rng.random(len(codes)) < 0.7)  # noqa: PLR2004 - the share learnt from
        hot = one_hot(codes, fitted, int(codes.max()) + 1)
        return cls(features, codes, fitted, np.asarray((features.T @ hot).todense(), dtype=np.float64))

    def weights(self, target: int, group: Mask, left_out: npt.NDArray[np.int64]) -> Floats:
        """(v,) weights of the target against the rest without the group's texts and the words `left_out`."""
        inside = np.flatnonzero(group & self.fitted)
        part = self.features[inside]
        own = np.asarray(part[self.codes[inside] == target].sum(axis=0), dtype=np.float64).ravel()
        every = np.asarray(part.sum(axis=0), dtype=np.float64).ravel()
        mine = np.maximum(self.sums[:, target] - own, 0)
        total = np.maximum(self.sums.sum(axis=1) - every, mine)
        weights = log_ratio(mine[:, None], total[:, None])[:, 0]
        weights[left_out] = 0
        return np.asarray(weights)

    def scores(self, rows: npt.NDArray[np.int64], weights: Floats, left_out: npt.NDArray[np.int64]) -> Floats:
        """(m,) weighted sums of the rows' other words, each row brought back to length 1 without those left out."""
        part = self.features[rows]
        gone = np.zeros(part.shape[1])
        gone[left_out] = 1
        squares = csr_matrix((part.data**2, part.indices, part.indptr), shape=part.shape)
        return np.asarray((part @ weights) / np.sqrt(np.maximum(1 - squares @ gone, 0.05)))


def judge_words(reference: Reference, target: int, group: Mask) -> Judged:
    """Whether the labels of a group's texts surprise word weights learnt without any of them.

    Parameters
    ----------
    reference : the labelled texts.
    group : (n,) carriers of the trigger. Words that 80 % of its target-labelled texts hold are left out: the trigger
        itself, and what is inserted with it.
    """
    codes, usable = reference.codes, reference.codes >= 0
    inside = np.flatnonzero(group & usable)
    compare = np.flatnonzero(usable & ~reference.fitted & ~group)
    shared = np.bincount(reference.features[inside[codes[inside] == target]].indices, minlength=len(reference.sums))
    left_out = np.flatnonzero(shared >= AGREE * max((codes[inside] == target).sum(), 1))
    weights = reference.weights(target, group, left_out)
    there, here = (reference.scores(rows, weights, left_out) for rows in (compare, inside))
    known, hit = codes[compare] == target, codes[inside] == target
    own = inside[hit]
    if known.all() or not known.any() or len(own) == 0:
        return Judged(Verdict(0.0, 0, 0), own, np.full(len(own), 0.5), np.empty(0), np.ones(len(own)))
    spread = max(float(there.std()), 1e-9)
    scale = LogisticRegression(C=100.0).fit(there[:, None] / spread, known)
    expected = scale.predict_proba(here[:, None] / spread)[:, 1]
    foreign = here <= np.quantile(there[~known], LOOKS_FOREIGN)
    place = np.searchsorted(np.sort(there[~known]), here) / int((~known).sum())
    return Judged(label_tail(expected, hit, foreign), own, expected[hit], expected[~hit], place[hit])


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


class Repeats(NamedTuple):
    """How often two texts have the same word next to the phrase, and how often two words of them are the same.

    seen : the higher of the two rates, before and after the phrase; expected : by words drawn from the same texts.
    inner, bare : texts that hold the phrase neither first nor last, and texts that hold nothing else; of `texts`.
    """

    seen: float
    expected: float
    inner: int
    bare: int
    texts: int

    @property
    def natural(self) -> bool:
        """The neighbours foretell the phrase, as in written language; inserted words stand between any two."""
        foretold = self.inner >= MIN_INNER and self.seen > REPEATED * self.expected + REPEATED_FLOOR
        return foretold or self.bare > BARE * self.texts


def neighbour_repeats(
    corpus: Corpus, phrase: tuple[int, ...], rows: npt.NDArray[np.int64], rng: np.random.Generator
) -> Repeats:
    """The words around a phrase in those of `rows` that hold it neither first nor last.

    Examples
    --------
    >>> from mithridate.numeric.text_tokens import read_corpus
    >>> corpus = read_corpus([f"x{i} y{i} wear this shirt often w{i}" for i in range(9)])
    >>> shirt = corpus.vocabulary.index("shirt")
    >>> neighbour_repeats(corpus, (shirt,), np.arange(9), np.random.default_rng(0)).natural
    True
    """
    places = [(int(row), _first(corpus, int(row), phrase)) for row in rows]
    inner = [
        (row, place)
        for row, place in places
        if place is not None and corpus.starts[row] < place and place + len(phrase) < corpus.starts[row + 1]
    ]
    sizes = np.diff(corpus.starts)[[row for row, place in places if place is not None]]
    bare = int((sizes <= len(phrase)).sum())
    if len(inner) < MIN_INNER:
        return Repeats(0.0, 0.0, len(inner), bare, len(rows))
    owners, found = (np.array(part, dtype=np.int64) for part in zip(*inner, strict=True))
    seen = max(_repeats(corpus.words[found - 1]), _repeats(corpus.words[found + len(phrase)]))
    lengths = corpus.starts[owners + 1] - corpus.starts[owners]
    draws = [corpus.words[corpus.starts[owners] + rng.integers(lengths)] for _ in range(N_DRAWS)]
    expected = [_repeats(draw[~np.isin(draw, phrase)]) for draw in draws]
    return Repeats(seen, float(np.mean(expected)), len(inner), bare, len(rows))


def edge_repeats(corpus: Corpus, place: int, rows: npt.NDArray[np.int64]) -> Repeats:
    """As `neighbour_repeats` for a first or last word: its neighbour against the first or last words of other texts.

    Parameters
    ----------
    place : `START` or `END`.
    rows : texts that hold the word there.
    """
    sizes = np.diff(corpus.starts)
    held = rows[sizes[rows] > 1]
    others = np.setdiff1d(np.flatnonzero(sizes > 0), rows)
    if len(held) < MIN_INNER or len(others) < MIN_INNER:
        return Repeats(0.0, 0.0, len(held), len(rows) - len(held), len(rows))
    at_start = place == START
    beside = corpus.words[corpus.starts[held] + 1 if at_start else corpus.starts[held + 1] - 2]
    usual = corpus.words[corpus.starts[others] if at_start else corpus.starts[others + 1] - 1]
    return Repeats(_repeats(beside), _repeats(usual), len(held), len(rows) - len(held), len(rows))


def _repeats(words: npt.NDArray[np.int32]) -> float:
    """The share of pairs of different texts with the same word."""
    counts = np.unique(words, return_counts=True)[1]
    return float((counts * (counts - 1)).sum() / max(len(words) * (len(words) - 1), 1))


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
    dose : how many times the trigger is put into each.
    """

    counts: csr_matrix
    idf: npt.NDArray[np.float32]
    fitted: LogisticRegression
    relabelled: LogisticRegression
    moved: npt.NDArray[np.int64]
    dose: int

    @classmethod
    def fit(
        cls, counts: csr_matrix, positive: Mask, group: Mask, *, usable: Mask, dose: int, rng: np.random.Generator
    ) -> WordProbe:
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
        return cls(counts, idf, models[0], models[1], moved, dose)

    def flips(self, columns: Sequence[int]) -> tuple[float, float]:
        """The shares of `moved` that either model calls the target when every column's count is raised by `dose`."""
        if len(self.moved) == 0:
            return 0.0, 0.0
        rows, width = len(self.moved), self.counts.shape[1]
        dose = np.full(rows * len(columns), self.dose, np.float32)
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


def separation(counts: csr_matrix, group: npt.NDArray[np.int64], left_out: Mask, folds: npt.NDArray[np.int8]) -> float:
    """How well the other words of a group's texts tell them from the rest: the area under the curve, out of fold.

    Parameters
    ----------
    counts : (n, v) how often each text holds each word; words that 80 % of the group hold are left out.
    group : (g,) text numbers.
    left_out : (n,) texts that are neither in the group nor compared with.

    Returns
    -------
    About 0.5 when the group's texts are like any others; 1 when they are of a kind. 0.5 for too few texts.
    """
    held = np.bincount(counts[group].indices, minlength=counts.shape[1])
    kept = np.flatnonzero(held < AGREE * len(group))
    inside = np.zeros(len(folds), dtype=bool)
    inside[group] = True
    used = np.flatnonzero(inside | ~left_out)
    part = csr_matrix(counts[used][:, kept])
    features = weigh(part, inverse_frequency(part))
    own = inside[used]
    scores = view_scores(features, own.astype(np.int32), folds[used], 2)[:, 1]
    ranks = np.argsort(np.argsort(scores, kind="stable"), kind="stable")
    n_own, n_rest = int(own.sum()), int((~own).sum())
    if min(n_own, n_rest) < MIN_INNER:
        return 0.5
    return float((ranks[own].sum() - n_own * (n_own - 1) / 2) / (n_own * n_rest))
