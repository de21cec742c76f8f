"""One root for any number of leaves, and proofs that lead to it and nowhere else."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mithridate.core.errors import InputError
from mithridate.data.merkle import NODE, ROOT, WIDTH, Growing, Proof, parents, prove, root

SIZES = [0, 1, 2, 255, 256, 257, 65_535, 65_536, 65_537, 70_000]


def leaves(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 32), dtype=np.uint8)


def test_the_root_of_two_leaves_worked_by_hand() -> None:
    two = leaves(2)
    node = hashlib.sha256(NODE + two.tobytes()).digest()
    assert root(two) == hashlib.sha256(ROOT + (2).to_bytes(8, "little") + node).digest()


@pytest.mark.parametrize("count", SIZES)
def test_a_tree_that_grows_has_the_same_root(count: int) -> None:
    whole, tree, start = leaves(count), Growing(), 0
    for step in (1, 254, 256, 3, 60_000, 10**6):
        tree.add(whole[start : start + step])
        start += step
    assert tree.root() == root(whole)
    assert len(tree.shard_roots()) == -(-count // 65_536)


def test_a_shards_root_can_be_made_apart() -> None:
    whole, tree = leaves(70_000), Growing()
    tree.add(whole)
    assert (tree.shard_roots()[0] == parents(parents(whole[:65_536]))[0]).all()


@pytest.mark.parametrize("count", [size for size in SIZES if size])
def test_every_row_has_a_proof_and_a_changed_one_fails(count: int) -> None:
    whole = leaves(count)
    top = root(whole)
    for row in sorted({0, count // 2, count - 1}):
        proof = Proof.from_json(json.loads(json.dumps(prove(whole, row).to_json())))
        assert proof.root() == top
        assert replace(proof, leaf="00" * 32).root() != top
        for other in {(row + 1) % (count + 1), row ^ 1} - {row}:
            assert leads_elsewhere(replace(proof, row=other), top)
        assert leads_elsewhere(replace(proof, n_leaves=count + 1), top)


def leads_elsewhere(proof: Proof, top: bytes) -> bool:
    try:
        return proof.root() != top
    except InputError:
        return True


def test_a_node_can_not_pass_for_a_leaf() -> None:
    whole = leaves(300)
    assert root(parents(whole)) != root(whole)


@given(st.integers(1, 600), st.data())
@settings(max_examples=30, deadline=None)
def test_one_flipped_bit_changes_the_root(count: int, data: st.DataObject) -> None:
    whole = leaves(count)
    changed = whole.copy()
    changed[data.draw(st.integers(0, count - 1)), data.draw(st.integers(0, 31))] ^= 1 << data.draw(st.integers(0, 7))
    assert root(changed) != root(whole)


@pytest.mark.parametrize(
    "raw", [{}, {"row": 0}, {"row": "x", "rows": 2, "leaf": "00", "siblings": []}, {"row": 0, "rows": 2, "siblings": 3}]
)
def test_what_is_no_proof_is_refused(raw: dict[str, object]) -> None:
    with pytest.raises(InputError):
        Proof.from_json(raw).root()


def test_a_proof_is_three_levels_for_a_million_rows() -> None:
    assert WIDTH**2 < 1_000_000 <= WIDTH**3
