"""Which rows a trigger without one target stamped: by the rule that their labels follow, and what else tells them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from mithridate.numeric.table_tokens import Floats
from mithridate.numeric.unfit_labels import FEWEST_NATURAL, LEAST_P, Codes

ROUNDS = 40
ALIKE = 1e6  # rows by which a class's rule is drawn towards any label alike: all the way,
DRAWN = (100.0, 30.0, 10.0, 5.0, 2.0)  # or less, where that foretells the labels better,
CLEARLY_BETTER = 10.0  # by so much in natural log likelihood: chance alone gains less
MAX_CELLS = 4_000_000  # rows times classes above which the labels are taken to go anywhere


class _Rule(NamedTuple):
    """(m,) chance that a poisoner gives each row its label, and (k, k) that it gives a row of one class another."""

    chance: Floats
    moves: Floats


def ruled_odds(log_p: Floats, codes: Codes, beside: Callable[[Floats], Floats]) -> Floats:
    """(m,) log10 odds that each carrier of a token is stamped, as `strayed_odds`, with its rule and more evidence.

    Parameters
    ----------
    log_p : (m, k) log probabilities of the carriers' labels, by a model that can't see the token.
    codes : (m,) their labels in [0, k).
    beside : chances (m,) of being natural -> natural logs (m,) of other evidence for being stamped, each row's made
        without the row itself.

    Notes
    -----
    Expectation maximisation. A poisoner may turn each class into any other alike, or into one of its own (y + 1): the
    table of moves is counted from the rows that seem stamped, each row's own left out, and drawn towards equal chances
    by as much as foretells the labels best; all the way, unless less is clearly better.

    Examples
    --------
    >>> log_p = np.log(np.tile([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]], (9, 1)))
    >>> odds = ruled_odds(log_p, np.tile(np.array([1, 2, 0], np.int32), 9), lambda natural: np.zeros(len(natural)))
    >>> bool((odds > 1).all())
    True
    """
    m, k = log_p.shape
    rows = np.arange(m)
    p = np.exp(log_p)
    own = np.clip(p[rows, codes], LEAST_P, 1 - LEAST_P)
    chance = (1 - own) / max(k - 1, 1)
    moves = np.full((k, k), 1 / max(k - 1, 1))
    odds, known = chance / own, m * k <= MAX_CELLS
    for _ in range(ROUNDS):
        stamped = odds / (1 + odds)
        if known:
            chance, moves = _rule(p, codes, stamped, moves)
        natural = max(float((1 - stamped).sum()), FEWEST_NATURAL)
        prior = max(m - natural, FEWEST_NATURAL) / natural
        odds = np.exp(np.clip(np.log(prior * chance / own) + beside(1 - stamped), -60, 60))
    return np.asarray(np.log10(odds), np.float64)


def _rule(p: Floats, codes: Codes, stamped: Floats, moves: Floats) -> _Rule:
    m, k = p.shape
    others = np.ones((m, k))
    others[np.arange(m), codes] = 0
    share = p * moves[:, codes].T * others
    share *= (stamped / np.maximum(share.sum(axis=1), 1e-12))[:, None]
    hot = np.zeros((m, k))
    hot[np.arange(m), codes] = 1
    counts, totals = share.T @ hot, share.sum(axis=0)
    best, drawn_by, fit = np.zeros(m), ALIKE, -np.inf
    for drawn in (ALIKE, *DRAWN):
        left = (counts[:, codes].T - share + drawn / max(k - 1, 1)) / (totals - share + drawn)
        chance = np.maximum((p * others * left).sum(axis=1), 1e-12)
        now = float((stamped * np.log(chance)).sum())
        if now > fit + (CLEARLY_BETTER if drawn_by == ALIKE else 0.0):
            best, drawn_by, fit = chance, drawn, now
    table = (counts + drawn_by / max(k - 1, 1)) / (totals + drawn_by)[:, None]
    np.fill_diagonal(table, 0.0)
    return _Rule(best, table)
