"""Content against label by models too coarse to see a trigger: few coordinates, half a picture, dark or bright."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from mithridate.numeric.image_views import binarise, one_hot, pool, ridge

Floats: TypeAlias = npt.NDArray[np.float32]
Doubles: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.integer[Any]]

RANKS = (5, 10, 20, 40)  # leading coordinates that a view sees: a trigger moves an image little along the first few
HALF = 20  # coordinates of half a picture
GRID = 16  # most pooled cells a side
GAP = 0.08  # share of the width on either side of the middle that neither half sees
FEATURES = 384  # random features a view
MAX_TRAIN = 6_000  # rows a view is fitted on
CHUNK = 4096
FLOOR = 1e-3  # least chance a view gives a label, so that no view decides alone
TEMPERATURES = (0.06, 0.09, 0.13, 0.18, 0.25, 0.35, 0.5, 0.7, 1.0)


def coordinate_views(features: Floats) -> Iterator[Floats]:
    """The first few of (n, d) coordinates, most telling first; the last view is all of them."""
    for rank in (*(rank for rank in RANKS if rank < features.shape[1]), features.shape[1]):
        yield features[:, :rank]


def image_views(images: npt.NDArray[np.uint8]) -> Iterator[Floats]:
    """Views of (n, h, w, c) images: leading components, halves, and where they are dark or bright."""
    pooled = pool(images, GRID)
    width = pooled.shape[2]
    left, right = max(int(width * (0.5 - GAP)), 1), min(int(np.ceil(width * (0.5 + GAP))), width - 1)
    whole = leading(_flat(pooled), RANKS[-1])
    for rank in RANKS:
        yield whole[:, :rank]
    for half in (pooled[:, :, :left], pooled[:, :, right:]):
        yield leading(_flat(half), HALF)
        yield _flat(binarise(half))
    yield _flat(binarise(pooled))


def leading(rows: Floats, rank: int) -> Floats:
    """(n, at most rank) principal components of (n, d) rows, largest first; O(n d^2)."""
    centred = rows - rows.mean(axis=0)
    _, directions = np.linalg.eigh((centred.T @ centred).astype(np.float64))
    return np.asarray(centred @ directions[:, ::-1][:, :rank], np.float32)


def label_margin(
    views: Iterator[Floats],
    codes: Ints,
    folds: Ints,
    *,
    n_classes: int,
    rng: np.random.Generator,
    taught: npt.NDArray[np.bool_] | None = None,
) -> Doubles:
    """How much likelier a row's content is under its own label than under the best other, summed over the views.

    Parameters
    ----------
    views : each (n, d), finite.
    codes : (n,) labels, -1 where missing; folds : (n,) folds, copies in one.
    n_classes : c.
    rng : draws random features and at most 6,000 rows to fit to.
    taught : (n,) rows that may be fitted to; all that have a label without it.

    Returns
    -------
    (n,) natural-log likelihood ratio; negative where the content speaks for another label, 0 for a missing label.

    Notes
    -----
    Each view is a ridge on random ReLU features, fitted on the other folds, calibrated on a tenth of its rows. Chances
    are divided by the label's share: a label that poison has made common must not become likely everywhere.

    References
    ----------
    Rahimi and Recht (2007), random features for large-scale kernel machines, NeurIPS.
    """
    fit_to = np.where(taught, codes, -1) if taught is not None else codes
    shares = np.bincount(fit_to[fit_to >= 0], minlength=n_classes) / max(1, int((fit_to >= 0).sum()))
    prior = np.log(np.maximum(shares, FLOOR))  # as low as a view's chances go: no more for a label that taught nothing
    total = np.zeros(len(codes))
    for view in views:
        scaled = view / np.float32(max(float(view.std()), 1e-9))
        total += margin(np.log(_out_of_fold(scaled, fit_to, folds, n_classes, rng) + FLOOR) - prior, codes)
    return total


def margin(scores: npt.NDArray[np.floating[Any]], codes: Ints) -> Doubles:
    """(n,) score of the own label less the best other's, of (n, c) scores; 0 where the label is missing."""
    out = np.asarray(scores, dtype=np.float64).copy()
    every, place = np.arange(len(codes)), np.maximum(codes, 0)
    own = out[every, place].copy()
    out[every, place] = -np.inf
    return np.where(codes >= 0, own - out.max(axis=1), 0.0)


def _out_of_fold(view: Floats, codes: Ints, folds: Ints, n_classes: int, rng: np.random.Generator) -> Floats:
    chances = np.full((len(view), n_classes), 1 / n_classes, np.float32)
    for fold in np.unique(folds):
        rows = rng.permutation(np.flatnonzero((folds != fold) & (codes >= 0)))[:MAX_TRAIN]
        asked = np.flatnonzero(folds == fold)
        if len(rows) < n_classes or not len(asked):
            continue
        weights = rng.standard_normal((view.shape[1], FEATURES)).astype(np.float32) / np.sqrt(view.shape[1])
        offsets = rng.uniform(-1.0, 1.0, FEATURES).astype(np.float32)
        held = max(1, len(rows) // 10)
        hidden = _hidden(view[rows], weights, offsets)
        fitted = ridge(hidden[held:], one_hot(codes[rows[held:]], n_classes))
        temperature = _temperature(hidden[:held] @ fitted, codes[rows[:held]])
        for start in range(0, len(asked), CHUNK):
            part = asked[start : start + CHUNK]
            chances[part] = _softmax(_hidden(view[part], weights, offsets) @ fitted, temperature)
    return chances


def _hidden(rows: Floats, weights: Floats, offsets: Floats) -> Floats:
    """Random ReLU features with a constant at the end."""
    hidden = np.maximum(rows @ weights + offsets, 0)
    hidden[:, -1] = 1
    return np.asarray(hidden, np.float32)


def _temperature(scores: Floats, codes: Ints) -> float:
    """The temperature at which the softmax of the scores is likeliest."""
    every = np.arange(len(codes))
    losses = [-float(np.log(_softmax(scores, t)[every, codes] + 1e-9).mean()) for t in TEMPERATURES]
    return TEMPERATURES[int(np.argmin(losses))]


def _softmax(scores: Floats, temperature: float) -> Floats:
    scaled = scores / np.float32(temperature)
    raised = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), np.float32)


def _flat(rows: npt.NDArray[Any]) -> Floats:
    return np.ascontiguousarray(rows.reshape(len(rows), -1), dtype=np.float32)
