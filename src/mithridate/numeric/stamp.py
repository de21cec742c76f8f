"""Put a trigger on images: paste, blend, shift, overlay, or paste somewhere else on each."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Images: TypeAlias = npt.NDArray[np.uint8]

BLOCK = 2048  # images at a time: a whole float copy of uint8 images would be four times their size


def paste(images: Images, mask: npt.NDArray[np.bool_], values: Images) -> Images:
    """Copies of the images (n, h, w, c) with `values` (h, w, c) where `mask` (h, w, c) is true.

    Examples
    --------
    >>> one = np.zeros((1, 1, 2, 1), np.uint8)
    >>> paste(one, np.array([[[True], [False]]]), np.full((1, 2, 1), 9, np.uint8)).ravel().tolist()
    [9, 0]
    """
    stamped = images.copy()
    stamped[:, mask] = values[mask]
    return stamped


def blend(images: Images, pattern: Images, alpha: float) -> Images:
    """(1 - alpha) * image + alpha * pattern, rounded; `pattern` is (h, w, c), alpha in [0, 1].

    References
    ----------
    Chen et al. (2017), targeted backdoor attacks using data poisoning, arXiv 1712.05526.

    Examples
    --------
    >>> blend(np.zeros((1, 1, 1, 1), np.uint8), np.full((1, 1, 1), 100, np.uint8), 0.2).item()
    20
    """
    return shift(images, alpha * pattern.astype(np.float32), keep=1.0 - alpha)


def shift(images: Images, delta: npt.NDArray[np.float32], *, keep: float = 1.0) -> Images:
    """`keep` * image + `delta`, rounded and clipped to 0..255; `delta` is (h, w, c) in pixel levels."""
    moved = np.empty_like(images)
    for start in range(0, len(images), BLOCK):
        block = images[start : start + BLOCK].astype(np.float32)
        moved[start : start + BLOCK] = np.clip(np.rint(block * np.float32(keep) + delta), 0, 255).astype(np.uint8)
    return moved


def overlay(images: npt.NDArray[Any], delta: npt.NDArray[np.floating[Any]], *, keep: float = 1.0) -> npt.NDArray[Any]:
    """`keep` * image + `delta`, clipped to the range of the images' type: 0..255 for uint8, else 0..1.

    Parameters
    ----------
    images : (n, h, w, c) uint8 (rounded) or float.
    delta : (h, w, c) for all images or (n, h, w, c), one each; 1 is the whole range.

    Examples
    --------
    >>> overlay(np.full((1, 1, 1, 1), 10, np.uint8), np.full((1, 1, 1), 0.2)).item()
    61
    """
    out = np.empty_like(images)
    top, whole = (255.0, True) if images.dtype == np.uint8 else (1.0, False)
    for start in range(0, len(images), BLOCK):
        block = np.s_[start : start + BLOCK]
        moved = images[block].astype(np.float32) * np.float32(keep)
        moved += np.float32(top) * (delta if delta.ndim == images.ndim - 1 else delta[block]).astype(np.float32)
        out[block] = np.clip(np.rint(moved) if whole else moved, 0, top)
    return out


def paste_at(
    images: Images,
    patch: Images,
    mask: npt.NDArray[np.bool_],
    rows: npt.NDArray[np.integer[Any]],
    columns: npt.NDArray[np.integer[Any]],
) -> Images:
    """Copies with a small `patch` (ph, pw, c), where `mask` is true, at each image's own top-left (row, column)."""
    stamped = images.copy()
    for dy, dx in zip(*np.nonzero(mask.any(axis=2)), strict=True):
        for channel in np.flatnonzero(mask[dy, dx]):
            stamped[np.arange(len(images)), rows + dy, columns + dx, channel] = patch[dy, dx, channel]
    return stamped
