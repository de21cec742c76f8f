"""Which labels are wrong: random flips hit every cell (row, class) alike, honest labels avoid the improbable ones."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from mithridate.numeric.label_sources import natural_slips, source_factors
from mithridate.numeric.tails import benjamini_hochberg, conformal, flag_by_odds

FloatArray: TypeAlias = npt.NDArray[np.float64]

KNEES = (0.001, 0.01, 0.1)  # probabilities below which honest labels may fall faster than above
SHAPES = 3 + len(KNEES)  # honest labels fill a cell of probability p about p^0.75, p, p^1.5 or p²/(p + knee) times
PROPORTIONAL = 1  # place of p itself among them
TOP = 0.3  # cells above this probability are ordinary
BINS_A_DECADE = 6
LEAST = 1e-12
ROUNDS = 1000
PRIOR = 0.3  # honest labels that a class pair must show before it departs from the rest
PAIR_CAP = 100.0
DRAWS = 40  # refits to counts drawn again,
SURE = 0.7  # and the share of them in which a row must be as suspect as its odds say;
SURE_TWO = 0.9  # stricter for two classes, where confusion and flips look most alike
ANCHORED = 10  # trusted rows at the far end that set the scale of the odds
IMPROBABLE = 10.0  # times as many flips as honest labels: cells that tell slips between confused classes from flips
SLIPS = 0.0003  # share of labels that even careful people get grossly wrong: honest, and never told from flips


class LabelNoise(NamedTuple):
    """What the labels say about themselves.

    `odds` (n,) that the row's label is a random flip against an honest one; 0 where the label is missing.
    `p_value` (n,): share of honest rows expected to look at least as wrong. `suggested` (n,) the best other class.
    `rate`: estimated share of labels that were flipped at random.
    """

    odds: FloatArray
    p_value: FloatArray
    suggested: npt.NDArray[np.int64]
    rate: float


class Fill(NamedTuple):
    """How often cells of probability p hold a label: `floor` + `weights` (SHAPES,) times the honest shapes of p."""

    floor: float
    weights: FloatArray

    def honest(self, probability: npt.NDArray[np.floating[Any]]) -> FloatArray:
        """Expected honest labels in a cell of this probability."""
        p = np.maximum(probability, LEAST).astype(np.float64)
        return np.asarray(sum(w * shape for w, shape in zip(self.weights, _shapes(p), strict=True)))


def _shapes(p: FloatArray) -> tuple[FloatArray, ...]:
    """How fast honest labels may thin out as cells get less probable: everywhere alike, or faster below a knee."""
    root = np.sqrt(p)
    return root * np.sqrt(root), p, p * root, *(p * (p / (p + knee)) for knee in KNEES)


class Pairs(NamedTuple):
    """(c, c) each, by the class a row looks like and its label.

    `factors`: how much oftener than other pairs' cells honest labels fill these; `confusion`: share of these cells that
    they fill.
    """

    factors: FloatArray
    confusion: FloatArray


class Histogram(NamedTuple):
    """(b,) each: cells in a bin, those that hold a label, and the bin's probability."""

    cells: FloatArray
    filled: FloatArray
    probability: FloatArray


def fit_fill(cells: FloatArray, filled: FloatArray, probability: FloatArray) -> Fill:
    """Maximum-likelihood mixture of a flat floor and rising shapes of p, for counts of cells and filled cells by p.

    Parameters
    ----------
    cells, filled : (b,) how many cells fall in each bin, and how many of them hold a label.
    probability : (b,) their mean probability.

    Returns
    -------
    Non-negative floor and weights; the problem is convex, so the answer is the global one.

    Notes
    -----
    Poisson likelihood, expectation-maximisation. A flat floor can only come from labels that ignore the content. The
    shapes with a knee are there because models blur: below some probability, honest labels are rarer than they say.

    Examples
    --------
    >>> p = 10.0 ** np.arange(-5, 0)
    >>> fit = fit_fill(np.full(5, 1e5), 1e5 * (0.002 + p), p)
    >>> round(fit.floor, 3)
    0.002
    """
    weights = _maximise(cells, filled, probability)
    return Fill(float(weights[0]), weights[1:])


