"""A shard's columns as the numbers that models take and as the tokens that triggers are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mithridate.core.errors import InputError
from mithridate.data.columns import Plan, is_vector

FloatArray = npt.NDArray[np.float32]

MAX_WORDS = 250  # names of a column that a model tells apart
N_SPANS = 60
NO_TOKEN = -1


@dataclass(frozen=True, slots=True, eq=False)
class ColumnCode:
    """How one column is read.

    numeric : numbers (dates and decimals too), else names.
    words : the commonest names, most first; a model sees their places.
    values : sorted numbers, or sorted names, that occur often enough to be shared by a group.
    cuts : ends of some 60 narrow ranges of equal numbers of rows; none where `values` say it all.
    """

    name: str
    numeric: bool
    words: tuple[str, ...] = ()
    values: Any = ()
    cuts: Any = ()

    @property
    def n_tokens(self) -> int:
        """Tokens that this column can give."""
        return len(self.values) + (len(self.cuts) + 1 if len(self.cuts) else 0)


def is_numeric(kind: pa.DataType) -> bool:
    """Whether a column holds numbers, or what has an order like numbers: dates, times, decimals."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_temporal(kind)
    )


def numbers(column: pa.Array, name: str) -> npt.NDArray[np.float64]:
    """(n,) float64, NaN where missing.

    Raises
    ------
    InputError : an infinite value.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.dictionary_decode(), kind.value_type
    if pa.types.is_temporal(kind):
        column = pc.cast(pc.cast(column, pa.timestamp("us")) if pa.types.is_date(kind) else column, pa.int64())
    plain = pc.cast(column, pa.float64(), safe=False)
    values = np.asarray(pc.fill_null(plain, float("nan")).to_numpy(zero_copy_only=False), dtype=np.float64)
    if np.isinf(values).any():
        raise InputError(f"column {name!r} holds infinite values; drop or fill them first")
    return values


def words(column: pa.Array) -> pa.Array:
    """The column as strings."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    try:
        return pc.cast(column, pa.large_string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.array([None if item is None else repr(item) for item in column.to_pylist()], pa.large_string())


def model_rows(batch: pa.RecordBatch, plan: Plan, codes: tuple[ColumnCode, ...]) -> FloatArray:
    """(n, d) float32: numbers as they are, names by their places, NaN where missing."""
    if plan.modality == "embedding":
        return vectors(batch, plan)
    parts = []
    for code in codes:
        column = batch.column(code.name)
        parts.append(numbers(column, code.name).astype(np.float32) if code.numeric else _places(column, code))
    return np.stack(parts, axis=1)


def vectors(batch: pa.RecordBatch, plan: Plan) -> FloatArray:
    """(n, d) float32 of an embedding, 0 where missing.

    Raises
    ------
    InputError : vectors of different lengths, or no numbers.
    """
    column = batch.column(plan.content[0])
    if not is_vector(column.type):
        rows = np.stack([numbers(batch.column(name), name) for name in plan.content], axis=1)
        return np.nan_to_num(rows.astype(np.float32))
    lengths = pc.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False)
    if len(lengths) and (lengths.min() != lengths.max() or lengths[0] == 0):
        raise InputError(f"column {plan.content[0]!r} holds vectors of different lengths; pad or drop them")
    return np.nan_to_num(numbers(column.flatten(), plan.content[0]).astype(np.float32).reshape(len(column), -1))


def _places(column: pa.Array, code: ColumnCode) -> FloatArray:
    text = words(column)
    found = pc.index_in(text, value_set=pa.array(code.words, pa.large_string()))
    places = pc.fill_null(found, MAX_WORDS).to_numpy(zero_copy_only=False).astype(np.float32)
    if text.null_count:
        places[text.is_null().to_numpy(zero_copy_only=False)] = np.nan
    return np.asarray(places)


def tokens(column: pa.Array, code: ColumnCode) -> npt.NDArray[np.int32]:
    """(n,) token of each cell: its exact value where that is common, else its narrow range; -1 for neither."""
    if not code.numeric:
        found = pc.index_in(words(column), value_set=pa.array(code.values, pa.large_string()))
        return np.asarray(pc.fill_null(found, NO_TOKEN).to_numpy(zero_copy_only=False).astype(np.int32))
    cells = numbers(column, code.name)
    out = np.full(len(cells), NO_TOKEN, np.int32)
    if len(code.cuts):
        out = (len(code.values) + np.searchsorted(code.cuts, cells, side="right")).astype(np.int32)
    if len(code.values):
        place = np.minimum(np.searchsorted(code.values, cells), len(code.values) - 1)
        out = np.where(code.values[place] == cells, place, out).astype(np.int32)
    out[np.isnan(cells)] = NO_TOKEN
    return out


def token_words(code: ColumnCode, token: int) -> str:
    """The token as a reader knows it.

    Examples
    --------
    >>> token_words(ColumnCode("age", True, values=np.array([30.0]), cuts=np.array([20.0, 40.0])), 2)
    'age from 20 to 40'
    """
    if token < len(code.values):
        value = code.values[token]
        return f"{code.name} = {value:g}" if code.numeric else f"{code.name} = {value}"
    span = token - len(code.values)
    low = "" if span == 0 else f" from {code.cuts[span - 1]:g}"
    high = "" if span == len(code.cuts) else f" to {code.cuts[span]:g}"
    return f"{code.name}{low}{high}"
