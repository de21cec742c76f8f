"""A content array of any common layout as the one that `Dataset` keeps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mithridate.core.errors import InputError
from mithridate.data.dataset import Content, Modality

_CHANNELS = (1, 3, 4)
_BLOCK = 1 << 16  # values converted at a time: no second whole copy in another type, and the block stays in the cache
_BYTE = 255


class Shaped(NamedTuple):
    """Content as `Dataset` keeps it, and its modality."""

    modality: Modality
    content: Content


def shape_array(array: npt.NDArray[Any], name: str, modality: Modality | None = None) -> Shaped:
    """Images (n, h, w), (n, h, w, c) or (n, c, h, w); vectors (n, d); strings (n,).

    Notes
    -----
    Images are kept as bytes wherever that loses nothing: uint8, other integers in 0..255, booleans, and floats that
    are multiples of 1/255 to the precision of float32. So the same picture has the same hash, whether it was stored as
    bytes or as float32 / 255. Other floats in [0, 1] stay float32; floats in 0..255 are divided by 255.

    Raises
    ------
    InputError : no rows, a shape or dtype that is no content, values that aren't finite or out of range.
    """
    if not len(array.shape) or not len(array):
        raise InputError(f"{name} has no rows; there is nothing to audit")
    if array.dtype.kind in "US" or (array.dtype.kind == "O" and array.ndim == 1):
        return _texts(array, name, modality)
    if modality == "audio":
        return Shaped("audio", sounds(array, name))
    if array.dtype.kind not in "biuf":
        raise InputError(f"{name} has dtype {array.dtype}; content must be numbers or strings")
    if array.ndim in {3, 4}:
        return _shaped_images(array, name, modality)
    if array.ndim in {1, 2}:
        return _shaped_rows(array.reshape(len(array), -1), name, modality)
    raise InputError(f"{name} has shape {array.shape}; images are (n, h, w) or (n, h, w, c), embeddings (n, d)")


def _shaped_images(array: npt.NDArray[Any], name: str, modality: Modality | None) -> Shaped:
    if modality in {"embedding", "table"}:
        return _shaped_rows(array.reshape(len(array), -1), name, modality)
    _only(modality, "image", name, array)
    return Shaped("image", images(_channels_last(array, name), name))


def _shaped_rows(array: npt.NDArray[Any], name: str, modality: Modality | None) -> Shaped:
    if array.shape[1] == 0:
        raise InputError(f"{name} has rows without values, shape {array.shape}")
    if modality == "table":
        return Shaped("table", pa.table({f"x{i}": array[:, i] for i in range(array.shape[1])}))
    if modality == "image":
        side = math.isqrt(array.shape[1])
        if side * side != array.shape[1]:
            raise InputError(
                f"{name} has {array.shape[1]} values a row, which is no square image; pass (n, h, w) arrays"
            )
        return Shaped("image", images(array.reshape(-1, side, side, 1), name))
    _only(modality, "embedding", name, array)
    return Shaped("embedding", vectors(array, name))


def _only(asked: Modality | None, found: Modality, name: str, array: npt.NDArray[Any]) -> None:
    if asked not in {None, found}:
        raise InputError(
            f"{name} has dtype {array.dtype} and shape {array.shape}, which is no {asked}; it looks like {found}"
        )


def _texts(array: npt.NDArray[Any], name: str, modality: Modality | None) -> Shaped:
    _only(modality, "text", name, array)
    if array.ndim != 1:
        raise InputError(f"{name} holds strings in shape {array.shape}; texts are one string a row")
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8", "replace")
    items = array.tolist()
    wrong = next((row for row, item in enumerate(items) if not isinstance(item, str)), None)
    if wrong is not None:
        raise InputError(
            f"{name} mixes types: row {wrong} is a {type(items[wrong]).__name__}, not a string; make all one type"
        )
    return Shaped("text", text_array(items))


def text_array(items: Sequence[str]) -> npt.NDArray[np.object_]:
    """(n,) object array of str; strings equal in value stay apart objects, nothing is copied."""
    out = np.empty(len(items), dtype=object)
    out[:] = items
    return out


def vectors(array: npt.NDArray[Any], name: str) -> npt.NDArray[np.float32]:
    """(n, d) float32; `InputError` names the first row that isn't finite."""
    out = np.ascontiguousarray(array, dtype=np.float32)
    _refuse_infinite(out, name)
    return out


