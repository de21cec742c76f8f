"""Warp images: every pixel takes its value from a place nearby, smoothly different over the image."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

BLOCK = 1024  # images at a time


def elastic_flow(control: npt.NDArray[np.float64], height: int, width: int) -> npt.NDArray[np.float64]:
    """(height, width, 2) displacements: the (k, k, 2) control points, k >= 2, joined by cubic splines.

    The corners of the control grid lie on the image's corner pixels.
    """
    from scipy.interpolate import CubicSpline  # a tenth of a second that other audits need not pay

    knots = np.linspace(0.0, 1.0, len(control))
    down = CubicSpline(knots, control, axis=0)(np.linspace(0.0, 1.0, height))
    flow: npt.NDArray[np.float64] = CubicSpline(knots, down, axis=1)(np.linspace(0.0, 1.0, width))
    return flow


def warp(images: npt.NDArray[Any], flow: npt.NDArray[np.floating[Any]]) -> npt.NDArray[Any]:
    """Copies of the images whose pixel (y, x) is the original's at (y, x) + flow, between pixels by bilinear weights.

    Parameters
    ----------
    images : (n, h, w, c) uint8 (rounded) or float.
    flow : (h, w, 2) for all images or (n, h, w, 2), one each: steps (down, right) in pixels. Places outside the image
        count as its nearest border pixel.

    Notes
    -----
    O(n h w c) time, blocks of images in memory.

    References
    ----------
    Jaderberg et al. (2015), spatial transformer networks, NeurIPS, eq. 5.

    Examples
    --------
    >>> warp(np.array([0, 100], np.uint8).reshape(1, 1, 2, 1), np.full((1, 2, 2), [0.0, 0.25])).ravel().tolist()
    [25, 100]
    """
    out = np.empty_like(images)
    for start in range(0, len(images), BLOCK):
        block = np.s_[start : start + BLOCK]
        moved = _sampled(images[block], flow if flow.ndim == 3 else flow[block])  # noqa: PLR2004 - one field for all
        out[block] = np.rint(moved) if images.dtype == np.uint8 else moved
    return out


def _sampled(images: npt.NDArray[Any], flow: npt.NDArray[np.floating[Any]]) -> Floats:
    """(b, h, w, c) float32 values at the displaced places."""
    count, height, width, channels = images.shape
    y = np.clip(np.arange(height, dtype=np.float32)[:, None] + flow[..., 0], 0, height - 1)
    x = np.clip(np.arange(width, dtype=np.float32) + flow[..., 1], 0, width - 1)
    top, left = (np.minimum(place.astype(np.int64), size - 2).clip(0) for place, size in ((y, height), (x, width)))
    down, right = (y - top).astype(np.float32), (x - left).astype(np.float32)
    below, beside = np.minimum(top + 1, height - 1), np.minimum(left + 1, width - 1)
    flat = images.reshape(count, height * width, channels)
    out = np.zeros(images.shape, np.float32)
    for rows, row_weight in ((top, 1 - down), (below, down)):
        for columns, column_weight in ((left, 1 - right), (beside, right)):
            corner = _gathered(flat, rows * width + columns).reshape(images.shape)
            out += corner * (row_weight * column_weight)[..., None]
    return out


def _gathered(flat: npt.NDArray[Any], index: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    """(b, h * w, c) values at a common (h, w) index or at each image's own (b, h, w)."""
    if index.ndim == 2:  # noqa: PLR2004 - one index for all
        return flat[:, index.ravel()]
    return np.take_along_axis(flat, index.reshape(len(flat), -1, 1), axis=1)
