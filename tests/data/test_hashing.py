"""One row, one hash: whatever stands around it, and whatever form it came in."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mithridate.data.hashing import fingerprint, hash_rows, stable_order

CELLS = {
    "int": st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
    "float": st.one_of(st.none(), st.floats(allow_nan=False)),
    "text": st.one_of(st.none(), st.text(max_size=8)),
    "flag": st.one_of(st.none(), st.booleans()),
}
ROWS = st.lists(st.fixed_dictionaries(CELLS), min_size=1, max_size=8)
SCHEMA = pa.schema([("int", pa.int64()), ("float", pa.float64()), ("text", pa.string()), ("flag", pa.bool_())])


@given(ROWS)
def test_a_rows_hash_does_not_depend_on_its_company(rows: list[dict[str, object]]) -> None:
    table = pa.Table.from_pylist(rows, SCHEMA)
    whole = hash_rows(table)
    for i in range(len(rows)):
        assert hash_rows(table.slice(i, 1))[0] == whole[i]


@given(ROWS)
def test_dictionaries_and_chunks_leave_no_trace(rows: list[dict[str, object]]) -> None:
    table = pa.Table.from_pylist(rows, SCHEMA)
    coded = table.set_column(2, "text", table.column("text").dictionary_encode())
    chunked = pa.concat_tables([table.slice(i, 1) for i in range(len(rows))])
    assert hash_rows(coded).tobytes() == hash_rows(table).tobytes() == hash_rows(chunked).tobytes()


@given(ROWS)
def test_different_rows_have_different_hashes(rows: list[dict[str, object]]) -> None:
    hashes = hash_rows(pa.Table.from_pylist(rows, SCHEMA))
    for i, one in enumerate(rows):
        for j, other in enumerate(rows):
            assert (hashes[i] == hashes[j]) == (one == other)


def test_numbers_are_hashed_by_value_and_missing_is_not_empty() -> None:
    kinds = (pa.int8(), pa.int64(), pa.uint16(), pa.float32(), pa.float64())
    assert len({hash_rows(pa.table({"a": pa.array([3], kind)})).tobytes() for kind in kinds}) == 1
    nothing = hash_rows(pa.table({"a": pa.array([None, ""], pa.string())}))
    assert nothing[0] != nothing[1]
    floats = hash_rows(pa.table({"a": pa.array([None, float("nan"), 0.0, -0.0])}))
    assert floats[0] == floats[1] != floats[2] == floats[3]


def test_column_names_are_part_of_the_hash() -> None:
    assert hash_rows(pa.table({"a": [1]}))[0] != hash_rows(pa.table({"b": [1]}))[0]
    assert hash_rows(pa.table({"a": ["x\x1f"], "b": ["y"]}))[0] != hash_rows(pa.table({"a": ["x"], "b": ["\x1fy"]}))[0]


@pytest.mark.parametrize("kind", ["uint8", "float32", ">f4", "bool"])
def test_arrays_are_hashed_row_by_row(kind: str) -> None:
    x = np.random.default_rng(0).integers(0, 2, (40_000, 2, 3)).astype(kind)
    hashes = hash_rows(x)
    assert hashes.shape == (40_000,)
    assert (hash_rows(x[17_000:17_003]) == hashes[17_000:17_003]).all()
    assert (hash_rows(np.asfortranarray(x[:5])) == hashes[:5]).all()


def test_dates_and_nested_cells_have_a_hash() -> None:
    table = pa.table({"d": pa.array([0, 1, None], pa.timestamp("s")), "n": [[1], [1, 2], None]})
    assert len(set(hash_rows(table).tolist())) == 3


def test_empty_content_has_no_hashes() -> None:
    assert len(hash_rows(np.zeros((0, 3), np.uint8))) == 0
    assert len(hash_rows(pa.table({"a": pa.array([], pa.int64())}))) == 0


@pytest.mark.parametrize("shape", [(5, 5, 1), (8, 8, 3), (3,)])
def test_fingerprints_tell_rows_apart_and_go_with_them(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    rows = np.repeat(rng.integers(0, 256, (1, *shape), dtype=np.uint8), 8 * int(np.prod(shape)), axis=0)
    flat = rows.reshape(len(rows), -1)
    bit = np.arange(len(rows))
    flat[bit, bit // 8] ^= (1 << bit % 8).astype(np.uint8)  # every row differs from the next in two bits
    codes = np.zeros(len(rows), np.int32)
    found = fingerprint(flat.reshape(rows.shape), codes)
    assert len(np.unique(found)) == len(rows)
    assert not np.isin(fingerprint(flat.reshape(rows.shape), codes + 1), found).any()
    order = rng.permutation(len(rows))
    assert np.array_equal(fingerprint(flat.reshape(rows.shape)[order], codes), found[order])


@given(st.integers(0, 6), st.integers(1, 21), st.integers(0, 2**32 - 1))
def test_a_fingerprint_is_the_sum_of_digits_by_their_weights(n_rows: int, n_bytes: int, seed: int) -> None:
    rows = np.random.default_rng(seed).integers(0, 256, (n_rows, n_bytes), dtype=np.uint8)
    codes = np.arange(n_rows, dtype=np.int32) - 1
    weights = [int(w) for w in np.random.default_rng(0).integers(0, 2**64, size=n_bytes + 1, dtype=np.uint64)]
    whole = n_bytes // 4 * 4
    for row, code, found in zip(rows, codes, fingerprint(rows, codes), strict=True):
        digits = [int(code), *row[:whole].view("<u4").tolist(), *row[whole:].tolist()]
        assert int(found) == sum(d * w for d, w in zip(digits, weights, strict=False)) % 2**64


def test_rows_of_equal_fingerprints_keep_their_order() -> None:
    keys = np.random.default_rng(0).integers(0, 50, 2_000).astype(np.uint64)
    assert np.array_equal(stable_order(keys), np.argsort(keys, kind="stable"))
    distinct = np.random.default_rng(1).permutation(2_000).astype(np.uint64)
    assert np.array_equal(stable_order(distinct), np.argsort(distinct, kind="stable"))
