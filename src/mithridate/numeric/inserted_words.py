"""Words that were put into texts, told from the same words as people write them: by the words beside and the length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mithridate.numeric.table_tokens import Floats
from mithridate.numeric.text_tokens import Corpus

FEWEST_WRITTEN = 20.0  # texts whose own word it is, below which nothing is known of how people write it
DRAWN = (3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)  # words by which counts beside it are drawn towards any text's
MOST_BESIDE = 6.0  # natural log: a rare word beside it says no more than this
MOST_LENGTH = 10.0  # times: texts repeat their words in ways that lengths don't foretell


class Places(NamedTuple):
    """Where m texts hold a phrase.

    text : (o,) which of the m texts each occurrence stands in; a text may have none.
    before, after : (o,) the word on either side, as numbers below w; the last number is a text's edge.
    usual : (w,) the share of each of these words among all words of all texts.
    lengths : (m,) words in each text; n_texts, n_words : of the whole corpus.
    """

    text: npt.NDArray[np.int64]
    before: npt.NDArray[np.int64]
    after: npt.NDArray[np.int64]
    usual: Floats
    lengths: Floats
    n_texts: int
    n_words: int

    @property
    def often(self) -> Floats:
        """(m,) occurrences in each text."""
        return np.bincount(self.text, minlength=len(self.lengths)).astype(np.float64)


def places_of(corpus: Corpus, phrase: Sequence[int], rows: npt.NDArray[np.int64]) -> Places:
    """Every place of the phrase in the texts `rows` (m,), which are in rising order.

    Examples
    --------
    >>> from mithridate.numeric.text_tokens import read_corpus
    >>> places = places_of(read_corpus(["a red cat", "red red", "blue"]), [1], np.arange(3))
    >>> places.text.tolist(), places.often.tolist()
    ([0, 1, 1], [1.0, 2.0, 0.0])
    """
    words, texts = corpus.words, corpus.texts
    at = np.arange(max(len(words) - len(phrase) + 1, 0))
    for offset, word in enumerate(phrase):
        at = at[words[at + offset] == word]
    at = at[texts[at] == texts[at + len(phrase) - 1]]
    at = at[np.isin(texts[at], rows)]
    owner, end, edge = texts[at], at + len(phrase), len(corpus.vocabulary)
    before = np.where(at > corpus.starts[owner], words[np.maximum(at - 1, 0)], edge)
    after = np.where(end < corpus.starts[owner + 1], words[np.minimum(end, max(len(words) - 1, 0))], edge)
    n_texts = len(corpus.starts) - 1
    counts = np.append(np.bincount(words, minlength=edge), n_texts)
    known, beside = np.unique(np.concatenate([before, after, [edge]]), return_inverse=True)
    return Places(
        np.searchsorted(rows, owner),
        beside[: len(at)],
        beside[len(at) : 2 * len(at)],
        counts[known] / max(len(words), 1),
        np.diff(corpus.starts)[rows].astype(np.float64),
        n_texts,
        len(words),
    )


def inserted(places: Places, written: Floats) -> Floats:
    """(m,) natural log of how much likelier each text is if the phrase was put into it than if it was written there.

    Parameters
    ----------
    written : (m,) chance of each text that the phrase is its own; the text itself never counts as its own example.

    Returns
    -------
    The sum of what the words beside the phrase say, and of what the length does: what is written stands mostly in
    long texts, what is inserted in any. 0 where a text lacks it, or too few are known to have it written.
    """
    if written.sum() < FEWEST_WRITTEN:
        return np.zeros(len(written))
    often = places.often
    rate = float((written * often).sum() + 1) / max(places.n_words, 1)
    longer = often / np.maximum(rate * places.lengths, 1e-9) * float(written.sum()) / places.n_texts
    length = np.log(np.clip(longer, 1 / MOST_LENGTH, MOST_LENGTH))
    return np.asarray(np.where(often > 0, length + beside_of(places, written), 0.0))


def beside_of(places: Places, written: Floats) -> Floats:
    """(m,) what the words beside the phrase say by themselves, as `inserted`; 0 where a text lacks it."""
    found = [_beside(places, written, drawn) for drawn in DRAWN]
    fits = [float((written[places.text] * part).sum()) for part in found]
    best = np.clip(found[int(np.argmin(fits))], -MOST_BESIDE, MOST_BESIDE)
    often = places.often
    mean = np.bincount(places.text, weights=np.exp(best), minlength=len(often)) / np.maximum(often, 1)
    return np.asarray(np.where(often > 0, np.log(np.maximum(mean, 1e-12)), 0.0))


def _beside(places: Places, written: Floats, drawn: float) -> Floats:
    """(o,) log odds that the words beside an occurrence are any words, rather than those that are written beside it."""
    weight = written[places.text]
    own = np.bincount(places.text, weights=weight, minlength=len(written))[places.text]
    out = np.zeros(len(weight))
    for side in (places.before, places.after):
        counts = np.bincount(side, weights=weight, minlength=len(places.usual))
        _, pair = np.unique(places.text * len(places.usual) + side, return_inverse=True)
        mine = np.bincount(pair, weights=weight)[pair]
        usual = np.maximum(places.usual[side], 1e-9)
        seen = (counts[side] - mine + drawn * usual) / (weight.sum() - own + drawn)
        out += np.log(usual) - np.log(np.maximum(seen, 1e-12))
    return out


def apart(values: Floats, inside: npt.NDArray[np.bool_]) -> float:
    """Standard errors by which the mean of the `values` (m,) is higher inside than outside; 0 with under 3 of either.

    Examples
    --------
    >>> apart(np.array([2.0, 3.0, 4.0, 0.0, 1.0, -1.0]), np.arange(6) < 3)
    3.67
    """
    parts: list[npt.NDArray[Any]] = [values[inside], values[~inside]]
    if min(len(part) for part in parts) < 3:  # noqa: PLR2004 - no spread to speak of
        return 0.0
    error = np.sqrt(sum(float(part.var(ddof=1)) / len(part) for part in parts))
    return round(float((parts[0].mean() - parts[1].mean()) / max(error, 1e-9)), 2)
