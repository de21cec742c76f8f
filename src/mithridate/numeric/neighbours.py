"""The nearest neighbours of every row: exact for few rows, among the nearest lists of rows for many."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from mithridate.core.errors import InputError
from mithridate.numeric.order import ascending

FloatArray: TypeAlias = npt.NDArray[np.float32]
IntArray: TypeAlias = npt.NDArray[np.int64]

EXACT_ROWS = 20_000  # exact search costs n² d; above this lists are faster by far
TRAIN_ROWS = 15_000  # rows that the lists' centres are fitted to
LISTS = 2.2  # times the square root of n: lists,
LOOKED = 7.0  # and rows of the nearest lists that a row is compared with
ROUNDS = 2  # of the centres' fit
LONGEST = 8  # a list of so many times the usual length is cut: copies would else all be compared with each other
FOLD = 16  # costs folded upon each other before the limit of the k smallest is looked for
CELLS = 1 << 19  # costs held at a time, so that they stay in the processor's cache


class Neighbours(NamedTuple):
    """`indices` (n, k) int32 array positions, nearest first, never the row itself; `distances` (n, k) Euclidean."""

    indices: npt.NDArray[np.int32]
    distances: FloatArray


class _Found(NamedTuple):
    """(n, k) positions, nearest first, -1 where there are fewer, and squared distances."""

    places: IntArray
    squares: FloatArray


class _Lists(NamedTuple):
    """Rows grouped by nearest centre: list i holds `order[starts[i] : ends[i]]`; `ranks` (c, c) its nearest lists."""

    centres: FloatArray
    order: IntArray
    starts: IntArray
    ends: IntArray
    ranks: IntArray


def nearest(features: FloatArray, *, k: int = 20) -> Neighbours:
    """The k nearest other rows of each row, by Euclidean distance.

    Parameters
    ----------
    features : (n, d) float32, finite.
    k : neighbours wanted, 1 <= k < n.

    Returns
    -------
    Positions and distances, nearest first. A copy of a row is a neighbour at distance 0, to rounding.

    Raises
    ------
    InputError : k is out of range.

    Notes
    -----
    Exact up to 20,000 rows, O(n² d). Above, each row is compared with the rows of the lists around its own, 7 sqrt(n)
    of them: O(n^1.5 d); some of the true neighbours are missed then, most often the farther ones.

    References
    ----------
    Sivic and Zisserman (2003), video Google, ICCV: inverted lists. Jegou, Douze and Schmid (2011), product
    quantization for nearest neighbor search, IEEE TPAMI 33(1).

    Examples
    --------
    >>> nearest(np.array([[0.0], [1.0], [3.0]], np.float32), k=1).indices.ravel().tolist()
    [1, 0, 1]
    """
    n_rows = len(features)
    if not 1 <= k < n_rows:
        msg = f"k must be in [1, {n_rows - 1}] for {n_rows} rows, got {k}; lower k or pass more rows"
        raise InputError(msg)
    rows = np.ascontiguousarray(features, dtype=np.float32)
    return _without_self(_search(rows, rows, k + 1))


def distance_to(features: FloatArray, among: FloatArray, *, k: int) -> FloatArray:
    """(n,) distance of each row (n, d) to the k-th nearest of other rows (m, d), or the farthest where m < k.

    Examples
    --------
    >>> distance_to(np.array([[0.0], [5.0]], np.float32), np.array([[1.0], [3.0]], np.float32), k=2).tolist()
    [3.0, 4.0]
    """
    return np.asarray(np.sqrt(np.maximum(_search(features, among, k).squares[:, -1], 0)), dtype=np.float32)


def closest(features: FloatArray, among: FloatArray, *, k: int) -> IntArray:
    """(n, min(k, m)) positions in `among` (m, d) nearest to each row (n, d), nearest first.

    Examples
    --------
    >>> closest(np.array([[0.9]], np.float32), np.array([[3.0], [1.0]], np.float32), k=2).tolist()
    [[1, 0]]
    """
    return _search(features, among, k).places


def _search(features: FloatArray, among: FloatArray, k: int) -> _Found:
    k = min(k, len(among))
    ones = np.ones((len(features), 1), np.float32)
    queries = np.concatenate([np.asarray(features, np.float32), ones], axis=1)
    rows = np.asarray(among, np.float32)
    few = len(rows) <= EXACT_ROWS
    found = _scan(queries, _weighted(rows), k) if few else _by_lists(queries, _lists(rows), rows, k)
    squares = found.squares + np.einsum("ij,ij->i", queries[:, :-1], queries[:, :-1])[:, None]
    return _Found(found.places, squares)


def _weighted(rows: FloatArray) -> FloatArray:
    """(n, d + 1): the product with a query followed by 1 is their squared distance less the query's own square."""
    return np.concatenate([-2 * rows, np.einsum("ij,ij->i", rows, rows)[:, None]], axis=1)


