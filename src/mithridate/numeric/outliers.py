"""How far a row lies from the rest: robust Mahalanobis distance, neighbour distance, column tails."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from mithridate.numeric.tails import heavy_tail

FloatArray: TypeAlias = npt.NDArray[np.float64]

KEPT = 0.75  # share of the rows that concentration steps keep: the rest may be outliers
STEPS = 4
MAD_SCALE = 1.4826  # median absolute deviation to standard deviation, for normal values
SHRINK = 0.1  # covariance is pulled this far to a multiple of the identity
FIT_ROWS = 5_000
EDGES = (0.1, 0.5, 0.9)  # of a column's values: a twentieth of wild ones can't reach them
COMMON = 0.5  # a value that fills more of its column than this isn't part of the column's spread
LEAST_CELLS = 50  # fewer cells that aren't the usual value don't show a tail
AXIS_ROWS = 2_000
BLOCK = 256  # rows handled at a time, so that the block stays in cache
SMALL = 256  # images handled at a time, so that the block stays in cache
SIDE = 32  # pixels a side that residuals are taken from


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
    columns = np.ascontiguousarray(sample.T)  # a column's values side by side: medians in a third of the time
    centre = np.median(columns, axis=1)
    spread = np.maximum(np.median(np.abs(columns - centre[:, None]), axis=1) * MAD_SCALE, 1e-9)
    squares = (((sample - centre) / spread) ** 2).sum(axis=1)
    whiten = np.diag(1 / spread)
    for _ in range(STEPS):
        kept = sample[np.argsort(squares, kind="stable")[: max(int(KEPT * len(sample)), 2)]]
        centre, whiten = kept.mean(axis=0), _whitener(kept)
        squares = (((sample - centre) @ whiten) ** 2).sum(axis=1)
    distances = np.sqrt((((values - centre) @ whiten) ** 2).sum(axis=1))
    middle = np.median(distances if fit is None else np.sqrt(squares))
    return np.asarray(distances / max(float(middle), 1e-12))


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
    """How far each cell lies from its column's median, in widths from there to the edge of the middle 80 %.

    Parameters
    ----------
    numbers : (n, p), NaN where missing.
    fit : (m, p) rows to take medians and edges from instead.

    Returns
    -------
    (n, p) >= 0; 0 for a missing cell, for a column's commonest value where that fills more than half of it (the
    others are then measured among themselves), and on a side without width.

    Examples
    --------
    >>> wild_values(np.append(np.arange(101.0), 1000.0)[:, None])[-1].round(1).tolist()
    [23.5]
    """
    source = numbers if fit is None else fit
    widths = np.zeros(numbers.shape)
    for j, (column, own) in enumerate(zip(numbers.T, source.T, strict=True)):  # a loop: missing cells differ
        able, usual = own[np.isfinite(own)], np.nan
        if len(able) and np.mean(able == np.median(able)) > COMMON:
            usual = np.median(able)
            able = able[able != usual]
        if len(able):
            low, middle, high = np.quantile(able, EDGES)
            up = (column - middle) / (high - middle) if high > middle else np.zeros(len(column))
            down = (middle - column) / (middle - low) if middle > low else np.zeros(len(column))
            widths[:, j] = np.where(np.isfinite(column) & (column != usual), np.maximum(up, down), 0.0)
    return widths


def wild_tail(widths: FloatArray, *, honest: FloatArray | None = None) -> FloatArray:
    """(n,) p-value of each row's wildest cell (n, p), every column on its own tail; 1 for a row without any.

    Parameters
    ----------
    widths : (n, p) >= 0, what `wild_values` gives; 0 is a cell that isn't judged.
    honest : (m, p) of trusted rows, m >= 1, to judge by instead.

    Notes
    -----
    Smallest p-value times the number of columns that could be judged.
    """
    smallest, judged = np.ones(len(widths)), 0
    for j in range(widths.shape[1]):  # a loop: each column has its own rows to judge
        rows = np.flatnonzero(widths[:, j] > 0)
        trusted = None if honest is None else honest[honest[:, j] > 0, j]
        if len(rows if trusted is None else trusted) >= LEAST_CELLS:
            share = len(rows) / len(widths) if honest is None or trusted is None else len(trusted) / len(honest)
            smallest[rows] = np.minimum(smallest[rows], share * heavy_tail(widths[rows, j], honest=trusted))
            judged += 1
    return np.asarray(np.minimum(smallest * max(judged, 1), 1.0))


def residual(
    rows: npt.NDArray[Any], *, fit: npt.NDArray[np.integer[Any]] | None = None, n_axes: int = 32
) -> FloatArray:
    """What the main axes of the bulk leave of each row: noise images and broken vectors leave much.

    Parameters
    ----------
    rows : (n, ...) numbers; those that aren't finite count as 0. Images are thinned to at most 32 pixels a side.
    fit : positions of the rows that the axes are taken from instead of the bulk.
    n_axes : axes taken away, at least 1; at most half of the columns are.

    Returns
    -------
    (n,) root mean square of the rest; all 0 for fewer than four columns.

    Notes
    -----
    The Q statistic. Axes come from at most 2,000 rows, evenly spaced; the quarter with the largest rest is left
    out of the next fit, three times. O(n d n_axes).

    References
    ----------
    Jackson and Mudholkar (1979), control procedures for residuals associated with principal component analysis,
    Technometrics 21(3).
    """
    chosen = np.arange(0, len(rows), max(len(rows) // AXIS_ROWS, 1)) if fit is None else fit[:AXIS_ROWS]
    sample = _flat(rows[chosen])
    width = min(n_axes, sample.shape[1] // 2, len(sample) // 4)
    if width < 2:  # noqa: PLR2004 - one axis of few columns leaves nothing to judge
        return np.zeros(len(rows))
    centre, axes = _main_axes(sample, width)
    for _ in range(3 if fit is None else 0):
        kept = np.argsort(_rest(sample, centre, axes), kind="stable")[: int(KEPT * len(sample))]
        centre, axes = _main_axes(sample[kept], width)
    blocks = range(0, len(rows), BLOCK)
    return np.concatenate([_rest(_flat(rows[b : b + BLOCK]), centre, axes) for b in blocks]).astype(np.float64)


def _flat(rows: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    if rows.ndim > 2:  # noqa: PLR2004 - images: height, width and perhaps channels
        rows = rows[:, :: -(-rows.shape[1] // SIDE), :: -(-rows.shape[2] // SIDE)]
    flat = rows.reshape(len(rows), -1).astype(np.float32)
    if rows.dtype.kind == "f" and not np.isfinite(flat).all():
        flat = np.nan_to_num(flat, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    return flat


def _main_axes(sample: npt.NDArray[np.float32], width: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Mean (d,) and about the leading axes (d, width) by power iterations from evenly spaced rows."""
    centre = sample.mean(axis=0)
    centred = sample - centre
    basis = centred[np.linspace(0, len(centred) - 1, width).astype(np.int64)].T
    for _ in range(3):
        basis = np.linalg.qr(centred.T @ (centred @ np.linalg.qr(basis)[0]))[0]
    return centre, np.ascontiguousarray(basis, dtype=np.float32)


