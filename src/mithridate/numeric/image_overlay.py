"""Overlays: a direction in the frequencies of images that tells chosen rows of a class from all others."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve

from mithridate.numeric.image_modes import Split, frequencies, splits

Images: TypeAlias = npt.NDArray[np.uint8]
Floats: TypeAlias = npt.NDArray[np.float32]
Rows: TypeAlias = npt.NDArray[np.int64]
Ints: TypeAlias = npt.NDArray[np.integer[Any]]

PENALTY = 0.01  # ridge penalty, as a share of the mean variance along a direction
ROOM_ROWS = 12_000  # rows looked at, all classes together
LEAST_CLASS, CLASS_ROWS = 60, 1000  # rows of a class that a split needs, and looks at
OTHERS = 1500  # rows of other classes that say which side has the overlay


class _Side(NamedTuple):
    """One fold's rows, ready to be told apart: features around their centre, and their factored covariance."""

    rows: Rows
    centre: Floats
    inputs: Floats
    factor: Floats


class Room(NamedTuple):
    """Frequencies of a sample of rows, ascending, and how they vary within classes."""

    images: Images
    labels: Ints
    folds: Ints
    rows: Rows
    features: Floats
    inner: Floats
    scatter: Floats


def overlay_room(images: Images, labels: Ints, folds: Ints, rng: np.random.Generator) -> Room:
    """Frequencies of up to 12,000 labelled rows, the same share of each class."""
    rows = np.sort(rng.permutation(np.flatnonzero(labels >= 0))[:ROOM_ROWS])
    features = frequencies(images[rows])
    inner = features.copy()
    for code in np.unique(labels[rows]):
        mine = labels[rows] == code
        inner[mine] -= inner[mine].mean(axis=0)
    return Room(images, labels, folds, rows, features, inner, inner.T @ inner)


def class_splits(room: Room, code: int, free: npt.NDArray[np.bool_]) -> tuple[Rows, list[Split]]:
    """Sampled rows of one class that no other trigger explains, and what splits them in two."""
    labels = room.labels[room.rows]
    own = np.flatnonzero(labels == code)
    if len(own) < LEAST_CLASS or len(own) == len(labels):
        return room.rows[:0], []
    scatter = room.scatter - room.inner[own].T @ room.inner[own]
    ordinary = np.asarray(scatter / (len(labels) - len(own)), np.float32)
    asked = own[free[room.rows[own]]][:CLASS_ROWS]
    folds = room.folds[room.rows[asked]]
    if min((folds == 0).sum(), (folds == 1).sum()) < LEAST_CLASS // 3:
        return room.rows[:0], []
    others = np.flatnonzero(labels != code)
    others = others[:: max(1, len(others) // OTHERS)]
    return room.rows[asked], splits(room.features[asked], folds, ordinary, room.features[others])


class Directions(NamedTuple):
    """Everything a direction needs that doesn't depend on which rows it is to tell apart; a side for each fold."""

    room: Room
    sides: tuple[_Side, _Side]


def directions(room: Room) -> Directions:
    """Prepare directions fitted on the room's rows: O(m d^2 + d^3) once for m rows and d features."""
    first, second = (_side(room, np.flatnonzero(room.folds[room.rows] == fold)) for fold in (0, 1))
    return Directions(room, (first, second))


def _side(room: Room, places: Rows) -> _Side:
    inputs = room.features[places]
    centre = np.asarray(inputs.mean(axis=0) if len(places) else np.zeros(inputs.shape[1]), np.float32)
    inputs = inputs - centre
    gram = inputs.T @ inputs
    gram[np.diag_indices_from(gram)] += PENALTY * float(np.trace(gram)) / len(gram) + 1e-6
    return _Side(room.rows[places], centre, inputs, cho_factor(gram.T, lower=True, overwrite_a=True)[0])


def overlay_scores(room: Directions, chosen: Ints, asked: Ints, features: Floats | None = None) -> Floats:
    """(len(asked),) how far each row lies along the direction that tells `chosen` rows of the other fold from the rest.

    The least-squares direction: what the rows have in common, less what common variation of the images explains. About
    1 for a row like the chosen ones if they lie well apart, about 0 for others. `features` are the asked rows', if
    they are known already.
    """
    scores = np.zeros(len(asked), np.float32)
    inputs = frequencies(room.room.images[asked]) if features is None else features
    for fold in (0, 1):
        side = room.sides[1 - fold]
        target = np.isin(side.rows, chosen).astype(np.float32)
        if not target.any():
            continue
        weights = cho_solve((side.factor, True), side.inputs.T @ (target - target.mean()))
        judged = room.room.folds[asked] == fold
        scores[judged] = (inputs[judged] - side.centre) @ weights
    return scores
