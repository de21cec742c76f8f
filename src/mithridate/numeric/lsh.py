"""Near pairs among many rows in near-linear time: hash so that close rows collide, then look only at collisions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

IntArray = npt.NDArray[np.int64]
Keys = Callable[[int, IntArray], npt.NDArray[np.uint64]]
Check = Callable[[IntArray, IntArray], npt.NDArray[np.bool_]]
_ODD = np.uint64(0x9E3779B97F4A7C15)
_WINDOW = 3  # rows compared with each, in each table: what bounds the cost in a bucket of any size


class Projections(NamedTuple):
    """Random directions and offsets: what turns a vector into the keys of every table."""

    directions: npt.NDArray[np.float32]
    offsets: npt.NDArray[np.float32]
    width: float
    tables: int


def projections(
    dimension: int, *, radius: float, rng: np.random.Generator, tables: int = 6, digits: int = 10
) -> Projections:
    """Keys of which, in each table, rows within `radius` of each other tend to have equal ones.

    Parameters
    ----------
    dimension : length of the vectors.
    radius : distance up to which rows count as near, > 0; at that distance a table unites two rows with
        probability 0.5, at half of it 0.7.
    tables, digits : keys a row, and rounded projections joined in each.

    References
    ----------
    Datar, Immorlica, Indyk and Mirrokni (2004), locality-sensitive hashing based on p-stable distributions, SoCG.
    """
    directions = rng.standard_normal((tables, dimension, digits)).astype(np.float32)
    return Projections(directions, rng.uniform(0, 1, (tables, digits)).astype(np.float32), 12.0 * radius, tables)


def projection_keys(vectors: npt.NDArray[np.float32], using: Projections, table: int) -> npt.NDArray[np.uint64]:
    """(n,) keys of (n, d) finite vectors in one table."""
    scaled = vectors @ (using.directions[table] / np.float32(using.width))
    scaled += using.offsets[table]
    np.floor(scaled, out=scaled)
    keys = np.zeros(len(vectors), dtype=np.uint64)
    for digit in range(scaled.shape[1]):
        keys *= _ODD
        keys += np.clip(scaled[:, digit], -1e15, 1e15).astype(np.int64).view(np.uint64)
        keys ^= keys >> np.uint64(29)
    return keys


def colliding_pairs(keys: npt.NDArray[np.uint64], order_by: npt.NDArray[Any]) -> tuple[IntArray, IntArray]:
    """Pairs of rows with the same key, at most three a row.

    Parameters
    ----------
    keys : (n,).
    order_by : (n,) values by which rows of one bucket are put side by side.

    Notes
    -----
    Inside a bucket each row meets only the next three, so a bucket of a million equal rows costs no more than any
    other million rows; it is still joined into one group, link by link.

    Examples
    --------
    >>> left, right = colliding_pairs(np.array([7, 8, 7], np.uint64), np.arange(3))
    >>> left.tolist(), right.tolist()
    ([0], [2])
    """
    order = np.argsort(keys, kind="stable")
    equal = keys[order][1:] == keys[order][:-1]
    shared = np.zeros(len(keys), dtype=bool)
    shared[1:] |= equal
    shared[:-1] |= equal
    rows = order[shared]  # most rows meet nobody: only the others are put in order
    rows = rows[np.lexsort((order_by[rows], keys[rows]))]
    ranked = keys[rows]
    lefts, rights = [], []
    for step in range(1, _WINDOW + 1):
        same = np.flatnonzero(ranked[step:] == ranked[:-step])
        lefts.append(rows[same])
        rights.append(rows[same + step])
    return np.concatenate(lefts), np.concatenate(rights)


def group_near(n_rows: int, tables: int, keys_of: Keys, near: Check, order_by: npt.NDArray[Any]) -> IntArray:
    """(n,) group numbers: rows that collide in some table and are near, and all that hang together through them.

    Parameters
    ----------
    keys_of : gives the keys of these rows in that table.
    near : says of pairs of rows (two (m,) arrays) whether they are near copies.
    order_by : (n,) values that near rows have nearly alike.

    Notes
    -----
    After each table only one row of each group stays in, so copies get fewer from table to table. At the end, members
    that are not near the first of their group are put out: chains of small steps fall apart.
    """
    heads = np.arange(n_rows, dtype=np.int64)
    owner = heads.copy()
    for table in range(tables):
        left, right = colliding_pairs(keys_of(table, heads), order_by[heads])
        good = near(heads[left], heads[right])
        group = components(len(heads), left[good], right[good])
        owner = group[owner]
        _, first = np.unique(group, return_index=True)
        heads = heads[first]
    return tight_groups(owner, near)


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