def _maximise(cells: FloatArray, filled: FloatArray, probability: FloatArray) -> FloatArray:
    """Weights (..., 1 + SHAPES) for counts (..., b): the floor first."""
    basis = np.stack([np.ones(len(cells)), *_shapes(probability)])
    mass = np.maximum((basis * cells).sum(axis=1), 1e-300)
    weights = np.maximum(filled.sum(axis=-1, keepdims=True), 1e-9) / len(basis) / mass
    for _ in range(ROUNDS):
        expected = np.maximum(np.einsum("...k,kb->...b", weights, basis), 1e-300)  # BLAS rounds by memory address
        weights *= (basis * (filled / expected)[..., None, :]).sum(axis=-1) / mass
    return np.asarray(weights)


def detect_noise(
    log_probabilities: npt.NDArray[np.floating[Any]],
    codes: npt.NDArray[np.integer[Any]],
    *,
    rng: np.random.Generator | None = None,
) -> LabelNoise:
    """Odds, for every row, that its label was flipped at random rather than given in good faith.

    Parameters
    ----------
    log_probabilities : (n, c) out-of-sample log probabilities of the class that fits the content.
    codes : (n,) labels in [0, c), -1 where missing.
    rng : draws the counts again; then the odds are a lower bound (in 7 of 10 draws, 9 of 10 for two classes), not the
        likeliest value, which matters where rows or classes are few.

    Returns
    -------
    Odds, calibrated p-values, suggested classes and the estimated rate of flips.

    Notes
    -----
    A random flip puts a label into any wrong cell (row, class) alike, however improbable the model finds it; honest
    but hard rows fill cells ever more rarely as their probability p falls. So the rate of filled cells as a function
    of p is a flat floor (flips) plus rising shapes (honest), fitted without knowing which row is which. Class pairs
    that honest labels confuse more than others get a larger honest part. Blind to flips between two classes only
    when the classes can't be told apart at all. Natural label errors count as flips once p is small.

    References
    ----------
    Northcutt, Jiang and Chuang (2021), confident learning, JAIR 70. Efron (2004), large-scale simultaneous hypothesis
    testing: the choice of a null hypothesis, JASA 99.
    """
    known = np.flatnonzero(codes >= 0)
    logs, labels = log_probabilities[known], codes[known].astype(np.int64)
    rows = np.arange(len(known))
    top = np.argmax(logs, axis=1)
    own = np.exp(logs[rows, labels].astype(np.float64))
    histogram = _histogram(logs, own)
    fill = _fit_cells(histogram)
    pairs = _pair_factors(logs, labels, top, own, fill)
    sure = SURE if logs.shape[1] > 2 else SURE_TWO  # noqa: PLR2004 - two
    floor, natural = _split_floor(logs, labels, (top, own), fill, pairs)
    slips = SLIPS / max(logs.shape[1] - 1, 1)
    honest = np.where(own < TOP, fill.honest(own) * pairs.factors[top, labels], np.maximum(own, TOP)) + slips
    honest *= _caution(histogram, fill, own, slips, rng, sure=sure)
    chance = max(floor - slips, _least(slips, logs.size)) / (honest + natural)
    odds, p_value = np.zeros(len(codes)), np.ones(len(codes))
    odds[known], p_value[known] = chance, _tail(chance)
    suggested = np.full(len(codes), -1, dtype=np.int64)
    suggested[known] = _best_other(logs, labels)
    return LabelNoise(odds, p_value, suggested, min(fill.floor * (logs.shape[1] - 1), 1.0))


def _histogram(logs: npt.NDArray[np.floating[Any]], own: FloatArray) -> Histogram:
    """Bin all cells below TOP by log probability."""
    edges = np.arange(np.log10(LEAST), np.log10(TOP), 1 / BINS_A_DECADE)
    edges = np.append(edges, np.log10(TOP)) * np.log(10)
    cells = np.zeros(len(edges) - 1)
    for start in range(0, len(logs), 8192):  # in blocks: the histogram makes a copy
        cells += np.histogram(np.maximum(logs[start : start + 8192], edges[0]), edges)[0]
    filled = np.histogram(np.maximum(np.log(own), edges[0]), edges)[0].astype(np.float64)
    middle = np.exp((edges[:-1] + edges[1:]) / 2)
    seen = cells > 0
    return Histogram(cells[seen], filled[seen], middle[seen])


def _fit_cells(histogram: Histogram) -> Fill:
    if not len(histogram.cells):
        return Fill(0.0, np.eye(SHAPES)[PROPORTIONAL])
    return fit_fill(*histogram)


