"""Two-valued directions: an overlay that some rows of a group have and the others lack splits them in two."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.fft import dct
from scipy.linalg import cholesky, solve_triangular

from mithridate.numeric.image_views import pool

Images: TypeAlias = npt.NDArray[np.uint8]
Floats: TypeAlias = npt.NDArray[np.float32]
Flags: TypeAlias = npt.NDArray[np.bool_]
Ints: TypeAlias = npt.NDArray[np.integer[Any]]

SIDE = 32  # cells a side that the frequencies are taken of, at most
BAND, COLOUR_BAND = 16, 8  # lowest frequencies a side, of the brightness and of each colour difference
STARTS = 48  # directions followed, the most two-valued ones
ROUNDS = 5  # times each is drawn anew from the two groups that it showed
LEAST_SHARE = 0.03  # of the rows in the smaller group
SHRINK = 1.0  # weight of the ordinary covariance, in rows a dimension
RIDGE = 0.003  # added to the covariance, as a share of its mean variance
FOREIGN, FOREIGN_RIDGE, TURNS = 16, 0.01, 8  # leading unordinary directions, their ridge, and fixed-point steps
KEPT = 12  # directions of each half that are paired with the other's
PAIRS, SAME = 3, 0.5  # pairs returned, and the correlation from which on two directions are one
PAIRING = 1.0  # how much bimodality a pair may lack that agrees
CHUNK = 2048


def frequencies(images: Images) -> Floats:
    """(n, d) lowest cosine frequencies of the brightness, then of the first two channels less the brightness.

    Examples
    --------
    >>> frequencies(np.full((1, 4, 4, 1), 255, np.uint8))[0, :2].round(3).tolist()
    [4.0, 0.0]
    """
    blocks = [_frequencies(images[start : start + CHUNK]) for start in range(0, len(images), CHUNK)]
    return np.concatenate(blocks) if blocks else _frequencies(images)


def _frequencies(images: Images) -> Floats:
    cells = pool(images, SIDE)
    light = cells.mean(axis=3)
    parts = [_band(light, BAND)]
    parts += [_band(cells[..., channel] - light, COLOUR_BAND) for channel in range(min(2, cells.shape[3] - 1))]
    return np.concatenate(parts, axis=1)


def _band(planes: Floats, band: int) -> Floats:
    high, wide = (
        dct(np.eye(side), norm="ortho", axis=0)[: min(band, side)].astype(np.float32) for side in planes.shape[1:]
    )
    return np.asarray((high @ planes @ wide.T).reshape(len(planes), -1), np.float32)


def two_valued(scores: Floats) -> Floats:
    """(m,) kurtosis less squared skewness of each column: 1 for two values, 1.8 for uniform, 3 for normal scores.

    No distribution is below 1, whatever the shares of the two values, so a small group counts as much as a half.

    References
    ----------
    Pearson (1916), mathematical contributions to the theory of evolution XIX: kurtosis >= skewness^2 + 1.

    Examples
    --------
    >>> two_valued(np.array([[0.0], [0.0], [0.0], [1.0]], np.float32)).round(3).tolist()
    [1.0]
    """
    scaled = (scores - scores.mean(axis=0)) / (scores.std(axis=0) + np.float32(1e-9))
    squares = scaled * scaled
    return np.asarray((squares * squares).mean(axis=0) - (squares * scaled).mean(axis=0) ** 2, np.float32)


class Half(NamedTuple):
    """Directions (d, m) fitted on one half of a group, and how two-valued (m,) the other half is along each."""

    centre: Floats
    directions: Floats
    bimodality: Floats

    def __call__(self, features: Floats, column: int) -> Floats:
        """(n,) scores along one direction, without scale."""
        return np.asarray((features - self.centre) @ self.directions[:, column], np.float32)


class Split(NamedTuple):
    """What splits a group: held-out `scores` (n,), `bimodality` of the worse half, `agreement` of the two halves.

    Scores are about 0 at the middle of rows that lack it and 1 at the middle of those that have it.
    """

    scores: Floats
    bimodality: float
    agreement: float


def splits(features: Floats, folds: Ints, ordinary: Floats, others: Floats) -> list[Split]:
    """Overlays that may split a group in two, likeliest first: found in each half of it, and judged in the other.

    Parameters
    ----------
    features : (n, d) of the group, from `frequencies`; `folds` (n,) of 0 and 1.
    ordinary : (d, d) covariance of features within other groups: what varies there anyway is no news.
    others : (m, d) features of rows outside the group; the side of the split where fewer of them lie has the overlay.

    Notes
    -----
    Every feature, cleared of what the others predict, starts a direction; each is drawn anew, a few times over, as
    the one that tells the two parts apart that it showed (a linear discriminant). O(n d^2 + d^3) time. The halves'
    directions are paired by how alike they are: chance and natural variety give each half another one.

    References
    ----------
    Hyvarinen (1999), fast and robust fixed-point algorithms for independent component analysis, IEEE TNN 10(3).
    """
    halves = [_half(features[folds != fold], features[folds == fold], ordinary) for fold in (0, 1)]
    first, second = (half.directions for half in halves)
    lengths = [np.sqrt(np.einsum("ij,ij->j", part, ordinary @ part)) + 1e-9 for part in (first, second)]
    alike = np.abs(first.T @ ordinary @ second) / np.outer(*lengths)
    odds = np.maximum(halves[0].bimodality[:, None], halves[1].bimodality[None, :])
    cost, out = odds + PAIRING * (1 - alike), []
    for _ in range(min(PAIRS, len(cost))):
        best = np.unravel_index(int(np.argmin(cost)), cost.shape)
        scores = np.zeros(len(features), np.float32)
        for fold, (half, column) in enumerate(zip(halves, best, strict=True)):
            judged = folds == fold
            scores[judged] = _placed(half(features[judged], int(column)), half(others, int(column)))
        out.append(Split(scores, float(odds[best]), float(alike[best])))
        taken = np.abs(np.corrcoef(first[:, best[0]], first, rowvar=False)[0, 1:]) > SAME
        cost[taken] = np.inf
        if not np.isfinite(cost).any():
            break
    return out


def _placed(along: Floats, others: Floats) -> Floats:
    """Scores from 0 to 1 between the middles of the two parts; the part that others lie less in is 1."""
    upper = upper_part(along[:, None])[:, 0]
    low, high = float(np.median(along[~upper])), float(np.median(along[upper]))
    scaled, rest = (np.asarray((part - low) / max(high - low, 1e-6), np.float32) for part in (along, others))
    return scaled if (rest > 0.5).mean() <= 0.5 else np.float32(1) - scaled  # noqa: PLR2004 - the middle of the gap


def _half(fitting: Floats, judging: Floats, ordinary: Floats) -> Half:
    centre = np.asarray(fitting.mean(axis=0), np.float32)
    inner = fitting - centre
    n, d = inner.shape
    mixed = (inner.T @ inner + SHRINK * d * ordinary) / np.float32(n + SHRINK * d)
    root = _root(mixed, RIDGE)
    white = np.ascontiguousarray(solve_triangular(root, inner.T, lower=True).T, np.float32)
    starts = np.asarray(solve_triangular(root, np.eye(d, dtype=np.float32), lower=True), np.float32)
    starts = starts[:, np.argsort(two_valued(np.asarray(white @ starts, np.float32)), kind="stable")[:STARTS]]
    starts = np.concatenate([starts, _foreign(white, inner, root, ordinary)], axis=1)
    for _ in range(ROUNDS):
        upper = upper_part(white @ starts).astype(np.float32)
        count = upper.sum(axis=0)
        starts = white.T @ upper * (1 / count + 1 / (n - count))  # the whole is centred: the rest's sum is the negative
        starts /= np.linalg.norm(starts, axis=0) + np.float32(1e-9)
    directions = np.asarray(solve_triangular(root, starts, lower=True, trans="T"), np.float32)
    odds = two_valued(np.asarray((judging - centre) @ directions, np.float32))
    keep = np.argsort(odds, kind="stable")[:KEPT]
    return Half(centre, directions[:, keep], odds[keep])


def _root(covariance: Floats, ridge: float) -> Floats:
    """Lower Cholesky factor of the covariance with a ridge, given as a share of the mean variance."""
    d = len(covariance)
    raised = covariance.astype(np.float32)
    raised[np.diag_indices(d)] += ridge * float(np.trace(covariance)) / d + 1e-9
    return np.asarray(cholesky(raised, lower=True), np.float32)


def _foreign(white: Floats, inner: Floats, root: Floats, ordinary: Floats) -> Floats:
    """Independent components of the space in which the group varies most beyond what is ordinary."""
    lower = _root(ordinary, FOREIGN_RIDGE)
    relative = np.asarray(solve_triangular(lower, inner.T, lower=True), np.float32)
    size = min(FOREIGN, *relative.shape)
    basis = relative[:, :size]
    for _ in range(3):  # subspace iteration: the leading directions only
        basis = np.linalg.qr(relative @ (relative.T @ basis))[0]
    plane = np.linalg.qr(root.T @ solve_triangular(lower, basis, lower=True, trans="T"))[0]
    inside = white @ plane
    inside /= inside.std(axis=0) + np.float32(1e-9)
    turns = [np.eye(size, dtype=np.float32)]
    for power in (2, 3):  # one-unit fixed points: skewed and peaked components
        turn = turns[0]
        for _ in range(TURNS):
            turn = inside.T @ (inside @ turn) ** power / np.float32(len(inside)) - (3 * turn if power % 2 else 0)
            turn /= np.linalg.norm(turn, axis=0) + np.float32(1e-9)
        turns.append(turn)
    return np.asarray(plane @ np.concatenate(turns, axis=1), np.float32)


def upper_part(scores: Floats) -> Flags:
    """(n, m) rows in the upper of the two groups that lie furthest apart, column by column (Otsu's threshold)."""
    n = len(scores)
    ordered = np.sort(scores, axis=0)
    sums, counts = np.cumsum(ordered, axis=0), np.arange(1, n + 1, dtype=np.float32)[:, None]
    gaps = (sums[-1] - sums[:-1]) / (n - counts[:-1]) - sums[:-1] / counts[:-1]
    between = counts[:-1] * (n - counts[:-1]) * gaps * gaps
    least = min(max(4, int(LEAST_SHARE * n)), (n - 1) // 2)
    between[:least], between[len(between) - least :] = 0, 0
    place, columns = between.argmax(axis=0), np.arange(scores.shape[1])
    return np.asarray(scores > (ordered[place, columns] + ordered[place + 1, columns]) / 2, np.bool_)