def _rest(
    rows: npt.NDArray[np.float32], centre: npt.NDArray[np.float32], axes: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    centred = rows - centre
    along = centred @ axes
    squares = np.einsum("ij,ij->i", centred, centred) - np.einsum("ij,ij->i", along, along)
    return np.asarray(np.sqrt(np.maximum(squares, 0) / rows.shape[1]), dtype=np.float32)


def fine_detail(images: npt.NDArray[Any]) -> FloatArray:
    """How much pixels differ from the mean of their four neighbours: a little in pictures, much in noise.

    Parameters
    ----------
    images : (n, h, w, c), uint8 or float; what isn't finite counts as 0. Every second line of pixels is looked at.

    Returns
    -------
    (n,) mean of |4 x - up - down - left - right|; all 0 for images less than 3 pixels high or wide.

    Examples
    --------
    >>> fine_detail(np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.uint8)[None, :, :, None]).tolist()
    [4.0]
    """
    if not len(images) or min(images.shape[1:3]) < 3:  # noqa: PLR2004 - a pixel and its two neighbours
        return np.zeros(len(images))
    return np.concatenate([_unevenness(images[b : b + SMALL]) for b in range(0, len(images), SMALL)])


def _unevenness(images: npt.NDArray[Any]) -> FloatArray:
    exact = images.dtype == np.uint8
    pixels = images.astype(np.int16) if exact else np.nan_to_num(images.astype(np.float32), posinf=0.0, neginf=0.0)
    differences = 4 * pixels[:, 1:-1:2, 1:-1]
    differences -= pixels[:, :-2:2, 1:-1]
    differences -= pixels[:, 2::2, 1:-1]
    differences -= pixels[:, 1:-1:2, :-2]
    differences -= pixels[:, 1:-1:2, 2:]
    np.abs(differences, out=differences)
    return np.asarray(differences.reshape(len(images), -1).mean(axis=1, dtype=np.float32), dtype=np.float64)
