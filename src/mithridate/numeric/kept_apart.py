"""Whether rows fall into two groups with a gap between them, in the subspace where the gap is deepest."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d
from scipy.stats import rankdata

Floats: TypeAlias = npt.NDArray[np.floating[Any]]
Doubles: TypeAlias = npt.NDArray[np.float64]
Flags: TypeAlias = npt.NDArray[np.bool_]

DIMENSIONS = (1, 2, 5, 10)  # leading directions that are tried; which of them a trigger moves differs by network
MOST_COLUMNS = 512  # a wide layer's other columns vary less, and the cost grows with the cube of their number
FAR = 0.95  # a small group is looked for among the rows farther from the median than this share of them
LEAST_SIDE = 15  # rows of a group
STEPS = 30
BINS = 128
TAIL = 0.001  # share of rows at either end whose distance doesn't stretch the histogram
BANDWIDTH = 0.9  # Silverman's rule, by the narrower of the two groups


class Split(NamedTuple):
    """(n,) `second`: the rows of the smaller group. `valley` in [0, 1]: the lowest density between the two groups over
    the density of the lower peak, 1 where there is one group. `depth` (n,): how far a row is on the smaller group's
    side of the middle, in units of the distance between the groups' means.
    """  # noqa: D205 - a field list reads better in one piece

    second: Flags
    valley: float
    depth: Doubles


def most_varied(values: Floats) -> Floats:
    """The (n, 512) columns that vary most of (n, d); all where there are no more.

    Examples
    --------
    >>> most_varied(np.arange(2048.0).reshape(2, 1024) ** 2).shape
    (2, 512)
    """
    if values.shape[1] <= MOST_COLUMNS:
        return values
    return values[:, np.sort(np.argsort(-values.var(axis=0), kind="stable")[:MOST_COLUMNS])]


def split(values: Floats) -> Split:
    """The two groups of (n, d) rows with the deepest gap between them.

    Notes
    -----
    Two means in the leading 1, 2, 5 and 10 directions, each from two starts: halves of the first direction, and the
    rows far from the median. A bell or a skewed cloud cut in two has no gap: its valley is 1.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rows = np.concatenate([rng.normal(0, 1, (300, 4)), rng.normal(6, 1, (60, 4))])
    >>> found = split(rows)
    >>> int(found.second.sum()), found.valley < 0.1, split(rows[:300]).valley > 0.5
    (60, True, True)
    """
    n_rows = len(values)
    best = Split(np.zeros(n_rows, dtype=bool), 1.0, np.zeros(n_rows))
    if n_rows < 2 * LEAST_SIDE:
        return best
    centred = np.asarray(values, dtype=np.float64) - np.mean(values, axis=0, dtype=np.float64)
    _, axes = np.linalg.eigh(centred.T @ centred)
    places = centred @ axes[:, ::-1][:, : max(DIMENSIONS)]
    for dimensions in dict.fromkeys(min(d, places.shape[1]) for d in DIMENSIONS):
        rows = places[:, :dimensions]
        distance = np.linalg.norm(rows - np.median(rows, axis=0), axis=1)
        for start in (rows[:, 0] > np.median(rows[:, 0]), distance > np.quantile(distance, FAR)):
            found = _judged(rows, _two_means(rows, start))
            if found is not None and found.valley < best.valley:
                best = found
    return best


def advantage(values: Floats, group: Flags) -> float:
    """Chance that a row of the group has a larger value than a row outside it; ties count half, 0.5 without either.

    Examples
    --------
    >>> advantage(np.array([1.0, 2.0, 3.0]), np.array([False, False, True]))
    1.0
    """
    inside, outside = int(group.sum()), int((~group).sum())
    if not inside or not outside:
        return 0.5
    ranks = rankdata(values)
    return float((ranks[group].sum() - inside * (inside + 1) / 2) / (inside * outside))


def _two_means(rows: Doubles, second: Flags) -> Flags:
    for _ in range(STEPS):
        if second.all() or not second.any():
            break
        first_mean, second_mean = rows[~second].mean(axis=0), rows[second].mean(axis=0)
        moved = ((rows - second_mean) ** 2).sum(axis=1) < ((rows - first_mean) ** 2).sum(axis=1)
        if (moved == second).all():
            break
        second = moved
    return second


def _judged(rows: Doubles, second: Flags) -> Split | None:
    """The groups along the line through their means; None where one is too small."""
    if min(int(second.sum()), int((~second).sum())) < LEAST_SIDE:
        return None
    if second.mean() > 0.5:  # noqa: PLR2004 - the smaller group is the second
        second = ~second
    first_mean, second_mean = rows[~second].mean(axis=0), rows[second].mean(axis=0)
    line = second_mean - first_mean
    along = (rows - (first_mean + second_mean) / 2) @ line / max(float(line @ line), 1e-300)
    return Split(second, _valley(along, second), along)


def _valley(along: Doubles, second: Flags) -> float:
    """Lowest smoothed density between the peaks on either side of 0, over the lower peak."""
    low, high = np.quantile(along, [TAIL, 1 - TAIL])
    width = max((high - low) / BINS, 1e-12)
    counts, _ = np.histogram(np.clip(along, low, high), BINS, (low, low + BINS * width))
    narrow = min(float(along[side].std()) * int(side.sum()) ** -0.2 for side in (second, ~second))
    density = gaussian_filter1d(counts.astype(np.float64), max(BANDWIDTH * narrow / width, 1.0), mode="constant")
    middle = int(np.clip(-low / width, 1, BINS - 2))
    left, right = int(density[:middle].argmax()), middle + int(density[middle:].argmax())
    return float(density[left : right + 1].min() / max(min(density[left], density[right]), 1e-300))
