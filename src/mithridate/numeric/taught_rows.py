"""What sets a group of rows apart from others, learnt from the group and asked of rows left out."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import solve

PENALTY = 3e-3  # of the weights, as a share of the features' mean square

Doubles = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def taught_scores(
    features: npt.NDArray[np.float32], group: Flags, others: Flags, folds: npt.NDArray[np.integer[Any]]
) -> Doubles:
    """How much each row is like the group rather than like the others, by a ridge that never saw the row.

    Parameters
    ----------
    features : (n, d), finite; a column of ones among them.
    group, others : (n,) the rows that teach; either side counts half, however many rows it has.
    folds : (n,) copies in one; a row is judged by the model of the other folds.

    Returns
    -------
    (n,) about 1 like the group, -1 like the others; all 0 in a fold whose complement lacks either.

    Examples
    --------
    >>> rows = np.array([[0.0, 1], [1, 1], [0, 1], [1, 1]], np.float32)
    >>> group = np.array([False, True, False, True])
    >>> (taught_scores(rows, group, ~group, np.array([0, 0, 1, 1])) > 0).tolist()
    [False, True, False, True]
    """
    out = np.zeros(len(features))
    for fold in np.unique(folds):
        sides = [np.flatnonzero(side & (folds != fold)) for side in (group, others)]
        if not min(len(side) for side in sides):
            continue
        gram, right = np.zeros((features.shape[1],) * 2), np.zeros(features.shape[1])
        for rows, sign in zip(sides, (1, -1), strict=True):
            part = features[rows]
            gram += (part.T @ part).astype(np.float64) / len(rows)
            right += sign * part.mean(axis=0, dtype=np.float64)
        gram[np.diag_indices_from(gram)] += PENALTY * np.trace(gram) / len(gram) + 1e-9
        asked = folds == fold
        out[asked] = features[asked] @ solve(gram, right, assume_a="pos")
    return out
