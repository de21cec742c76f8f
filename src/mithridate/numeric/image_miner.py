"""Find the class whose surprising rows share something that neither the class nor its look-alikes have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from mithridate.numeric.binomial import surprise
from mithridate.numeric.image_probe import fit_probe
from mithridate.numeric.image_tokens import (
    Weights,
    conformal,
    level_counts,
    likelihood_weights,
    token_places,
    token_scores,
    token_weights,
)
from mithridate.numeric.image_views import Surprise, one_hot
from mithridate.numeric.image_words import word_counts, word_scores

Images: TypeAlias = npt.NDArray[np.uint8]
Floats: TypeAlias = npt.NDArray[np.float32]
Doubles: TypeAlias = npt.NDArray[np.float64]
Rows: TypeAlias = npt.NDArray[np.int64]
Flags: TypeAlias = npt.NDArray[np.bool_]
Ints: TypeAlias = npt.NDArray[np.integer[Any]]

SURPRISED_SHARE = 0.15  # rows counted as surprising, at most about this share ...
DOUBT = (0.75, 0.999)  # ... as long as the doubt that makes one lies between these
LEAST = 8  # surprising rows below which a class is left alone
REFERENCE_ROWS = 12_000  # unsurprising rows counted, all classes together
WORD_SHARE = 2  # of them, one in so many for patch words, which take longer to count
CASE_ROWS = 2_000  # surprising rows of one class counted
NULL_ROWS = 4_000  # rows of other classes that calibrate a class's scores
CLOSE = ((0.002, 0.02), (0.005, 0.03), (0.02, 0.08), (0.05, 0.15))  # carriers by p-value, and the share tolerated
OVERLAY = "overlay"  # name of the tokens of a find that is a direction, not a list of tokens
CLOSE_P = 0.005  # p-value below which a row counts as a carrier once the group is known
ASKED = 300  # rows of each kind asked how well the label fits
FOREIGN_TRAIN = 2_000  # rows the probe that never saw a carrier is fitted on
LEAST_FOREIGN = 0.5, 0.35  # how foreign carriers are to their label at least, plain and less 1.5 standard errors
COVERED = 0.4  # share of the pixels from which on a group shares an overlay, not a patch
LEAST_TRUSTED, TRUSTED_NULL = 50, 400  # trusted rows of a class that say what it has, of all that say what chance gives
ANY = -1  # in place of a class: all rows, whatever their label
LOG_P_CLASS = 4.0  # -log10 of the class's tail from which on it is a candidate
ROUNDS = 3  # refits, each with the carriers that the last one showed
BASE_ROWS = 2_000  # rows of other classes that say how common a token is, once the group is known


class Proposal(NamedTuple):
    """A reason to look at rows: `score` (n,) higher is odder (nan: not asked), `cases` (n,) the odd ones."""

    name: str
    score: Floats
    cases: Flags


class Tokens(NamedTuple):
    """A kind of token: how many rows have each, what rows score by the weights of some, a carrier's least score.

    `sure` is the p-value up to which a row may be flagged: small for kinds that honest rows come close to. One row in
    `part` is counted while searching: kinds that take long to count.
    """

    name: str
    tally: Callable[[Images, Rows], npt.NDArray[np.int64]]
    score: Callable[[Images, Rows, Weights], Floats]
    near: float
    sure: float
    part: int = 1


PIXELS = Tokens("pixels", level_counts, token_scores, 0.7, CLOSE_P)
WORDS = Tokens("words", word_counts, word_scores, 0.4, CLOSE_P / 5, 2)


class Stage(NamedTuple):
    """What every class's search shares: who is odd and why, and what ordinary rows of each class have."""

    images: Images
    labels: Ints
    folds: Ints
    surprise: Surprise
    surprising: Flags
    searches: tuple[tuple[Tokens, Proposal], ...]
    shares: dict[tuple[str, int], Doubles]
    n_classes: int
    trusted: Flags


