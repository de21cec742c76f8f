"""The grain of an image: how rough it is pixel by pixel, wherever that is, and where it is smoothest."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float32]

STEPS = (0.5, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)  # of 255 levels
POINTS = (0.02, 0.1, 0.25, 0.5, 0.75)  # of the blocks, smoothest first
SIDE = 4  # pixels a block
FEATURES = 300
BANDWIDTH = 1.5
CHUNK = 1024


def grain(images: npt.NDArray[Any]) -> Floats:
    """How rough each image is, blind to what it shows and where.

    Parameters
    ----------
    images : (n, h, w, c), uint8 or float in [0, 1], h and w at least 6.

    Returns
    -------
    (n, 18): the share of pixels that differ by less than 0.5, 1, 2 ... 64 levels from the mean of their four
    neighbours; log(1 + roughness) of the image's smoothest 4 x 4 blocks, at 2, 10, 25, 50 and 75 % of them.

    Notes
    -----
    Noise of a few levels shows in the smooth blocks of a picture, whatever its edges.

    Examples
    --------
    >>> flat = np.full((1, 6, 6, 1), 90, np.uint8)
    >>> grain(flat)[0, :2].tolist(), grain(flat)[0, -1].item()
    ([1.0, 1.0], 0.0)
    """
    parts = [_grain(images[start : start + CHUNK]) for start in range(0, len(images), CHUNK)]
    return np.concatenate(parts) if parts else np.zeros((0, len(STEPS) + len(POINTS)), np.float32)


def _grain(images: npt.NDArray[Any]) -> Floats:
    exact = images.dtype == np.uint8
    pixels = images.astype(np.int16) if exact else np.nan_to_num(images * np.float32(255)).astype(np.float32)
    rough = 4 * pixels[:, 1:-1, 1:-1]
    rough -= pixels[:, :-2, 1:-1]
    rough -= pixels[:, 2:, 1:-1]
    rough -= pixels[:, 1:-1, :-2]
    rough -= pixels[:, 1:-1, 2:]
    np.abs(rough, out=rough)
    n, height, width, _ = rough.shape
    flat = rough.reshape(n, -1)
    below = np.stack([np.count_nonzero(flat < 4 * step, axis=1) for step in STEPS], axis=1) / flat.shape[1]
    down, across = height // SIDE, width // SIDE
    cut = rough[:, : down * SIDE, : across * SIDE].reshape(n, down, SIDE, across, SIDE, -1)
    blocks = cut.mean(axis=(2, 4, 5), dtype=np.float32).reshape(n, -1) / 4
    return np.concatenate([below, np.log1p(np.quantile(blocks, POINTS, axis=1).T)], axis=1).astype(np.float32)


def random_features(rows: Floats, rng: np.random.Generator, *, like: Floats | None = None) -> Floats:
    """(n, 300) random Fourier features of (n, d) columns, each standardised as in `like` (or as in itself)."""
    basis = rows if like is None else like
    scaled = (rows - basis.mean(axis=0)) / (basis.std(axis=0) + np.float32(1e-6)) / np.float32(np.sqrt(rows.shape[1]))
    weights = BANDWIDTH * rng.standard_normal((rows.shape[1], FEATURES)).astype(np.float32)
    return np.asarray(np.cos(scaled @ weights + rng.uniform(0, 2 * np.pi, FEATURES).astype(np.float32)))
