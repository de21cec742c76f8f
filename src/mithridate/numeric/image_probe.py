"""A small stand-in model for the causal test: ridge on local and global random features of images."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve

from mithridate.numeric.image_views import pool

Images: TypeAlias = npt.NDArray[np.uint8]
Floats: TypeAlias = npt.NDArray[np.float32]

SIDE = 48  # the probe sees at most so many cells a side
COARSE = 16  # cells a side of the whole image
WINDOW = 0.25  # side of a local window, as a share of the image's
N_WINDOWS = 6  # windows a side
LOCAL, GLOBAL = 20, 400  # features a window, features of the whole image
PENALTY = 0.003
DETECTOR_GAIN = np.float32(3)  # scale of a detector beside features of unit spread


class FeatureMap(NamedTuple):
    """Random ReLU features: small windows (a real network's early filters) and the whole image, pooled."""

    corners: tuple[tuple[int, int], ...]
    size: tuple[int, int]
    local: Floats
    local_bias: Floats
    whole: Floats
    whole_bias: Floats

    def __call__(self, images: Images) -> Floats:
        """(n, f) float32 features."""
        cells = pool(images, SIDE)
        n, (high, wide) = len(images), self.size
        out = np.empty((n, len(self.corners) * LOCAL + GLOBAL + 1), np.float32)
        for i, (y, x) in enumerate(self.corners):
            window = cells[:, y : y + high, x : x + wide].reshape(n, -1)
            out[:, i * LOCAL : (i + 1) * LOCAL] = window @ self.local[i] + self.local_bias[i]
        coarse = pool(images, COARSE).reshape(n, -1)
        out[:, -GLOBAL - 1 : -1] = coarse @ self.whole + self.whole_bias
        np.maximum(out, 0, out=out)
        out[:, -1] = 1
        return out


def feature_map(sample: Images, rng: np.random.Generator) -> FeatureMap:
    """Draw the map; the sample sets each feature's centre and scale."""
    cells = pool(sample, SIDE)
    n, h, w, c = cells.shape
    high, wide = (min(side, max(3, round(WINDOW * side))) for side in (h, w))
    grid = [np.unique(np.linspace(0, side - part, N_WINDOWS).astype(int)) for side, part in ((h, high), (w, wide))]
    corners = tuple((int(y), int(x)) for y in grid[0] for x in grid[1])
    local = rng.standard_normal((len(corners), high * wide * c, LOCAL)).astype(np.float32)
    bias = np.empty((len(corners), LOCAL), np.float32)
    for i, (y, x) in enumerate(corners):
        window = cells[:, y : y + high, x : x + wide].reshape(n, -1)
        local[i], bias[i] = _scaled(window, local[i], rng)
    coarse = pool(sample, COARSE).reshape(n, -1)
    whole, whole_bias = _scaled(coarse, rng.standard_normal((coarse.shape[1], GLOBAL)).astype(np.float32), rng)
    return FeatureMap(corners, (high, wide), local, bias, whole, whole_bias)


def _scaled(inputs: Floats, weights: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    centre = inputs.mean(axis=0)
    spread = ((inputs - centre) @ weights).std(axis=0) + np.float32(0.02)
    weights = weights / spread
    return weights, (rng.uniform(-1, 1, weights.shape[1]) - centre @ weights).astype(np.float32)


class Probe(NamedTuple):
    """Features and one weight matrix for each set of labels the probe was fitted to."""

    features: Callable[[Images], Floats]
    weights: tuple[Floats, ...]

    def predict(self, images: Images, which: int = 0) -> npt.NDArray[np.int64]:
        """(n,) most likely class by the probe fitted on label set `which`."""
        return np.asarray((self.features(images) @ self.weights[which]).argmax(axis=1), np.int64)


def fit_probe(
    images: Images,
    targets: tuple[Floats, ...],
    rng: np.random.Generator,
    *,
    detector: Callable[[Images], Floats] | None = None,
) -> Probe:
    """Fit one probe per target matrix (n, c) on the same features: a second label set costs almost nothing.

    `detector` (n,) in [0, 1] is one more feature: a filter that a convolutional network could learn and random features
    lack. The labels alone decide what weight it gets.
    """
    plain = feature_map(images[:1000], rng)

    def mapping(batch: Images) -> Floats:
        if detector is None:
            return plain(batch)
        return np.concatenate([plain(batch), DETECTOR_GAIN * detector(batch)[:, None]], axis=1)

    features = mapping(images)
    gram = features.T @ features
    gram[np.diag_indices_from(gram)] += PENALTY * float(np.trace(gram)) / len(gram)
    factor = cho_factor(gram, overwrite_a=True)
    return Probe(mapping, tuple(cho_solve(factor, features.T @ target).astype(np.float32) for target in targets))
