"""A Merkle tree with 256 children a node: one root for any number of leaves, and a proof of a few kilobytes for each.

A shard is 65,536 leaves, that is, a node two levels up; its root can be made wherever its rows lie. Leaves and nodes
are hashed under different first bytes, and the root over the number of leaves, so that none can pass for another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from mithridate.core.errors import InputError

Digests: TypeAlias = npt.NDArray[np.uint8]

WIDTH = 256  # children a node; 1,000,000 leaves are three levels
SIZE = 32  # bytes of a SHA-256
NODE, ROOT, INDEX = b"\x01", b"\x02mithridate.manifest/1", b"\x03mithridate.index/1"  # first bytes; a leaf's is 0
_LEVELS = 16  # more than 2^64 leaves need


def parents(digests: Digests) -> Digests:
    """(ceil(m / 256), 32) the nodes above (m, 32) digests."""
    raw = np.ascontiguousarray(digests).tobytes()
    step = WIDTH * SIZE
    nodes = [hashlib.sha256(NODE + raw[start : start + step]).digest() for start in range(0, len(raw), step)]
    return np.frombuffer(b"".join(nodes), np.uint8).reshape(-1, SIZE)


def root_of(top: bytes, n_leaves: int, kind: bytes = ROOT) -> bytes:
    """The root over the one node at the top and the number of leaves; `kind` is `ROOT`, or `INDEX` of sorted leaves."""
    return hashlib.sha256(kind + n_leaves.to_bytes(8, "little") + top).digest()


def root(leaves: Digests, kind: bytes = ROOT) -> bytes:
    """The root of (n, 32) leaves; an empty tree has one too.

    Examples
    --------
    >>> root(np.zeros((1, 32), np.uint8)) == root_of(bytes(32), 1)
    True
    """
    return root_of(_top(leaves), len(leaves), kind)


def _top(level: Digests) -> bytes:
    while len(level) > 1:
        level = parents(level)
    return level.tobytes() if len(level) else bytes(SIZE)


class Growing:
    """A tree whose leaves arrive in blocks; it holds one digest for 256 leaves."""

    def __init__(self) -> None:
        self.n_leaves = 0
        self._rest = np.zeros((0, SIZE), np.uint8)
        self._nodes: list[Digests] = []

    def add(self, leaves: Digests) -> None:
        """The next leaves, in order."""
        self.n_leaves += len(leaves)
        held = np.concatenate([self._rest, leaves]) if len(self._rest) else leaves
        whole = len(held) // WIDTH * WIDTH
        if whole:
            self._nodes.append(parents(held[:whole]))
        self._rest = held[whole:].copy()

    def nodes(self) -> Digests:
        """The level above the leaves; of a tree with one leaf or none, the leaf itself."""
        if self.n_leaves <= 1:
            return self._rest
        last = [parents(self._rest)] if len(self._rest) else []
        return np.concatenate([*self._nodes, *last])

    def shard_roots(self) -> Digests:
        """(ceil(n / 65,536), 32) the shards' roots, two levels above the leaves."""
        return parents(self.nodes()) if self.n_leaves > WIDTH else self.nodes()

    def root(self) -> bytes:
        """The root of all leaves so far."""
        return root_of(_top(self.nodes()), self.n_leaves)


@dataclass(frozen=True, slots=True)
class Proof:
    """That a leaf stands at a place among `n_leaves`: at each level its node's other children, in order."""

    row: int
    n_leaves: int
    leaf: str
    siblings: tuple[tuple[str, ...], ...]

    def root(self, kind: bytes = ROOT) -> bytes:
        """The root that this proof leads to.

        Raises
        ------
        InputError : places and numbers of siblings that no tree of this size has.
        """
        place, width, digest = self.row, self.n_leaves, _digest(self.leaf)
        if not 0 <= place < width:
            raise InputError(f"the proof is of row {place} among {width}; make it again with `manifest prove`")
        for others in self.siblings:
            here = place % WIDTH
            if width <= 1 or len(others) != min(WIDTH, width - (place - here)) - 1:
                raise InputError("the proof's levels don't fit its number of rows; make it again with `manifest prove`")
            raw = [_digest(item) for item in others]
            digest = hashlib.sha256(NODE + b"".join([*raw[:here], digest, *raw[here:]])).digest()
            place, width = place // WIDTH, -(-width // WIDTH)
        if width != 1:
            raise InputError("the proof ends below the root; make it again with `manifest prove`")
        return root_of(digest, self.n_leaves, kind)

    def to_json(self) -> dict[str, Any]:
        """Flat JSON."""
        return {"row": self.row, "rows": self.n_leaves, "leaf": self.leaf, "siblings": list(map(list, self.siblings))}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Proof:
        """The inverse of `to_json`; `InputError` for anything else."""
        try:
            levels = list(raw["siblings"])[:_LEVELS]
            return cls(
                int(raw["row"]), int(raw["rows"]), str(raw["leaf"]), tuple(tuple(map(str, level)) for level in levels)
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"this is no proof ({type(error).__name__}); make it with `manifest prove`") from error


def prove(leaves: Digests, row: int) -> Proof:
    """The proof that `leaves[row]` is one of the leaves.

    Raises
    ------
    InputError : no such row.
    """
    if not 0 <= row < len(leaves):
        raise InputError(f"row {row} is not in [0, {len(leaves)}); name a row of the manifest")
    siblings, place = [], row
    for level in _levels(leaves):
        start = place // WIDTH * WIDTH
        group = level[start : start + WIDTH]
        siblings.append(tuple(bytes(d).hex() for at, d in enumerate(group) if at != place - start))
        place //= WIDTH
    return Proof(row, len(leaves), leaves[row].tobytes().hex(), tuple(siblings))


def _levels(level: Digests) -> Iterator[Digests]:
    while len(level) > 1:
        yield level
        level = parents(level)


def _digest(text: str) -> bytes:
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if len(found) != SIZE:
        raise InputError("the proof holds a digest that isn't 64 hex letters; make it again with `manifest prove`")
    return found


def as_leaves(digests: Sequence[bytes]) -> Digests:
    """(n, 32) uint8 of n digests."""
    return np.frombuffer(b"".join(digests), np.uint8).reshape(-1, SIZE)