def _caution(
    histogram: Histogram,
    fill: Fill,
    own: FloatArray,
    slips: float,
    rng: np.random.Generator | None,
    *,
    sure: float,
) -> FloatArray:
    """(n,) >= 1: how much likelier an honest label may be, against a flip, than the best fit says."""
    cells, filled, probability = histogram
    if rng is None or not len(cells):
        return np.ones(len(own))
    drawn = _maximise(cells, rng.poisson(filled, (DRAWS, len(filled))).astype(np.float64), probability)
    shapes = np.stack(_shapes(probability))
    least = _least(slips, cells.sum())
    floor, floors = max(fill.floor - slips, least), np.maximum(drawn[:, :1] - slips, least)
    fitted = (np.einsum("k,kb->b", fill.weights, shapes) + slips) / floor
    bound = np.quantile((np.einsum("dk,kb->db", drawn[:, 1:], shapes) + slips) / floors, sure, axis=0) / fitted
    return np.asarray(np.interp(np.log(np.maximum(own, LEAST)), np.log(probability), np.maximum(bound, 1.0)))


def _least(slips: float, n_cells: float) -> float:
    """Fewest wrong labels a cell ever reckoned with: as many as careful people make, so that odds say what is likelier.

    Odds of a flip against an honest label are then at most even, which no rate below one half flags.
    """
    return max(slips, 0.5 / max(n_cells, 1))


def _pair_factors(
    logs: npt.NDArray[np.floating[Any]],
    labels: npt.NDArray[np.int64],
    top: npt.NDArray[np.int64],
    own: FloatArray,
    fill: Fill,
) -> Pairs:
    """What honest labels do in the cells of each pair of classes, flips aside."""
    n_classes = logs.shape[1]
    expected = np.zeros((n_classes, n_classes))
    for start in range(0, len(logs), 8192):
        chances = np.exp(logs[start : start + 8192].astype(np.float64))
        np.add.at(expected, top[start : start + 8192], np.where(chances < TOP, fill.honest(chances), 0))
    factors = np.ones((n_classes, n_classes))
    low = own < TOP
    pair, honest = (top[low], labels[low]), fill.honest(own[low])
    for _ in range(5):
        share = factors[pair] * honest / (factors[pair] * honest + fill.floor + 1e-300)
        found = np.zeros((n_classes, n_classes))
        np.add.at(found, pair, share)
        factors = np.clip((found + PRIOR) / (expected + PRIOR), 1 / PAIR_CAP, PAIR_CAP)
    rows = np.maximum(np.bincount(top, minlength=n_classes), 1)[:, None]
    return Pairs(factors, np.maximum(factors * (expected + PRIOR) - PRIOR, 0) / rows)


def _split_floor(
    logs: npt.NDArray[np.floating[Any]],
    labels: npt.NDArray[np.int64],
    looks: tuple[npt.NDArray[np.int64], FloatArray],
    fill: Fill,
    pairs: Pairs,
) -> tuple[float, FloatArray]:
    """Flips a cell, and (n,) honest slips in each row's cell: what of the floor follows the classes' confusion."""
    n_classes, (top, own) = logs.shape[1], looks
    steps = np.geomspace(LEAST, TOP, 200)
    improbable = steps[fill.floor > IMPROBABLE * fill.honest(steps)]
    if n_classes <= 2 or not len(improbable):  # noqa: PLR2004 - one pair each way tells nothing of pairs
        return fill.floor, np.zeros(len(labels))
    limit = float(improbable[-1])
    cells, usual = np.zeros((2, n_classes, n_classes))
    for start in range(0, len(logs), 8192):
        chances = np.exp(logs[start : start + 8192].astype(np.float64))
        np.add.at(cells, top[start : start + 8192], chances <= limit)
        np.add.at(usual, top[start : start + 8192], np.where(chances <= limit, fill.honest(chances), 0))
    deep = own <= limit
    held = np.bincount(top[deep] * n_classes + labels[deep], minlength=n_classes**2).reshape(cells.shape)
    used = cells > 0
    usual *= pairs.factors
    found = natural_slips(held[used].astype(np.float64), cells[used], pairs.confusion[used], usual[used])
    return min(found.floor, fill.floor), found.rate * pairs.confusion[top, labels]


