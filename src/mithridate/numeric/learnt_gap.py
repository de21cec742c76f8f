"""A label whose contradicted rows look like every other label, and odds by how far two models differ."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from mithridate.numeric.binomial import upper_tail
from mithridate.numeric.isotonic import isotonic

Doubles: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.integer[Any]]

RARE = 0.02  # share of the honest rows beyond the unit that two scores are compared in
CELLS = 30  # rows of the label a step of the odds is estimated from, at least
LOWEST = 1e-4  # share of a step that is honest, at least
LEAST_BAD = 1 / (2 * CELLS)  # and bad: so few rows show no less, half a row of them
WITHIN = 0.01  # log10 odds between the first row and the last, so that rows of one step go by their gap


class Spread(NamedTuple):
    """(c,) each: how many other labels' look has this label as its commonest contradicted one; the p-value of that
    under no preference, times the number of labels.
    """  # noqa: D205 - a field list reads better in one piece

    leads: npt.NDArray[np.int64]
    p_value: Doubles


def spread(look: Ints, codes: Ints, suspect: npt.NDArray[np.bool_], *, n_classes: int) -> Spread:
    """For which labels the contradicted rows come from everywhere, not from a few neighbouring labels.

    Parameters
    ----------
    look : (n,) the label that the content speaks for; codes : (n,) the label given.
    suspect : (n,) rows whose content contradicts the label while a model insists on it.
    n_classes : c >= 2.

    Notes
    -----
    Labels that are confused by nature are neighbours: one label is the commonest error for two or three others. Poison
    with one target is the commonest error for nearly all of them, whatever they look like. Sign test: a label leads
    each of the c - 1 looks with chance 1 / (c - 1); a shared first place is no lead.

    Examples
    --------
    >>> look, codes = np.array([1, 2, 3, 2]), np.array([0, 0, 0, 3])
    >>> spread(look, codes, np.ones(4, bool), n_classes=4).leads.tolist()
    [2, 0, 0, 0]
    """
    cells = np.zeros((n_classes, n_classes), np.int64)
    rows = np.flatnonzero(suspect & (codes >= 0) & (look != codes))
    np.add.at(cells, (look[rows], codes[rows]), 1)
    best = cells.max(axis=1)
    alone = (cells == best[:, None]).sum(axis=1) == 1
    leads = np.bincount(cells.argmax(axis=1)[alone & (best > 0)], minlength=n_classes)
    p_value = upper_tail(leads, n_classes - 1, 1 / (n_classes - 1))
    return Spread(leads, np.minimum(1.0, p_value * n_classes))


def odds_beside(gap: Doubles, null: Doubles, *, tolerance: float) -> tuple[Doubles, Doubles]:
    """Log10 odds and p-values of a label's rows by their gap, beside rows of labels that nothing is held against.

    Parameters
    ----------
    gap : (m,) of the rows asked about, higher is worse; null : (k,) of honest rows.
    tolerance : how many times as often as in `null` honest rows may have a large gap.

    Returns
    -------
    (m,) log10 odds, rising with the gap, in [-1.8, 4.01]; (m,) conformal p-values.

    Notes
    -----
    Rows are cut into steps of 30 or more by gap; the share of a step that `null` explains, made to fall with the gap.
    Where it explains more rows than a step has, the rest counts in the steps beside it: rows that lie below most honest
    ones aren't bad because honest ones are rare there.

    References
    ----------
    Grenander (1956), on the theory of mortality measurement II, Scand. Actuar. J. (monotone densities).
    """
    p_value = (1 + len(null) - np.searchsorted(np.sort(null), gap, side="left")) / (1 + len(null))
    order = np.argsort(-gap, kind="stable")
    steps = np.array_split(order, max(1, len(order) // CELLS))
    expected, edge = np.empty(len(steps)), 0.0
    for i, step in enumerate(steps):  # few steps, each a pair of numbers
        reach = float(p_value[step].max())
        expected[i] = tolerance * len(gap) * max(reach - edge, 0.0)
        edge = reach
    sizes = np.array([len(step) for step in steps], dtype=np.float64)
    false = isotonic(expected / sizes, sizes)
    false = np.clip(false, LOWEST, 1 - LEAST_BAD)
    odds = np.empty(len(gap))
    for step, share in zip(steps, false, strict=True):
        odds[step] = np.log10((1 - share) / share)
    odds[order] += np.linspace(WITHIN, 0.0, len(order))
    return odds, p_value


def joined(one: Doubles, other: Doubles, honest: npt.NDArray[np.bool_]) -> Doubles:
    """(n,) the larger of two scores, each 0 at the middle of the honest rows (n,) and 1 where two in a hundred are.

    Examples
    --------
    >>> joined(np.array([0.0, 1, 5]), np.array([0.0, 10, 0]), np.array([True, True, False])).round(2).tolist()
    [-1.04, 1.04, 9.38]
    """
    return np.maximum(*(_beside_honest(score, score[honest]) for score in (one, other)))


def _beside_honest(score: Doubles, honest: Doubles) -> Doubles:
    middle, high = np.quantile(honest, [0.5, 1 - RARE])
    return np.asarray((score - middle) / max(float(high - middle), 1e-9), np.float64)
