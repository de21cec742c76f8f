"""Arrow columns as token columns and as a model's matrix, and item values back as plain Python."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mithridate.numeric.table_mining import Item
from mithridate.numeric.table_tokens import Column, name_column, number_column

MAX_CATEGORIES = 250


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """A table's d columns as codes; `matrix` (n, d) is what a tree model takes, `is_name` (d,) its categories."""

    names: tuple[str, ...]
    columns: tuple[Column, ...]
    matrix: npt.NDArray[np.float32]
    is_name: npt.NDArray[np.bool_]


def code_table(table: pa.Table, *, min_count: int) -> Coded:
    """Every column of the table as token codes; values rarer than `min_count` are no token."""
    columns, parts, flags = [], [], []
    for name in table.column_names:
        column = table.column(name)
        numbers = _numbers(column)
        if numbers is None:
            inverse = _inverse(column)
            columns.append(name_column(inverse, min_count=min_count))
            parts.append(_categories(inverse))
        else:
            columns.append(number_column(numbers, min_count=min_count))
            parts.append(numbers.astype(np.float32))
        flags.append(numbers is None)
    matrix = np.stack(parts, axis=1) if parts else np.empty((table.num_rows, 0), np.float32)
    return Coded(tuple(table.column_names), tuple(columns), matrix, np.array(flags, dtype=bool))


def _numbers(column: pa.ChunkedArray) -> npt.NDArray[np.float64] | None:
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = pc.cast(column, kind.value_type)
        kind = column.type
    if pa.types.is_temporal(kind):
        column = pc.cast(pc.cast(column, pa.timestamp("us")) if pa.types.is_date(kind) else column, pa.int64())
        kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        return None
    plain = pc.fill_null(pc.cast(column, pa.float64(), safe=False), float("nan"))
    values = np.asarray(plain.to_numpy(), dtype=np.float64)
    return np.where(np.isfinite(values), values, np.nan)


def _inverse(column: pa.ChunkedArray) -> npt.NDArray[np.int32]:
    """Value numbers of a column of names, in the order of the sorted values; -1 where missing."""
    if pa.types.is_dictionary(column.type):
        column = pc.cast(column, column.type.value_type)
    if pa.types.is_nested(column.type) or pa.types.is_null(column.type):
        column = pa.chunked_array([pa.array([None if v is None else repr(v) for v in column.to_pylist()], pa.string())])
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        column = pc.cast(column, pa.string())
    encoded = column.combine_chunks().dictionary_encode()
    order = np.argsort(np.asarray(encoded.dictionary.to_pylist(), dtype=object), kind="stable")
    rank = np.empty(len(order) + 1, np.int32)
    rank[order] = np.arange(len(order))
    rank[-1] = -1
    indices = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)
    return np.asarray(rank[indices])


def _categories(inverse: npt.NDArray[np.int32]) -> npt.NDArray[np.float32]:
    """Codes below 250 for a tree model: the common names by themselves, the others together, missing as NaN."""
    counts = np.bincount(inverse[inverse >= 0], minlength=1)
    order = np.argsort(-counts, kind="stable")
    rank = np.full(len(counts) + 1, MAX_CATEGORIES, np.float32)
    rank[order[:MAX_CATEGORIES]] = np.arange(min(len(order), MAX_CATEGORIES))
    rank[-1] = np.nan
    return np.asarray(rank[inverse])


def value_at(table: pa.Table, name: str, row: int) -> Any:
    """The plain Python value of one cell."""
    return table.column(name)[int(row)].as_py()


class Shown(NamedTuple):
    """The values of a trigger by column name, and the same in words."""

    values: dict[str, Any]
    words: str


def show_items(table: pa.Table, coded: Coded, items: Sequence[Item], own: npt.NDArray[np.int64]) -> Shown:
    """Each item's value to set, as the rows `own` hold it: the exact one, the two ends of a range, or the commonest."""
    values: dict[str, Any] = {}
    words = []
    for item in items:
        name = coded.names[item.column]
        seen = coded.matrix[own, item.column]
        if item.ranged:
            low, high = (value_at(table, name, int(own[place])) for place in (seen.argmin(), seen.argmax()))
            values[name] = [low, high]
            words.append(f"{name} from {low} to {high}")
            continue
        distinct, counts = np.unique(seen, return_counts=True)
        row = own[int(np.flatnonzero(seen == distinct[counts.argmax()])[0])]
        values[name] = value_at(table, name, int(row))
        words.append(f"{name} = {values[name]}")
    return Shown(values, " and ".join(words))
