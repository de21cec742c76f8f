"""Where wrong labels come from: honest slips between classes that are often confused, and careless sources."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float64]

HALVINGS = 40
ROUNDS = 20
WIDEST = 0.5  # shape of the widest prior for how sources differ: some are clean, one may hold nearly all flips
HIGHEST, LOWEST = 50.0, 0.02  # how far a source's share of flips may lie from the average
LEAST_GAIN = 1.35  # of log likelihood: chance brings more in one case of twenty


class Slips(NamedTuple):
    """`floor`: flips a cell; `rate`: gross but honest slips a cell, as a multiple of the pair's usual confusion."""

    floor: float
    rate: float


def natural_slips(held: FloatArray, cells: FloatArray, confusion: FloatArray, usual: FloatArray) -> Slips:
    """Split improbable labels into flips, which reach all class pairs alike, and slips, which follow confusion.

    Parameters
    ----------
    held, cells : (m,) for each pair of classes (looks like, labelled): labels that are improbable for their content,
        and improbable cells (row, class), whether labelled so or not.
    confusion : (m,) >= 0, share of the less improbable cells of that pair that honest labels fill.
    usual : (m,) honest labels expected among `held` by the cells' probabilities alone.

    Returns
    -------
    Non-negative floor and rate; `sum(cells * (floor + rate * confusion) + usual)` is `sum(held)`, if that is more.
    The rate is 0 unless a likelihood ratio test rejects that at 5 %: few counts tell nothing of slips.

    Notes
    -----
    Poisson counts with mean cells * (floor + rate * confusion) + usual, by maximum likelihood: a search along one line.

    References
    ----------
    Self and Liang (1987), likelihood ratio tests under nonstandard conditions, JASA 82.

    Examples
    --------
    >>> found = natural_slips(
    ...     np.array([40.0, 10, 10]), np.full(3, 1000.0), np.array([0.1, 0.0, 0.0]), np.zeros(3)
    ... )
    >>> round(found.floor, 3), round(found.rate, 2)
    (0.01, 0.3)
    """
    n_cells, reach = max(float(cells.sum()), 1e-12), max(float((cells * confusion).sum()), 1e-300)
    total = max(float(held.sum() - usual.sum()), 0.0)
    seen = held > 0
    counts, confused, known = held[seen], confusion[seen], (usual / np.maximum(cells, 1))[seen]

    def expected(rate: float) -> FloatArray:
        return np.asarray(np.maximum((total - rate * reach) / n_cells + rate * confused + known, 1e-300))

    low, high = 0.0, total / reach
    for _ in range(HALVINGS):
        rate = (low + high) / 2
        rising = float((counts * (confused - reach / n_cells) / expected(rate)).sum()) > 0
        low, high = (rate, high) if rising else (low, rate)
    gain = float((counts * np.log(expected(low) / expected(0.0))).sum())
    rate = low if gain > LEAST_GAIN else 0.0
    return Slips((total - rate * reach) / n_cells, rate)


def source_factors(odds: FloatArray, sources: npt.NDArray[np.integer[Any]]) -> FloatArray:
    """How many times the average share of flips each row's source holds, by which the row's odds may be multiplied.

    Parameters
    ----------
    odds : (n,) that a row's label was flipped, as if all sources were alike.
    sources : (n,) source ids >= 0; -1 where unknown, which counts as one source more.

    Returns
    -------
    (n,) positive, mean over rows about 1; all 1 where the sources differ no more than chance makes them.

    Notes
    -----
    Empirical Bayes: the sources' shares vary about their mean by a gamma law whose width is estimated from them, and a
    source with few rows stays near the mean. Sources with harder content seem more careless.

    References
    ----------
    Ignatiadis, Klaus, Zaugg and Huber (2016), data-driven hypothesis weighting, Nature Methods 13. Robbins (1964), the
    empirical Bayes approach to statistical decision problems, Ann. Math. Stat. 35(1).

    Examples
    --------
    >>> odds = np.array([9.0] * 40 + [0.01] * 160)
    >>> source_factors(odds, np.repeat([0, 1], 100))[[0, -1]].round(1)
    array([1.9, 0.1])
    """
    names, places, counts = np.unique(sources, return_inverse=True, return_counts=True)
    factors = np.ones(len(names))
    if len(names) < 2:  # noqa: PLR2004 - one source has no other to differ from
        return np.ones(len(odds))
    for _ in range(ROUNDS):
        raised = odds * factors[places]
        found = np.bincount(places, weights=raised / (1 + raised), minlength=len(names))
        expected = max(float(found.sum()), 1e-12) * counts / len(odds)
        spread = float(((found - expected) ** 2 - expected).sum())
        shape = max(float((expected**2).sum()) / max(spread, 1e-12), WIDEST)
        factors = np.clip((found + shape) / (expected + shape), LOWEST, HIGHEST)
    return np.asarray(factors[places])
