"""What small pieces is an image made of, and where? Coordinates of another kind than gradients, made without labels."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from mithridate.numeric.embed import embed_vectors
from mithridate.numeric.image_views import pool

FloatArray: TypeAlias = npt.NDArray[np.float32]

SIDE = 32  # larger images are averaged down to this many pixels a side
PIECE = 6  # pixels a side of a piece
STRIDE = 2  # between pieces,
DENSE = 16  # and 1 in images with fewer pixels a side than this
SAMPLE = 10_000  # pieces that the typical ones are learnt from
KINDS = 64  # typical pieces
ROUNDS = 5  # of spherical k-means
CELLS = 4  # answers are averaged over this many cells a side
CONTRAST = 0.03  # of full scale: a piece with less is mostly noise and is not stretched to full contrast
NOISE = 0.1  # added to the variance of each direction when whitening
SHY = 0.25  # answers below this count as none
FIT_ROWS = 3_000  # images that the principal directions are estimated from
BLOCK = 64  # images handled at a time, so that the block stays in cache


class Bank(NamedTuple):
    """Typical pieces as one linear map of contrast-normalised pieces: `turn` (p, KINDS), `shift` (KINDS,)."""

    turn: FloatArray
    shift: FloatArray


def patch_features(images: npt.NDArray[Any], *, n_axes: int = 128, rng: np.random.Generator) -> FloatArray:
    """Principal components of how much each cell of an image is like each of 64 typical small pieces.

    Parameters
    ----------
    images : (n, h, w, c), uint8 or float in [0, 1], n >= 1.
    n_axes : coordinates wanted.
    rng : chooses the pieces that the typical ones are learnt from.

    Returns
    -------
    (n, d) float32, d <= n_axes; total variance about 1.

    Notes
    -----
    Pieces are brought to mean 0 and contrast 1, whitened, and clustered by direction. No label is looked at.

    References
    ----------
    Coates, Ng and Lee (2011), an analysis of single-layer networks in unsupervised feature learning, AISTATS.
    """
    small = _small(images)
    bank = _bank(small, rng)
    answers = np.concatenate([_answers(small[start : start + BLOCK], bank) for start in range(0, len(small), BLOCK)])
    spread = answers.std(axis=0)
    answers /= spread + max(0.01 * float(spread.max(initial=0.0)), 1e-9)
    return embed_vectors(answers, n_axes=n_axes, rng=rng, fit_rows=FIT_ROWS)


def _small(images: npt.NDArray[Any]) -> FloatArray:
    """(n, h, w, c) float32 in [0, 1], at most SIDE pixels a side."""
    if images.dtype != np.uint8:
        images = (np.clip(np.nan_to_num(images, nan=0.0), 0, 1) * 255 + 0.5).astype(np.uint8)
    return pool(images, SIDE)


def _pieces(images: FloatArray) -> FloatArray:
    """(n, y, x, p) pieces, each brought to mean 0 and contrast 1."""
    size = (min(PIECE, images.shape[1]), min(PIECE, images.shape[2]))
    step = STRIDE if min(images.shape[1:3]) >= DENSE else 1
    windows = np.lib.stride_tricks.sliding_window_view(images, size, axis=(1, 2))[:, ::step, ::step]
    pieces = windows.reshape(*windows.shape[:3], -1)
    pieces = pieces - pieces.mean(axis=-1, keepdims=True)
    power = np.einsum("...p,...p->...", pieces, pieces) / pieces.shape[-1]
    pieces /= np.sqrt(power + np.float32(CONTRAST**2))[..., None]
    return np.asarray(pieces)


def _bank(images: FloatArray, rng: np.random.Generator) -> Bank:
    """Whitened directions around which the images' pieces gather."""
    rows = rng.permutation(len(images))[: SAMPLE // 20]
    pieces = _pieces(images[rows])
    pieces = pieces.reshape(-1, pieces.shape[-1])
    pieces = pieces[rng.permutation(len(pieces))[:SAMPLE]]
    mean = pieces.mean(axis=0)
    centred = (pieces - mean).astype(np.float64)
    values, axes = np.linalg.eigh(centred.T @ centred / len(centred))
    whiten = ((axes / np.sqrt(np.maximum(values, 0) + NOISE)) @ axes.T).astype(np.float32)
    turned = _directions((pieces - mean) @ whiten)
    kinds = turned[rng.choice(len(turned), size=KINDS, replace=len(turned) < KINDS)]
    for _ in range(ROUNDS):
        nearest = np.argmax(turned @ kinds.T, axis=1)
        sums = np.stack([turned[nearest == kind].sum(axis=0) for kind in range(KINDS)])
        kinds = np.where(np.any(sums, axis=1)[:, None], _directions(sums), kinds)
    turn = whiten @ kinds.T
    return Bank(turn, mean @ turn)


def _directions(rows: FloatArray) -> FloatArray:
    lengths = np.sqrt(np.einsum("np,np->n", rows, rows))[:, None]
    return np.asarray(rows / np.maximum(lengths, np.float32(1e-9)))


def _answers(images: FloatArray, bank: Bank) -> FloatArray:
    """(n, cells * cells * KINDS) square roots of the mean answer of each kind in each cell."""
    answers = _pieces(images) @ bank.turn
    answers -= bank.shift + np.float32(SHY)
    np.maximum(answers, 0, out=answers)
    for axis in (1, 2):
        cells = min(CELLS, answers.shape[axis])
        edges = np.linspace(0, answers.shape[axis], cells + 1).round().astype(int)
        counts = np.diff(edges).astype(np.float32).reshape([-1 if i == axis else 1 for i in range(4)])
        answers = np.add.reduceat(answers, edges[:-1], axis=axis) / counts
    return np.asarray(np.sqrt(answers).reshape(len(images), -1))
