"""Tokens whose carriers have labels that don't fit them, of all classes: values and pairs of values, words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from mithridate.numeric.table_mining import Item
from mithridate.numeric.table_tokens import Column, Floats, Ints, upper_tail
from mithridate.numeric.unfit_labels import Fit

LEAST = 8  # carriers with labels that don't fit
ODDS = 2.0  # by which the expected odds are multiplied: no model is as sure of its errors as it says
FLOOR = 0.01
SCREEN_LP = 3.0
MAX_CELLS = 4_000_000  # pairs of values of two columns that are counted


class Strays(NamedTuple):
    """A token: its carriers, those whose labels don't fit, how many are expected, -log10 of the tail."""

    token: int
    carriers: float
    observed: float
    expected: float
    lp: float


class StrayedItems(NamedTuple):
    """A value or a pair of values, as `Strays`."""

    items: tuple[Item, ...]
    carriers: float
    observed: float
    expected: float
    lp: float


def straying(presence: csr_matrix, fit: Fit, *, limit: int) -> list[Strays]:
    """The tokens whose carriers have unfit labels most surprisingly, strongest first, `limit` at most.

    Parameters
    ----------
    presence : (n, m) 1 where a labelled row holds a token; fit : of the n rows.

    Notes
    -----
    The count of unfit labels among the carriers against its expectation at twice the odds.

    Examples
    --------
    >>> presence = csr_matrix(np.repeat([[1.0, 0.0], [0.0, 1.0]], 50, axis=0))
    >>> fit = Fit(np.r_[np.ones(45), np.zeros(55)], np.full(100, 0.1))
    >>> [found.token for found in straying(presence, fit, limit=5)]
    [0]
    """
    by = np.stack([np.ones(len(fit.unfit)), fit.unfit, fit.chance], axis=1)
    return _strongest(np.asarray(presence.T @ by, np.float64), fit, limit)


def straying_items(
    columns: Sequence[Column], fit: Callable[[Sequence[int]], Fit], rows: npt.NDArray[np.int64], *, limit: int
) -> list[StrayedItems]:
    """The values and pairs of values whose carriers have unfit labels most surprisingly, strongest first.

    Parameters
    ----------
    columns : d columns; a value that is too rare to be one goes by its narrow range.
    fit : columns left out -> the fit of `rows`, by a model that doesn't see these.
    rows : labelled rows that are looked at; limit : of each pair of columns, at most.

    Notes
    -----
    O(n d^2): the columns are few, the caller sees to that.
    """
    places = [_places(column, rows) for column in columns]
    out: list[StrayedItems] = []
    for chosen in [(i,) for i in range(len(columns))] + list(combinations(range(len(columns)), 2)):
        sizes = [places[i].size for i in chosen]
        if np.prod(sizes, dtype=float) > MAX_CELLS:
            continue
        codes = [places[i].codes for i in chosen]
        known = np.logical_and.reduce([part >= 0 for part in codes])
        cells = codes[0] if len(chosen) == 1 else codes[0] * sizes[1] + codes[1]
        beside = fit(chosen)
        weights = (np.ones(int(known.sum())), beside.unfit[known], beside.chance[known])
        counts = [np.bincount(cells[known], part, minlength=int(np.prod(sizes))) for part in weights]
        sums = np.asarray(np.stack(counts, axis=1), np.float64)
        for found in _strongest(sums, beside, limit):
            values = (found.token,) if len(chosen) == 1 else divmod(found.token, sizes[1])
            items = tuple(places[i].item(i, int(value)) for i, value in zip(chosen, values, strict=True))
            out.append(StrayedItems(items, *found[1:]))
    return sorted(out, key=lambda found: -found.lp)


class _Places(NamedTuple):
    """(n,) a column's values as numbers, the exact ones first, then narrow ranges; -1 for none."""

    codes: Ints
    n_exact: int
    size: int

    def item(self, column: int, value: int) -> Item:
        exact = value < self.n_exact
        return Item(column, exact=exact, value=value if exact else value - self.n_exact)


def _places(column: Column, rows: npt.NDArray[np.int64]) -> _Places:
    codes, n_exact, n_spans = column.codes[rows].astype(np.int64), int(column.codes.max(initial=-1)) + 1, 0
    if column.spans is not None:
        n_spans = int(column.spans.max(initial=-1)) + 1
        spans = column.spans[rows]
        codes = np.where((codes < 0) & (spans >= 0), n_exact + spans, codes)
    return _Places(codes.astype(np.int32), n_exact, max(n_exact + n_spans, 1))


def _strongest(sums: Floats, fit: Fit, limit: int) -> list[Strays]:
    """Of (m, 3) carriers, unfit ones and expected ones of each token."""
    base = max(float(fit.unfit.mean() / max(fit.chance.mean(), 1e-9)), 1.0)  # the model is less sure than it says
    able = np.flatnonzero(sums[:, 1] >= LEAST)
    carriers, observed, expected = sums[able].T * np.array([[1.0], [1.0], [base]])
    p = np.clip(expected / np.maximum(carriers, 1), FLOOR, 0.9)
    lp = upper_tail(observed, carriers, p * ODDS / (1 - p + p * ODDS))
    return [
        Strays(int(able[i]), float(carriers[i]), float(observed[i]), float(expected[i]), float(lp[i]))
        for i in np.argsort(-lp, kind="stable")[:limit]
        if lp[i] >= SCREEN_LP
    ]
