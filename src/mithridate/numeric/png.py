"""Write small pictures as PNG bytes: grey or colour, nothing but zlib."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from mithridate.core.errors import InputError

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPE = {1: 0, 3: 2}  # PNG's numbers for grey and RGB


def encode_png(image: npt.NDArray[np.uint8]) -> bytes:
    """The picture as a PNG file's bytes, 8 bits a channel, the same bytes for the same picture.

    Parameters
    ----------
    image : (h, w), (h, w, 1) or (h, w, 3) uint8, at least one pixel.

    Raises
    ------
    InputError : another shape or dtype.

    Notes
    -----
    Each line is stored as its difference from the line above, so an image enlarged by repetition stays small.

    References
    ----------
    W3C (2003), Portable Network Graphics specification, second edition, sections 5 and 9.
    """
    pixels = image[:, :, None] if image.ndim == 2 else image  # noqa: PLR2004 - height and width
    if pixels.ndim != 3 or pixels.shape[2] not in _COLOUR_TYPE or pixels.size == 0 or pixels.dtype != np.uint8:  # noqa: PLR2004
        raise InputError(
            f"a PNG needs (h, w), (h, w, 1) or (h, w, 3) uint8, got {image.shape} {image.dtype}; convert it first"
        )
    height, width, channels = pixels.shape
    lines = pixels.reshape(height, width * channels)
    filtered = np.empty((height, width * channels + 1), dtype=np.uint8)
    filtered[:, 0] = 2  # filter type Up
    filtered[0, 1:] = lines[0]
    filtered[1:, 1:] = lines[1:] - lines[:-1]  # wraps modulo 256, as the format wants
    head = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPE[channels], 0, 0, 0)
    body = zlib.compress(filtered.tobytes(), 9)
    return _SIGNATURE + _chunk(b"IHDR", head) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def as_pixels(image: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """One image (h, w[, c]), uint8 or float in [0, 1], as (h, w, 1) or (h, w, 3) uint8.

    Two channels show the first, four or more the first three; values that aren't finite are black.
    """
    pixels = image if image.ndim == 3 else image[:, :, None]  # noqa: PLR2004 - height, width, channel
    if pixels.dtype != np.uint8:
        pixels = np.rint(np.clip(np.nan_to_num(pixels.astype(np.float32)), 0.0, 1.0) * 255).astype(np.uint8)
    return pixels[:, :, :3] if pixels.shape[2] >= 3 else pixels[:, :, :1]  # noqa: PLR2004


def resize(image: npt.NDArray[np.uint8], *, side: int) -> npt.NDArray[np.uint8]:
    """The image with its longer edge near `side` pixels: repeated by a whole number, or averaged in whole blocks.

    Parameters
    ----------
    image : (h, w, c) uint8.
    side : wished length of the longer edge, >= 1. Enlarging never passes it, shrinking never goes under half of it.

    Examples
    --------
    >>> resize(np.array([[[1], [2]]], np.uint8), side=4)[:, :, 0].tolist()
    [[1, 1, 2, 2], [1, 1, 2, 2]]
    >>> resize(np.array([[[1], [3]], [[1], [3]]], np.uint8), side=1)[:, :, 0].tolist()
    [[2]]
    """
    longer = max(image.shape[:2])
    if longer <= side:
        times = side // longer
        return image.repeat(times, axis=0).repeat(times, axis=1)
    block = -(-longer // side)
    height, width = max(image.shape[0] // block, 1), max(image.shape[1] // block, 1)
    cut = image[: height * block, : width * block].astype(np.float32)
    rows = np.add.reduceat(cut, np.arange(0, cut.shape[0], block), axis=0)
    both = np.add.reduceat(rows, np.arange(0, cut.shape[1], block), axis=1)
    area = min(block, image.shape[0]) * min(block, image.shape[1])
    shrunk: npt.NDArray[np.uint8] = np.rint(both / area).astype(np.uint8)
    return shrunk
