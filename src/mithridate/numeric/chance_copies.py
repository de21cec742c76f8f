"""How many equal records a table holds by chance: told from the records that differ in one column only."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import special

from mithridate.numeric.rates import benjamini_hochberg

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
Words = npt.NDArray[np.uint64]

_COLUMNS, _SAMPLE = 32, 4_000  # columns left out in turn, and rows by which columns that go together are found
_FEW = 0.25  # distinct values a row: with more, a column tells rows apart and determines every other by that alone
_TOGETHER = 1.5  # values of two columns together, per value of the one, up to which it determines the other
_SLACK = 3.0  # values of like records are alike: chance makes this many times the copies that independence predicts
_ODD = 0x9E3779B97F4A7C15
_MIX, _MIX2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def beyond_chance(cells: IntArray, group: IntArray, *, rng: np.random.Generator, level: float = 0.1) -> IntArray:
    """The group numbers, where groups that chance explains fall apart into single rows.

    Parameters
    ----------
    cells : (n, p) a number for each row's value of each column; equal numbers stand for equal (or near) values.
    group : (n,) group numbers >= 0; rows of one group are thought to be copies.
    rng : draws the columns looked at, where there are more than 32.
    level : share of the kept groups that chance may have made, in (0, 1).

    Notes
    -----
    Chance is measured on the table: a row that k others equal in all columns but one, of which the last holds a value
    that a share f of all rows has, expects about k f copies. So a table of a few coarse columns has no copies at all,
    and one column with many values makes equal rows remarkable. Columns that determine the one left out are left out
    with it.

    References
    ----------
    Benjamini and Hochberg (1995), controlling the false discovery rate, JRSS B 57.
    """
    size = np.bincount(group)[group] if len(group) else group
    if not (size > 1).any():
        return group
    expected = _SLACK * expected_copies(cells, group, rng=rng)
    np.maximum(expected, expected.mean(), out=expected)
    _, first, place = np.unique(group, return_index=True, return_inverse=True)
    most = np.zeros(len(first))
    np.maximum.at(most, place, expected)
    many = size[first] > 1
    p_value = np.where(many, special.pdtrc(np.maximum(size[first] - 2, 0), most), 1.0)
    kept = (benjamini_hochberg(p_value) <= level) & many
    out = place.astype(np.int64)
    loose = np.flatnonzero(~kept[place])
    out[loose] = len(first) + np.arange(len(loose))
    return out


def expected_copies(cells: IntArray, group: IntArray, *, rng: np.random.Generator) -> FloatArray:
    """(n,) copies of each row that chance alone makes; see `beyond_chance`."""
    n_rows, n_columns = cells.shape
    chosen = np.sort(rng.permutation(n_columns)[:_COLUMNS])
    total = np.zeros(n_rows, dtype=np.uint64)
    for column in range(n_columns):
        total += _hashed(cells[:, column], column)
    expected = np.zeros(n_rows)
    for column, bundle in zip(chosen, _bundles(cells[:, chosen], rng), strict=True):
        left_out = np.zeros(n_rows, dtype=np.uint64)
        for member in {int(column), *(int(chosen[place]) for place in bundle)}:
            left_out += _hashed(cells[:, member], member)
        rest = total - left_out
        others = _counts(rest) - _counts(rest ^ _hashed(group, n_columns))
        share = np.minimum(_counts(left_out) / n_rows, 1 - 1 / n_rows)
        np.maximum(expected, others * share / (1 - share), out=expected)
    return expected


def _bundles(cells: IntArray, rng: np.random.Generator) -> list[list[int]]:
    """For each column, the coarse columns whose value determines it."""
    part = cells[np.sort(rng.permutation(len(cells))[:_SAMPLE])]
    coded = [_coded(column) for column in part.T]
    n_values = [int(codes.max(initial=0)) + 1 for codes in coded]
    few = [place for place, count in enumerate(n_values) if 1 < count <= _FEW * len(part)]
    return [
        [
            other
            for other in few
            if other != place and len(np.unique(coded[other] * n_values[place] + codes)) <= _TOGETHER * n_values[other]
        ]
        for place, codes in enumerate(coded)
    ]


def _coded(column: IntArray) -> IntArray:
    return np.unique(column, return_inverse=True)[1].astype(np.int64).reshape(-1)


def _counts(keys: Words) -> IntArray:
    """(n,) number of rows with the same key."""
    _, place, counts = np.unique(keys, return_inverse=True, return_counts=True)
    found: IntArray = counts[place]
    return found


def _hashed(values: IntArray, column: int) -> Words:
    words = values.astype(np.int64).view(np.uint64) + np.uint64((column + 1) * _ODD % 2**64)
    words = (words ^ (words >> np.uint64(30))) * _MIX
    words = (words ^ (words >> np.uint64(27))) * _MIX2
    mixed: Words = words ^ (words >> np.uint64(31))
    return mixed
