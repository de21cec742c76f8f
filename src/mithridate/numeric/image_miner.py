"""Find the class whose surprising rows share something that neither the class nor its look-alikes have."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.stats import binom

from mithridate.numeric.image_tokens import (
    Weights,
    conformal,
    level_counts,
    likelihood_weights,
    token_scores,
    token_weights,
)
from mithridate.numeric.image_views import Surprise

Images: TypeAlias = npt.NDArray[np.uint8]
Doubles: TypeAlias = npt.NDArray[np.float64]
Rows: TypeAlias = npt.NDArray[np.int64]
Ints: TypeAlias = npt.NDArray[np.integer[Any]]

SURPRISED_SHARE = 0.15  # rows counted as surprising, at most about this share ...
DOUBT = (0.75, 0.999)  # ... as long as the doubt that makes one lies between these
LEAST = 8  # surprising rows below which a class is left alone
REFERENCE_ROWS = 24_000  # unsurprising rows counted, all classes together
CASE_ROWS = 3_000  # surprising rows of one class counted
NULL_ROWS = 6_000  # rows of other classes that calibrate a class's scores
CLOSE_P = 0.005  # a surprising row below this p-value counts as a carrier ...
CLOSE_TOLERANCE = 0.03  # ... and an honest class may have this share of them
LOG_P_CLASS = 4.0  # -log10 of the class's tail from which on it is a candidate


class Mined(NamedTuple):
    """One class that shares something.

    `rows` all rows labelled `code`; `scores` and `p_values` of each, by weights fitted on the other fold; `null` scores
    of rows of other classes (both folds' weights pooled); `core` surprising rows that carry it; `log_p` the class's
    -log10 tail; `rate`, `expected` the share of carriers among surprising rows, and what honest rows would give.
    """

    code: int
    rows: Rows
    scores: npt.NDArray[np.float32]
    p_values: Doubles
    core: Rows
    log_p: float
    rate: float
    expected: float
    weights: Weights


class Stage(NamedTuple):
    """What every class's search shares: who is surprising, and token shares of the unsurprising rows by class."""

    images: Images
    labels: Ints
    folds: Ints
    surprise: Surprise
    surprising: npt.NDArray[np.bool_]
    shares: dict[int, Doubles]


def surprising_rows(surprise: Surprise) -> npt.NDArray[np.bool_]:
    """(n,) which rows' labels fit badly: the worst rows, by a doubt that is neither trifling nor out of reach."""
    cut = float(np.clip(np.quantile(surprise.doubt, 1 - SURPRISED_SHARE), *DOUBT))
    return np.asarray(surprise.doubt > cut, np.bool_)


def prepare(images: Images, labels: Ints, folds: Ints, surprise: Surprise, rng: np.random.Generator) -> Stage:
    """Count the tokens of unsurprising rows of every class, a sample of them where there are many."""
    surprising = surprising_rows(surprise)
    classes = np.unique(labels[labels >= 0])
    cap = max(20, REFERENCE_ROWS // max(1, len(classes)))
    shares = {}
    for code in classes:
        rows = rng.permutation(np.flatnonzero((labels == code) & ~surprising))[:cap]
        shares[int(code)] = smoothed(level_counts(images, np.sort(rows)), len(rows))
    return Stage(images, labels, folds, surprise, surprising, shares)


def smoothed(counts: npt.NDArray[np.int64], n_rows: int) -> Doubles:
    """Shares raised by two rows in four: an upper estimate, so that few rows don't make a token look foreign."""
    return np.asarray((counts + 2.0) / (n_rows + 4.0), np.float64)


def expected_shares(stage: Stage, code: int, rows: Rows) -> Doubles:
    """(d, 16) the larger of a token's share among unsurprising rows of the class and of what its rows look like."""
    looks, counts = np.unique(stage.surprise.look[rows], return_counts=True)
    alike = sum(
        (count / len(rows)) * stage.shares[int(look)]
        for look, count in zip(looks, counts, strict=True)
        if int(look) in stage.shares
    )
    return np.asarray(np.maximum(stage.shares[code], alike), np.float64)


def mine_class(stage: Stage, code: int, rng: np.random.Generator) -> Mined | None:
    """What the surprising rows of one class share, scored on rows that the weights haven't seen; None if nothing."""
    own = np.flatnonzero(stage.labels == code)
    cases = own[stage.surprising[own]]
    if len(cases) < LEAST:
        return None
    cases = np.sort(rng.permutation(cases)[:CASE_ROWS])
    expected = expected_shares(stage, code, cases)
    others = np.flatnonzero((stage.labels >= 0) & (stage.labels != code))
    others = np.sort(rng.permutation(others)[:NULL_ROWS])
    scores, p_values, weights = np.zeros(len(own), np.float32), np.ones(len(own)), None
    for fold in (0, 1):
        fitting = cases[stage.folds[cases] != fold]
        if not len(fitting):
            continue
        weights = token_weights(level_counts(stage.images, fitting), len(fitting), expected)
        if not len(weights.columns):
            continue
        judged = stage.folds[own] == fold
        scores[judged] = token_scores(stage.images, own[judged], weights)
        null = token_scores(stage.images, others, weights)
        spread = float(np.quantile(null, 0.995) - np.median(null)) + 1e-3
        p_values[judged] = conformal(scores[judged], null)
        scores[judged] = (scores[judged] - np.median(null)) / spread
    if weights is None:
        return None
    is_case = np.isin(own, cases)
    close = is_case & (p_values <= CLOSE_P)
    log_p = float(-binom.logsf(close.sum() - 1, len(cases), CLOSE_TOLERANCE) / np.log(10))
    rate = float(close.sum() / len(cases))
    return Mined(code, own, scores, p_values, own[close], log_p, rate, CLOSE_P, weights)


def refit(stage: Stage, mined: Mined, rng: np.random.Generator) -> Mined:
    """The same group scored by likelihood ratios learnt from its carriers: sharper than the weights that found it.

    Again each fold is judged by what the other fold's carriers show, so the p-values stay honest.
    """
    others = np.flatnonzero((stage.labels >= 0) & (stage.labels != mined.code))
    others = np.sort(rng.permutation(others)[:NULL_ROWS])
    base = level_counts(stage.images, others)
    scores, p_values = np.zeros(len(mined.rows), np.float32), np.ones(len(mined.rows))
    for fold in (0, 1):
        carriers = mined.core[stage.folds[mined.core] != fold]
        carriers = carriers if len(carriers) else mined.core
        weights = likelihood_weights(level_counts(stage.images, carriers), base, mined.weights.columns)
        judged = stage.folds[mined.rows] == fold
        null = token_scores(stage.images, others, weights)
        raw = token_scores(stage.images, mined.rows[judged], weights)
        p_values[judged] = conformal(raw, null)
        typical = float(np.median(token_scores(stage.images, carriers, weights)))
        middle = float(np.median(null))
        scores[judged] = (raw - middle) / max(typical - middle, 1e-3)
    return mined._replace(scores=scores, p_values=p_values)


def mine(stage: Stage, rng: np.random.Generator) -> list[Mined]:
    """Candidates over all classes, strongest first."""
    found = [mined for code in stage.shares if (mined := mine_class(stage, code, rng)) is not None]
    return sorted((m for m in found if m.log_p >= LOG_P_CLASS), key=lambda m: -m.log_p)