class Mined(NamedTuple):
    """One class that shares something.

    `rows` all rows labelled `code`; `scores` of each (0: like other classes' rows, 1: like a carrier) and `p_values`,
    both by weights fitted on the other fold; `core` the odd rows that carry it; `log_p` the class's -log10 tail; `rate`
    and `expected` the share of carriers among odd rows, and the share tolerated; `foreign` how far the carriers' doubt
    is from honest rows of the class (0) towards rows of other classes given this label (1), `foreign_error` its
    standard error. `fits`: the carriers' content belongs to the class, so their labels are right.
    """

    code: int
    tokens: Tokens
    rows: Rows
    scores: Floats
    p_values: Doubles
    core: Rows
    log_p: float
    rate: float
    expected: float
    weights: Weights
    foreign: float = 0.0
    foreign_error: float = 1.0
    fits: bool = False

    @property
    def out_of_place(self) -> bool:
        """The carriers' content belongs to other classes, as in dirty-label poison."""
        return self.foreign >= LEAST_FOREIGN[0] and self.foreign - 1.5 * self.foreign_error >= LEAST_FOREIGN[1]

    @property
    def at_home(self) -> bool:
        """The carriers' content belongs to the class: looking closer won't make it foreign."""
        return self.foreign + 1.5 * self.foreign_error < LEAST_FOREIGN[1]

    @property
    def carriers(self) -> Rows:
        """Rows of the class that carry it, by score and p-value."""
        return self.rows[(self.scores >= self.tokens.near) & (self.p_values <= CLOSE_P)]


