"""Labels and sources as codes: any stored type in, int32 positions in a sorted tuple out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mithridate.core.errors import InputError

MISSING_SOURCE = "(missing)"
_EXACT = 2.0**53  # whole floats below are exact integers
_FEW_FLOATS = 1000  # distinct fractional labels that may still be classes


class Encoded(NamedTuple):
    """(n,) int32 codes, -1 where missing, and the distinct values they index, sorted."""

    codes: npt.NDArray[np.int32]
    values: tuple[Any, ...]


def encode_labels(values: Any, name: str) -> Encoded:  # noqa: ANN401 - arrays, Arrow columns, series, lists
    """Codes of labels of any scalar type.

    Null, NaN and the empty string are missing (code -1). Whole floats (3.0) become integers (3), so that labels
    which passed through pandas compare with labels that didn't.

    Raises
    ------
    InputError : the values are nested or of several types, or so many fractional numbers that it's a regression target.
    """
    found = _factor(values, f"label column {name!r}")
    words = [None if word is None or word == "" or word != word else word for word in found.words]  # noqa: PLR0124 - NaN
    if any(isinstance(word, float) for word in words):
        words = _whole(words, len(found.positions), name)
    return _ranked(found.positions, words)


def encode_sources(values: Any, name: str) -> Encoded:  # noqa: ANN401 - arrays, Arrow columns, series, lists
    """Codes of sources; names are strings, and rows without one belong to `(missing)`."""
    found = _factor(values, f"source column {name!r}")
    whole = [int(word) if isinstance(word, float) and word.is_integer() else word for word in found.words]
    gone = {None, ""}
    names = [MISSING_SOURCE if word in gone or word != word else str(word) for word in whole]  # noqa: PLR0124 - NaN
    index = np.where(found.positions < 0, len(names), found.positions)
    return _ranked(index, [*names, MISSING_SOURCE] if (found.positions < 0).any() else names)


class _Factor(NamedTuple):
    """(n,) positions in `words`, -1 where the value is null; words are plain Python values, some perhaps the same."""

    positions: npt.NDArray[np.integer[Any]]
    words: list[Any]


def _factor(values: Any, what: str) -> _Factor:  # noqa: ANN401 - arrays, Arrow columns, series, lists
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return _factor_arrow(values, what)
    array = np.asarray(values) if hasattr(values, "__array__") else None
    if array is not None and array.dtype.kind != "O":
        return _factor_numpy(array, what)
    items = list(values) if array is None else array.tolist()
    plain = [item.item() if isinstance(item, np.generic) else item for item in items]
    kinds = {type(item) for item in plain if item is not None and item == item}  # noqa: PLR0124 - NaN
    if len(kinds) > 1 and not kinds <= {int, float}:
        shown = ", ".join(sorted(kind.__name__ for kind in kinds)[:4])
        raise InputError(f"{what} has values of several types ({shown}); make them one type")
    try:
        place: dict[Any, int] = {}
        index = np.array([place.setdefault(item, len(place)) for item in plain], dtype=np.int64)
    except TypeError as error:
        raise InputError(f"the {what} is nested; pass one value a row") from error
    return _Factor(index, [_scalar(word, what) for word in place])


def _scalar(word: Any, what: str) -> Any:  # noqa: ANN401 - any hashable
    if word is None or isinstance(word, str | bool | int | float):
        return word
    if isinstance(word, bytes):
        return word.decode("utf-8", "replace")
    if isinstance(word, tuple | frozenset):
        raise InputError(f"the {what} is nested; pass one value a row")
    return str(word)


def _factor_numpy(array: npt.NDArray[Any], what: str) -> _Factor:
    if array.ndim == 2 and array.shape[1] == 1:  # noqa: PLR2004 - a column vector
        array = array[:, 0]
    if array.ndim != 1:
        raise InputError(f"the {what} has shape {array.shape}, not one value a row; one-hot labels: pass argmax(1)")
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8", "replace")
    if array.dtype.kind not in "biufUM":
        raise InputError(f"the {what} has dtype {array.dtype}; pass numbers or strings")
    if array.dtype.kind == "M":
        array = array.astype(str)
    words, index = np.unique(array, return_inverse=True)
    return _Factor(index.reshape(-1), words.tolist())


def _factor_arrow(values: pa.Array | pa.ChunkedArray, what: str) -> _Factor:
    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    if isinstance(array, pa.ChunkedArray):  # too long for one chunk of 32-bit offsets
        array = pa.concat_arrays(array.cast(pa.large_string()).chunks)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    kind = array.type
    if pa.types.is_nested(kind):
        raise InputError(f"the {what} is nested ({kind}); name a column that holds one value a row")
    if pa.types.is_null(kind):
        return _Factor(np.full(len(array), -1), [])
    simple = pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind)
    if not simple and not pa.types.is_string(kind):
        array = pc.cast(array, pa.large_string())
    encoded = array.dictionary_encode()
    return _Factor(encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False), encoded.dictionary.to_pylist())


def _whole(words: list[Any], n_rows: int, name: str) -> list[Any]:
    known = [float(word) for word in words if word is not None]
    if any(math.isinf(word) for word in known):
        raise InputError(f"label column {name!r} holds infinite values; labels must be finite")
    if all(word.is_integer() and abs(word) < _EXACT for word in known):
        return [None if word is None else int(word) for word in words]
    if len(known) > max(_FEW_FLOATS, n_rows / 2):
        raise InputError(
            f"label column {name!r} holds {len(known):,} different fractional numbers: a regression target, not "
            "classes; name another column with --label, or bin it"
        )
    return words


def _ranked(index: npt.NDArray[np.integer[Any]], words: Sequence[Any]) -> Encoded:
    """Codes in the order of the sorted words; None is -1."""
    order = sorted({word for word in words if word is not None})
    place = {word: code for code, word in enumerate(order)}
    rank = np.array([*(-1 if word is None else place[word] for word in words), -1], dtype=np.int32)
    return Encoded(rank[index], tuple(order))