def by_source(
    noise: LabelNoise, sources: npt.NDArray[np.integer[Any]], *, counted: npt.NDArray[np.bool_] | None = None
) -> LabelNoise:
    """The same with odds raised in sources that seem to hold more flips than the average, lowered elsewhere.

    Parameters
    ----------
    noise : as if all sources were alike.
    sources : (n,) who gave each label, -1 where unknown.
    counted : (n,) rows that may tell of their source and be moved; all by default.
    """
    able = noise.odds > 0  # a row without a label has none
    rows = np.flatnonzero(able if counted is None else able & counted)
    odds, p_value = noise.odds.copy(), noise.p_value.copy()
    odds[rows] *= source_factors(odds[rows], sources[rows])
    p_value[able] = _tail(odds[able])
    return noise._replace(odds=odds, p_value=p_value)


def calibrate(noise: LabelNoise, n_rows: int, trusted: npt.NDArray[np.integer[Any]]) -> LabelNoise:
    """What is said of the first `n_rows` rows, with p-values and odds set by rows that are known to be honest.

    Parameters
    ----------
    noise : of all rows together.
    n_rows : rows that are judged.
    trusted : (m,) positions of the trusted rows, m >= 1, beyond the judged ones.

    Returns
    -------
    p-values: a row's rank among the trusted rows, and beyond them all the fitted tail, joined on at the farthest.
    Odds: changed by the one factor that makes the fitted tail right where the farthest ten trusted rows lie.

    References
    ----------
    Bates, Candes, Lei, Romano and Sesia (2023), testing for outliers with conformal p-values, Ann. Stat. 51(1).
    """
    odds, m = noise.odds[:n_rows], len(trusted)
    far = trusted[np.argsort(-noise.odds[trusted], kind="stable")]
    p_value = conformal(odds, noise.odds[trusted])
    beyond = odds > noise.odds[far[0]]
    carried = 2 * noise.p_value[:n_rows] / noise.p_value[far[0]] / (m + 1)
    p_value = np.where(beyond, np.minimum(carried, p_value), p_value)
    count = min(ANCHORED, m)
    scale = float(np.clip(noise.p_value[far[count - 1]] * m / count, 1 / PAIR_CAP, PAIR_CAP))
    rate = min(noise.rate * len(noise.odds) / n_rows, 1.0)  # trusted rows hold no flips
    return LabelNoise(odds * scale, p_value, noise.suggested[:n_rows], rate)


def flag_beside(
    noise: LabelNoise, n_rows: int, trusted: npt.NDArray[np.integer[Any]], rate: float
) -> npt.NDArray[np.bool_]:
    """(n_rows,) flags: the longer of two lists that trusted rows vouch for.

    Parameters
    ----------
    noise : of all rows together.
    n_rows : rows that are judged.
    trusted : (m,) positions of the trusted rows, m >= 1.
    rate : the false discovery rate wanted, in (0, 1).

    Notes
    -----
    One list is Benjamini-Hochberg's on the calibrated p-values. The other is the part of the list by the fitted odds in
    which trusted rows, as far as they reach, are no larger a share than `rate` allows; without it, a single odd trusted
    row would silence all flags where flips are rare.
    """
    ranked = benjamini_hochberg(calibrate(noise, n_rows, trusted).p_value, rate)
    odds = noise.odds * (len(noise.odds) / n_rows)
    fitted = np.flatnonzero(flag_by_odds(odds[:n_rows], rate))
    fitted = fitted[np.argsort(-odds[fitted], kind="stable")]
    reaching = len(trusted) - np.searchsorted(np.sort(odds[trusted]), odds[fitted], side="left")
    borne = np.flatnonzero(reaching / len(trusted) <= rate * np.arange(1, len(fitted) + 1) / n_rows)
    flagged = ranked.copy()
    flagged[fitted[: borne[-1] + 1 if len(borne) else 0]] = True
    return np.asarray(flagged & (odds[:n_rows] > 0))


def _tail(odds: FloatArray) -> FloatArray:
    """Expected share of honest rows at least as suspect as each: a running sum of honest chances in order of odds."""
    order = np.argsort(-odds, kind="stable")
    honest = 1 / (1 + odds[order])
    share = (np.cumsum(honest) + 0.5) / (honest.sum() + 0.5)
    tail = np.empty(len(odds))
    tail[order] = np.minimum(share, 1.0)
    return tail


def _best_other(logs: npt.NDArray[np.floating[Any]], labels: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    others = logs.copy()
    others[np.arange(len(labels)), labels] = -np.inf
    return np.asarray(np.argmax(others, axis=1), dtype=np.int64)
