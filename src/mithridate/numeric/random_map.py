"""Random ReLU features of rows of any shape: what a ridge needs to see more than straight lines."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

FEATURES = 1_500
SAMPLE = 4_000  # rows that scale the map

Floats = npt.NDArray[np.float32]


class RandomMap(NamedTuple):
    """The map; call it with (n, ...) rows of the shape it was made for and get (n, 1500) features, the last one 1."""

    mean: Floats
    scale: np.float32
    weights: Floats
    offsets: Floats

    def __call__(self, rows: npt.NDArray[Any]) -> Floats:
        """(n, 1500) float32."""
        centred = (rows.reshape(len(rows), -1).astype(np.float32) - self.mean) / self.scale
        hidden = np.maximum(centred @ self.weights + self.offsets, 0)
        hidden[:, -1] = 1
        return np.asarray(hidden, np.float32)


def random_map(rows: npt.NDArray[Any], rng: np.random.Generator) -> RandomMap:
    """A map scaled to rows (n, ...) like these, finite; its weights are drawn from `rng`.

    References
    ----------
    Rahimi and Recht (2007), random features for large-scale kernel machines, NeurIPS.
    """
    some = rows[:SAMPLE].reshape(min(len(rows), SAMPLE), -1).astype(np.float32)
    mean = some.mean(axis=0)
    scale = np.float32(max(float((some - mean).std()), 1e-3))
    weights = rng.standard_normal((some.shape[1], FEATURES)).astype(np.float32) * np.float32(np.sqrt(2 / some.shape[1]))
    return RandomMap(mean, scale, weights, rng.uniform(-1, 1, FEATURES).astype(np.float32))
