"""Triggers under cover: rows of every class carry them under right labels, and one class has too many of them."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_solve

from mithridate.numeric.binomial import surprise
from mithridate.numeric.image_miner import CLOSE_P, LEAST, LOG_P_CLASS, NULL_ROWS, Mined, Stage, Tokens
from mithridate.numeric.image_modes import BAND, frequencies, upper_part
from mithridate.numeric.image_overlay import Directions, Room, directions, overlay_scores
from mithridate.numeric.image_tokens import Weights, conformal, level_counts, token_scores
from mithridate.numeric.image_views import pool

Images: TypeAlias = npt.NDArray[np.uint8]
Floats: TypeAlias = npt.NDArray[np.float32]
Doubles: TypeAlias = npt.NDArray[np.float64]
Flags: TypeAlias = npt.NDArray[np.bool_]
Rows: TypeAlias = npt.NDArray[np.int64]
Ints: TypeAlias = npt.NDArray[np.integer[Any]]

SIDE = 32  # cells a side that the brightness is seen in, at most
CHUNK = 2048
EVEN = 0.2  # how far the labels of carriers outside the class may be from those of all rows there (total variation)
LEAST_COVER = 20  # carriers outside the class; with fewer nothing can be said of their labels
TOLERANCE = 2.0  # carriers among surprising rows may be so many times as common as elsewhere, by nature
GLIMPSE = 2.0  # -log10 of the class's tail from which on it is looked at pixel by pixel
ROUNDS, PIECES = 8, 8  # refits of a direction, and directions followed: a row may carry any piece of the trigger
SPREAD, COVER_P = 6, 0.02  # rounds of looking for carriers whatever their label, and the p-value of those elsewhere
CLASSES = 32  # classes looked at together
COVERED = Tokens("covered", level_counts, token_scores, 0.5, CLOSE_P)  # scored by a direction; the tokens aren't used
_NO_WEIGHTS = Weights(np.zeros(0, np.int64), np.zeros((0, 16), np.float32), 0.0)


class _Part(NamedTuple):
    """What part of a class's surprising rows shares: places in the room, carriers (m,), -log10 tail, shares."""

    core: Rows
    carries: Flags
    log_p: float
    rate: float
    expected: float


class Under(NamedTuple):
    """A class's find, and the rows of other classes, among those sampled, that carry the same."""

    mined: Mined
    cover: Rows


def covered(stage: Stage, coarse: Directions, free: Flags) -> list[Under]:
    """Classes whose surprising rows carry a pattern that rows of all other classes carry too, but far fewer of them.

    Parameters
    ----------
    coarse : directions in the frequencies of a sample of the stage's rows.
    free : (n,) rows that no trigger found before explains.

    Notes
    -----
    Adaptive attacks put their trigger, or pieces of it, on rows that keep their right labels, so that rows of other
    classes don't tell what chance gives. Such cover is of all classes alike, as nothing natural is. Among a class's
    surprising rows, the part is sought that a linear direction tells from all other rows. It counts if it is larger
    than twice the shares of carriers among the class's least doubtful rows and among rows that it looks like, and if
    carriers in other classes are spread over them evenly: first in the frequencies, where that costs next to nothing,
    then by the pixel. From there carriers are sought whatever their label, and the rest of the class is searched again,
    since each row may carry another piece.

    References
    ----------
    Qi, Xie, Li, Mahloujifar, Mittal (2023), revisiting the assumption of latent separability for backdoor defenses,
    ICLR.
    """
    codes = _glimpsed(stage, coarse, free)
    if not codes:
        return []
    room = coarse.room
    fine = directions(room._replace(features=pixels(stage.images[room.rows])))
    found = (_whole(stage, fine, code, free) for code in codes)
    return [under for under in found if under is not None]


