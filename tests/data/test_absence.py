"""A leaf that isn't there is proven so by its neighbours, and one that is can't be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mithridate.core.errors import InputError
from mithridate.data.absence import Absence, index_root, prove_absent, sorted_leaves
from mithridate.data.merkle import root


def leaves(keys: list[int]) -> np.ndarray:
    """A leaf for each key, in the order of the keys; keys below 100 begin alike."""
    raw = b"".join((key // 100).to_bytes(8, "big") + (key % 100).to_bytes(24, "big") for key in keys)
    return np.frombuffer(raw, np.uint8).reshape(-1, 32)


@given(st.lists(st.integers(0, 400), max_size=40), st.integers(0, 400))
@settings(max_examples=100, deadline=None)
def test_a_leaf_is_proven_absent_exactly_when_it_is(keys: list[int], wanted: int) -> None:
    held, leaf = leaves(keys), leaves([wanted])[0].tobytes()
    if wanted in keys:
        with pytest.raises(InputError, match="not deleted"):
            prove_absent(held, leaf)
        return
    proof = Absence.from_json(prove_absent(held, leaf).to_json())
    assert proof.index(leaf, len(keys)) == index_root(held)


@given(st.lists(st.integers(0, 400), min_size=2, max_size=40, unique=True), st.data())
@settings(max_examples=60, deadline=None)
def test_no_proof_of_an_absent_leaf_serves_a_present_one(keys: list[int], data: st.DataObject) -> None:
    absent = next(key for key in range(500) if key not in keys)
    proof, held = prove_absent(leaves(keys), leaves([absent])[0].tobytes()), leaves(keys)
    present = leaves([data.draw(st.sampled_from(keys))])[0].tobytes()
    with pytest.raises(InputError):
        proof.index(present, len(keys))
    for other in (replace(proof, before=None), replace(proof, after=None)):
        if other != proof:
            with pytest.raises(InputError):
                other.index(leaves([absent])[0].tobytes(), len(keys))
    assert index_root(held) != root(held)


@given(st.lists(st.integers(0, 400), max_size=30))
@settings(max_examples=60, deadline=None)
def test_leaves_are_sorted_by_their_bytes(keys: list[int]) -> None:
    found = [leaf.tobytes() for leaf in sorted_leaves(leaves(keys))]
    assert found == sorted(leaf.tobytes() for leaf in leaves(keys))


def test_an_index_does_not_depend_on_the_order_of_rows() -> None:
    assert index_root(leaves([5, 300, 7])) == index_root(leaves([300, 7, 5])) != index_root(leaves([300, 7]))
