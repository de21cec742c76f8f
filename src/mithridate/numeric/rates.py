"""Is one group's rate higher than chance and honest differences explain? Tails, shrinkage, false discoveries."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special, stats

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
    [0.05, 0.019, 0.107]
    """
    if not 0 <= hits <= trials:
        raise InputError(f"hits must be in [0, trials], got {hits} of {trials}")
    tail = (1 - level) / 2
    low, high = stats.beta.ppf([tail, 1 - tail], hits + 0.5, trials - hits + 0.5)
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
