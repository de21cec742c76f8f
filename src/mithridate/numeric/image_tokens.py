"""Pixel tokens: which brightness level at which place surprising rows of a class share."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from mithridate.numeric.binomial import surprise

Images: TypeAlias = npt.NDArray[np.uint8]
Levels: TypeAlias = npt.NDArray[np.uint8]
Floats: TypeAlias = npt.NDArray[np.float32]
Doubles: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.integer[Any]]

LEVELS = 16
CHUNK = 512  # rows scored at a time
COUNTED = 255  # rows counted at a time: a byte holds no larger count
TOLERANCE = 1.5  # how many times more frequent than anywhere else a token may be among odd rows of an honest class
SLACK = 0.01  # and by how much share
MOST_COLUMNS = 800  # token positions kept, the most telling ones: more cost time and say the same again
LOG_P = 3.0  # -log10 of the tolerant tail from which on a token is kept


class Weights(NamedTuple):
    """Naive-Bayes weights of the tokens that surprising rows share.

    `columns` (m,) token positions, ascending; `table` (m, 16) log ratio of a level's share to its share
    elsewhere, 0 where not significant; `log_p` the largest -log10 tolerant tail.
    """

    columns: npt.NDArray[np.int64]
    table: Floats
    log_p: float


def image_levels(images: Images) -> Levels:
    """(n, d) uint8 below 16: every value's level, then the brightness steps to the right and downwards.

    Steps tell a patch's border from smooth bright or dark surroundings, where plain levels can't.
    """
    n = len(images)
    light = grey(images)
    right, down = _steps(light[:, :, :-1], light[:, :, 1:]), _steps(light[:, :-1], light[:, 1:])
    return np.concatenate([(images >> 4).reshape(n, -1), right.reshape(n, -1), down.reshape(n, -1)], axis=1)


def grey(images: Images) -> Images:
    """(n, h, w) brightness: the mean of the channels, rounded down.

    Examples
    --------
    >>> grey(np.array([[[[10, 20, 60]]]], np.uint8)).item()
    30
    """
    n_channels = images.shape[3]
    if n_channels == 1:
        return images[..., 0]
    total = images[..., 0].astype(np.uint16)
    for channel in range(1, n_channels):  # adding planes is 20 times faster than a mean over the last axis
        total += images[..., channel]
    return np.asarray(total // n_channels, np.uint8)


def _steps(first: Images, second: Images) -> Levels:
    """Level of the difference, in steps of 32 with none at the middle; uint8 all through, for speed."""
    steps = ((second >> 2) + np.uint8(68) - (first >> 2)) >> 3
    return np.asarray(np.minimum(steps, np.uint8(LEVELS - 1)), np.uint8)


def _columns(images: Images, columns: Ints) -> Levels:
    """(n, len(columns)) the given columns of `image_levels`, without the others."""
    n, h, w, c = images.shape
    flat, light = images.reshape(n, -1), grey(images).reshape(n, -1)
    ends = h * w * c, h * w * c + h * (w - 1)
    plain, right, down = (part for part in np.split(columns, np.searchsorted(columns, ends)))
    right = (right - ends[0]) // (w - 1) * w + (right - ends[0]) % (w - 1)
    down = down - ends[1]
    return np.concatenate(
        [flat[:, plain] >> 4, _steps(light[:, right], light[:, right + 1]), _steps(light[:, down], light[:, down + w])],
        axis=1,
    )


def token_places(columns: Ints, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """(h, w) pixels that the given columns of `image_levels` look at, for images of `shape` (h, w, c).

    Examples
    --------
    >>> token_places(np.array([5]), (2, 2, 1)).tolist()  # the step to the right in the second row
    [[False, False], [True, True]]
    """
    h, w, c = shape
    seen = np.zeros((h, w), np.bool_)
    ends = h * w * c, h * w * c + h * (w - 1)
    plain, right, down = (part for part in np.split(columns, np.searchsorted(columns, ends)))
    seen.ravel()[plain // c] = True
    y, x = np.divmod(right - ends[0], w - 1)
    seen[y, x] = seen[y, x + 1] = True
    y, x = np.divmod(down - ends[1], w)
    seen[y, x] = seen[y + 1, x] = True
    return seen


def level_counts(images: Images, rows: Ints) -> npt.NDArray[np.int64]:
    """(d, 16) number of the given rows at each level of each token position (as in `image_levels`).

    Examples
    --------
    >>> level_counts(np.array([[[[50]]], [[[50]]], [[[90]]]], np.uint8), np.arange(3))[0, [3, 5]].tolist()
    [2, 1]
    """
    _, h, w, c = images.shape
    d = h * w * c + h * (w - 1) + (h - 1) * w
    counts = np.zeros((LEVELS, d), np.int64)
    for start in range(0, len(rows), COUNTED):
        cells = image_levels(images[rows[start : start + COUNTED]])
        equal = np.empty(cells.shape, np.bool_)
        for level in range(LEVELS - 1):  # comparing bytes level by level is three times faster than one bincount
            np.equal(cells, np.uint8(level), out=equal)
            counts[level] += np.add.reduce(equal.view(np.uint8), axis=0, dtype=np.uint8)
    counts[-1] = len(rows) - counts[:-1].sum(axis=0)
    return np.ascontiguousarray(counts.T)


def token_weights(observed: npt.NDArray[np.int64], n_observed: int, expected: Doubles) -> Weights:
    """Weights of the tokens that `n_observed` surprising rows share more than `TOLERANCE` allows.

    Parameters
    ----------
    observed : (d, 16) counts among the surprising rows.
    expected : (d, 16) shares in [0, 1] that honest rows would have.
    """
    share, levels = observed / max(1, n_observed), observed.shape[1]
    allowed = np.minimum(TOLERANCE * expected + SLACK, 1.0)
    positions, level = np.nonzero(share > allowed)
    tails = surprise(observed[positions, level], n_observed, allowed[positions, level])
    keep = tails > LOG_P
    positions, level = positions[keep], level[keep]
    columns, inverse = np.unique(positions, return_inverse=True)
    table = np.zeros((len(columns), levels), np.float32)
    table[inverse, level] = np.log(share[positions, level] / (expected[positions, level] + SLACK))
    strength = np.zeros(len(columns))
    np.maximum.at(strength, inverse, tails[keep])
    top = np.sort(np.argsort(-strength, kind="stable")[:MOST_COLUMNS])
    return Weights(columns[top], table[top], float(strength.max(initial=0.0)))


def likelihood_weights(carriers: npt.NDArray[np.int64], others: npt.NDArray[np.int64], columns: Ints) -> Weights:
    """Log likelihood ratios of every level at the given positions, once it is known which rows carry the trigger.

    Parameters
    ----------
    carriers, others : (d, 16) level counts of rows that carry it and of rows that don't.
    columns : the token positions that count.
    """
    mine, rest = carriers[columns] + 0.1, others[columns] + 0.1
    table = np.log(mine / mine.sum(axis=1, keepdims=True)) - np.log(rest / rest.sum(axis=1, keepdims=True))
    return Weights(np.asarray(columns, np.int64), np.clip(table, -4.0, 4.0).astype(np.float32), 0.0)


def token_scores(images: Images, rows: Ints, weights: Weights) -> Floats:
    """(len(rows),) sum of the weights of the tokens each row carries."""
    scores = np.zeros(len(rows), np.float32)
    if not len(weights.columns):
        return scores
    flat, base = weights.table.ravel(), np.arange(len(weights.columns), dtype=np.int64) * LEVELS
    for start in range(0, len(rows), CHUNK):
        cells = _columns(images[rows[start : start + CHUNK]], weights.columns) + base
        scores[start : start + CHUNK] = flat[cells].sum(axis=1)
    return scores


def conformal(scores: Floats, null: Floats) -> Doubles:
    """(n,) share of the null sample that scores at least as high, counting the row itself: a valid p-value."""
    ordered = np.sort(null)
    above = len(ordered) - np.searchsorted(ordered, scores, side="left")
    return np.asarray((above + 1) / (len(ordered) + 1), np.float64)