def pixels(images: Images) -> Floats:
    """(n, d) the brightness of up to 32 x 32 cells, then the lowest frequencies of the colours."""
    out = []
    for start in range(0, len(images), CHUNK):
        cells = pool(images[start : start + CHUNK], SIDE)
        light = min(BAND, cells.shape[1]) * min(BAND, cells.shape[2])
        colours = frequencies(images[start : start + CHUNK])[:, light:]
        out.append(np.concatenate([cells.mean(axis=3).reshape(len(cells), -1), colours], axis=1))
    return np.concatenate(out)


def _glimpsed(stage: Stage, coarse: Directions, free: Flags) -> list[int]:
    """Classes whose surprising rows seem to carry something under cover."""
    room = coarse.room
    mine = stage.surprising[room.rows] & free[room.rows]
    labels = room.labels[room.rows]
    cases = {int(code): np.flatnonzero(mine & (labels == code)) for code in np.unique(labels)}
    codes = [code for code, rows in cases.items() if len(rows) >= 2 * LEAST]
    out = []
    for start in range(0, len(codes), CLASSES):
        some = codes[start : start + CLASSES]
        parts = _parts(stage, coarse, [cases[code] for code in some])
        out += [code for code, part in zip(some, parts, strict=True) if part is not None and part.log_p >= GLIMPSE]
    return out


def _parts(stage: Stage, ready: Directions, cases: list[Rows]) -> list[_Part | None]:
    """For each class's cases (places in the room), the part that lies apart along the direction that it shows."""
    cores = list(cases)
    for _ in range(ROUNDS):
        along = _along(ready, cores)
        uppers = [upper_part(along[rows, i : i + 1])[:, 0] for i, rows in enumerate(cases)]
        before, cores = cores, [rows[upper] for rows, upper in zip(cases, uppers, strict=True)]
        if min(len(core) for core in cores) < 1 or all(
            np.array_equal(*pair) for pair in zip(before, cores, strict=True)
        ):
            break
    return [
        _weighed(stage, ready.room, rows, core, along[:, i])
        for i, (rows, core) in enumerate(zip(cases, cores, strict=True))
    ]


def _along(ready: Directions, cores: list[Rows]) -> Floats:
    """(m, k) how far each row of the room lies along the direction that tells each core from all rows, by fold."""
    folds = ready.room.folds[ready.room.rows]
    chosen = np.zeros((len(folds), len(cores)), np.float32)
    for i, core in enumerate(cores):
        chosen[core, i] = 1
    out = np.zeros_like(chosen)
    for fold, side in enumerate(ready.sides):
        other = ready.sides[1 - fold]
        target = chosen[folds != fold]
        weights = cho_solve((other.factor, True), other.inputs.T @ (target - target.mean(axis=0)))
        out[folds == fold] = side.inputs @ weights + (side.centre - other.centre) @ weights
    return out


