"""Labels and sources as codes: any stored type in, int32 positions in a sorted tuple out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mithridate.core.errors import InputError

MISSING_SOURCE = "(missing)"
_FEW_FLOATS = 1000  # distinct fractional labels that may still be classes


class Encoded(NamedTuple):
    """(n,) int32 codes, -1 where missing, and the distinct values they index, sorted."""

    codes: npt.NDArray[np.int32]
    values: tuple[Any, ...]


def encode_labels(values: pa.Array | pa.ChunkedArray, name: str) -> Encoded:
    """Codes of a label column of any scalar type.

    Null, NaN and the empty string are missing (code -1). Whole floats (3.0) become integers (3), so that labels
    which passed through pandas compare with labels that didn't.

    Raises
    ------
    InputError : the column is nested, or holds so many fractional numbers that it's a regression target.
    """
    plain = _flat(values, f"label column {name!r}")
    if pa.types.is_floating(plain.type):
        plain = _whole(plain, name)
    if pa.types.is_large_string(plain.type):
        plain = pc.if_else(pc.equal(plain, ""), pa.scalar(None, plain.type), plain)
    return _encode(plain)


def encode_sources(values: pa.Array | pa.ChunkedArray, name: str) -> Encoded:
    """Codes of a source column; names are strings, and rows without one belong to `(missing)`."""
    plain = pc.cast(_flat(values, f"source column {name!r}"), pa.large_string())
    return _encode(pc.fill_null(pc.if_else(pc.equal(plain, ""), None, plain), MISSING_SOURCE))


def to_arrow(values: Any, name: str) -> pa.Array:
    """One-dimensional labels or sources of any container as an Arrow array.

    Raises
    ------
    InputError : more than one dimension, values of several types, or objects that are no values.
    """
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values
    array = np.asarray(values) if hasattr(values, "__array__") else None
    if array is not None and array.dtype.kind != "O":
        return _from_numpy(array, name)
    items = list(values) if array is None else array.tolist()
    try:
        return pa.array([item.item() if isinstance(item, np.generic) else item for item in items], from_pandas=True)
    except (pa.ArrowException, OverflowError, TypeError, ValueError) as error:
        kinds = sorted({type(item).__name__ for item in items if item is not None})
        raise InputError(f"{name} has values of several types ({', '.join(kinds[:4])}); make them one type") from error


def _from_numpy(array: npt.NDArray[Any], name: str) -> pa.Array:
    if array.ndim == 2 and array.shape[1] == 1:  # noqa: PLR2004 - a column vector
        array = array[:, 0]
    if array.ndim != 1:
        raise InputError(f"{name} has shape {array.shape} and must be one value a row; one-hot labels: pass argmax(1)")
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8", "replace")
    if array.dtype.kind == "U":
        return pa.array(array.tolist(), pa.large_string())
    try:
        return pa.array(np.ascontiguousarray(array).astype(array.dtype.newbyteorder("="), copy=False), from_pandas=True)
    except pa.ArrowException as error:
        raise InputError(f"{name} has dtype {array.dtype}; pass numbers or strings") from error


def _flat(values: pa.Array | pa.ChunkedArray, what: str) -> pa.Array:
    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    if isinstance(array, pa.ChunkedArray):  # too long for one chunk of 32-bit offsets
        array = pa.concat_arrays(array.cast(pa.large_string()).chunks)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    kind = array.type
    if pa.types.is_nested(kind):
        raise InputError(f"the {what} is nested ({kind}); name a column that holds one value a row")
    if pa.types.is_null(kind):
        return pc.cast(array, pa.large_string())
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind):
        return array
    return pc.cast(array, pa.float64() if pa.types.is_floating(kind) else pa.large_string())


def _whole(column: pa.Array, name: str) -> pa.Array:
    numbers = pc.if_else(pc.is_nan(column), pa.scalar(None, pa.float64()), column)
    distinct = pc.unique(numbers).drop_null().to_numpy()
    if np.isinf(distinct).any():
        raise InputError(f"label column {name!r} holds infinite values; labels must be finite")
    if (np.floor(distinct) == distinct).all() and (np.abs(distinct) < 2.0**53).all():
        return pc.cast(numbers, pa.int64())
    if len(distinct) > max(_FEW_FLOATS, len(column) / 2):
        raise InputError(
            f"label column {name!r} holds {len(distinct):,} different fractional numbers: a regression target, not "
            "classes; name another column with --label, or bin it"
        )
    return numbers


def _encode(column: pa.Array) -> Encoded:
    encoded = column.dictionary_encode()
    words: Sequence[Any] = encoded.dictionary.to_pylist()
    order = sorted(range(len(words)), key=lambda i: words[i])
    rank = np.empty(len(words) + 1, dtype=np.int32)
    rank[order] = np.arange(len(words), dtype=np.int32)
    rank[-1] = -1
    index = encoded.indices.fill_null(len(words)).to_numpy(zero_copy_only=False)
    return Encoded(rank[index], tuple(words[i] for i in order))
