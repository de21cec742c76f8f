"""A small generator of faint patterns: what an image gets depends on what it shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

GRID = 8  # the generator sees a copy of the image of at most 8 x 8
DIRECTIONS = 8  # strongest directions of the coarse images that it looks along
SHARPNESS = 4.0  # how clearly one pattern prevails

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Generator:
    """Two layers: coarse image -> scores of the modes -> softmax mix of their patterns.

    weights : (d, m); offsets : (m,); modes : (m, h, w, c) patterns in [-1, 1], 1 is the whole range.
    """

    weights: Floats
    offsets: Floats
    modes: npt.NDArray[np.float32]

    def shares(self, images: npt.NDArray[Any]) -> Floats:
        """(n, m) share of each mode in each image's pattern; rows sum to 1."""
        scores = coarse(images) @ self.weights + self.offsets
        raised = np.exp(SHARPNESS * (scores - scores.max(axis=1, keepdims=True)))
        shares: Floats = raised / raised.sum(axis=1, keepdims=True)
        return shares

    def patterns(self, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """(n, h, w, c) the pattern of each image."""
        flat = self.shares(images).astype(np.float32) @ self.modes.reshape(len(self.modes), -1)
        return flat.reshape(len(images), *self.modes.shape[1:])

    def to_json(self) -> dict[str, Any]:
        """Plain lists, from which `generator_from_json` makes it again."""
        parts: dict[str, npt.NDArray[Any]] = {"weights": self.weights, "offsets": self.offsets, "modes": self.modes}
        return {
            name: {"shape": list(part.shape), "values": [float(f"{value:.6g}") for value in part.ravel()]}
            for name, part in parts.items()
        }


def generator_from_json(raw: Mapping[str, Any]) -> Generator:
    """The inverse of `Generator.to_json`."""
    weights, offsets, modes = (
        np.asarray(raw[name]["values"], np.float64).reshape(raw[name]["shape"])
        for name in ("weights", "offsets", "modes")
    )
    return Generator(weights, offsets, modes.astype(np.float32))


def fit_generator(images: npt.NDArray[Any], modes: int, strength: float, rng: np.random.Generator) -> Generator:
    """A generator whose modes are about equally frequent on images like these.

    Parameters
    ----------
    images : (n, h, w, c) uint8 or float in [0, 1], a sample in an order that doesn't depend on how they were stored.
    strength : largest value of a pattern, in (0, 1].

    Notes
    -----
    The modes' directions are random in the space of the strongest principal components of the coarse images, each
    brought to variance 1, so that no mode is there for one class alone.
    """
    small = coarse(images)
    centre = small.mean(axis=0)
    _, spread, axes = np.linalg.svd(small - centre, full_matrices=False)
    kept = min(DIRECTIONS, int((spread > 1e-9 * max(spread[0], 1e-12)).sum()))
    whiten = axes[:kept].T * (np.sqrt(len(small)) / np.maximum(spread[:kept], 1e-12))
    directions = rng.normal(size=(kept, modes))
    weights = np.round(whiten @ (directions / np.maximum(np.linalg.norm(directions, axis=0), 1e-12)), 4)
    patterns = strength * rng.choice([-1.0, 1.0], size=(modes, *images.shape[1:]))
    return Generator(weights, np.round(-centre @ weights, 4), np.round(patterns, 4).astype(np.float32))


def coarse(images: npt.NDArray[Any]) -> Floats:
    """(n, d) grey means in [0, 1] of the cells of a grid of at most 8 x 8."""
    grey = images.mean(axis=3, dtype=np.float32)
    if images.dtype == np.uint8:
        grey /= np.float32(255)
    for axis in (1, 2):
        size = grey.shape[axis]
        edges = np.unique(np.arange(GRID) * size // GRID)
        counts = np.diff([*edges, size]).reshape([-1 if i == axis else 1 for i in range(3)])
        grey = np.add.reduceat(grey, edges, axis=axis) / counts
    return np.asarray(np.round(grey.reshape(len(images), -1), 5), np.float64)
