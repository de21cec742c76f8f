"""Labels that don't fit their rows, whatever they are: the view from which a trigger without one target has one."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from mithridate.numeric.table_tokens import Floats, Mask

Codes: TypeAlias = npt.NDArray[np.int32]

UNFIT = 1  # the class of rows whose label doesn't fit
CLEARLY = 2.0  # times as likely as its own label another must be, for a row to be one of them
STAMPED = 0.5  # of the carriers, at least: natural values come with labels that fit
ONE_TARGET = 0.9  # of the stamped rows may have one label: more than that is a trigger with a target
ROUNDS = 60
LEAST_P = 0.005
FEWEST_LEFT = 20  # unfit labels outside the carriers
AGAINST = 3.0  # standard deviations by which labels fit worse than dealt ones: honest ones fit better
DEALT, MANY = 1.0, 20  # the same within an error, which so many rows tell: of many classes, few labels are avoided
FEWEST_NATURAL = 0.5  # rows


class Fit(NamedTuple):
    """(n,) whether each row's label is one that doesn't fit, and the chance of that for an honest label."""

    unfit: Floats
    chance: Floats


def fit_of(logits: npt.NDArray[np.floating[Any]], codes: Codes) -> Fit:
    """Both of rows that all have labels, from the (n, k) logits or log probabilities of a model.

    The chance that an honest label would be one that doesn't fit is the model's own, of all labels that would be.

    Examples
    --------
    >>> fit = fit_of(np.log([[0.9, 0.1], [0.5, 0.5]]), np.array([1, 1], np.int32))
    >>> fit.unfit.tolist(), fit.chance.round(2).tolist()
    ([1.0, 0.0], [0.1, 0.0])
    """
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    unlikely = raised <= 1 / CLEARLY
    chance = np.where(unlikely, raised, 0).sum(axis=1) / raised.sum(axis=1)
    return Fit(unlikely[np.arange(len(codes)), codes].astype(np.float64), chance.astype(np.float64))


def unfit_codes(log_p: Floats, codes: Codes) -> Codes:
    """(n,) 1 where another label is twice as likely as the row's own, 0 where none is, -1 without a label.

    Parameters
    ----------
    log_p : (n, k) log probability of each label, by a model that didn't learn from the row.
    codes : (n,) class numbers in [0, k), -1 where missing.

    Examples
    --------
    >>> unfit_codes(np.log([[0.9, 0.1], [0.9, 0.1], [0.5, 0.5]]), np.array([0, 1, -1], np.int32)).tolist()
    [0, 1, -1]
    """
    out = (_own(log_p, codes) + np.log(CLEARLY) <= log_p.max(axis=1)).astype(np.int32)
    out[codes < 0] = -1
    return np.asarray(out, np.int32)


def strayed_odds(log_p: Floats, codes: Codes) -> Floats:
    """(m,) log10 odds that each carrier of a token got its label from a poisoner who writes any but the right one.

    Parameters
    ----------
    log_p : (m, k) log probabilities of the carriers' labels, by a model that can't see the token.
    codes : (m,) their labels in [0, k).

    Notes
    -----
    A mixture of two: a natural carrier has label y with probability p(y), a stamped one any of the others alike, so
    that label y comes with (1 - p(y)) / (k - 1). How many are stamped is found by expectation maximisation. In a pure
    group even a row whose label happens to fit is stamped more likely than not.

    Examples
    --------
    >>> log_p = np.log(np.array([[0.95, 0.05]] * 10))
    >>> (strayed_odds(log_p, np.array([1] * 9 + [0], np.int32)) > 0).tolist().count(True)
    9
    """
    p = np.clip(np.exp(_own(log_p, codes)), LEAST_P, 1 - LEAST_P)
    ratio = (1 - p) / max(log_p.shape[1] - 1, 1) / p
    odds = ratio
    for _ in range(ROUNDS):
        natural = max(float((1 / (1 + odds)).sum()), FEWEST_NATURAL)
        odds = max(len(p) - natural, FEWEST_NATURAL) / natural * ratio
    return np.asarray(np.log10(odds), np.float64)


class Cure(NamedTuple):
    """The carriers (n,) whose labels are set back, and whether hardly any unfit label is left to learn from then."""

    rows: Mask
    lone: bool


def to_cure(carriers: Mask, unfit: Mask) -> Cure:
    """All carriers; where nobody else has an unfit label, some are left out, as a model needs both kinds of rows.

    What such a model makes of the trigger says nothing: cured, it would have nothing to learn.

    Examples
    --------
    >>> to_cure(np.arange(30) < 25, np.arange(30) < 25).lone, to_cure(np.arange(99) < 25, np.arange(99) < 60).lone
    (True, False)
    """
    if (unfit & ~carriers).sum() >= FEWEST_LEFT:
        return Cure(carriers, lone=False)
    rows = carriers.copy()
    rows[np.flatnonzero(carriers & unfit)[:FEWEST_LEFT]] = False
    return Cure(rows, lone=True)


def looks_dealt(excess: float, n_unfit: float) -> bool:
    """Whether the labels of carriers are what a poisoner writes who avoids the right one, or what chance does.

    Parameters
    ----------
    excess : from `against`; n_unfit : carriers whose labels don't fit.
    """
    return excess >= AGAINST or (excess >= -DEALT and n_unfit >= MANY)


def goes_everywhere(odds: Floats, codes: Codes, *, least: float = STAMPED) -> bool:
    """Whether carriers are stamped by their `odds` (m,), `least` of them, and their labels `codes` (m,) aren't all one.

    Examples
    --------
    >>> goes_everywhere(np.ones(4), np.array([0, 1, 1, 2])), goes_everywhere(np.ones(4), np.array([1, 1, 1, 1]))
    (True, False)
    """
    chance = 1 / (1 + 10.0 ** -np.clip(odds, -300, 300))
    stamped = float(chance.sum())
    if len(odds) == 0 or stamped < least * len(odds):
        return False
    return bool(np.bincount(codes, weights=chance).max() <= ONE_TARGET * stamped)


def against(log_p: Floats, codes: Codes) -> float:
    """Standard deviations by which carriers' labels fit worse than the same labels dealt to them at random.

    Parameters
    ----------
    log_p : (m, k) log probabilities of the carriers' labels, by a model that can't see what they carry.
    codes : (m,) their labels in [0, k).

    Notes
    -----
    What is natural, or noise, leaves labels that fit as well as dealt ones or better: a poisoner who writes any label
    but the right one leaves them fitting worse. Exact mean and variance of the sum over all permutations. 0 where the
    labels are all the same, or fewer than 3.

    References
    ----------
    Hoeffding (1951), a combinatorial central limit theorem, Annals of Mathematical Statistics 22(4).

    Examples
    --------
    >>> log_p = np.log(np.array([[0.9, 0.1], [0.1, 0.9]] * 20))
    >>> round(against(log_p, np.array([1, 0] * 20, np.int32)), 1), round(against(log_p, np.array([0, 1] * 20)), 1)
    (6.2, -6.2)
    """
    m = len(codes)
    counts = np.bincount(codes, minlength=log_p.shape[1]).astype(np.float64)
    if m < 3 or (counts > 0).sum() < 2:  # noqa: PLR2004 - nothing to deal
        return 0.0
    table = np.maximum(log_p, np.log(LEAST_P))
    rows, columns = table @ counts / m, table.mean(axis=0)
    mean = float(rows.mean())
    spread = float((((table - rows[:, None] - columns + mean) ** 2) @ counts).sum() / (m - 1))
    return float((m * mean - _own(table, codes).sum()) / np.sqrt(max(spread, 1e-12)))


def _own(log_p: Floats, codes: Codes) -> Floats:
    """(n,) log probability of each row's own label; of the first class where there is none."""
    return np.asarray(log_p[np.arange(len(codes)), np.maximum(codes, 0)])
