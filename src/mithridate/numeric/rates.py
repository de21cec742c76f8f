"""Is one group's rate higher than chance and honest differences explain? Tails, shrinkage, false discoveries."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from mithridate.core.errors import InputError

FloatArray = npt.NDArray[np.float64]


def benjamini_hochberg(p_values: npt.NDArray[np.floating[Any]]) -> FloatArray:
    """Each test's q-value: the smallest false discovery rate at which it would be reported.

    Parameters
    ----------
    p_values : (m,) in [0, 1].

    Returns
    -------
    (m,) in [0, 1], in the order of the tests, never below the p-value.

    References
    ----------
    Benjamini and Hochberg (1995), controlling the false discovery rate, JRSS B 57(1).

    Examples
    --------
    >>> benjamini_hochberg(np.array([0.01, 0.04, 0.03])).round(4).tolist()
    [0.03, 0.04, 0.04]
    """
    p = np.asarray(p_values, dtype=np.float64)
    if p.size == 0:
        return p.copy()
    order = np.argsort(p, kind="stable")
    scaled = p[order] * p.size / np.arange(1, p.size + 1)
    q = np.empty_like(p)
    q[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return q


def null_share(p_values: npt.NDArray[np.floating[Any]]) -> float:
    """Estimated share of true null hypotheses among the tests, in (0, 1]: q-values may be multiplied by it.

    References
    ----------
    Storey (2002), a direct approach to false discovery rates, JRSS B 64(3); lambda = 0.5, plus one for finite samples.

    Examples
    --------
    >>> null_share(np.array([0.01, 0.02, 0.01, 0.04, 0.9, 0.03, 0.01, 0.02]))
    0.5
    """
    p = np.asarray(p_values, dtype=np.float64)
    return float(min(1.0, 2.0 * (1 + np.count_nonzero(p > 0.5)) / p.size)) if p.size else 1.0  # noqa: PLR2004 - lambda


class Interval(NamedTuple):
    """A rate in [0, 1] and the ends of its interval."""

    value: float
    low: float
    high: float


def rate_interval(hits: float, trials: float, *, level: float = 0.95) -> Interval:
    """A rate with its Jeffreys interval; resampled: the rows of the group.

    Parameters
    ----------
    hits, trials : counts, 0 <= hits <= trials.
    level : coverage, in (0, 1).

    References
    ----------
    Brown, Cai and DasGupta (2001), interval estimation for a binomial proportion, Statistical Science 16(2).

    Examples
    --------
    >>> [round(part, 3) for part in rate_interval(5, 100)]
    [0.05, 0.019, 0.106]
    """
    if not 0 <= hits <= trials:
        raise InputError(f"hits must be in [0, trials], got {hits} of {trials}")
    tail = (1 - level) / 2
    low, high = special.betaincinv(hits + 0.5, trials - hits + 0.5, [tail, 1 - tail])
    return Interval(
        hits / trials if trials else 0.0, 0.0 if hits == 0 else float(low), 1.0 if hits == trials else float(high)
    )


def wilson(hits: float, trials: float, *, z: float = 1.96) -> tuple[float, float]:
    """The ends of a rate's Wilson interval; (0, 1) without trials.

    References
    ----------
    Wilson (1927), probable inference, the law of succession, and statistical inference, JASA 22.

    Examples
    --------
    >>> [round(end, 3) for end in wilson(5, 100)]
    [0.022, 0.112]
    """
    if trials <= 0:
        return 0.0, 1.0
    rate, slack = hits / trials, z * z / trials
    middle = (rate + slack / 2) / (1 + slack)
    half = z * float(np.sqrt(rate * (1 - rate) / trials + slack / (4 * trials))) / (1 + slack)
    return max(0.0, middle - half), min(1.0, middle + half)


def excess_tail(count: FloatArray, mean: FloatArray, variance: FloatArray) -> FloatArray:
    """P(X >= count) when X has this mean and variance: negative binomial, Poisson where the variance is no larger.

    Parameters
    ----------
    count, mean, variance : same shape; count >= 0, mean > 0, variance >= 0.

    Returns
    -------
    The same shape, in (0, 1].

    Notes
    -----
    The negative binomial is a Poisson count whose rate differs from group to group (a gamma distribution), which is how
    honest groups differ; its tail is heavier than the normal's.

    Examples
    --------
    >>> round(float(excess_tail(np.array(3.0), np.array(1.0), np.array(1.0))), 4)
    0.0803
    """
    count, mean, variance = (np.asarray(part, dtype=np.float64) for part in (count, mean, variance))
    extra = np.maximum(variance - mean, 1e-9 * mean)
    size = np.minimum(mean**2 / extra, 1e9)
    tail = special.betainc(np.maximum(count, 1e-300), size, mean / (mean + size))  # P(NB >= count)
    return np.where(count <= 0, 1.0, np.clip(tail, 1e-300, 1.0))


class Excess(NamedTuple):
    """For each group: rows counted, hits among them, hits expected from the other groups, and P(that many or more).

    `cell_p` (g, c) is the same chance for one class alone.
    """

    rows: FloatArray
    hits: FloatArray
    expected: FloatArray
    p_value: FloatArray
    cell_p: FloatArray


def group_excess(
    hits: npt.NDArray[Any],
    rows: npt.NDArray[Any],
    pool: npt.NDArray[np.bool_],
    *,
    spread: float = 0.25,
    min_rest: int = 30,
) -> Excess:
    """How far each group's number of hits passes what the other groups' rates, class by class, explain.

    Parameters
    ----------
    hits, rows : (g, c) hits and rows of each group in each class.
    pool : (g,) the groups that the expectation may be taken from; a group never takes part in its own.
    spread : by how much honest groups' rates differ from each other at least, as a standard deviation relative to the
        rate; the estimate from the pool replaces it where it is larger.
    min_rest : a class counts for a group only where the others hold at least this many of its rows: below, what the
        class does and what the group does can't be told apart.

    Returns
    -------
    One entry a group. Without a class to compare in: nothing counted, p = 1.

    Notes
    -----
    Rates are shrunk towards the rate of all classes (a beta prior with the weight of 20 rows); the count's variance
    is beta-binomial plus `spread`, its tail negative binomial. The spread's estimate leaves out the most deviant
    quarter, so that one or two bad groups don't hide behind it. O(g² c) up to 1,000 groups; above, all groups share
    one expectation.

    References
    ----------
    Efron and Morris (1975), data analysis using Stein's estimator; Robbins (1956), an empirical Bayes approach.

    Examples
    --------
    >>> hits, rows = np.array([[2], [1], [30]]), np.array([[100], [100], [100]])
    >>> (group_excess(hits, rows, np.array([True, True, True])).p_value < 0.01).tolist()
    [False, False, True]
    """
    hits, rows = np.asarray(hits, dtype=np.float64), np.asarray(rows, dtype=np.float64)
    rate, rest = _rest_rates(hits, rows, pool)
    counted = np.where(rest >= min_rest, rows, 0.0)
    seen = np.where(rest >= min_rest, hits, 0.0)
    mean = counted * rate
    inner = mean * (1 - rate) * (1 + np.maximum(counted - 1, 0) / (rest + _PRIOR_ROWS + 1))
    own_spread = _spread(hits, rows, rate, pool, floor=spread)
    total, sure = mean.sum(axis=1), np.maximum(mean, 1e-12)
    tail = excess_tail(seen.sum(axis=1), np.maximum(total, 1e-12), inner.sum(axis=1) + (own_spread * total) ** 2)
    cell_spread = np.maximum(own_spread, _CELL_SPREAD)[:, None]
    alone = np.maximum(sure, _by_size(hits, rows, pool))
    cell = excess_tail(seen, alone, np.maximum(inner, alone) + (cell_spread * alone) ** 2)
    usable = counted > 0
    return Excess(
        counted.sum(axis=1),
        seen.sum(axis=1),
        total,
        np.where(usable.any(axis=1), tail, 1.0),
        np.where(usable, cell, 1.0),
    )


_CELL_SPREAD = 0.5  # honest groups differ more in one class than over all


def _by_size(hits: FloatArray, rows: FloatArray, pool: npt.NDArray[np.bool_]) -> FloatArray:
    """(g, c) hits expected when they come with a group's size: a wrong label lands in classes that the group lacks."""
    inside = pool & (len(rows) <= _MOST_GROUPS)
    rest_hits = hits[pool].sum(axis=0) - np.where(inside[:, None], hits, 0.0)
    rest_rows = rows[pool].sum() - np.where(inside, rows.sum(axis=1), 0.0)
    expected: FloatArray = rows.sum(axis=1)[:, None] * (rest_hits + 0.5) / (rest_rows + 1.0)[:, None]
    return expected


