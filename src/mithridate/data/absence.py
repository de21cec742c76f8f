"""Proof that a leaf is not among the leaves of a manifest: its two neighbours in their sorted order are neighbours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mithridate.core.errors import InputError
from mithridate.data.merkle import INDEX, SIZE, Digests, Proof, prove, root

MOST_ROWS = 4_000_000  # leaves that are held and sorted while a manifest is built; larger ones get no index


@dataclass(frozen=True, slots=True)
class Absence:
    """The sorted leaves before and after the place where the absent one would stand; None at either end."""

    before: Proof | None
    after: Proof | None

    def index(self, leaf: bytes, n_leaves: int) -> bytes:
        """The root of the sorted leaves that this proof leads to, if `leaf` isn't among its `n_leaves`.

        Raises
        ------
        InputError : the neighbours aren't next to each other, don't stand around the leaf, or lead to two roots.
        """
        known = [proof for proof in (self.before, self.after) if proof is not None]
        roots = {proof.root(INDEX) for proof in known}
        if len(roots) > 1 or any(proof.n_leaves != n_leaves for proof in known):
            raise InputError("the absence proof's two neighbours are of different manifests; make it again")
        low = -1 if self.before is None else self.before.row
        high = n_leaves if self.after is None else self.after.row
        around = (self.before is None or bytes.fromhex(self.before.leaf) < leaf) and (
            self.after is None or leaf < bytes.fromhex(self.after.leaf)
        )
        if high != low + 1 or not around:
            raise InputError("the absence proof's neighbours don't stand around the record; make it again")
        return roots.pop() if roots else root(np.zeros((0, SIZE), np.uint8), INDEX)

    def to_json(self) -> dict[str, Any]:
        """The two proofs, or null."""
        parts = {"before": self.before, "after": self.after}
        return {name: None if proof is None else proof.to_json() for name, proof in parts.items()}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Absence:
        """The inverse of `to_json`; `InputError` for anything else."""
        parts = (raw.get("before"), raw.get("after"))
        return cls(*(None if part is None else Proof.from_json(part) for part in parts))


def sorted_leaves(leaves: Digests) -> Digests:
    """(n, 32) the leaves in the order of their bytes."""
    words = _words(leaves)
    order = np.argsort(words[:, 0], kind="stable")
    first = words[order, 0]
    if len(first) > 1 and (first[1:] == first[:-1]).any():  # equal leaves, or some that begin alike
        order = np.lexsort(words.T[::-1])
    return np.ascontiguousarray(leaves[order])


def _words(leaves: Digests) -> npt.NDArray[np.uint64]:
    return np.ascontiguousarray(leaves).view(">u8").reshape(-1, SIZE // 8).astype(np.uint64)


def index_root(leaves: Digests) -> bytes:
    """The root over the leaves in sorted order: what absence is proven against."""
    return root(sorted_leaves(leaves), INDEX)


def prove_absent(leaves: Digests, leaf: bytes) -> Absence:
    """The proof that `leaf` is none of these leaves (in any order).

    Raises
    ------
    InputError : it is one of them.
    """
    ordered = sorted_leaves(leaves)
    words, wanted = _words(ordered), _words(np.frombuffer(leaf, np.uint8).reshape(1, SIZE))[0]
    low = int(np.searchsorted(words[:, 0], wanted[0], side="left"))
    while low < len(ordered) and ordered[low].tobytes() < leaf:  # only past leaves that begin with the same 8 bytes
        low += 1
    if low < len(ordered) and ordered[low].tobytes() == leaf:
        raise InputError("the record is still in the manifest; it was not deleted")
    before = prove(ordered, low - 1) if low else None
    after = prove(ordered, low) if low < len(ordered) else None
    return Absence(before, after)
