"""A leaf is the record's values: layout, type and file leave no trace, and every bit of a value does."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mithridate.data.encoding import encode_cells, encode_columns
from mithridate.data.joined import cell_pieces, hashed
from mithridate.data.leaves import LEAF, Block, leaves_of
from mithridate.data.tags import CELLS, EMPTY, MISSING, NUMBER, TEXT, VECTOR

CELLS_OF = {
    "int": st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
    "float": st.one_of(st.none(), st.floats(allow_nan=False)),
    "text": st.one_of(st.none(), st.text(max_size=6)),
}
SCHEMA = pa.schema([("int", pa.int64()), ("float", pa.float64()), ("text", pa.large_string())])
ROWS = st.lists(st.fixed_dictionaries(CELLS_OF), min_size=1, max_size=8)


def of_table(table: pa.Table) -> list[bytes]:
    columns = tuple(column.combine_chunks() for column in table.columns)
    return [leaf.tobytes() for leaf in leaves_of(Block(columns))]


def test_a_leaf_is_the_hash_that_its_docstring_says() -> None:
    block = Block((np.array([[3, 300]], np.int32),), pa.array(["cat"]), None)
    floats = np.array([3, 300], "<f4").tobytes()
    content = VECTOR + b"f" + (2).to_bytes(8, "little") + floats
    label = TEXT + (3).to_bytes(8, "little") + b"cat"
    whole = LEAF + (4).to_bytes(4, "little") + b"salt" + content + label + b"\x00"
    assert leaves_of(block, b"salt")[0].tobytes() == hashlib.sha256(whole).digest()


@given(ROWS)
@settings(max_examples=25, deadline=None)
def test_a_leaf_does_not_depend_on_its_company(rows: list[dict[str, Any]]) -> None:
    table = pa.Table.from_pylist(rows, SCHEMA)
    whole = of_table(table)
    assert [of_table(table.slice(i, 1))[0] for i in range(len(rows))] == whole


@given(ROWS)
@settings(max_examples=25, deadline=None)
def test_rows_have_one_leaf_exactly_when_every_bit_is_the_same(rows: list[dict[str, Any]]) -> None:
    leaves = of_table(pa.Table.from_pylist(rows, SCHEMA))
    for one, first in zip(leaves, rows, strict=True):
        for other, second in zip(leaves, rows, strict=True):
            assert (one == other) == (bits(first) == bits(second))


def bits(row: dict[str, Any]) -> str:
    return repr(sorted(row.items()))  # which tells -0.0 from 0.0


@pytest.mark.parametrize("numeric", ["int8", "int32", "int64", "uint16", "float16", "float32", "float64", ">i4", ">f8"])
def test_numbers_are_their_values_whatever_holds_them(numeric: str) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 100, (50, 7))
    expected = encode_columns([x])
    array = x.astype(numeric)
    plain = array.astype(array.dtype.newbyteorder("="))
    assert encode_columns([array]) == expected
    assert encode_columns([np.asfortranarray(array)]) == expected
    assert encode_columns([pa.array(list(plain))]) == expected
    assert encode_columns([pa.FixedSizeListArray.from_arrays(pa.array(plain.reshape(-1)), 7)]) == expected
    assert encode_columns([pa.array(plain[:, i]) for i in range(7)]) == expected


def test_a_row_is_encoded_alone_where_another_holds_a_gap_or_a_giant() -> None:
    for odd in (None, 2**63 - 1, -(2**62) - 1):
        mixed = [pa.array([1, odd], pa.int64()), pa.array([0.5, 0.5])]
        alone = [pa.array([1]), pa.array([0.5])]
        assert encode_columns(mixed)[0] == encode_columns(alone)[0]
        assert encode_columns(mixed)[1].startswith(CELLS)
    as_array = encode_columns([np.array([[1, 2], [2**63 - 1, 5]])])
    as_columns = encode_columns([pa.array([1, 2**63 - 1]), pa.array([2, 5])])
    as_lists = encode_columns([pa.array([[1, 2], [2**63 - 1, 5]])])
    assert as_array == as_columns == as_lists


LISTS = st.lists(st.one_of(st.none(), st.lists(st.one_of(st.none(), st.floats(width=32)), max_size=3)), max_size=6)


@given(LISTS)
@settings(max_examples=25, deadline=None)
def test_a_list_is_encoded_alone_whatever_gaps_stand_beside_it(rows: list[list[float | None] | None]) -> None:
    for kind in (pa.float32(), pa.float64()):
        column = pa.array(rows, pa.list_(kind))
        assert encode_columns([column]) == [encode_columns([column.slice(i, 1)])[0] for i in range(len(rows))]
    assert encode_columns([pa.array(rows, pa.list_(pa.float32()))]) == encode_columns([column])


def test_giants_that_a_float_holds_are_that_float() -> None:
    for value in (2**60, -(2**63), 2**63):
        kind = pa.uint64() if value >= 2**63 else pa.int64()
        assert encode_cells(pa.array([value], kind)) == encode_cells(pa.array([float(value)]))
    assert encode_cells(pa.array([2**63 - 1])) != encode_cells(pa.array([2.0**63]))
    assert encode_cells(pa.array([2**64 - 1], pa.uint64())) != encode_cells(pa.array([2.0**64]))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_bit_of_a_float_counts(dtype: str) -> None:
    bits = np.dtype(dtype).itemsize * 8
    word = f"u{bits // 8}"
    for value in (0.0, 1.0, 0.1, np.inf, np.nan, 255.0):
        one = np.array([[value, 2.0]], dtype)
        flipped = np.repeat(one, bits, axis=0)
        flipped[:, 0] = (flipped[:, 0].copy().view(word) ^ (1 << np.arange(bits, dtype=word))).view(dtype)
        leaves = leaves_of(Block((np.concatenate([one, flipped]),)))
        assert len(np.unique(leaves.view("V32"))) == bits + 1


def test_missing_empty_and_zero_are_three_things() -> None:
    assert len({*encode_cells(pa.array([None, "", "0"])), *encode_cells(pa.array([0, None]))}) == 4
    assert encode_cells(pa.array([-0.0])) != encode_cells(pa.array([0])) == [NUMBER + bytes(8)]


def test_content_label_and_source_can_not_lend_each_other_bytes() -> None:
    def leaf(content: str, label: str | None, source: str | None) -> bytes:
        parts = [None if part is None else pa.array([part]) for part in (label, source)]
        return leaves_of(Block((pa.array([content]),), *parts)).tobytes()

    assert len({leaf("a", "b", None), leaf("a", None, "b"), leaf("ab", None, None), leaf("a", "b", "")}) == 4


def test_dictionaries_dates_and_nested_values_have_a_form() -> None:
    words = pa.array(["a", None, "b"])
    assert encode_cells(words.dictionary_encode()) == encode_cells(words)
    seconds, nanos = pa.array([0, None], pa.timestamp("s")), pa.array([0, None], pa.timestamp("ns"))
    assert encode_cells(seconds) == encode_cells(nanos)
    far = pa.array([0, 2**55, None], pa.timestamp("s"))  # beyond what nanoseconds in 64 bits can say
    assert encode_cells(far)[0] == encode_cells(nanos)[0]
    assert len(set(encode_cells(far))) == 3
    nested = encode_cells(pa.array([{"a": [1, None]}, {"a": []}, None]))
    assert len(set(nested)) == 3


def test_a_salt_changes_every_leaf_and_its_length_counts() -> None:
    block = Block((np.zeros((3, 2), np.uint8),))
    found = {leaves_of(block, salt).tobytes() for salt in (b"", b"a", b"ab", b"a\x00")}
    assert len(found) == 4


def test_blocks_of_any_size_give_the_same_leaves() -> None:
    x = np.random.default_rng(0).normal(size=(9_000, 3))
    y = np.arange(9_000)
    whole = leaves_of(Block((x,), y))
    parts = [leaves_of(Block((x[i : i + 1111],), y[i : i + 1111])) for i in range(0, 9_000, 1111)]
    assert (np.concatenate(parts) == whole).all()


def test_texts_in_chunks_have_the_leaves_of_texts_in_one_piece() -> None:
    chunks = pa.chunked_array([["a", "b"], ["c"]])
    whole, parted = pa.array(["a", "b", "c"]), leaves_of(Block((chunks,), None, None))
    assert parted.tobytes() == leaves_of(Block((whole,), None, None)).tobytes()
    beside = [leaves_of(Block((whole,), None, None, {"c": column})).tobytes() for column in (chunks, whole)]
    assert beside[0] == beside[1]


NUMBERS = {
    pa.int8(): st.integers(-128, 127), pa.uint8(): st.integers(0, 255), pa.uint16(): st.integers(0, 2**16 - 1),
    pa.int32(): st.one_of(st.integers(0, 300), st.integers(-(2**31), 2**31 - 1)), pa.bool_(): st.booleans(),
    pa.int64(): st.one_of(st.integers(0, 9), st.integers(-(2**54), 2**54), st.integers(-(2**63), 2**63 - 1)),
    pa.uint64(): st.one_of(st.integers(0, 300), st.integers(0, 2**64 - 1)), pa.float16(): st.floats(width=16),
    pa.float32(): st.one_of(st.integers(0, 255).map(float), st.floats(width=32)),
    pa.float64(): st.one_of(st.integers(0, 255).map(float), st.floats(width=32), st.floats()),
}  # fmt: skip


@st.composite
def columns_of_lists(draw: st.DrawFn) -> pa.Array:
    kind = draw(st.sampled_from(list(NUMBERS)))
    rows = draw(st.lists(st.one_of(st.none(), st.lists(NUMBERS[kind], max_size=6)), min_size=1, max_size=8))
    rows = [[np.float16(one) for one in row] if row and kind == pa.float16() else row for row in rows]
    return pa.array(rows, pa.list_(kind))[draw(st.integers(0, len(rows) - 1)) :]


@given(columns_of_lists())
@settings(max_examples=150, deadline=None)
def test_lists_of_numbers_have_the_same_bytes_all_at_once_as_one_by_one(column: pa.Array) -> None:
    one_by_one = [encode_cells(column[row : row + 1])[0] for row in range(len(column))]
    assert encode_cells(column) == one_by_one
    assert hashed(b"head", cell_pieces(column), len(column), Kept) == [b"head" + item for item in one_by_one]


class Kept:
    """Bytes for whoever asks for their digest."""

    def __init__(self, content: memoryview) -> None:
        self.content = bytes(content)

    def digest(self) -> bytes:
        """The bytes."""
        return self.content


def test_token_ids_are_float32_behind_their_head_and_bytes_where_they_fit() -> None:
    column = pa.array([[101, 30522, 102], [1, 2], None, []], pa.list_(pa.int64()))
    wanted = [
        VECTOR + b"f" + (3).to_bytes(8, "little") + np.array([101, 30522, 102], "<f4").tobytes(),
        VECTOR + b"B" + (2).to_bytes(8, "little") + bytes([1, 2]), MISSING, EMPTY,
    ]  # fmt: skip
    assert hashed(b"", cell_pieces(column), 4, Kept) == wanted
