"""Texts as words and word pairs, and which of them texts share whose label surprises a model that can't see them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, diags, hstack

from mithridate.numeric.table_tokens import LEAK, LEAK_ROOM, Floats, Mask, upper_tail

WORD = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]|\w+|[^\w\s\x00-\x7f]")
MAX_WORDS = 20_000
MIN_TEXTS = 3
MIN_PAIR_TEXTS = 5
MIN_GROUP = 5
MIN_CONTRAST = 12
SAME_TEXTS = 0.7
TOLERANCE = 1.5
FLOOR = 0.002
LOOKS_FOREIGN = 0.75
SMOOTH = 0.05
START, END = -2, -3  # a token that is a text's first word, its last


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """n texts as word numbers in reading order.

    words : (N,) word numbers of all texts one after the other; starts : (n + 1,) where each text begins.
    vocabulary : the v words; rare words are there too.
    """

    words: npt.NDArray[np.int32]
    starts: npt.NDArray[np.int64]
    vocabulary: tuple[str, ...]

    @property
    def texts(self) -> npt.NDArray[np.int64]:
        """(N,) which text each word stands in."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))


def read_corpus(texts: Sequence[str]) -> Corpus:
    """Lower-case words of each text, at most 20,000 of each; a symbol outside ASCII is a word by itself.

    Examples
    --------
    >>> read_corpus(["A cat, a dog", "Dog!"]).vocabulary
    ('a', 'cat', 'dog')
    """
    numbers: dict[str, int] = {}
    flat: list[int] = []
    starts = [0]
    for text in texts:  # a loop: Python strings
        for word in WORD.findall(text.lower())[:MAX_WORDS]:
            flat.append(numbers.setdefault(word, len(numbers)))  # noqa: PERF401 - one list for all texts
        starts.append(len(flat))
    return Corpus(np.array(flat, np.int32), np.array(starts, np.int64), tuple(numbers))


class Tokens(NamedTuple):
    """Words, word pairs and first and last words that at least a few texts hold.

    counts : (n, m) sparse, how often each text holds each token; words first, then pairs, then first and last words.
    first, second : (m,) word numbers; `second` is -1 for a single word, -2 for a text's first word, -3 for its last.
    """

    counts: csr_matrix
    first: npt.NDArray[np.int32]
    second: npt.NDArray[np.int32]

    @property
    def n_words(self) -> int:
        """How many of the tokens are single words."""
        return int((self.second == -1).sum())


