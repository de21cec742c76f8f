"""Lists and structs as cells, column by column: no Python object is made for a value.

A list is the cells of its values behind their count, a struct the cells of its fields that have a value, each behind
its name, in the order of the names. So a value is written the same whatever rows stand beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mithridate.data.tags import CELLS, EMPTY, FIELDS, HEAD, LENGTH, MISSING, TEXT

Cells: TypeAlias = Callable[[pa.Array], pa.Array]  # a column's cells as large binary, none of them null
Heads: TypeAlias = npt.NDArray[np.uint8]


def is_columnar(kind: pa.DataType) -> bool:
    """Whether it is a list or a struct that is written this way."""
    return bool(
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
        or pa.types.is_struct(kind)
    )  # fmt: skip


def list_cells(column: pa.Array, cells: Cells) -> pa.Array:
    """(n,) large binary: each list's cells; `cells` makes those of its values."""
    lengths = np.asarray(pc.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False)).astype(np.int64)
    child = cells(column.flatten())
    ends = _offsets(child)[np.concatenate([[0], np.cumsum(lengths)])]
    joined = pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(column), [None, pa.py_buffer(np.ascontiguousarray(ends)), child.buffers()[2]]
    )
    found = _joined(_heads(CELLS, lengths), joined)
    found = pc.if_else(pa.array(lengths == 0), _constant(EMPTY), found)
    return _with_gaps(column, found)


def struct_cells(column: pa.Array, cells: Cells) -> pa.Array:
    """(n,) large binary: each struct's fields that have a value; `cells` makes a field's."""
    parts, count = [], np.zeros(len(column), np.int64)
    fields = sorted(zip((field.name for field in column.type), column.flatten(), strict=True), key=lambda pair: pair[0])
    for name, values in fields:
        there = values.is_valid()
        raw = name.encode()
        found = pc.binary_join_element_wise(_constant(TEXT + LENGTH(len(raw)) + raw), cells(values), _constant(b""))
        parts.append(pc.if_else(there, found, _constant(b"")))
        count += np.asarray(there.to_numpy(zero_copy_only=False))
    return _with_gaps(column, _joined(_heads(FIELDS, count), *parts))


def fixed(rows: Heads) -> pa.Array:
    """(n, w) bytes as n values."""
    ends = np.arange(len(rows) + 1, dtype=np.int64) * rows.shape[1]
    return pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(rows), [None, pa.py_buffer(ends), pa.py_buffer(np.ascontiguousarray(rows))]
    )


def _heads(tag: bytes, counts: npt.NDArray[np.int64]) -> pa.Array:
    heads = np.empty((len(counts), HEAD), np.uint8)
    heads[:, 0] = tag[0]
    heads[:, 1:] = counts.astype("<u8").view(np.uint8).reshape(-1, HEAD - 1)
    return fixed(heads)


def _joined(*parts: Any) -> pa.Array:
    return pc.binary_join_element_wise(*parts, _constant(b""))


def _with_gaps(column: pa.Array, found: pa.Array) -> pa.Array:
    return pc.if_else(column.is_valid(), found, _constant(MISSING)) if column.null_count else found


def _offsets(column: pa.Array) -> npt.NDArray[np.int64]:
    raw = column.buffers()[1]
    if raw is None or not len(column):
        return np.zeros(len(column) + 1, np.int64)
    return np.frombuffer(raw, np.int64)[column.offset : column.offset + len(column) + 1]


def _constant(raw: bytes) -> pa.Scalar:
    return pa.scalar(raw, pa.large_binary())