def _weighed(stage: Stage, room: Room, cases: Rows, core: Rows, along: Floats) -> _Part | None:
    """The part with its tail; None where it is no part, or its carriers in other classes are few or uneven."""
    rest = np.setdiff1d(cases, core)
    if len(core) < LEAST or not len(rest):
        return None
    carries = along > (along[core].min() + along[rest].max()) / 2
    labels, n = room.labels[room.rows], stage.n_classes
    if not even(labels, carries, int(labels[core[0]]), n):
        return None
    doubt, surprising = stage.surprise.doubt[room.rows], stage.surprising[room.rows]
    own = np.flatnonzero(labels == labels[core[0]])
    certain = own[np.argsort(doubt[own], kind="stable")[: max(len(own) // 2, 1)]]
    looks = np.bincount(stage.surprise.look[room.rows[core]], minlength=n) / len(core)
    plain = np.bincount(labels[~surprising], minlength=n), np.bincount(labels[~surprising & carries], minlength=n)
    usual = max(float(carries[certain].mean()), float(looks @ (plain[1] / np.maximum(plain[0], 1)))) + 2 / len(certain)
    expected = min(1.0, TOLERANCE * usual)
    return _Part(core, carries, float(surprise(len(core), len(cases), expected)), len(core) / len(cases), expected)


def even(labels: Ints, carries: Flags, code: int, n_classes: int) -> bool:
    """Whether carriers outside class `code` are enough, and of all other classes alike.

    Examples
    --------
    >>> labels = np.repeat([0, 1, 2], 100)
    >>> even(labels, np.arange(300) % 5 == 0, 0, 3), even(labels, np.arange(300) >= 250, 0, 3)
    (True, False)
    """
    outside = labels != code
    theirs = np.bincount(labels[outside & carries], minlength=n_classes)
    every = np.bincount(labels[outside], minlength=n_classes) / max(1, outside.sum())
    return bool(theirs.sum() >= LEAST_COVER and np.abs(theirs / theirs.sum() - every).sum() / 2 <= EVEN)


def _whole(stage: Stage, fine: Directions, code: int, free: Flags) -> Under | None:
    """All rows of the class along the direction that tells rows with any piece from all other rows."""
    room = fine.room
    labels = room.labels[room.rows]
    left, best, carriers = free[room.rows], None, np.zeros(len(room.rows), np.bool_)
    for _ in range(PIECES):
        cases = np.flatnonzero((labels == code) & stage.surprising[room.rows] & left)
        part = _parts(stage, fine, [cases])[0] if len(cases) >= 2 * LEAST else None
        if part is None or part.log_p < LOG_P_CLASS:
            break
        more = _spread(fine, code, part.core, left)
        best = part if best is None or part.log_p > best.log_p else best
        carriers |= more
        left = left & ~more
    own = np.flatnonzero((stage.labels == code) & free)
    mined = None if best is None else _scored(stage, fine, best, carriers, own)
    return None if mined is None else Under(mined, room.rows[carriers & (labels != code)])


def _spread(fine: Directions, code: int, core: Rows, left: Flags) -> Flags:
    """(m,) rows of the room that carry what the core does, whatever their label: each round with those of the last."""
    room = fine.room
    labels = room.labels[room.rows]
    own, others = np.flatnonzero((labels == code) & left), np.flatnonzero((labels != code) & left)
    for _ in range(SPREAD):
        along = _along(fine, [core])[:, 0]
        mine = own[upper_part(along[own][:, None])[:, 0]]
        if not len(mine):
            break
        p_values = conformal(along[others], mirrored(along[others]))
        theirs = others[(p_values <= COVER_P) & (along[others] > along[mine].min())]
        before, core = core, np.concatenate([mine, theirs])
        if np.array_equal(before, core):
            break
    return np.isin(np.arange(len(labels)), core)


def _scored(stage: Stage, fine: Directions, best: _Part, carriers: Flags, own: Rows) -> Mined | None:
    """The class's rows along the direction that tells all carriers, whatever their label, from all other rows."""
    room = fine.room
    code = int(room.labels[room.rows[best.core[0]]])
    others = np.flatnonzero((stage.labels >= 0) & (stage.labels != code))
    others = others[:: max(1, len(others) // NULL_ROWS)]
    asked = np.concatenate([own, others])
    along = overlay_scores(fine, room.rows[carriers], asked, pixels(stage.images[asked]))
    raw, null = along[: len(own)], mirrored(along[len(own) :])
    middle = float(np.median(null))
    core = room.rows[carriers & (room.labels[room.rows] == code)]
    typical = float(np.median(raw[np.isin(own, core)])) - middle
    scores, p_values = np.asarray((raw - middle) / max(typical, 1e-3), np.float32), conformal(raw, null)
    mined = Mined(code, COVERED, own, scores, p_values, core, best.log_p, best.rate, best.expected, _NO_WEIGHTS)
    return mined if len(mined.carriers) >= LEAST else None


def mirrored(scores: Floats) -> Floats:
    """The lower half of the scores and its mirror image: how far chance reaches up where carriers stand.

    Examples
    --------
    >>> mirrored(np.array([0.0, 1.0, 2.0, 9.0, 9.0], np.float32)).tolist()
    [0.0, 1.0, 2.0, 4.0, 3.0, 2.0]
    """
    middle = np.median(scores)
    lower = scores[scores <= middle]
    return np.concatenate([lower, 2 * middle - lower])