def count_tokens(corpus: Corpus) -> Tokens:
    """Words that 3 texts hold, and pairs of neighbouring words and first and last words that 5 hold."""
    texts, words = corpus.texts, corpus.words.astype(np.int64)
    singles, first = _count(texts, words, len(corpus.starts) - 1, MIN_TEXTS)
    size = max(len(corpus.vocabulary), 1)
    inside = texts[1:] == texts[:-1] if len(texts) else np.empty(0, bool)
    pairs, keys = _count(texts[1:][inside], (words[:-1] * size + words[1:])[inside], len(corpus.starts) - 1, 5)
    full = np.flatnonzero(np.diff(corpus.starts) > 0)
    openings, opening = _count(full, words[corpus.starts[full]], len(corpus.starts) - 1, MIN_PAIR_TEXTS)
    endings, ending = _count(full, words[corpus.starts[full + 1] - 1], len(corpus.starts) - 1, MIN_PAIR_TEXTS)
    counts = csr_matrix(hstack([singles, pairs, openings, endings], format="csr"))
    left = np.concatenate([first, keys // size, opening, ending]).astype(np.int32)
    kinds = [np.full(len(first), -1), keys % size, np.full(len(opening), START), np.full(len(ending), END)]
    return Tokens(counts, left, np.concatenate(kinds).astype(np.int32))


def _count(
    texts: npt.NDArray[np.int64], keys: npt.NDArray[np.int64], n: int, least: int
) -> tuple[csr_matrix, npt.NDArray[np.int64]]:
    distinct, inverse = np.unique(keys, return_inverse=True)
    often = np.bincount(inverse, minlength=len(distinct)) >= least
    place = np.cumsum(often) - 1
    kept = often[inverse]
    shape = (n, int(often.sum()))
    matrix = csr_matrix((np.ones(int(kept.sum()), np.float32), (texts[kept], place[inverse[kept]])), shape=shape)
    matrix.sum_duplicates()
    wide = np.bincount(matrix.indices, minlength=shape[1]) >= least
    return csr_matrix(matrix[:, wide]), distinct[often][wide]


def weigh(counts: csr_matrix, idf: npt.NDArray[np.float32]) -> csr_matrix:
    """(n, m) TF-IDF with 1 + log counts, rows of length 1."""
    weights = counts.copy()
    weights.data = (1 + np.log(weights.data)) * idf[weights.indices]
    squares = csr_matrix((weights.data**2, weights.indices, weights.indptr), shape=weights.shape)
    length = np.sqrt(np.asarray(squares.sum(axis=1)).ravel())
    return csr_matrix(diags((1 / np.maximum(length, 1e-9)).astype(np.float32)) @ weights)


def inverse_frequency(counts: csr_matrix) -> npt.NDArray[np.float32]:
    """(m,) log((n + 1) / (texts with the token + 1)) + 1."""
    held = np.bincount(counts.indices, minlength=counts.shape[1])
    return np.asarray(np.log((counts.shape[0] + 1) / (held + 1)) + 1, dtype=np.float32)


def class_weights(features: csr_matrix, hot: csr_matrix) -> Floats:
    """(m, k) log ratio of each token's share in the class to its share in the others; (n, k) `hot` is label one-hot."""
    inside = np.asarray((features.T @ hot).todense(), dtype=np.float64)
    return log_ratio(inside, inside.sum(axis=1, keepdims=True))


def log_ratio(inside: Floats, total: Floats) -> Floats:
    """(m, k) log of each token's share of the weight `inside` a class to its share of the rest of `total` (m, 1)."""
    sums, whole = inside.sum(axis=0, keepdims=True), max(float(total.sum()), 1e-9)
    smooth = SMOOTH * total / whole * len(total) + SMOOTH
    outside = (total - inside + smooth) / (whole - sums + smooth.sum())
    return np.asarray(np.log((inside + smooth) / (sums + smooth.sum())) - np.log(outside))


def one_hot(codes: npt.NDArray[np.int32], keep: Mask, n_classes: int) -> csr_matrix:
    """(n, k) 1 where a kept row has the class."""
    rows = np.flatnonzero(keep & (codes >= 0))
    shape = (len(codes), n_classes)
    return csr_matrix((np.ones(len(rows), np.float32), (rows, codes[rows])), shape=shape)


def view_scores(
    features: csr_matrix, codes: npt.NDArray[np.int32], folds: npt.NDArray[np.int8], n_classes: int
) -> Floats:
    """(n, k) how much each text looks like each class, by word weights learnt on the other folds."""
    scores = np.zeros((len(codes), n_classes))
    for fold in range(int(folds.max()) + 1):
        weights = class_weights(features, one_hot(codes, folds != fold, n_classes))
        inside = folds == fold
        scores[inside] = features[inside] @ weights
    return scores


class Found(NamedTuple):
    """One token of one class: counts among foreign-looking texts, what the others explain, -log10 of the tail."""

    target: int
    token: int
    observed: float
    expected: float
    lp: float


def foreign_texts(scores: Floats, codes: npt.NDArray[np.int32]) -> Mask:
    """(n, k) texts that look at most as much like the class as 75 % of the other classes' texts do."""
    out = np.zeros(scores.shape, dtype=bool)
    for t in range(scores.shape[1]):
        others = scores[(codes >= 0) & (codes != t), t]
        out[:, t] = scores[:, t] <= (np.quantile(others, LOOKS_FOREIGN) if len(others) else -np.inf)
    return out


def find_tokens(
    presence: csr_matrix,
    scores: Floats,
    codes: npt.NDArray[np.int32],
    columns: npt.NDArray[np.int64],
    trusted: Mask | None = None,
) -> list[Found]:
    """Tokens that a class's foreign-looking texts hold more often than any honest text explains.

    Parameters
    ----------
    presence : (n, m) sparse, 1 where the text holds the token.
    scores : (n, k) from a view that doesn't see these tokens.
    codes : (n,) class numbers, -1 where missing.
    columns : token numbers of the m columns, for the answer.
    trusted : (n,) texts whose label is right whatever they look like, so that it surprises nobody.

    Notes
    -----
    Explained is the highest of three rates: among the class's other texts, among other classes' texts that look
    foreign too, and among the classes that the surprising texts look like; times 1.5, plus 0.002.
    """
    k = scores.shape[1]
    low = foreign_texts(scores, codes)
    hot = np.asarray(one_hot(codes, codes >= 0, k).todense(), dtype=np.float32)
    known = (codes >= 0)[:, None]
    odd_looking = low if trusted is None else low & ~trusted[:, None]
    surprised, settled = hot * odd_looking, hot * ~odd_looking
    away = (low & known) * (1 - hot)
    by = presence.T @ np.concatenate([surprised, settled, away], axis=1).astype(np.float32)
    totals = np.concatenate([surprised, settled, away], axis=1).sum(axis=0)
    odd, home, far = (by[:, i * k : (i + 1) * k] for i in range(3))
    n_odd, n_home, n_far = (totals[i * k : (i + 1) * k] for i in range(3))
    mix = _mixture(scores, surprised)
    outside = np.maximum((far + 0.5) / (n_far + 1), ((home + 0.5) / (n_home + 1)) @ mix)
    # stamped texts leave a quarter of themselves in `home`: take that off, as far as it can be told from natural ones
    room = np.minimum(LEAK, LEAK_ROOM * n_home / np.maximum(n_odd, 1))
    leak = room * np.maximum(odd - TOLERANCE * outside * n_odd, 0)
    inside = (np.maximum(home - leak, 0) + 0.5) / (n_home + 1)
    rate = np.clip(TOLERANCE * np.maximum(inside, outside) + FLOOR, 0, 1)
    token, target = np.nonzero((odd >= MIN_GROUP) & (odd > 2 * rate * n_odd))
    expected = rate[token, target] * n_odd[target]
    lp = upper_tail(odd[token, target].astype(float), n_odd[target].astype(float), rate[token, target].astype(float))
    return [
        Found(int(t), int(columns[j]), float(odd[j, t]), float(e), float(p))
        for j, t, e, p in zip(token, target, expected, lp, strict=True)
        if p > 2  # noqa: PLR2004 - 1 in 100
    ]


def _mixture(scores: Floats, surprised: npt.NDArray[np.float32]) -> Floats:
    """(k, k) column t: the share of each class among those that t's surprising texts look like most."""
    k = scores.shape[1]
    mix = np.zeros((k, k))
    for t in range(k):
        others = scores[surprised[:, t] > 0].copy()
        others[:, t] = -np.inf
        if len(others) and k > 1:
            mix[:, t] = np.bincount(others.argmax(axis=1), minlength=k) / len(others)
    return mix


def contrasting_tokens(
    presence: csr_matrix, codes: npt.NDArray[np.int32], columns: npt.NDArray[np.int64], *, limit: int
) -> list[Found]:
    """Tokens that one class holds far more than the others, at most `limit` in all, no two in the same texts.

    Parameters
    ----------
    presence : (n, m) sparse, 1 where the text holds the token.
    codes : (n,) class numbers, -1 where missing.
    columns : token numbers of the m columns, for the answer.

    Notes
    -----
    Inserted words that come together hide each other: a model that lacks one sees the others. This list is for tests
    that leave out whole texts; most of it are the classes' natural words.
    """
    k = int(codes.max()) + 1
    by = np.asarray((presence.T @ one_hot(codes, codes >= 0, k)).todense(), dtype=np.float64)
    sizes = np.bincount(codes[codes >= 0], minlength=k).astype(float)
    rest = (by.sum(axis=1, keepdims=True) - by + 0.5) / (sizes.sum() - sizes + 1)
    rate = np.clip(TOLERANCE * rest + FLOOR, 0, 1)
    token, target = np.nonzero((by >= MIN_CONTRAST) & (by > 2 * rate * sizes))
    expected = rate[token, target] * sizes[target]
    lp = upper_tail(by[token, target], sizes[target], rate[token, target])
    share = max(limit // k, 3)
    order = np.argsort(-lp, kind="stable")
    held = presence.tocsc()
    out: list[Found] = []
    for t in range(k):
        seen: list[npt.NDArray[np.int32]] = []
        for i in [i for i in order[: 40 * limit] if target[i] == t]:
            texts = held.indices[held.indptr[token[i]] : held.indptr[token[i] + 1]]
            if any(len(np.intersect1d(texts, other)) > SAME_TEXTS * len(texts) for other in seen):
                continue
            seen.append(texts)
            out.append(Found(t, int(columns[token[i]]), float(by[token[i], t]), float(expected[i]), float(lp[i])))
            if len(seen) >= share:
                break
    return out
