"""How far a row lies from the rest: robust Mahalanobis distance, neighbour distance, column tails."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float64]

KEPT = 0.75  # share of the rows that concentration steps keep: the rest may be outliers
STEPS = 4
SHRINK = 0.1  # covariance is pulled this far to a multiple of the identity
FIT_ROWS = 5_000


def robust_distance(
    rows: npt.NDArray[np.floating[Any]], *, fit: npt.NDArray[np.floating[Any]] | None = None
) -> FloatArray:
    """Mahalanobis distance of each row (n, d) from the bulk: the mean and covariance of the closest three quarters.

    Parameters
    ----------
    rows : (n, d), finite, n >= 2.
    fit : (m, d) rows to take the bulk from instead, m >= 2.

    Returns
    -------
    (n,) distances divided by the median of the fitted rows', so that 1 is ordinary.

    Notes
    -----
    Concentration steps of fast-MCD from the column medians, with a shrunken covariance, so that d may exceed n.
    The shape is estimated from at most 5,000 rows, evenly spaced.

    References
    ----------
    Rousseeuw and Van Driessen (1999), a fast algorithm for the minimum covariance determinant, Technometrics 41(3).
    """
    values = np.asarray(rows, dtype=np.float64)
    source = values if fit is None else np.asarray(fit, dtype=np.float64)
    sample = source[:: max(len(source) // FIT_ROWS, 1)]
    centre, spread = np.median(sample, axis=0), np.maximum(_mad(sample), 1e-9)
    squares = (((sample - centre) / spread) ** 2).sum(axis=1)
    whiten = np.diag(1 / spread)
    for _ in range(STEPS):
        kept = sample[np.argsort(squares, kind="stable")[: max(int(KEPT * len(sample)), 2)]]
        centre, whiten = kept.mean(axis=0), _whitener(kept)
        squares = (((sample - centre) @ whiten) ** 2).sum(axis=1)
    distances = np.sqrt((((values - centre) @ whiten) ** 2).sum(axis=1))
    middle = np.median(distances if fit is None else np.sqrt(squares))
    return np.asarray(distances / max(float(middle), 1e-12))


def _mad(rows: FloatArray) -> FloatArray:
    return np.asarray(np.median(np.abs(rows - np.median(rows, axis=0)), axis=0) * 1.4826)


def _whitener(rows: FloatArray) -> FloatArray:
    centred = rows - rows.mean(axis=0)
    covariance = centred.T @ centred / max(len(rows) - 1, 1)
    size = float(np.trace(covariance)) / max(len(covariance), 1)
    covariance = (1 - SHRINK) * covariance + SHRINK * max(size, 1e-12) * np.eye(len(covariance))
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors / np.sqrt(np.maximum(values, 1e-15)))


def column_tails(
    numbers: npt.NDArray[np.floating[Any]], *, fit: npt.NDArray[np.floating[Any]] | None = None
) -> FloatArray:
    """Sum of -log tail shares over columns: rows with several rare values at once score high.

    Parameters
    ----------
    numbers : (n, p), NaN where missing (a missing cell adds nothing).
    fit : (m, p) rows to take tail shares from instead; a cell beyond them all counts as one of m + 1.

    Returns
    -------
    (n,) >= 0, the mean over columns of -log10 of the smaller two-sided empirical tail share.

    References
    ----------
    Li et al. (2022), ECOD: unsupervised outlier detection using empirical cumulative distribution functions, TKDE.

    Examples
    --------
    >>> column_tails(np.array([[1.0], [2.0], [3.0]])).round(2).tolist()
    [0.18, 0.0, 0.18]
    """
    n_rows, n_columns = numbers.shape
    total = np.zeros(n_rows)
    for j in range(n_columns):  # a loop: missing cells differ from column to column
        known = np.flatnonzero(np.isfinite(numbers[:, j]))
        ordered = np.sort(numbers[known, j] if fit is None else fit[np.isfinite(fit[:, j]), j])
        below = np.searchsorted(ordered, numbers[known, j], side="right")
        above = len(ordered) - np.searchsorted(ordered, numbers[known, j], side="left")
        itself = 0 if fit is None else 1
        share = np.minimum(2 * (np.minimum(below, above) + itself) / max(len(ordered) + itself, 1), 1.0)
        total[known] -= np.log10(share)
    return np.asarray(total / max(n_columns, 1))


def wild_values(
    numbers: npt.NDArray[np.floating[Any]], *, fit: npt.NDArray[np.floating[Any]] | None = None
) -> FloatArray:
    """How far a row's wildest cell lies beyond its column's middle 98 %, in widths from the median to that edge.

    Parameters
    ----------
    numbers : (n, p), NaN where missing.
    fit : (m, p) rows to take medians and edges from instead.

    Returns
    -------
    (n,) >= 0; 0 for a row with no cell beyond; columns without width add nothing.

    Examples
    --------
    >>> wild_values(np.append(np.arange(101.0), 1000.0)[:, None])[-1].round(1)
    np.float64(18.2)
    """
    wildest = np.zeros(len(numbers))
    source = numbers if fit is None else fit
    for column, own in zip(numbers.T, source.T, strict=True):  # a loop: missing cells differ from column to column
        known, able = np.isfinite(column), np.isfinite(own)
        if not able.any():
            continue
        low, middle, high = np.quantile(own[able], (0.01, 0.5, 0.99))
        excess = np.zeros(len(column))
        if high > middle:
            excess[known] = np.maximum(excess[known], (column[known] - high) / (high - middle))
        if middle > low:
            excess[known] = np.maximum(excess[known], (low - column[known]) / (middle - low))
        wildest = np.maximum(wildest, excess)
    return wildest