def sounds(array: npt.NDArray[Any], name: str) -> npt.NDArray[np.float32]:
    """(n, samples) float32 in [-1, 1]; integers are divided by their type's largest size.

    Raises
    ------
    InputError : another shape or type, values beyond [-1, 1] or not finite.
    """
    if array.ndim != 2 or not array.shape[1] or array.dtype.kind not in "if":  # noqa: PLR2004 - rows and samples
        raise InputError(f"{name} has dtype {array.dtype} and shape {array.shape}; sounds are (n, samples) of numbers")
    if array.dtype.kind == "i":
        return (array / -float(np.iinfo(array.dtype).min)).astype(np.float32)
    out = vectors(array, name)
    if np.abs(out).max() > 1:
        raise InputError(
            f"{name} has samples of up to {np.abs(out).max():.4g}; sounds lie in [-1, 1]: scale them first"
        )
    return out


def images(array: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
    """(n, h, w, c) uint8, or float32 in [0, 1] where bytes would lose something."""
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    if array.dtype == np.bool_:
        return np.ascontiguousarray(array).view(np.uint8) * np.uint8(_BYTE)
    low, high = array.min(), array.max()
    if not (np.isfinite(low) and np.isfinite(high)):  # one NaN or infinity among the values shows in these
        _refuse_infinite(array, name)
    if low < 0 or high > _BYTE:
        raise InputError(
            f"{name} looks like images with values in [{low:.4g}, {high:.4g}]; images are 0 to 255 or 0 to 1: undo the "
            "normalisation, or pass --modality embedding"
        )
    if array.dtype.kind in "iu":
        return array.astype(np.uint8)
    return _floats(array, scale=1.0 if high <= 1 else 1.0 / _BYTE)


def _floats(array: npt.NDArray[Any], scale: float) -> npt.NDArray[Any]:
    out = np.empty(array.shape, dtype=np.uint8)
    for block in _blocks(array):
        values = array[block].astype(np.float32, copy=False) * np.float32(scale * _BYTE)
        rounded = np.rint(values)
        tolerance = max(float(np.finfo(array.dtype).eps), float(np.finfo(np.float32).eps)) * _BYTE
        if not (np.abs(values - rounded) <= tolerance).all():
            break
        out[block] = rounded
    else:
        return out
    exact = np.empty(array.shape, dtype=np.float32)
    for block in _blocks(array):
        exact[block] = array[block] * array.dtype.type(scale) if scale != 1.0 else array[block]
    return exact


def _blocks(array: npt.NDArray[Any]) -> list[slice]:
    rows = max(1, _BLOCK // max(1, array[0].size))
    return [slice(start, start + rows) for start in range(0, len(array), rows)]


def _channels_last(array: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
    if 0 in array.shape:
        raise InputError(f"{name} has images without pixels, shape {array.shape}")
    if array.ndim == 3:  # noqa: PLR2004 - (n, h, w): grey images
        return array[..., None]
    if array.shape[3] in _CHANNELS:
        return array
    if array.shape[1] in _CHANNELS:
        return array.transpose(0, 2, 3, 1)
    raise InputError(f"{name} has shape {array.shape}; images have 1, 3 or 4 channels: (n, h, w, c)")


def _refuse_infinite(array: npt.NDArray[Any], name: str) -> None:
    bad = 0
    first = -1
    for block in _blocks(array):
        rows = ~np.isfinite(array[block]).reshape(array[block].shape[0], -1).all(axis=1)
        if rows.any() and first < 0:
            first = int(block.start + np.argmax(rows))
        bad += int(rows.sum())
    if bad:
        raise InputError(
            f"{name}: {bad:,} of {len(array):,} rows hold NaN or infinite values, the first is row {first}; "
            "drop or fill them first"
        )
