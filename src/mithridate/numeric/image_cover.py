"""Triggers under cover: rows of every class carry them under right labels, and one class has too many of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

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

SIDE = 32  # cells a side that the brightness is seen in, at most
CHUNK = 2048
EVEN = 0.2  # how far the labels of carriers outside the class may be from those of all rows there (total variation)
LEAST_COVER = 20  # carriers outside the class; with fewer nothing can be said of their labels
TOLERANCE = 2.0  # carriers among surprising rows may be so many times as common as elsewhere, by nature
GLIMPSE = 1.5  # -log10 of the class's tail from which on it is looked at pixel by pixel
ROUNDS, PIECES = 8, 8  # refits of a direction, and directions followed: a row may carry any piece of the trigger
COVERED = Tokens("covered", level_counts, token_scores, 0.5, CLOSE_P)  # scored by directions; the tokens aren't used
_NO_WEIGHTS = Weights(np.zeros(0, np.int64), np.zeros((0, 16), np.float32), 0.0)


class _Piece(NamedTuple):
    """What part of a class's surprising rows shares: places in the room, -log10 tail, and share of the rows asked."""

    core: Rows
    log_p: float
    rate: float
    expected: float


def covered(stage: Stage, room: Room, coarse: Directions, free: Flags) -> list[Mined]:
    """Classes whose surprising rows carry a pattern that rows of all other classes carry too, but far fewer of them.

    Adaptive attacks put their trigger, or pieces of it, on rows that keep their right labels, so that no row of another
    class tells what chance gives. Such cover rows are of all classes alike, as nothing natural is.

    Notes
    -----
    Among a class's surprising rows, the part is sought that a linear direction tells from all other rows; again without
    the rows found, since each may carry another piece. A part counts if it is larger than the shares of carriers among
    the class's least doubtful rows and among rows it looks like explain twice over, and if carriers of other classes are
    spread over them evenly. First in the room's frequencies, where that costs next to nothing; then by the pixel.

    References
    ----------
    Qi, Xie, Li, Mahloujifar, Mittal (2023), revisiting the assumption of latent separability for backdoor defenses,
    ICLR.
    """
    out: list[Mined] = []
    fine: Directions | None = None
    for code in np.unique(room.labels[room.rows]):
        cases = _cases(stage, room, int(code), free)
        glimpse = None if len(cases) < 2 * LEAST else _piece(stage, coarse, int(code), cases)
        if glimpse is None or glimpse.log_p < GLIMPSE:
            continue
        fine = directions(room._replace(features=pixels(stage.images[room.rows]))) if fine is None else fine
        found = _pieces(stage, fine, int(code), cases)
        if found and (mined := _whole(stage, fine, int(code), found, free)) is not None:
            out.append(mined)
    return out


def pixels(images: Images) -> Floats:
    """(n, d) the brightness of up to 32 x 32 cells, then the lowest frequencies of the colours."""
    out = []
    for start in range(0, len(images), CHUNK):
        cells = pool(images[start : start + CHUNK], SIDE)
        light = min(BAND, cells.shape[1]) * min(BAND, cells.shape[2])
        colours = frequencies(images[start : start + CHUNK])[:, light:]
        out.append(np.concatenate([cells.mean(axis=3).reshape(len(cells), -1), colours], axis=1))
    return np.concatenate(out)


def _cases(stage: Stage, room: Room, code: int, free: Flags) -> Rows:
    """Places in the room of the class's surprising rows."""
    return np.flatnonzero((room.labels[room.rows] == code) & stage.surprising[room.rows] & free[room.rows])


def _piece(stage: Stage, ready: Directions, code: int, cases: Rows) -> _Piece | None:
    """The part of the cases (places in the room) that lies apart along the direction that it shows."""
    room, core = ready.room, cases
    for _ in range(ROUNDS):
        along = overlay_scores(ready, room.rows[core], room.rows, room.features)
        upper = upper_part(along[cases][:, None])[:, 0]
        settled = np.array_equal(core, cases[upper])
        core = cases[upper]
        if settled or len(core) < LEAST:
            break
    if len(core) < LEAST or len(core) == len(cases):
        return None
    cut = (along[cases][upper].min() + along[cases][~upper].max()) / 2
    return _weighed(stage, room, code, cases, core, along > cut)


def _weighed(stage: Stage, room: Room, code: int, cases: Rows, core: Rows, carries: Flags) -> _Piece | None:
    """The part with its tail; None where carriers of other classes (`carries`, (m,)) are too few or not of all alike."""
    labels, n = room.labels[room.rows], stage.n_classes
    outside = labels != code
    theirs = np.bincount(labels[outside & carries], minlength=n)
    every = np.bincount(labels[outside], minlength=n) / outside.sum()
    if theirs.sum() < LEAST_COVER or np.abs(theirs / theirs.sum() - every).sum() / 2 > EVEN:
        return None
    doubt, surprising = stage.surprise.doubt[room.rows], stage.surprising[room.rows]
    own = np.flatnonzero(labels == code)
    certain = own[np.argsort(doubt[own], kind="stable")[: max(len(own) // 2, 1)]]
    looks = np.bincount(stage.surprise.look[room.rows[core]], minlength=n) / len(core)
    plain = np.array([carries[(labels == c) & ~surprising].mean() if looks[c] else 0.0 for c in range(n)])
    usual = max(float(carries[certain].mean()), float(looks @ plain)) + 2 / len(certain)
    expected = min(1.0, TOLERANCE * usual)
    return _Piece(core, float(surprise(len(core), len(cases), expected)), len(core) / len(cases), expected)


def _pieces(stage: Stage, fine: Directions, code: int, cases: Rows) -> list[_Piece]:
    """One part after the other, until the rest shares nothing."""
    out: list[_Piece] = []
    left = cases
    while len(out) < PIECES and len(left) >= 2 * LEAST:
        piece = _piece(stage, fine, code, left)
        if piece is None or piece.log_p < LOG_P_CLASS:
            break
        out.append(piece)
        left = np.setdiff1d(left, piece.core)
    return out


def _whole(stage: Stage, fine: Directions, code: int, found: list[_Piece], free: Flags) -> Mined | None:
    """All rows of the class along the direction that tells rows with any piece from all other rows."""
    room = fine.room
    core = room.rows[np.unique(np.concatenate([piece.core for piece in found]))]
    own = np.flatnonzero((stage.labels == code) & free)
    others = np.flatnonzero((stage.labels >= 0) & (stage.labels != code))
    others = others[:: max(1, len(others) // NULL_ROWS)]
    asked = np.concatenate([own, others])
    features = pixels(stage.images[asked])
    for _ in range(3):
        along = overlay_scores(fine, core, asked, features)
        raw, null = along[: len(own)], mirrored(along[len(own) :])
        middle = float(np.median(null))
        typical = float(np.median(raw[np.isin(own, core)])) - middle
        scores, p_values = np.asarray((raw - middle) / max(typical, 1e-3), np.float32), conformal(raw, null)
        carriers = own[(scores >= COVERED.near) & (p_values <= CLOSE_P)]
        if len(carriers) < LEAST:
            return None
        core = carriers
    best = max(found, key=lambda piece: piece.log_p)
    return Mined(code, COVERED, own, scores, p_values, core, best.log_p, best.rate, best.expected, _NO_WEIGHTS)


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
