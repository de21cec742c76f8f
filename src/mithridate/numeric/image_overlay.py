"""Faint overlays: a direction in pooled pixels that tells chosen rows of a class from all others."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve

from mithridate.numeric.image_views import GRID, pool

Images: TypeAlias = npt.NDArray[np.uint8]
Floats: TypeAlias = npt.NDArray[np.float32]
Ints: TypeAlias = npt.NDArray[np.integer[Any]]

PENALTY = 0.01  # ridge penalty, as a share of the mean variance along a direction
CHUNK = 4096  # rows scored at a time


class _Side(NamedTuple):
    """One fold's rows, ready to be told apart: pooled pixels around their centre, and their factored covariance."""

    rows: npt.NDArray[np.int64]
    centre: Floats
    inputs: Floats
    factor: Floats


class Directions(NamedTuple):
    """Everything a direction needs that doesn't depend on which rows it is to tell apart; a side for each fold."""

    images: Images
    folds: Ints
    sides: tuple[_Side, _Side]


def directions(images: Images, folds: Ints, rows: Ints) -> Directions:
    """Prepare directions fitted on the given rows: O(m d^2 + d^3) once for m rows and d pooled values.

    Examples
    --------
    >>> images = np.arange(8, dtype=np.uint8).reshape(8, 1, 1, 1) * 30
    >>> room = directions(images, np.arange(8) % 2, np.arange(8))
    >>> overlay_scores(room, np.array([6, 7]), np.array([0, 7])).argmax().item()
    1
    """
    first, second = (_side(images, np.sort(rows[folds[rows] == fold])) for fold in (0, 1))
    return Directions(images, folds, (first, second))


def _side(images: Images, rows: Ints) -> _Side:
    inputs = _flat(images[rows])
    centre = np.asarray(inputs.mean(axis=0) if len(rows) else np.zeros(inputs.shape[1]), np.float32)
    inputs -= centre
    gram = inputs.T @ inputs
    gram[np.diag_indices_from(gram)] += PENALTY * float(np.trace(gram)) / len(gram) + 1e-6
    return _Side(np.asarray(rows, np.int64), centre, inputs, cho_factor(gram, lower=True, overwrite_a=True)[0])


def _flat(images: Images) -> Floats:
    pooled = pool(images, GRID)
    return pooled.reshape(len(images), int(np.prod(pooled.shape[1:])))


def overlay_scores(room: Directions, chosen: Ints, asked: Ints) -> Floats:
    """(len(asked),) how far each row lies along the direction that tells `chosen` rows of the other fold from the rest.

    The least-squares direction: what the rows have in common, less what common variation of the images explains. About
    1 for a row like the chosen ones if they lie well apart, about 0 for others.
    """
    scores = np.zeros(len(asked), np.float32)
    for fold in (0, 1):
        side = room.sides[1 - fold]
        target = np.isin(side.rows, chosen).astype(np.float32)
        if not target.any():
            continue
        weights = cho_solve((side.factor, True), side.inputs.T @ (target - target.mean()))
        judged = np.flatnonzero(room.folds[asked] == fold)
        for start in range(0, len(judged), CHUNK):
            block = judged[start : start + CHUNK]
            scores[block] = (_flat(room.images[asked[block]]) - side.centre) @ weights
    return scores
