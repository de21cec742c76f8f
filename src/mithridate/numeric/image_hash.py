"""Small pictures of pictures: block averages in which near copies lie side by side."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

_CHUNK = 4096  # images at once: the running sums stay in cache


def block_means(images: npt.NDArray[Any], *, side: int = 8) -> npt.NDArray[np.float32]:
    """Each image averaged over a grid of about `side` by `side` blocks, channel by channel.

    Parameters
    ----------
    images : (n, h, w, c) uint8, or float in [0, 1].
    side : blocks along an edge; fewer where the image is smaller.

    Returns
    -------
    (n, blocks * blocks * c) float32 in [0, 1]. A rest at the right and lower border narrower than a block is left out.

    Examples
    --------
    >>> block_means(np.array([[[[0], [255]], [[0], [255]]]], np.uint8), side=2).tolist()
    [[0.0, 1.0, 0.0, 1.0]]
    """
    n_rows, height, width, channels = images.shape
    tall, wide = max(-(-height // side), 1), max(-(-width // side), 1)
    rows, columns = height // tall, width // wide
    out = np.empty((n_rows, rows, columns, channels), dtype=np.float32)
    whole = images.dtype == np.uint8
    running = np.uint16 if whole and tall * wide <= 256 else np.float32  # noqa: PLR2004 - 256 * 255 fits 16 bits
    for start in range(0, n_rows, _CHUNK):
        block = images[start : start + _CHUNK, : rows * tall, : columns * wide]
        lines = sum((block[:, step::tall].astype(running) for step in range(1, tall)), block[:, ::tall].astype(running))
        out[start : start + _CHUNK] = sum((lines[:, :, step::wide] for step in range(1, wide)), lines[:, :, ::wide])
    out /= np.float32(tall * wide * (255 if whole else 1))
    return out.reshape(n_rows, rows * columns * channels)


def pixel_distance(
    images: npt.NDArray[Any], left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32]:
    """(m,) root mean squared difference of each pair of images, in [0, 1]."""
    scale = np.float32(255 if images.dtype == np.uint8 else 1)
    flat = images.reshape(len(images), -1)
    step = max(1, (1 << 22) // max(flat.shape[1], 1))
    out = np.empty(len(left), dtype=np.float32)
    for start in range(0, len(left), step):
        part = slice(start, start + step)
        difference = flat[left[part]].astype(np.float32) - flat[right[part]].astype(np.float32)
        out[part] = np.sqrt(np.einsum("ij,ij->i", difference, difference) / flat.shape[1])
    return out / scale
