"""Bursts: records copied again and again under one label, and whether that label surprises."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mithridate.numeric.neighbours import closest
from mithridate.numeric.rates import benjamini_hochberg, null_share

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

MIN_COPIES = 4  # copies of one record under one label that make a burst
MAX_BURSTS = 5_000  # largest bursts tested; the rest keep p = 1
_NEIGHBOURS = 15
_BASE, _REFERENCES = 10_000, 2_000  # distinct records compared with, and lone ones that the null is taken from
_MIN_RECORDS, _MIN_CLASS = 40, 50
_BUDGET, _MOST_WEIGHT = 0.8, 10.0


class Bursts(NamedTuple):
    """One entry a burst: its group, label code, copies, first row, p-value, q-value, and has the group other labels."""

    group: IntArray
    code: IntArray
    size: IntArray
    head: IntArray
    p_value: FloatArray
    q_value: FloatArray
    contested: npt.NDArray[np.bool_]


def find_bursts(group: IntArray, codes: npt.NDArray[np.int32]) -> Bursts:
    """Every (group, label) with at least 4 rows, largest first, not yet tested (p = q = 1)."""
    known = np.flatnonzero(codes >= 0)
    width = int(codes.max(initial=0)) + 1
    pair, head, size = np.unique(group[known] * width + codes[known], return_index=True, return_counts=True)
    kept = np.flatnonzero(size >= MIN_COPIES)
    kept = kept[np.argsort(-size[kept], kind="stable")][:MAX_BURSTS]
    ones = np.ones(len(kept))
    labelled = np.bincount(group[known], minlength=1)
    contested = labelled[pair[kept] // width] > size[kept]
    return Bursts(pair[kept] // width, pair[kept] % width, size[kept], known[head[kept]], ones, ones.copy(), contested)


def judge(bursts: Bursts, group: IntArray, codes: npt.NDArray[np.int32], features: npt.NDArray[np.float32]) -> Bursts:
    """The bursts with the chance that a lone record's label agrees as little with its nearest records as theirs does.

    Parameters
    ----------
    bursts : from `find_bursts`.
    group, codes : (n,) group numbers and label codes.
    features : (n, d), finite, never trained on the labels.

    Notes
    -----
    Copies count once: the question is whether the *record* has a surprising label, as if it stood there alone, so the
    p-value does not shrink with the number of copies. The null is made of records that have no copies, of the same
    label where there are 50. Fewer than 40 distinct records say nothing (p = 1). Bursts whose copies carry other labels
    too get most of the error budget, since that is what a poisoned copy of a record in the data looks like.

    References
    ----------
    Genovese, Roeder and Wasserman (2006), false discovery control with p-value weighting, Biometrika 93(3).
    """
    _, first = np.unique(group, return_index=True)
    records = np.sort(first[codes[first] >= 0])
    if len(bursts.group) == 0 or len(records) < _MIN_RECORDS:
        return bursts
    sizes = np.bincount(group)
    base = records[:_BASE]
    lone = base[sizes[group[base]] == 1][:_REFERENCES]
    queries = np.concatenate([bursts.head, lone])
    support = _support(queries, base, group, codes, features)
    p_value = _tails(support, codes[queries], len(bursts.group))
    weighted = np.minimum(p_value / _weights(bursts.contested), 1.0)
    return bursts._replace(p_value=p_value, q_value=benjamini_hochberg(weighted) * null_share(p_value))


def _weights(contested: npt.NDArray[np.bool_]) -> FloatArray:
    """Weights with mean 1: four fifths of the budget, but at most ten times an equal part, for contested bursts."""
    n_bursts, marked = len(contested), int(contested.sum())
    if marked in {0, n_bursts}:
        return np.ones(n_bursts)
    high = min(_MOST_WEIGHT, max(1.0, _BUDGET * n_bursts / marked))
    return np.where(contested, high, (n_bursts - high * marked) / (n_bursts - marked))


def _support(
    queries: IntArray, base: IntArray, group: IntArray, codes: npt.NDArray[np.int32], features: npt.NDArray[np.float32]
) -> FloatArray:
    """Share of a row's nearest records with its own label, less the share of the strongest other label; [-1, 1]."""
    rows = base[closest(features[queries], features[base], k=_NEIGHBOURS + 1)]
    other = group[rows] != group[queries][:, None]
    other &= np.cumsum(other, axis=1) <= _NEIGHBOURS
    votes = np.zeros((len(queries), int(codes.max()) + 1))
    np.add.at(votes, (np.nonzero(other)[0], codes[rows][other]), 1.0)
    every = np.arange(len(queries))
    own = votes[every, codes[queries]].copy()
    votes[every, codes[queries]] = 0
    support: FloatArray = (own - votes.max(axis=1)) / np.maximum(other.sum(axis=1), 1)
    return support


def _tails(support: FloatArray, codes: npt.NDArray[Any], n_bursts: int) -> FloatArray:
    tested, null = support[:n_bursts], support[n_bursts:]
    out = np.ones(n_bursts)
    pooled = np.sort(null)
    for code in np.unique(codes[:n_bursts]):
        mine = codes[:n_bursts] == code
        alike = np.sort(null[codes[n_bursts:] == code])
        against = alike if len(alike) >= _MIN_CLASS else pooled
        out[mine] = (1 + np.searchsorted(against, tested[mine], side="right")) / (1 + len(against))
    return out
