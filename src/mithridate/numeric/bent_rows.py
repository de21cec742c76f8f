"""Whether an image was bent by a known field, by a model of honest images with and without it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import solve

from mithridate.numeric.random_map import FEATURES, RandomMap, random_map
from mithridate.numeric.warp import warp

PENALTY = 1e-4  # of the weights, as a share of the features' mean square
CHUNK = 2048

Doubles = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]
Images = npt.NDArray[np.uint8]


def bent_scores(
    images: Images,
    honest: npt.NDArray[np.bool_],
    flow: Floats,
    folds: npt.NDArray[np.integer[Any]],
    rng: np.random.Generator,
) -> Doubles:
    """How much each image looks like honest images bent by a field rather than like those images as they are.

    Parameters
    ----------
    images : (n, h, w, c).
    honest : (n,) the images that teach the model, each once as it is and once bent.
    flow : (h, w, 2), see `warp`.
    folds : (n,) copies in one; an image is judged by a model of the other folds.
    rng : draws the random features.

    Returns
    -------
    (n,) about -1 for an image as it is, 1 for a bent one; 0 is the middle.

    Notes
    -----
    Ridge on 1,500 random features. The images that are suspected need not be known: they teach nothing.

    References
    ----------
    Rahimi and Recht (2007), random features for large-scale kernel machines, NeurIPS.
    """
    features = random_map(images[honest], rng)
    names = np.unique(folds)
    grams = np.zeros((len(names), FEATURES, FEATURES), np.float32)
    sums = np.zeros((len(names), FEATURES), np.float32)
    for i, name in enumerate(names):
        rows = np.flatnonzero(honest & (folds == name))
        for start in range(0, len(rows), CHUNK):
            part = images[rows[start : start + CHUNK]]
            for version, sign in ((part, -1), (warp(part, flow), 1)):
                seen = features(version)
                grams[i] += seen.T @ seen
                sums[i] += sign * seen.sum(axis=0)
    return _judged(images, features, (grams, sums), folds, names)


def _judged(
    images: Images, features: RandomMap, taught: tuple[Floats, Floats], folds: npt.NDArray[Any], names: npt.NDArray[Any]
) -> Doubles:
    grams, sums = taught
    whole, total, out = grams.sum(axis=0), sums.sum(axis=0), np.zeros(len(images))
    for i, name in enumerate(names):
        gram = (whole - grams[i]).astype(np.float64)
        gram[np.diag_indices_from(gram)] += PENALTY * np.trace(gram) / len(gram) + 1e-6
        weights = solve(gram, total - sums[i], assume_a="pos").astype(np.float32)
        rows = np.flatnonzero(folds == name)
        for start in range(0, len(rows), CHUNK):
            part = rows[start : start + CHUNK]
            out[part] = features(images[part]) @ weights
    return out
