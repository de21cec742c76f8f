"""Near pairs among many rows in near-linear time: hash so that close rows collide, then look only at collisions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

IntArray = npt.NDArray[np.int64]
Check = Callable[[IntArray, IntArray], npt.NDArray[np.bool_]]
_WINDOW = 3  # rows compared with each, in each table: what bounds the cost in a bucket of any size


def projection_keys(
    vectors: npt.NDArray[np.float32], *, radius: float, rng: np.random.Generator, tables: int = 6, digits: int = 10
) -> npt.NDArray[np.uint64]:
    """(tables, n) keys under which rows within `radius` of each other tend to be equal.

    Parameters
    ----------
    vectors : (n, d), finite.
    radius : distance up to which rows count as near, > 0; at that distance a table unites two rows with
        probability 0.35, at half of it 0.6.
    tables, digits : keys a row, and rounded projections joined in each.

    References
    ----------
    Datar, Immorlica, Indyk and Mirrokni (2004), locality-sensitive hashing based on p-stable distributions, SoCG.
    """
    width = 8.0 * radius
    directions = rng.standard_normal((vectors.shape[1], digits * tables)).astype(np.float32)
    offsets = rng.uniform(0, width, digits * tables)
    keys = np.empty((tables, len(vectors)), dtype=np.uint64)
    odd = rng.integers(0, 1 << 62, (digits,), dtype=np.int64).astype(np.uint64) * np.uint64(2) + np.uint64(1)
    for table in range(tables):
        columns = slice(table * digits, (table + 1) * digits)
        cells = np.floor((vectors @ directions[:, columns] + offsets[columns]) / width).astype(np.int64)
        keys[table] = (cells.view(np.uint64) * odd).sum(axis=1, dtype=np.uint64)
    return keys


def colliding_pairs(
    keys: npt.NDArray[np.uint64], order_by: npt.NDArray[Any] | None = None
) -> tuple[IntArray, IntArray]:
    """Pairs (left < right) of rows that share a key in some table, at most `3 * tables` a row.

    Parameters
    ----------
    keys : (tables, n).
    order_by : (n,) values by which rows of one bucket are put side by side; the row number if None.

    Notes
    -----
    Inside a bucket each row meets only the next three, so a bucket of a million equal rows costs no more than any
    other million rows; it is still joined into one group, link by link.
    """
    n_rows = keys.shape[1]
    found: list[npt.NDArray[np.int64]] = []
    for key in keys:
        order = np.argsort(key, kind="stable") if order_by is None else np.lexsort((order_by, key))
        ranked = key[order]
        for step in range(1, _WINDOW + 1):
            same = np.flatnonzero(ranked[step:] == ranked[:-step])
            left, right = order[same], order[same + step]
            found.append(np.minimum(left, right) * n_rows + np.maximum(left, right))
    pairs = np.unique(np.concatenate(found)) if found else np.empty(0, dtype=np.int64)
    return pairs // max(n_rows, 1), pairs % max(n_rows, 1)


def components(n_rows: int, left: IntArray, right: IntArray) -> IntArray:
    """(n,) number of the group that each row belongs to when every pair is joined; lone rows are groups of one.

    Examples
    --------
    >>> components(4, np.array([0]), np.array([2])).tolist()
    [0, 1, 0, 2]
    """
    links = sparse.coo_matrix((np.ones(len(left), dtype=np.int8), (left, right)), shape=(n_rows, n_rows))
    _, group = sparse.csgraph.connected_components(links, directed=False)
    return np.asarray(group, dtype=np.int64)


def tight_groups(group: IntArray, near: Check) -> IntArray:
    """The groups without the members that are not near their first one: chains of small steps fall apart.

    Parameters
    ----------
    group : (n,) group numbers.
    near : says of pairs of rows (two (m,) arrays) whether they are near copies.
    """
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    heads = np.empty(int(group.max()) + 1 if len(group) else 0, dtype=np.int64)
    heads[group[order][starts]] = order[starts]
    head = heads[group]
    rows = np.flatnonzero(head != np.arange(len(group)))
    loose = rows[~near(head[rows], rows)]
    out = group.copy()
    out[loose] = len(heads) + np.arange(len(loose))
    return out
