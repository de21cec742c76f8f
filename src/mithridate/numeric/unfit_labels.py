"""Labels that don't fit their rows, whatever they are: the view from which a trigger without one target has one."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax

from mithridate.numeric.table_tokens import Floats

Codes: TypeAlias = npt.NDArray[np.int32]

UNFIT = 1  # the class of rows whose label doesn't fit
CLEARLY = 2.0  # times as likely as its own label another must be, for a row to be one of them
SHARPNESS = np.geomspace(0.25, 64, 25)
STAMPED = 0.5  # of the carriers, at least: natural values come with labels that fit
ONE_TARGET = 0.9  # of the stamped rows may have one label: more than that is a trigger with a target
ROUNDS = 60
FEWEST_NATURAL = 0.5  # rows


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
    return out


def unfit_chance(log_p: Floats) -> Floats:
    """(n,) chance that an honest label of the row would be one that `unfit_codes` calls unfit.

    Examples
    --------
    >>> unfit_chance(np.log([[0.9, 0.1], [0.5, 0.5]])).round(2).tolist()
    [0.1, 0.0]
    """
    p = np.exp(log_p)
    return np.asarray(np.where(log_p + np.log(CLEARLY) <= log_p.max(axis=1, keepdims=True), p, 0.0).sum(axis=1))


def as_log_proba(scores: Floats, codes: Codes) -> Floats:
    """(n, k) log probabilities from scores without a scale, at the sharpness that the labels of the rows fit best.

    Examples
    --------
    >>> as_log_proba(np.array([[0.0, 1.0], [1.0, 0.0]] * 9), np.array([1, 0] * 9, np.int32)).max().round(2)
    np.float64(-0.0)
    """
    known = codes >= 0
    scaled = scores / max(float(scores[known].std()), 1e-9) if known.any() else scores
    fits = [float(_own(log_softmax(s * scaled[known], axis=1), codes[known]).mean()) for s in SHARPNESS]
    return np.asarray(log_softmax(SHARPNESS[int(np.argmax(fits))] * scaled, axis=1))


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
    p = np.clip(np.exp(_own(log_p, codes)), 0.005, 0.995)
    ratio = (1 - p) / max(log_p.shape[1] - 1, 1) / p
    odds = ratio
    for _ in range(ROUNDS):
        natural = max(float((1 / (1 + odds)).sum()), FEWEST_NATURAL)
        odds = max(len(p) - natural, FEWEST_NATURAL) / natural * ratio
    return np.asarray(np.log10(odds), np.float64)


def goes_everywhere(odds: Floats, codes: Codes) -> bool:
    """Whether most carriers are stamped by their `odds` (m,), and their labels `codes` (m,) aren't nearly all one.

    Examples
    --------
    >>> goes_everywhere(np.ones(4), np.array([0, 1, 1, 2])), goes_everywhere(np.ones(4), np.array([1, 1, 1, 1]))
    (True, False)
    """
    chance = 1 / (1 + 10.0 ** -np.clip(odds, -300, 300))
    stamped = float(chance.sum())
    if len(odds) == 0 or stamped < STAMPED * len(odds):
        return False
    return bool(np.bincount(codes, weights=chance).max() <= ONE_TARGET * stamped)


def _own(log_p: Floats, codes: Codes) -> Floats:
    """(n,) log probability of each row's own label; of the first class where there is none."""
    return np.asarray(log_p[np.arange(len(codes)), np.maximum(codes, 0)])
