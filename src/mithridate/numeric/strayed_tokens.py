"""Tokens whose carriers have labels that don't fit them, of all classes: values and pairs of values, words."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from mithridate.numeric.table_tokens import Floats, upper_tail

LEAST = 8  # carriers with labels that don't fit
MAX_TOKENS = 700  # that are paired
MAX_PRODUCTS = 4e7
ODDS = 2.0  # by which the expected odds are multiplied: no model is as sure of its errors as it says
FLOOR = 0.01
SCREEN_LP = 3.0


class Strays(NamedTuple):
    """A token or a pair of them: carriers, those whose labels don't fit, how many are expected, -log10 of the tail."""

    tokens: tuple[int, ...]
    carriers: float
    observed: float
    expected: float
    lp: float


def straying(presence: csr_matrix, unfit: Floats, chance: Floats, *, pairs: bool, limit: int) -> list[Strays]:
    """The tokens, and pairs of tokens, whose carriers have unfit labels most surprisingly, strongest first.

    Parameters
    ----------
    presence : (n, m) 1 where a labelled row holds a token.
    unfit : (n,) 1 where the label doesn't fit; chance : (n,) how likely that is for an honest label.
    pairs : whether to look at pairs of tokens too; limit : how many are returned of each kind, at most.

    Notes
    -----
    The count of unfit labels among the carriers against its expectation at twice the odds: common values and class
    words are explained by a model that sees them. O(n d) time for d tokens a row, O(n d^2) for pairs, of which
    at most some 10^7 are counted: rows are left out where there are more.

    Examples
    --------
    >>> presence = csr_matrix(np.repeat([[1.0, 0.0], [0.0, 1.0]], 50, axis=0))
    >>> unfit = np.r_[np.ones(45), np.zeros(55)]
    >>> [found.tokens for found in straying(presence, unfit, np.full(100, 0.1), pairs=False, limit=5)]
    [(0,)]
    """
    sums = np.asarray(presence.T @ np.stack([np.ones(len(unfit)), unfit, chance], axis=1), np.float64)
    base = max(float(unfit.mean() / max(chance.mean(), 1e-9)), 1.0)  # the model is less sure than it says
    lp = _tail(sums[:, 1], sums[:, 0], base * sums[:, 2])
    out = [
        Strays((int(i),), float(sums[i, 0]), float(sums[i, 1]), float(base * sums[i, 2]), float(lp[i]))
        for i in np.argsort(-lp, kind="stable")[:limit]
        if lp[i] >= SCREEN_LP
    ]
    if pairs:
        out += _pairs(presence, unfit, base * chance, sums, limit=limit)
    return sorted(out, key=lambda found: -found.lp)


def _pairs(presence: csr_matrix, unfit: Floats, chance: Floats, sums: Floats, *, limit: int) -> list[Strays]:
    gain = (sums[:, 1] - sums[:, 0] * float(unfit.mean())) / np.sqrt(sums[:, 1] + 1)
    kept = np.argsort(np.where(sums[:, 1] >= LEAST, -gain, np.inf), kind="stable")[:MAX_TOKENS]
    kept = kept[sums[kept, 1] >= LEAST]
    room = max(int(MAX_PRODUCTS / max(presence.nnz / presence.shape[0], 1) ** 2), 500)
    rows = np.arange(presence.shape[0])[:: presence.shape[0] // room + 1]
    held = csr_matrix(presence[rows][:, kept])
    both = (held.T @ held).toarray()
    strays, expected = (
        (held.T @ csr_matrix(held.multiply(part[rows][:, None]))).toarray() for part in (unfit, chance)
    )
    first, second = np.nonzero(np.triu(strays >= LEAST, 1) & (strays > 2 * expected))
    lp = _tail(strays[first, second], both[first, second], expected[first, second])
    best = np.argsort(-lp, kind="stable")[:limit]
    return [
        Strays(
            (int(kept[first[i]]), int(kept[second[i]])), float(both[first[i], second[i]]),
            float(strays[first[i], second[i]]), float(expected[first[i], second[i]]), float(lp[i]),
        )
        for i in best if lp[i] >= SCREEN_LP
    ]  # fmt: skip


def _tail(observed: Floats, carriers: Floats, expected: Floats) -> npt.NDArray[np.float64]:
    """-log10 tails of the unfit labels among carriers, at `ODDS` times the expected odds; 0 for too few."""
    p = np.clip(expected / np.maximum(carriers, 1), FLOOR, 0.9)
    rate = p * ODDS / (1 - p + p * ODDS)
    return np.where(observed >= LEAST, upper_tail(np.round(observed), np.round(np.maximum(carriers, 1)), rate), 0.0)