_PRIOR_ROWS = 20.0
_MOST_GROUPS = 1_000


def _rest_rates(hits: FloatArray, rows: FloatArray, pool: npt.NDArray[np.bool_]) -> tuple[FloatArray, FloatArray]:
    """(g, c) shrunk rate of each class in the pool without the group itself, and how many rows it rests on."""
    inside = pool[:, None] & (len(rows) <= _MOST_GROUPS)
    rest_hits = hits[pool].sum(axis=0) - np.where(inside, hits, 0.0)
    rest = rows[pool].sum(axis=0) - np.where(inside, rows, 0.0)
    overall = ((rest_hits.sum(axis=1) + 0.5) / (rest.sum(axis=1) + 1.0))[:, None]
    return (rest_hits + _PRIOR_ROWS * overall) / (rest + _PRIOR_ROWS), rest


def _spread(
    hits: FloatArray, rows: FloatArray, rate: FloatArray, pool: npt.NDArray[np.bool_], *, floor: float
) -> FloatArray:
    """(g,) relative standard deviation of the pool's rates around a group's expectation of them, at least `floor`."""
    members = np.flatnonzero(pool)
    if len(members) < 4:  # noqa: PLR2004 - fewer say nothing about how honest groups differ
        return np.full(len(rows), floor)
    shared = rate if len(rows) <= _MOST_GROUPS else rate[:1]
    mean = np.maximum(shared @ rows[members].T, 1e-9)  # (g, members)
    seen = hits[members].sum(axis=1)
    excess = ((seen - mean) ** 2 - mean) / mean**2
    weight = mean / (mean + 1.0 / floor**2)  # a group with few expected hits says little about the spread
    own = members[None, :] == np.arange(len(shared))[:, None]
    ranked = np.argsort(np.where(own, -np.inf, excess), axis=1)
    kept = ranked[:, 1 : 1 + int(np.ceil(0.75 * (len(members) - 1)))]
    parts, weights = np.take_along_axis(excess, kept, axis=1), np.take_along_axis(weight, kept, axis=1)
    prior = 4.0
    variance = (prior * floor**2 + 1.5 * (parts * weights).sum(axis=1)) / (prior + weights.sum(axis=1))
    found: FloatArray = np.sqrt(np.maximum(variance, floor**2))
    return found if len(found) == len(rows) else np.full(len(rows), found[0])


def cauchy_combine(p_values: npt.NDArray[np.floating[Any]]) -> FloatArray:
    """One p-value from several that may depend on each other, along the last axis.

    References
    ----------
    Liu and Xie (2020), Cauchy combination test, JASA 115(529).

    Examples
    --------
    >>> cauchy_combine(np.array([0.01, 0.01])).round(4).item()
    0.01
    """
    p = np.clip(np.asarray(p_values, dtype=np.float64), 1e-300, 1 - 1e-9)
    small = p < 1e-12  # noqa: PLR2004 - tan loses its digits there
    terms = np.where(small, 1.0 / (np.where(small, p, 1.0) * np.pi), np.tan((0.5 - np.where(small, 0.5, p)) * np.pi))
    mean = terms.mean(axis=-1)
    joint: FloatArray = np.where(mean > 1e9, 1.0 / (np.maximum(mean, 1.0) * np.pi), 0.5 - np.arctan(mean) / np.pi)  # noqa: PLR2004
    return joint
