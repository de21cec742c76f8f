"""How much of a row was changed from another: distances that small edits leave small, and what chance makes of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from mithridate.numeric.minhash import mix
from mithridate.numeric.neighbours import closest

Floats = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

CAP = 0.1  # difference of a pixel, of black to white, from which on more of it doesn't count
_TAIL_ROWS = 20  # values that a tail's power is estimated from, at least
_LEAST_P = 1e-9
_BYTE = 255
_BLOCK = 1 << 22  # values compared at a time


def trusted_neighbours(vectors: npt.NDArray[np.float32], n: int, *, k: int) -> IntArray:
    """(n + m, k) for every row, the k nearest of the m rows from position n on, itself left out; -1 for none."""
    found = closest(vectors, vectors[n:], k=k + 1) + n
    found[found < n] = -1
    found = np.where(found == np.arange(len(vectors))[:, None], -1, found)
    order = np.argsort(found < 0, axis=1, kind="stable")
    return np.take_along_axis(found, order, axis=1)[:, :k]


def one_cell_apart(codes: IntArray, n: int) -> IntArray:
    """(n + m, p) for every row and column, a row from position n on that is equal in all other columns; -1 for none.

    Parameters
    ----------
    codes : (n + m, p) value numbers.

    Notes
    -----
    O(p (n + m) log(n + m)): the sum of hashed cells, less one cell, is the key under which such rows meet.
    """
    salted = mix((np.arange(codes.shape[1], dtype=np.uint64) + np.uint64(1)) << np.uint64(40))
    cells = mix(codes.astype(np.uint64) + salted)
    whole = cells.sum(axis=1, dtype=np.uint64)
    out = np.full(codes.shape, -1, dtype=np.int64)
    for column in range(codes.shape[1]):  # a loop over columns: one sort each
        keys = whole - cells[:, column]
        order = np.argsort(keys[n:], kind="stable")
        ranked = keys[n:][order]
        first = np.searchsorted(ranked, keys, side="left")
        last = np.searchsorted(ranked, keys, side="right") - 1
        there = last >= first
        low, high = (order[np.minimum(at, len(order) - 1)] + n for at in (first, np.maximum(last, 0)))
        chosen = np.where(low == np.arange(len(codes)), high, low)
        out[:, column] = np.where(there & (chosen != np.arange(len(codes))), chosen, -1)
    return out


def capped_difference(images: npt.NDArray[Any], left: IntArray, right: IntArray) -> Floats:
    """(m,) mean over pixels of the difference of two images, cut at 0.1: small for a patch of whatever colour.

    Parameters
    ----------
    images : (n, ...) uint8, or float in [0, 1]. left, right : (m,) rows.
    """
    flat = images.reshape(len(images), -1)
    whole = images.dtype == np.uint8
    cap, scale = (round(CAP * _BYTE), _BYTE) if whole else (CAP, 1)
    step = max(1, _BLOCK // max(1, flat.shape[1]))
    out = np.empty(len(left))
    for start in range(0, len(left), step):
        part = slice(start, start + step)
        ours, theirs = flat[left[part]], flat[right[part]]
        apart = np.maximum(ours, theirs)
        apart -= np.minimum(ours, theirs)  # stays in its type: four times as quick for bytes
        np.minimum(apart, apart.dtype.type(cap), out=apart)
        out[part] = apart.sum(axis=1, dtype=np.uint32 if whole else np.float64) / (flat.shape[1] * scale)
    return out


def information_apart(codes: IntArray, left: IntArray, right: IntArray) -> Floats:
    """(m,) share of what a row's values tell (minus log frequency) that lies in cells where the other row differs.

    Rare values tell much: to agree in them is no chance. `codes` is (n, p), value numbers by column.
    """
    told = np.empty(codes.shape)
    for column in range(codes.shape[1]):  # a loop over columns
        _, place, counts = np.unique(codes[:, column], return_inverse=True, return_counts=True)
        told[:, column] = -np.log(counts[place] / len(codes))
    differ = codes[left] != codes[right]
    weight = np.maximum(told[left], told[right])
    return np.asarray((weight * differ).sum(axis=1) / np.maximum(weight.sum(axis=1), 1e-12))


def counts_apart(counts: sparse.csr_matrix, left: IntArray, right: IntArray) -> Floats:
    """(m,) share of the words' weight of two texts that the other doesn't have, in [0, 1]; `counts` is (n, words)."""
    total = np.asarray(abs(counts).sum(axis=1)).ravel()
    difference = np.asarray(abs(counts[left] - counts[right]).sum(axis=1)).ravel()
    return np.asarray(difference / np.maximum(total[left] + total[right], 1e-12))


def smallness_p(values: Floats, null: Floats) -> Floats:
    """(n,) how often a distance as small as each comes about by nature, judged by m distances that did.

    Parameters
    ----------
    values : (n,), >= 0, infinite for none. null : (m,) the same of rows that are known to be honest.

    Notes
    -----
    The share of null values as small, itself counted, so that on rows like the null's no p-value is too small. Below
    the smallest null value the share falls as a power of the distance, as distances to nearest neighbours do; the
    exponent is Hill's estimate from the lowest twentieth, less two standard errors. Where the null has near copies of
    its own the exponent is small, and nothing is called unlikely.

    References
    ----------
    Bates et al. (2023), Testing for outliers with conformal p-values, Ann. Stat. 51(1). Hill (1975), Ann. Stat. 3(5).

    Examples
    --------
    >>> smallness_p(np.array([1.5, 2.5]), np.array([1.0, 2.0, 3.0])).tolist()
    [0.5, 0.75]
    """
    ranked = np.sort(null)
    share = (1 + np.searchsorted(ranked, values, side="right")) / (len(null) + 1)
    least, power = float(ranked[0]), tail_power(ranked)
    below = values < least
    share[below] *= np.maximum(values[below] / least, 1e-6) ** power
    return np.asarray(np.maximum(share, _LEAST_P))


def tail_power(ranked: Floats) -> float:
    """Lower bound of a, where the share of values below x falls as x to the power a; `ranked` ascends."""
    count = min(len(ranked) - 1, max(_TAIL_ROWS, len(ranked) // 20))
    edge = float(ranked[count]) if count > 0 else 0.0
    if count < _TAIL_ROWS or ranked[0] <= 0 or not np.isfinite(edge):
        return 0.0
    spread = float(np.log(edge / ranked[:count]).mean())
    return (1 - 2 / np.sqrt(count)) / spread if spread > 0 else 0.0


def false_discovery_shares(p_values: Floats) -> Floats:
    """(n,) least false discovery rate at which Benjamini and Hochberg's rule flags each row.

    Examples
    --------
    >>> false_discovery_shares(np.array([0.01, 0.5, 0.02, 0.9])).tolist()
    [0.04, 0.6666666666666666, 0.04, 0.9]
    """
    n = len(p_values)
    order = np.argsort(p_values, kind="stable")
    raw = p_values[order] * n / np.arange(1, n + 1)
    out = np.empty(n)
    out[order] = np.minimum(1.0, np.minimum.accumulate(raw[::-1])[::-1])
    return out
