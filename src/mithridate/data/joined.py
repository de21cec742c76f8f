"""The same bytes as `encoding` makes cell by cell, joined by Arrow for many columns at once: three times as fast.

A column becomes pieces: binary arrays of which each row's bytes, one piece after the other, are its cells.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mithridate.data.columnar import fixed, is_columnar
from mithridate.data.encoding import (
    Column,
    Together,
    encode_cells,
    encode_columns,
    flat_numbers,
    is_numeric,
    is_vectors,
    nanoseconds,
    nested_cells,
    numbers_together,
)
from mithridate.data.tags import BYTES, CELLS, HEAD, LENGTH, MISSING, OTHER, TEXT
from mithridate.data.vectors import vectors

Pieces: TypeAlias = list[Any]  # large binary arrays, or scalars that stand in every row


def content_pieces(columns: Sequence[Column]) -> Pieces:
    """What `encode_columns` makes of them."""
    if all(map(is_numeric, columns)):
        return [_binary(encode_columns(columns))]
    if len(columns) == 1:
        return cell_pieces(columns[0])
    return [_constant(CELLS + LENGTH(len(columns))), *row_pieces(columns)]


def row_pieces(columns: Sequence[Column]) -> Pieces:
    """The cells of these columns one after the other; how many they are must be known."""
    out: Pieces = []
    for part in numbers_together(columns):
        out += [fixed(part.rows)] if isinstance(part, Together) else cell_pieces(part)
    return out


def cell_pieces(column: Column | None) -> Pieces:
    """What `encode_cells` makes of it; of no column, that it is missing."""
    if column is None:
        return [_constant(MISSING)]
    if isinstance(column, pa.ChunkedArray):  # as Arrow makes one of many numpy texts
        column = column.combine_chunks()
    plain = column.dictionary_decode() if isinstance(column, pa.DictionaryArray) else column
    if isinstance(plain, np.ndarray):
        return [_binary(encode_cells(plain))]
    for fits, text in _TEXTS:
        if fits(plain.type):
            return _sized(*text(plain))
    if is_columnar(plain.type):
        return (
            (_vectors(plain) or [_binary(encode_cells(plain))]) if is_vectors(plain) else [nested_cells(plain, _whole)]
        )
    (part,) = numbers_together([plain])
    return [fixed(part.rows) if isinstance(part, Together) else _binary(encode_cells(plain))]


def _whole(column: pa.Array) -> pa.Array:
    """A column's cells as one piece."""
    spread = pa.repeat(_constant(b""), len(column))
    return pc.binary_join_element_wise(spread, *cell_pieces(column), _constant(b""))


def hashed(head: bytes, pieces: Pieces, n_rows: int, hash_of: Callable[[Any], Any]) -> list[bytes]:
    """The digest of head and pieces, row by row."""
    spread = pa.repeat(_constant(head), n_rows)  # an array, so that the join has one even where every piece is constant
    joined = pc.binary_join_element_wise(spread, *pieces, _constant(b""))
    offsets = np.frombuffer(joined.buffers()[1], np.int64)[joined.offset : joined.offset + n_rows + 1].tolist()
    raw = memoryview(joined.buffers()[2])
    return [hash_of(raw[start:stop]).digest() for start, stop in pairwise(offsets)]  # a loop: hashlib has no batch


def _constant(raw: bytes) -> pa.Scalar:
    return pa.scalar(raw, pa.large_binary())


def _binary(items: Any) -> pa.Array:
    return pa.array(items, pa.large_binary())


def _sized(column: pa.Array, tag: bytes) -> Pieces:
    """Tag and length of each value, and the values; one byte where there is none."""
    values = column.cast(pa.large_binary())
    gone = np.asarray(column.is_null().to_numpy(zero_copy_only=False)) if column.null_count else None
    heads = np.empty((len(values), HEAD), np.uint8)
    heads[:, 0] = tag[0]
    lengths = pc.binary_length(values)
    lengths = lengths.fill_null(0) if gone is not None else lengths
    heads[:, 1:] = lengths.to_numpy(zero_copy_only=False).astype("<u8").view(np.uint8).reshape(-1, HEAD - 1)
    return [_heads(heads, gone), values if gone is None else values.fill_null(b"")]


def _heads(heads: npt.NDArray[np.uint8], gone: npt.NDArray[np.bool_] | None) -> pa.Array:
    """(n, w) what stands before each value; one byte where there is none."""
    if gone is None:
        return fixed(heads)
    heads[gone, 0] = MISSING[0]
    kept = np.ones(heads.shape, dtype=bool)
    kept[gone, 1:] = False
    ends = np.concatenate([[0], np.cumsum(np.where(gone, 1, heads.shape[1]))]).astype(np.int64)
    return pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(heads), [None, pa.py_buffer(ends), pa.py_buffer(np.ascontiguousarray(heads[kept]))]
    )


def _vectors(column: pa.Array) -> Pieces | None:
    """Lists of numbers without gaps; None where a row holds an integer that no float64 does."""
    lengths = pc.list_value_length(column)
    lengths = np.asarray((lengths.fill_null(0) if column.null_count else lengths).to_numpy(zero_copy_only=False))
    found = vectors(flat_numbers(column.flatten())[:, 0], lengths)
    gone = np.asarray(column.is_null().to_numpy(zero_copy_only=False)) if column.null_count else None
    return None if found is None else [_heads(found.heads, gone), *found.values]


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind))


_TEXTS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.Array], tuple[pa.Array, bytes]]], ...] = (
    (_is_text, lambda column: (column, TEXT)),
    (_is_bytes, lambda column: (column, BYTES)),
    (pa.types.is_timestamp, lambda column: (nanoseconds(column), OTHER)),
)