def prepare(
    images: Images,
    labels: Ints,
    folds: Ints,
    surprise: Surprise,
    *,
    n_classes: int,
    trusted: Flags,
    rng: np.random.Generator,
) -> Stage:
    """Say which rows are odd, and count the tokens of ordinary rows of every class (a sample where there are many).

    Where enough of a class's rows are `trusted` (n,), those are its ordinary rows.
    """
    surprising = _worst(surprise.doubt, DOUBT)
    doubt = Proposal("doubt", surprise.doubt, surprising)
    searches = ((PIXELS, doubt), (WORDS, doubt))
    classes = np.unique(labels[labels >= 0])
    cap = max(20, REFERENCE_ROWS // max(1, len(classes)))
    shares = {}
    for code in classes:
        sure = np.flatnonzero((labels == code) & trusted)
        rows = sure if len(sure) >= LEAST_TRUSTED else np.flatnonzero((labels == code) & ~surprising)
        rows = np.sort(rng.permutation(rows)[:cap])
        for tokens, part in ((PIXELS, rows), (WORDS, rows[: max(20, cap // WORD_SHARE)])):
            shares[tokens.name, int(code)] = smoothed(tokens.tally(images, part), len(part))
    return Stage(images, labels, folds, surprise, surprising, searches, shares, n_classes, trusted)


def _worst(score: Floats, bounds: tuple[float, float]) -> Flags:
    cut = float(np.clip(np.nanquantile(score, 1 - SURPRISED_SHARE), *bounds))
    return np.asarray(np.nan_to_num(score, nan=-1.0) > cut, np.bool_)


def smoothed(counts: npt.NDArray[np.int64], n_rows: int) -> Doubles:
    """Shares raised by two rows in four: an upper estimate, so that few rows don't make a token look foreign."""
    return np.asarray((counts + 2.0) / (n_rows + 4.0), np.float64)


def _expected(
    stage: Stage, search: tuple[Tokens, Proposal], own: Rows, cases: Rows, rng: np.random.Generator
) -> Doubles:
    """The larger of a token's share among the class's least odd half and in what its odd rows look like."""
    tokens, proposal = search
    asked = own[np.isfinite(proposal.score[own])]
    least = asked[np.argsort(proposal.score[asked], kind="stable")[: max(len(asked) // 2, 1)]]
    least = rng.permutation(least)[: NULL_ROWS // 4 // tokens.part]
    certain = smoothed(tokens.tally(stage.images, np.sort(least)), len(least))
    looks, counts = np.unique(stage.surprise.look[cases], return_counts=True)
    alike = sum(
        (count / len(cases)) * stage.shares[tokens.name, int(look)]
        for look, count in zip(looks, counts, strict=True)
        if (tokens.name, int(look)) in stage.shares
    )
    return np.asarray(np.maximum(certain, alike), np.float64)


def mine_class(
    stage: Stage, search: tuple[Tokens, Proposal], code: int, *, free: Flags, rng: np.random.Generator
) -> Mined | None:
    """What the odd rows of one class share, scored on rows that the weights haven't seen; None if nothing.

    `free` (n,) marks rows that no trigger found before explains.
    """
    tokens, proposal = search
    own = np.flatnonzero((stage.labels >= 0 if code == ANY else stage.labels == code) & free)
    cases = own[proposal.cases[own]]
    if len(cases) < LEAST:
        return None
    cases = np.sort(rng.permutation(cases)[: CASE_ROWS // tokens.part])
    expected = _expected(stage, search, own, cases, rng)
    own = cases if code == ANY else own  # the others are scored once it is known that there is something
    others = other_rows(stage, code, rng)[:: tokens.part]
    scores, p_values, weights = np.zeros(len(own), np.float32), np.ones(len(own)), None
    for fold in (0, 1):
        fitting = cases[stage.folds[cases] != fold]
        found = token_weights(tokens.tally(stage.images, fitting), len(fitting), expected)
        if not len(found.columns):
            continue
        weights = found if weights is None or found.log_p > weights.log_p else weights
        judged = stage.folds[own] == fold
        scores[judged], p_values[judged] = _judge(stage, tokens, own[judged], others, found)
    if weights is None:
        return None
    is_case = np.isin(own, cases)
    log_p, rate, allowed, cut = class_tail(p_values[is_case])
    core = own[is_case & (p_values <= cut)]
    return Mined(code, tokens, own, scores, p_values, core, log_p, rate, allowed, weights)


def class_tail(p_values: Doubles) -> tuple[float, float, float, float]:
    """(-log10 tail, share of carriers, share tolerated, carrier p-value) where a class's odd rows stand out most."""
    tails = []
    for cut, allowed in CLOSE:
        close = int((p_values <= cut).sum())
        tail = float(surprise(close, len(p_values), allowed))
        tails.append((tail, close / len(p_values), allowed, cut))
    return max(tails)


def other_rows(stage: Stage, code: int, rng: np.random.Generator) -> Rows:
    """A sample of the rows of other classes, ascending: what chance alone gives.

    Where the class is `ANY`, of the half of all rows whose labels fit best. Trusted rows, of whatever class, take the
    place of either if there are enough.
    """
    if stage.trusted.sum() >= TRUSTED_NULL:
        return np.asarray(np.sort(rng.permutation(np.flatnonzero(stage.trusted))[:NULL_ROWS]), np.int64)
    if code == ANY:
        known = np.flatnonzero(stage.labels >= 0)
        doubt = stage.surprise.doubt[known]
        return np.asarray(np.sort(rng.permutation(known[doubt <= np.median(doubt)])[:NULL_ROWS]), np.int64)
    rows = np.flatnonzero((stage.labels >= 0) & (stage.labels != code))
    return np.asarray(np.sort(rng.permutation(rows)[:NULL_ROWS]), np.int64)


def _judge(stage: Stage, tokens: Tokens, rows: Rows, others: Rows, weights: Weights) -> tuple[Floats, Doubles]:
    null = tokens.score(stage.images, others, weights)
    raw = tokens.score(stage.images, rows, weights)
    spread = float(np.quantile(null, 0.995) - np.median(null)) + 1e-3
    return np.asarray((raw - np.median(null)) / spread, np.float32), conformal(raw, null)


def refit(stage: Stage, mined: Mined, rng: np.random.Generator) -> Mined:
    """The same group scored by likelihood ratios learnt from its carriers: sharper than the weights that found it.

    Again each fold is judged by what the other fold's carriers show, so the p-values stay honest. Repeated with the
    carriers that the last round showed, so that rows whose label didn't look odd come in too.
    """
    others = other_rows(stage, mined.code, rng)
    base = mined.tokens.tally(stage.images, np.sort(rng.permutation(others)[:BASE_ROWS]))
    for turn in range(ROUNDS):
        mined = refitted(stage, mined, others, base)
        if len(mined.carriers) < LEAST or set(mined.carriers) == set(mined.core):
            return mined if turn == 1 else with_foreign(stage, mined, rng)  # the same carriers were asked just now
        mined = mined._replace(core=mined.carriers)
        if turn == 0:
            mined = with_foreign(stage, mined, rng)
            if mined.at_home:
                return mined
    return with_foreign(stage, mined, rng)


def refitted(stage: Stage, mined: Mined, others: Rows, base: npt.NDArray[np.int64]) -> Mined:
    """One round: each fold's rows scored by likelihood ratios of the other fold's carriers against `base` counts."""
    scores, p_values = np.zeros(len(mined.rows), np.float32), np.ones(len(mined.rows))
    for fold in (0, 1):
        carriers = mined.core[stage.folds[mined.core] != fold]
        carriers = carriers if len(carriers) else mined.core
        weights = likelihood_weights(mined.tokens.tally(stage.images, carriers), base, mined.weights.columns)
        judged = stage.folds[mined.rows] == fold
        null = mined.tokens.score(stage.images, others, weights)
        raw = mined.tokens.score(stage.images, mined.rows[judged], weights)
        middle = float(np.median(null))
        typical = float(np.median(mined.tokens.score(stage.images, carriers, weights))) - middle
        scores[judged], p_values[judged] = (raw - middle) / max(typical, 1e-3), conformal(raw, null)
    return mined._replace(scores=scores, p_values=p_values)


def _hidden(stage: Stage, mined: Mined) -> Callable[[Rows], Images]:
    """Images of rows with the trigger's own pixels blanked: the probe is to judge what is around them.

    Not for an overlay, which is everywhere, nor for a patch that moves.
    """
    shape = stage.images.shape[1:]
    places = np.zeros(shape[:2], np.bool_)
    if mined.tokens.name == PIXELS.name:
        places = token_places(mined.weights.columns, shape)
    if places.mean() > COVERED:
        places[:] = False

    def take(rows: Rows) -> Images:
        images = stage.images[rows]
        images[:, places] = 0
        return images

    return take


def with_foreign(stage: Stage, mined: Mined, rng: np.random.Generator) -> Mined:
    """How foreign the carriers' content is to their label, for a probe that never saw a carrier.

    In units of the distance between other rows of the class (0) and rows of other classes (1), by ranks.
    """
    carriers = rng.permutation(mined.core)[:ASKED]
    near = (mined.p_values <= CLOSE[2][0]) & (mined.scores >= mined.tokens.near / 2)  # a carrier, or too like one
    rest = rng.permutation(_without(np.flatnonzero(stage.labels >= 0), mined.rows[near], len(stage.labels)))
    mine = stage.labels[rest] == mined.code
    honest, outside = rest[mine], rest[~mine]
    honest = honest[: min(ASKED, len(honest) // 2)]
    if not len(carriers) or not len(honest):
        return mined
    ask = np.concatenate([carriers, honest, outside[:ASKED]])
    train = _without(rest, ask, len(stage.labels))
    train = rng.permutation(train)[:FOREIGN_TRAIN]
    hidden = _hidden(stage, mined)
    probe = fit_probe(hidden(train), (one_hot(stage.labels[train], stage.n_classes),), rng)
    belief = (probe.features(hidden(ask)) @ probe.weights[0])[:, mined.code]
    return ranked(mined, belief, len(carriers), len(honest))


def _without(rows: Rows, others: Rows, n_rows: int) -> Rows:
    """The rows that are not among the others, ascending; all are positions below `n_rows`, so nothing is searched."""
    left = np.zeros(n_rows, np.bool_)
    left[rows] = True
    left[others] = False
    return np.flatnonzero(left)


def ranked(mined: Mined, belief: Floats, n_carriers: int, n_honest: int) -> Mined:
    """The find with its carriers' place between honest rows (0) and outsiders (1), by the ranks of a probe's belief.

    `belief` holds the carriers' first, then the honest rows', then the outsiders'.
    """
    scale = np.sort(belief[n_carriers:])
    ranks = 1 - np.searchsorted(scale, belief) / len(scale)
    here, low, high = np.split(ranks, (n_carriers, n_carriers + n_honest))
    width = max(float(high.mean() - low.mean()), 0.02)
    error = float(np.sqrt(sum(part.var() / len(part) for part in (here, low, high)))) / width
    return mined._replace(foreign=float(here.mean() - low.mean()) / width, foreign_error=error)
