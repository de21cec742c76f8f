"""Tails and error rates: Benjamini-Hochberg, binomial and Poisson tails, flags by posterior odds, empirical nulls."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import special

FloatArray: TypeAlias = npt.NDArray[np.float64]
THINNEST = -0.15  # least shape of a tail: distances in a bounded set end before an exponential does
CAUTION = 2.0  # the shape is taken this many times 1/sqrt(exceedances) heavier than it looks
INSIDE = 0.8  # share of the exceedances that shows the shape of a tail: the rest may be outliers
BODY = 0.7  # quantile from which a first fit is made, whose points no tenth of the rows can move far
BODY_POINTS = (1 / 3, 2 / 3)  # of the exceedances beyond it: the 80 % and 90 % points of all rows
POINTS = (0.5, INSIDE)  # of the exceedances in every later fit
ODD = 0.5  # rows of which fewer than this many are expected so far out are left out of the next fit
ROUNDS = 8
HIGHEST = 0.9  # outliers are looked for among the highest tenth
GAPS = 10
CROSSING = 1e-3  # a gap whose chance is smaller tears the tail
EXPECTED = 0.1  # and beyond which the tail expects less than this share of the rows there
LEAST_BEYOND = 20  # fewer exceedances don't show a shape


class Interval(NamedTuple):
    """`low` and `high` end."""

    low: float
    high: float


def benjamini_hochberg(p_values: npt.NDArray[np.floating[Any]], rate: float) -> npt.NDArray[np.bool_]:
    """Which hypotheses to reject so that at most `rate` of the rejections are expected to be false.

    References
    ----------
    Benjamini and Hochberg (1995), controlling the false discovery rate, JRSS B 57(1).

    Examples
    --------
    >>> benjamini_hochberg(np.array([0.01, 0.04, 0.03, 0.5]), 0.05).tolist()
    [True, False, False, False]
    """
    n = len(p_values)
    if n == 0:
        return np.zeros(0, dtype=bool)
    ordered = np.sort(p_values)
    passed = np.flatnonzero(ordered <= rate * np.arange(1, n + 1) / n)
    return np.asarray(p_values <= ordered[passed[-1]]) if len(passed) else np.zeros(n, dtype=bool)


def flag_by_odds(odds: npt.NDArray[np.floating[Any]], rate: float) -> npt.NDArray[np.bool_]:
    """The longest list of most suspect rows whose mean chance of being innocent is at most `rate`.

    Parameters
    ----------
    odds : (n,) posterior odds of guilt, >= 0.
    rate : the false discovery rate wanted, in (0, 1).

    References
    ----------
    Storey (2003), the positive false discovery rate: a Bayesian interpretation and the q-value, Ann. Stat. 31(6).

    Examples
    --------
    >>> flag_by_odds(np.array([99.0, 0.1, 9.0]), 0.06).tolist()
    [True, False, True]
    """
    innocent = 1 / (1 + np.asarray(odds, dtype=np.float64))
    order = np.argsort(innocent, kind="stable")
    means = np.cumsum(innocent[order]) / np.arange(1, len(order) + 1)
    passed = np.flatnonzero(means <= rate)
    flagged = np.zeros(len(order), dtype=bool)
    if len(passed):
        flagged[order[: passed[-1] + 1]] = True
    return flagged


def poisson_interval(expected: float, *, level: float = 0.95) -> Interval:
    """Central interval for a Poisson count whose mean is `expected`.

    Examples
    --------
    >>> poisson_interval(0.0)
    Interval(low=0.0, high=0.0)
    """
    if expected <= 0:
        return Interval(0.0, 0.0)
    low, high = (_poisson_quantile(share, expected) for share in ((1 - level) / 2, (1 + level) / 2))
    return Interval(low, high)


def _poisson_quantile(share: float, mean: float) -> float:
    """The least count that a Poisson variable of this mean reaches with at least this chance."""
    count = float(np.ceil(special.pdtrik(share, mean)))
    return max(0.0, count - 1 if special.pdtr(max(count - 1, 0), mean) >= share and count > 0 else count)


def heavy_tail(
    scores: npt.NDArray[np.floating[Any]],
    *,
    start: float = 0.9,
    honest: npt.NDArray[np.floating[Any]] | None = None,
    gap: bool = False,
) -> FloatArray:
    """P-values against the scores' own upper tail: ranks inside, a generalised Pareto fit beyond the `start` quantile.

    Parameters
    ----------
    scores : (n,), most of them honest; higher is more suspect.
    start : quantile from which the tail is fitted, in [0.5, 1).
    honest : (m,) scores known to be honest, to rank among and to fit the tail to instead; m >= 1.
    gap : leave a whole group above a gap out of the fit, where no natural group is expected out there.

    Returns
    -------
    (n,) in (0, 1]; a row far beyond what the tail's shape allows gets less than 1/n.

    Notes
    -----
    Without `honest`, a first tail is fitted to the 80 % and 90 % points of the scores, which outliers up to a
    twentieth of the rows hardly move. Rows that it doesn't expect even once are left out, the tail is fitted to the
    others, and so on until the rows left out stay the same. With `gap`, the rows above a gap are left out instead
    that they would hardly all jump by chance. Shapes are taken heavier than they look by twice their error, from the
    lower 80 % of the exceedances (with `gap` from all, by weighted moments), and never much thinner than exponential.

    References
    ----------
    Pickands (1975), statistical inference using extreme order statistics, Ann. Stat. 3(1). Billor, Hadi and Velleman
    (2000), BACON: blocked adaptive computationally efficient outlier nominators, CSDA 34(3). Hosking and
    Wallis (1987), parameter estimation for the generalized Pareto distribution, Technometrics 29(3).
    """
    values = np.asarray(scores, dtype=np.float64)
    if honest is not None:
        return _beyond(values, np.asarray(honest, dtype=np.float64), conformal(values, honest), start, POINTS)
    ranks = _ranks(values)
    if gap:
        return _beside_gap(values, ranks, start)
    p_values = _beyond(values, values, ranks, BODY, BODY_POINTS)
    kept = np.ones(len(values), dtype=bool)
    for _ in range(ROUNDS):
        ordinary = p_values >= ODD / max(len(values), 1)
        if np.array_equal(ordinary, kept) or not ordinary.any():
            break
        kept = ordinary
        p_values = _beyond(values, values[kept], ranks, start, POINTS)
    return _beyond(values, values[kept], ranks, start, POINTS)


def _beside_gap(values: FloatArray, ranks: FloatArray, start: float) -> FloatArray:
    """P-values from the tail below the gap that least looks like chance, and above it that chance.

    Spacings between the highest scores of a fitted tail are exponential: g rows beyond a gap that one row jumps with
    chance c jump it together with chance c to the g.
    """
    ordered = np.sort(values)
    first = int(HIGHEST * len(ordered))
    top = ordered[first:] - np.median(ordered)
    chance, split = CROSSING, len(ordered)
    if len(top) > 1 and top[0] > 0:
        for end in np.argsort(-np.diff(np.log(top)), kind="stable")[:GAPS] + first + 1:
            low, high = _beyond(ordered[end - 1 : end + 1], ordered[:end], np.ones(2), start, None)
            above = len(ordered) - int(end)
            found = len(top) * float(high / low) ** above
            if found < chance and high * len(ordered) < EXPECTED * above:
                chance, split = found, int(end)
    p_values = _beyond(values, ordered[:split], ranks, start, None)
    if split == len(ordered):
        return p_values
    return np.where(values >= ordered[split], np.minimum(p_values, max(chance, 1e-15)), p_values)


def _beyond(
    values: FloatArray, null: FloatArray, ranks: FloatArray, start: float, points: tuple[float, float] | None
) -> FloatArray:
    """`ranks` (n,), replaced by the fitted tail of `null` (m,) beyond its `start` quantile."""
    cut = float(np.quantile(null, start))
    beyond = null[null > cut] - cut
    if len(beyond) < LEAST_BEYOND or beyond.max() <= 0:
        return ranks
    shape, scale = _moments(beyond) if points is None else _pareto(beyond, points)
    excess = np.maximum(values - cut, 0)
    tail = (len(beyond) / len(null)) * np.power(np.maximum(1 + shape * excess / scale, 1e-300), -1 / shape)
    return np.where(values > cut, np.maximum(tail, 1e-15), ranks)


def _ranks(values: FloatArray) -> FloatArray:
    """Upper rank over n + 1; equal values share the worst rank, so that their order doesn't matter."""
    reaching = len(values) - np.searchsorted(np.sort(values), values, side="left")
    return np.asarray(reaching / (len(values) + 1), dtype=np.float64)


