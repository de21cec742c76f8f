"""Coordinates for rows of any kind, made from their content alone: no label is ever looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse

FloatArray: TypeAlias = npt.NDArray[np.float32]

SIDE = 32  # larger images are averaged down to this many pixels a side
CELLS = 7  # gradient histograms are pooled over this many cells a side
PIXELS = 14  # and raw pixels over this many
PIXEL_WEIGHT = 0.5  # variance share of raw pixels against gradients: gradients carry shape, pixels tone
FIT_ROWS = 10_000  # rows that principal directions are estimated from
BLOCK = 64  # images handled at a time, so that the block stays in cache
WORDS = 2**17  # hashed vocabulary
RARE = 2  # a word in fewer documents says nothing about neighbours
LEVELS = 64  # categorical columns keep this many of their commonest values
WIDE = 4.0  # standardised values beyond this are pulled in: one wild cell must not decide a distance


class Projection(NamedTuple):
    """Principal directions: `mean` (p,), `axes` (p, d) orthonormal columns, most variance first."""

    mean: FloatArray
    axes: FloatArray


def principal_axes(rows: FloatArray, n_axes: int) -> Projection:
    """The directions along which the rows (n, p) vary most, at most `n_axes` of them.

    Directions without variance are left out, so fewer may come back; at least one does, unless there are no columns.

    Examples
    --------
    >>> principal_axes(np.array([[0.0, 1], [2, 1], [4, 1]], np.float32), 2).axes.shape
    (2, 1)
    """
    if not rows.shape[1]:
        return Projection(np.zeros(0, np.float32), np.zeros((0, 0), np.float32))
    mean = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
    centred = rows - mean
    values, vectors = np.linalg.eigh((centred.T @ centred).astype(np.float64) / max(len(rows), 1))
    kept = max(int(np.sum(values > max(values[-1], 0.0) * 1e-7)), 1)
    axes = vectors[:, ::-1][:, : min(n_axes, kept)]
    signs = np.sign(axes[np.argmax(np.abs(axes), axis=0), np.arange(axes.shape[1])])
    return Projection(mean, np.ascontiguousarray(axes * np.where(signs == 0, 1, signs), dtype=np.float32))


def embed_images(images: npt.NDArray[Any], *, n_axes: int = 64, rng: np.random.Generator) -> FloatArray:
    """Principal components of pooled gradients and pooled pixels.

    Parameters
    ----------
    images : (n, h, w, c), uint8 or float in [0, 1].
    n_axes : coordinates wanted.
    rng : chooses the rows that the axes are estimated from.

    Returns
    -------
    (n, d) float32, d <= n_axes; total variance about 1.

    Notes
    -----
    One pass; memory for the result and one block.

    References
    ----------
    Dalal and Triggs (2005), histograms of oriented gradients for human detection, CVPR.
    """
    chosen = _sample(len(images), rng)
    sample = np.concatenate(list(_image_blocks(images, chosen)))
    n_gradients = sample.shape[1] - _n_pixels(images)
    weights = np.ones(sample.shape[1], np.float32)
    for part, share in ((slice(0, n_gradients), 1.0), (slice(n_gradients, None), PIXEL_WEIGHT)):
        weights[part] = np.sqrt(share / max(float(sample[:, part].var(axis=0).sum()), 1e-12))
    weights /= np.sqrt(np.float32(1.0 + PIXEL_WEIGHT))
    projection = principal_axes(sample * weights, n_axes)
    turn = weights[:, None] * projection.axes
    shift = projection.mean @ projection.axes
    out = np.empty((len(images), turn.shape[1]), np.float32)
    out[chosen] = sample @ turn - shift
    others = np.setdiff1d(np.arange(len(images)), chosen, assume_unique=True)
    for start, block in zip(range(0, len(others), BLOCK), _image_blocks(images, others), strict=True):
        out[others[start : start + BLOCK]] = block @ turn - shift
    return out


def _sample(n_rows: int, rng: np.random.Generator, most: int = FIT_ROWS) -> npt.NDArray[np.int64]:
    if n_rows <= most:
        return np.arange(n_rows)
    return np.sort(rng.choice(n_rows, most, replace=False))


def _n_pixels(images: npt.NDArray[Any]) -> int:
    height, width, channels = images.shape[1:]
    return int(min(PIXELS, height) * min(PIXELS, width) * channels)


def _pooling(size: int, cells: int) -> FloatArray:
    """(size, cells): the share of each pixel that falls into each of `cells` equal stretches, columns summing to 1."""
    edges = np.linspace(0, size, cells + 1)
    pixel = np.arange(size)[:, None]
    overlap = np.minimum(pixel + 1, edges[1:]) - np.maximum(pixel, edges[:-1])
    shares: FloatArray = (np.clip(overlap, 0, None) * (cells / size)).astype(np.float32)
    return shares


def _image_blocks(images: npt.NDArray[Any], rows: npt.NDArray[np.int64]) -> Iterator[FloatArray]:
    """(m, p) features of each block; inside, images are the last axis, so that every step runs over long lines."""
    height, width, channels = images.shape[1:]
    small = (min(height, SIDE), min(width, SIDE))
    shrink = None if small == (height, width) else (_pooling(height, small[0]), _pooling(width, small[1]))
    cells, tones = ([_pooling(size, min(most, size)) for size in small] for most in (CELLS, PIXELS))
    for start in range(0, len(rows), BLOCK):
        part = images[rows[start : start + BLOCK]]
        flat = np.ascontiguousarray(part.reshape(len(part), -1).T).astype(np.float32, copy=False)
        if images.dtype == np.uint8:
            flat *= np.float32(1 / 255)
        elif not np.isfinite(flat).all():
            flat = np.nan_to_num(flat, copy=False, nan=0.0, posinf=1.0, neginf=0.0)
        planes = np.moveaxis(flat.reshape(height, width, channels, -1), 2, 0)
        if shrink is not None:
            planes = _pool(planes, *shrink)
        gradients = _gradients(planes, cells[0], cells[1])
        yield np.concatenate([gradients, _pool(planes, tones[0], tones[1]).reshape(-1, len(part))]).T


def _pool(planes: FloatArray, down: FloatArray, across: FloatArray) -> FloatArray:
    """(c, h, w, n) to (c, h', w', n)."""
    channels, height, width, n_rows = planes.shape
    lines = np.matmul(down.T, planes.reshape(channels, height, -1)).reshape(channels, -1, width, n_rows)
    pooled: FloatArray = np.matmul(across.T, lines)
    return pooled


def _gradients(planes: FloatArray, down: FloatArray, across: FloatArray) -> FloatArray:
    """Square roots of rising and falling slopes along both axes, averaged over cells; channels averaged first."""
    grey = planes.mean(axis=0) if len(planes) > 1 else planes[0]
    slopes = np.empty((4, *grey.shape), np.float32)  # across and down, then their rising parts
    _slope(np.moveaxis(grey, 1, 0), np.moveaxis(slopes[0], 1, 0))
    _slope(grey, slopes[1])
    np.maximum(slopes[:2], 0, out=slopes[2:])
    pooled = _pool(slopes, down, across)
    rooted = np.empty((2, 2, *pooled.shape[1:]), np.float32)  # direction, then rising and falling
    rooted[:, 0] = pooled[2:]
    np.maximum(pooled[2:] - pooled[:2], 0, out=rooted[:, 1])
    return np.sqrt(rooted, out=rooted).reshape(-1, planes.shape[-1])


def _slope(lines: FloatArray, out: FloatArray) -> None:
    """What comes after each line (h, w, n) less what comes before it; edges count twice."""
    np.subtract(lines[2:], lines[:-2], out=out[1:-1])
    np.subtract(lines[min(1, len(lines) - 1)], lines[0], out=out[0])
    np.subtract(lines[-1], lines[max(len(lines) - 2, 0)], out=out[-1])


def embed_vectors(
    vectors: npt.NDArray[Any], *, n_axes: int = 64, rng: np.random.Generator, fit_rows: int = FIT_ROWS
) -> FloatArray:
    """Principal components of vectors that an encoder made; directions keep their relative weight.

    Parameters
    ----------
    vectors : (n, d); values that aren't finite count as the column's mean.
    n_axes : coordinates wanted.
    rng : chooses the rows that the axes are estimated from,
    fit_rows : at most this many.

    Returns
    -------
    (n, <= n_axes) float32, total variance about 1.
    """
    wide = np.asarray(vectors, dtype=np.float32)
    if not wide.size:
        return np.zeros((len(wide), 1), np.float32)  # rows without content all lie at one place
    wide = wide.reshape(len(wide), -1)
    if not np.isfinite(wide).all():
        finite = np.where(np.isfinite(wide), wide, np.nan)
        seen = np.isfinite(finite)
        means = np.nansum(finite, axis=0) / np.maximum(seen.sum(axis=0), 1)
        wide = np.where(seen, finite, means).astype(np.float32)
    projection = principal_axes(wide[_sample(len(wide), rng, fit_rows)], n_axes)
    reduced: FloatArray = ((wide - projection.mean) @ projection.axes).astype(np.float32, copy=False)
    return _unit_variance(reduced)


def _unit_variance(rows: FloatArray) -> FloatArray:
    total = float(rows.var(axis=0, dtype=np.float64).sum())
    return rows / np.float32(np.sqrt(total)) if total > 0 else rows


def even_out(rows: FloatArray) -> FloatArray:
    """Coordinates divided by the square root of their spread: half way from principal components to whitened ones.

    Examples
    --------
    >>> even_out(np.array([[-4.0, -1.0], [4.0, 1.0]], np.float32)).round(2)
    array([[-0.89, -0.45],
           [ 0.89,  0.45]], dtype=float32)
    """
    spread = rows.std(axis=0, dtype=np.float64)
    scale = np.sqrt(np.maximum(spread, max(float(spread.max(initial=0.0)), 1e-12) * 1e-3))
    return _unit_variance((rows / scale).astype(np.float32))


def standardise(numbers: npt.NDArray[np.floating[Any]]) -> FloatArray:
    """Columns on one robust scale: standard scores after the outer 1 % on each side is pulled in.

    Parameters
    ----------
    numbers : (n, p), missing values as NaN.

    Returns
    -------
    (n, p) float32 in [-4, 4]; missing values become 0, the middle of the column; a constant column is all 0.

    Examples
    --------
    >>> standardise(np.array([[1.0], [2.0], [3.0], [np.nan]])).ravel().round(2)
    array([-1.22,  0.  ,  1.22,  0.  ], dtype=float32)
    """
    out = np.zeros(numbers.shape, np.float32)
    for j in range(numbers.shape[1]):  # a loop: missing cells differ from column to column
        column = numbers[:, j].astype(np.float64)
        known = np.isfinite(column)
        if not known.any():
            continue
        low, middle, high = np.quantile(column[known], (0.01, 0.5, 0.99))
        inside = np.clip(column[known], low, high)
        spread = inside.std()
        if spread == 0:  # 99 % one value: the rest are told from it by their sign
            inside, spread = np.sign(column[known] - middle), max(float(np.sign(column[known] - middle).std()), 1e-12)
        out[known, j] = np.clip((inside - inside.mean()) / spread, -WIDE, WIDE)
    return out


def one_hot(codes: npt.NDArray[np.integer[Any]]) -> FloatArray:
    """Indicator columns of each categorical column's commonest values.

    Parameters
    ----------
    codes : (n, p) value ids >= 0 per column; -1 where missing, which counts as a value of its own.

    Returns
    -------
    (n, q) float32, 0 or 1/sqrt(2), so that two rows with different values are 1 apart; columns of all-different
    values (row ids) give none.
    """
    parts: list[FloatArray] = []
    for j in range(codes.shape[1]):  # a loop: every column has its own values
        values, counts = np.unique(codes[:, j], return_counts=True)
        common = values[np.argsort(-counts, kind="stable")][:LEVELS]
        common = common[np.sort(counts)[::-1][:LEVELS] > 1]
        if len(values) > 1 and len(common):
            parts.append((codes[:, j, None] == common[None, :]).astype(np.float32) * np.float32(np.sqrt(0.5)))
    return np.concatenate(parts, axis=1) if parts else np.zeros((len(codes), 0), np.float32)


def embed_table(
    numbers: npt.NDArray[np.floating[Any]],
    codes: npt.NDArray[np.integer[Any]],
    *,
    n_axes: int = 64,
    rng: np.random.Generator,
) -> FloatArray:
    """Principal components of standardised numeric columns, missing-value marks and indicator columns.

    Parameters
    ----------
    numbers : (n, p) numeric columns, NaN where missing.
    codes : (n, q) categorical columns as value ids, -1 where missing.
    n_axes : coordinates wanted.
    rng : chooses the rows that the axes are estimated from.

    Returns
    -------
    (n, <= n_axes) float32, total variance about 1.
    """
    missing = ~np.isfinite(numbers)
    marks = missing[:, missing.any(axis=0) & ~missing.all(axis=0)].astype(np.float32)
    wide = np.concatenate([standardise(numbers), marks, one_hot(codes)], axis=1)
    if wide.shape[1] == 0:
        return np.zeros((len(wide), 1), np.float32)
    return embed_vectors(wide, n_axes=n_axes, rng=rng)


def text_counts(texts: Sequence[str]) -> sparse.csr_matrix:
    """(n, v) float32 hashed TF-IDF of the words, rows of length 1; words of a single document are dropped.

    Notes
    -----
    Empty texts give rows of zeros. 1.2 s for 10,000 mails.
    """
    from sklearn.feature_extraction.text import HashingVectorizer  # half a second that images need not pay

    vectoriser = HashingVectorizer(n_features=WORDS, alternate_sign=False, norm=None, dtype=np.float32)
    counts = vectoriser.transform(texts).tocsr()
    documents = np.bincount(counts.indices, minlength=WORDS)
    kept = np.flatnonzero(documents >= min(RARE, max(len(texts) - 1, 1)))
    counts = counts[:, kept]
    weights = np.log((1 + len(texts)) / (1 + documents[kept])).astype(np.float32) + np.float32(1)
    counts.data = (1 + np.log(counts.data)) * weights[counts.indices]
    lengths = np.sqrt(np.asarray(counts.multiply(counts).sum(axis=1)).ravel())
    return sparse.csr_matrix(sparse.diags(1 / np.maximum(lengths, 1e-12)) @ counts, dtype=np.float32)


def embed_texts(counts: sparse.csr_matrix, *, n_axes: int = 100, rng: np.random.Generator) -> FloatArray:
    """Latent semantic coordinates of TF-IDF rows (n, v): truncated SVD, then each row scaled to length 1.

    Parameters
    ----------
    counts : what `text_counts` gives.
    n_axes : coordinates wanted.
    rng : starts the randomised SVD.

    Returns
    -------
    (n, <= n_axes) float32; empty texts lie at the origin.

    References
    ----------
    Halko, Martinsson and Tropp (2011), finding structure with randomness, SIAM Review 53(2).
    """
    width = min(n_axes, *counts.shape)
    if width < 1:
        return np.zeros((counts.shape[0], 1), np.float32)
    probe = min(width + 10, *counts.shape)
    basis = rng.standard_normal((counts.shape[0], probe)).astype(np.float32)
    for _ in range(4):  # power iterations on the shorter side
        basis = _orthonormal(counts @ (counts.T @ basis))
    small = counts.T @ basis  # (v, probe): counts is about basis @ small.T
    values, vectors = np.linalg.eigh(small.T @ small)
    turn = vectors[:, ::-1][:, :width] * np.sqrt(np.maximum(values[::-1][:width], 0))
    reduced: FloatArray = (basis @ turn).astype(np.float32, copy=False)
    lengths: FloatArray = np.linalg.norm(reduced, axis=1, keepdims=True).astype(np.float32)
    return (reduced / np.maximum(lengths, np.float32(1e-12))).astype(np.float32, copy=False)


def _orthonormal(basis: FloatArray) -> FloatArray:
    """The same span with orthonormal columns, by the eigenvectors of the small Gram matrix: 20 times faster than QR."""
    values, vectors = np.linalg.eigh((basis.T @ basis).astype(np.float64))
    scale = 1 / np.sqrt(np.maximum(values, max(float(values[-1]), 1e-30) * 1e-7))
    turned: FloatArray = basis @ (vectors * scale).astype(np.float32)
    return turned
