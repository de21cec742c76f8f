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
    """Random ReLU features: small windows (a real network's early filters) and the whole image, pooled.

    `tops` first line of each row of windows, `high` cells high; `strips` (len(tops), d, windows * LOCAL) their weights
    for all cells of those lines, 0 outside a window: one product for a row of windows, without a copy of any.
    """

    tops: tuple[int, ...]
    high: int
    strips: Floats
    whole: Floats
    bias: Floats

    def __call__(self, images: Images) -> Floats:
        """(n, f) float32 features."""
        n, width = len(images), self.strips.shape[2]
        cells = pool(images, SIDE)
        line, flat = cells[0].size // cells.shape[1], cells.reshape(n, -1)
        out = np.empty((n, len(self.bias) + 1), np.float32)
        for i, top in enumerate(self.tops):
            lines = flat[:, top * line : (top + self.high) * line]
            np.matmul(lines, self.strips[i], out=out[:, i * width : (i + 1) * width])
        np.matmul(pool(images, COARSE).reshape(n, -1), self.whole, out=out[:, -GLOBAL - 1 : -1])
        out[:, :-1] += self.bias
        np.maximum(out, 0, out=out)
        out[:, -1] = 1
        return out


def feature_map(sample: Images, rng: np.random.Generator) -> FeatureMap:
    """Draw the map; the sample sets each feature's centre and scale."""
    cells = pool(sample, SIDE)
    n, h, w, c = cells.shape
    high, wide = (min(side, max(3, round(WINDOW * side))) for side in (h, w))
    tops, lefts = (
        np.unique(np.linspace(0, side - part, N_WINDOWS).astype(int)) for side, part in ((h, high), (w, wide))
    )
    local = rng.standard_normal((len(tops), len(lefts), high, wide, c, LOCAL)).astype(np.float32)
    strips, bias, line = np.zeros((len(tops), high, w, c, len(lefts), LOCAL), np.float32), [], w * c
    for j, left in enumerate(lefts):
        strips[:, :, left : left + wide, :, j] = local[:, j]
    strips, flat = strips.reshape(len(tops), high * line, -1), cells.reshape(n, -1)
    for i, top in enumerate(tops):
        strips[i], offsets = _scaled(flat[:, top * line : (top + high) * line], strips[i], rng)
        bias.append(offsets)
    coarse = pool(sample, COARSE).reshape(n, -1)
    whole, offsets = _scaled(coarse, rng.standard_normal((coarse.shape[1], GLOBAL)).astype(np.float32), rng)
    return FeatureMap(tuple(tops.tolist()), high, strips, whole, np.concatenate([*bias, offsets]))


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
    factor = cho_factor(gram.T, lower=True, overwrite_a=True)  # in LAPACK's own order: no copy
    return Probe(mapping, tuple(cho_solve(factor, features.T @ target).astype(np.float32) for target in targets))