def _lists(rows: FloatArray) -> _Lists:
    """Two rounds of k-means on a sample, then all rows to their nearest centre."""
    n_rows = len(rows)
    sample = rows[:: max(n_rows // TRAIN_ROWS, 1)]
    n_lists = int(LISTS * np.sqrt(n_rows))
    centres = sample[np.linspace(0, len(sample) - 1, n_lists).astype(np.int64)]
    for _ in range(ROUNDS):
        order, starts, ends = _grouped(_home(sample, centres), len(sample))
        centres = _means(sample[order], starts, ends)
    order, starts, ends = _grouped(_home(rows, centres), LONGEST * n_rows // n_lists)
    centres = _means(rows[order], starts, ends)
    apart = np.einsum("ij,ij->i", centres, centres) - 2 * (centres @ centres.T)
    return _Lists(centres, order, starts, ends, np.argsort(apart, axis=1, kind="stable"))


def _home(rows: FloatArray, centres: FloatArray) -> IntArray:
    """(n,) the nearest centre of each row."""
    weights, squares = -2 * centres.T, np.einsum("ij,ij->i", centres, centres)
    home, step = np.empty(len(rows), np.int64), max(1, CELLS // len(centres))
    for start in range(0, len(rows), step):
        home[start : start + step] = (rows[start : start + step] @ weights + squares).argmin(axis=1)
    return home


def _grouped(home: IntArray, longest: int) -> tuple[IntArray, IntArray, IntArray]:
    """Rows in the order of their centres, and where each list starts and ends; no list is longer than `longest`."""
    order = np.argsort(home, kind="stable")
    edges = np.concatenate([[0], np.flatnonzero(np.diff(home[order])) + 1, [len(home)]])
    starts = np.concatenate([np.arange(low, high, longest) for low, high in pairwise(edges)])
    return order, starts, np.append(starts[1:], len(home))


def _means(rows: FloatArray, starts: IntArray, ends: IntArray) -> FloatArray:
    return np.asarray(np.add.reduceat(rows, starts, axis=0) / (ends - starts)[:, None], np.float32)


def _by_lists(queries: FloatArray, lists: _Lists, rows: FloatArray, k: int) -> _Found:
    """The queries of one list together, against the rows of the nearest lists that hold enough."""
    found = _Found(np.empty((len(queries), k), np.int64), np.empty((len(queries), k), np.float32))
    among, wanted = _weighted(rows[lists.order]), max(k, int(LOOKED * np.sqrt(len(rows))))
    sizes = lists.ends - lists.starts
    asked, starts, ends = _grouped(_home(queries[:, :-1], lists.centres), len(queries))
    homes = _home(queries[asked[starts], :-1], lists.centres)
    for home, start, end in zip(homes, starts, ends, strict=True):
        n_lists = int(np.searchsorted(np.cumsum(sizes[lists.ranks[home]]), wanted)) + 1
        near = [slice(lists.starts[i], lists.ends[i]) for i in np.sort(lists.ranks[home, :n_lists])]
        few = _scan(queries[asked[start:end]], np.concatenate([among[part] for part in near]), k)
        places = np.concatenate([lists.order[part] for part in near])
        found.places[asked[start:end]], found.squares[asked[start:end]] = places[few.places], few.squares
    return found


def _scan(queries: FloatArray, among: FloatArray, k: int) -> _Found:
    """The k cheapest of `among` (m, d + 1) for each query (n, d + 1), cheapest first."""
    n_rows, width = len(queries), len(among)
    spare = -width % FOLD
    if spare:  # rows that are never chosen
        never = np.zeros((spare, among.shape[1]), np.float32)
        never[:, -1] = np.inf
        among = np.concatenate([among, never])
    found = _Found(np.empty((n_rows, k), np.int64), np.empty((n_rows, k), np.float32))
    step = max(1, CELLS // (width + spare))
    for start in range(0, n_rows, step):
        part = slice(start, start + step)
        found.places[part], found.squares[part] = _smallest(queries[part] @ among.T, k)
    return found


def _smallest(costs: FloatArray, k: int) -> _Found:
    """The k smallest of each row (n, m), smallest first; of equal ones the first.

    The k-th smallest of the minima of disjoint groups is no less than the k-th smallest cost, and cheaper to find.
    """
    n_rows, width = costs.shape
    least, folds = costs, FOLD
    while folds > 1 and least.shape[1] >= 8 * k:
        half = least.shape[1] // 2
        least, folds = np.minimum(least[:, :half], least[:, half:]), folds // 2
    limit = np.partition(least, k - 1, axis=1)[:, k - 1 : k]
    flat = np.flatnonzero(costs <= limit)
    row = flat // width
    counts = np.bincount(row, minlength=n_rows)
    column = np.arange(len(flat)) - np.repeat(np.cumsum(counts) - counts, counts)
    shape = (n_rows, max(k, int(counts.max(initial=0))))
    places, values = np.full(shape, -1, np.int64), np.full(shape, np.inf, np.float32)
    places[row, column], values[row, column] = flat - row * width, costs.ravel()[flat]
    order = ascending(values)[:, :k]
    return _Found(np.take_along_axis(places, order, 1), np.take_along_axis(values, order, 1))


def _without_self(found: _Found) -> Neighbours:
    """Drop the row itself where it stands, else the farthest; keep the order."""
    n_rows, width = found.places.shape
    itself = found.places == np.arange(n_rows)[:, None]
    itself[~itself.any(axis=1), -1] = True
    kept = ~itself
    indices = found.places[kept].reshape(n_rows, width - 1)
    distances = np.sqrt(np.maximum(found.squares[kept], 0)).reshape(n_rows, width - 1)
    return Neighbours(indices.astype(np.int32), distances.astype(np.float32))