def conformal(scores: npt.NDArray[np.floating[Any]], honest: npt.NDArray[np.floating[Any]]) -> FloatArray:
    """Share of honest scores (m,) that reach each score (n,), itself counted among them: at least 1 / (m + 1).

    References
    ----------
    Bates, Candes, Lei, Romano and Sesia (2023), testing for outliers with conformal p-values, Ann. Stat. 51(1).

    Examples
    --------
    >>> conformal(np.array([5.0, 1.5]), np.array([1.0, 2.0, 3.0])).tolist()
    [0.25, 0.75]
    """
    ordered = np.sort(honest)
    reaching = len(ordered) - np.searchsorted(ordered, scores, side="left")
    return np.asarray((reaching + 1) / (len(ordered) + 1), dtype=np.float64)


def _pareto(beyond: FloatArray, points: tuple[float, float]) -> Interval:
    """Shape and scale from two quantiles, `points`, of the exceedances."""
    half, most = np.quantile(beyond, points)
    ratio = max(most / max(half, 1e-300) - 1e-9, 1.0)
    grid = np.concatenate([np.linspace(THINNEST, -0.01, 20), np.linspace(0.01, 1.5, 150)])
    predicted = (np.power(1 - points[1], -grid) - 1) / (np.power(1 - points[0], -grid) - 1)
    shape = float(grid[np.argmin(np.abs(predicted - ratio))]) + CAUTION / np.sqrt(len(beyond))
    shape = shape if abs(shape) > 1e-3 else 1e-3  # noqa: PLR2004 - the formulas divide by it
    scale = float(half * shape / (np.power(1 - points[0], -shape) - 1))  # positive for a shape of either sign
    return Interval(shape, max(scale, 1e-300))


def _moments(beyond: FloatArray) -> Interval:
    """Shape and scale from probability-weighted moments of all exceedances: half the error of two quantiles."""
    n = len(beyond)
    mean, weighted = float(beyond.mean()), float(np.sort(beyond) @ (1 - (np.arange(n) + 0.65) / n)) / n
    difference = max(mean - 2 * weighted, 1e-9 * mean)
    shape = max(2 - mean / difference, THINNEST) + CAUTION / np.sqrt(n)
    shape = shape if abs(shape) > 1e-3 else 1e-3  # noqa: PLR2004 - the formulas divide by it
    return Interval(shape, max(mean * max(1 - shape, 0.1), 1e-300))


def shrunken_rates(counts: FloatArray, totals: FloatArray, *, prior: float = 10.0) -> FloatArray:
    """Rates pulled towards the pooled one as if each had seen `prior` more rows at it.

    Examples
    --------
    >>> shrunken_rates(np.array([0.0, 10.0]), np.array([10.0, 10.0])).tolist()
    [0.25, 0.75]
    """
    pooled = counts.sum() / max(float(totals.sum()), 1.0)
    return np.asarray((counts + prior * pooled) / (totals + prior), dtype=np.float64)
