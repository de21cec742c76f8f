"""Lists of numbers as the bytes that `encoding.ragged` makes, all rows of a block at once: no object for a row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mithridate.data.tags import VECTOR

Flags: TypeAlias = npt.NDArray[np.bool_]
Fit: TypeAlias = Callable[[npt.NDArray[Any]], Flags]

_KINDS = ((b"B", "u1"), (b"f", "<f4"), (b"d", "<f8"))
_WHOLE_F4, _WHOLE_F8 = 2**24, 2**53  # up to here every integer is exact in float32, in float64
_BYTE = 255


class Vectors(NamedTuple):
    """Rows in pieces. heads : (n, 10) what stands first. values : large binary, n each, empty where others are not."""

    heads: npt.NDArray[np.uint8]
    values: tuple[pa.Array, ...]


def vectors(values: npt.NDArray[Any], lengths: npt.NDArray[Any]) -> Vectors | None:
    """Vectors of `lengths`, end to end in `values`, each row in its narrowest kind; None where integers need cells.

    Parameters
    ----------
    values : native numbers of any type. lengths : (n,) how many are each row's; their sum is all of them.
    """
    if values.dtype.kind in "iu" and not _within(values, _WHOLE_F8):
        return None
    if values.dtype.kind == "f" and values.dtype.itemsize < 4:  # noqa: PLR2004 - float16
        values = values.astype(np.float32)
    lengths = lengths.astype(np.int64)
    with np.errstate(all="ignore"):
        kinds = _kinds(values, lengths)
        parts = tuple(_part(values, lengths, kinds == kind, form) for kind, (_, form) in enumerate(_KINDS)
                      if (kinds == kind).any())  # fmt: skip
    heads = np.empty((len(lengths), len(VECTOR) + 1 + 8), np.uint8)
    heads[:, 0] = VECTOR[0]
    heads[:, 1] = np.frombuffer(b"".join(letter for letter, _ in _KINDS), np.uint8)[kinds]
    heads[:, 2:] = lengths.astype("<u8").view(np.uint8).reshape(-1, 8)
    return Vectors(heads, parts)


def _kinds(values: npt.NDArray[Any], lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """(n,) the place in `_KINDS` of the narrowest kind that holds each row bit by bit."""
    kinds = np.full(len(lengths), 2)
    for place, fit in _fits(values):
        kinds[_rows(fit, values, lengths) & (kinds > place)] = place
    return kinds


def _fits(values: npt.NDArray[Any]) -> Iterator[tuple[int, Fit]]:
    """What says whether values fit bytes, and whether they fit float32; every float32 does."""
    if values.dtype.kind in "iu":
        yield 0, lambda part: (part >= 0) & (part <= _BYTE)
        yield 1, _always if _within(values, _WHOLE_F4) else _survives_float32
        return
    word: Any = np.uint32 if values.dtype.itemsize == 4 else np.uint64  # noqa: PLR2004 - float32
    yield 0, lambda part: part.astype(np.uint8).astype(part.dtype).view(word) == part.view(word)
    yield 1, _always if word is np.uint32 else _survives_float32


def _survives_float32(part: npt.NDArray[Any]) -> Flags:
    wide = part.astype(np.float64)
    return np.asarray(wide.astype(np.float32).astype(np.float64).view(np.uint64) == wide.view(np.uint64))


def _within(values: npt.NDArray[Any], limit: int) -> bool:
    return not len(values) or (-limit <= int(values.min()) and int(values.max()) <= limit)


def _always(part: npt.NDArray[Any]) -> Flags:
    return np.ones(len(part), dtype=bool)


def _rows(fit: Fit, values: npt.NDArray[Any], lengths: npt.NDArray[np.int64]) -> Flags:
    """(n,) rows of which every value fits; a few values of each are asked first: most rows that don't fit show it."""
    if fit is _always:
        return np.ones(len(lengths), dtype=bool)
    ends = np.cumsum(lengths)
    found, some = np.ones(len(lengths), dtype=bool), lengths > 0
    for place in (ends - lengths, ends - (lengths + 1) // 2, ends - 1):
        found[some] &= fit(values[place[some]])
    if not (found & some).any():
        return found
    inside = values if found.all() else values[np.repeat(found, lengths)]
    misses = np.concatenate([[0], np.cumsum(~fit(inside))])
    ends = np.cumsum(lengths[found])
    found[found] = misses[ends] == misses[ends - lengths[found]]
    return found


def _part(values: npt.NDArray[Any], lengths: npt.NDArray[np.int64], chosen: Flags, form: str) -> pa.Array:
    """The bytes of the chosen rows in this form; the others are empty."""
    inside = values if chosen.all() else values[np.repeat(chosen, lengths)]
    width = np.dtype(form).itemsize
    ends = np.concatenate([[0], np.cumsum(np.where(chosen, lengths, 0) * width)]).astype(np.int64)
    raw = np.ascontiguousarray(inside.astype(form, copy=False))
    return pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(lengths), [None, pa.py_buffer(ends), pa.py_buffer(raw)]
    )
