"""Label surprise of images: how little a row's label fits what several half-blind models see in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve

Images: TypeAlias = npt.NDArray[np.uint8]
Floats: TypeAlias = npt.NDArray[np.float32]
Ints: TypeAlias = npt.NDArray[np.integer[Any]]

GRID = 16  # most pooled cells a side that a view looks at
GAP = (
    0.08  # share of the width on either side of the middle that neither half sees: a patch at the centre is in neither
)
FEATURES = 320  # random features a view
N_VIEWS = 5
CHUNK = 1024  # rows transformed at a time, so that their features stay in cache
PALETTE = 8  # most pooled cells a side of the view that sees which values there are, not where
RIDGE = 0.02  # ridge penalty, as a share of the mean squared length of the feature vectors
TEMPERATURES = (0.06, 0.09, 0.13, 0.18, 0.25, 0.35, 0.5, 0.7, 1.0)


class Surprise(NamedTuple):
    """`doubt` (n,) in [0, 1]: one minus the chance of the label in the view that likes it least; `look` (n,) the class
    that view likes best of the others; `accuracy` (views,): share of labels each view got right out of fold.
    """  # noqa: D205 - a field list reads better in one piece

    doubt: Floats
    look: npt.NDArray[np.int32]
    accuracy: Floats


def pool(images: Images, side: int) -> Floats:
    """(n, h', w', c) means of square blocks of pixels, in [0, 1], with at most `side` blocks a side.

    Examples
    --------
    >>> pool(np.array([[[[0], [255]]]], np.uint8), 1).ravel().tolist()
    [0.5]
    """
    n, h, w, c = images.shape
    step = max(1, -(-max(h, w) // side))
    if step == 1:
        return images.astype(np.float32) / np.float32(255)
    high, wide = -(-h // step), -(-w // step)
    if (high * step, wide * step) != (h, w):  # the last row and column repeat
        images = np.pad(images, ((0, 0), (0, high * step - h), (0, wide * step - w), (0, 0)), mode="edge")
    exact = np.uint16 if step <= 16 else np.uint32  # noqa: PLR2004 - 255 times 16 x 16 fits two bytes
    lines: npt.NDArray[Any] = images[:, ::step].astype(exact)
    for dy in range(1, step):  # strided sums, lines first: no copy of the whole as float
        lines += images[:, dy::step]
    cells = lines.reshape(n * high * wide, step, c)
    total: Floats = cells[:, 0].astype(np.float32)
    for dx in range(1, step):
        total += cells[:, dx]
    total /= np.float32(255 * step * step)
    return total.reshape(n, high, wide, c)


def binarise(pooled: Floats) -> Floats:
    """(n, h, w, 1) of 0 and 1: whether a cell is brighter than the middle of its image's darkest and brightest.

    A faint overlay moves few cells across that line, so what reads this can't see a blended trigger well.
    """
    grey = pooled.mean(axis=3, keepdims=True)
    middle = (grey.min(axis=(1, 2), keepdims=True) + grey.max(axis=(1, 2), keepdims=True)) / 2
    return np.asarray(grey > middle, np.float32)


def _views(images: Images) -> Iterator[Floats]:
    """Inputs (n, d) of each view: left and right part, as they are and binarised, then the palette."""
    pooled = pool(images, GRID)
    width = pooled.shape[2]
    gap = max(0.0, min(GAP, 0.5 - 2 / width))
    left, right = int(np.floor(width * (0.5 - gap))), int(np.ceil(width * (0.5 + gap)))
    for part in (pooled[:, :, : max(left, 1)], pooled[:, :, min(right, width - 1) :]):
        yield part.reshape(len(images), -1)
        yield binarise(part).reshape(len(images), -1)
    yield np.sort(pool(images, PALETTE).reshape(len(images), -1, images.shape[3]), axis=1).reshape(len(images), -1)


class _Map(NamedTuple):
    """Random ReLU features of centred inputs, with a constant at the end."""

    weights: Floats
    offsets: Floats

    def __call__(self, inputs: Floats) -> Floats:
        hidden: Floats = np.asarray(inputs @ self.weights, np.float32)
        hidden += self.offsets
        np.maximum(hidden, 0, out=hidden)
        hidden[:, -1] = 1
        return hidden


def _random_map(sample: Floats, rng: np.random.Generator) -> _Map:
    centre = np.asarray(sample.mean(axis=0), np.float32)
    weights = rng.standard_normal((sample.shape[1], FEATURES)).astype(np.float32)
    scale = np.asarray(((sample - centre) @ weights).std(axis=0) + 1e-6, np.float32)
    weights /= scale
    offsets = rng.uniform(-1.0, 1.0, FEATURES) - centre @ weights
    return _Map(weights, offsets.astype(np.float32))


def ridge(features: Floats, targets: Floats, *, penalty: float = RIDGE) -> Floats:
    """Weights (d, c) of the least-squares fit with a penalty relative to the features' mean squared length."""
    gram = features.T @ features
    gram[np.diag_indices_from(gram)] += penalty * float(np.trace(gram)) / len(gram) + 1e-6
    factor = cho_factor(gram.T, lower=True, overwrite_a=True)  # in LAPACK's own order: no copy
    solved: Floats = cho_solve(factor, features.T @ targets).astype(np.float32)
    return solved


def fit_ridge(inputs: Floats, targets: Floats, rng: np.random.Generator) -> Callable[[Floats], Floats]:
    """A ridge on random ReLU features of inputs (n, d), fitted to targets (n, c); it gives (m, c) scores of others."""
    mapping = _random_map(inputs[:2000], rng)
    weights = ridge(mapping(inputs), targets)
    return lambda others: np.asarray(mapping(others) @ weights, np.float32)


def one_hot(labels: Ints, n_classes: int) -> Floats:
    """(n, c) of 0 and 1; a row with label -1 is all 0."""
    out = np.zeros((len(labels), n_classes), np.float32)
    known = np.flatnonzero(labels >= 0)
    out[known, labels[known]] = 1
    return out


def _softmax(scores: Floats, temperature: float) -> Floats:
    scaled = scores / np.float32(temperature)
    scaled -= scaled.max(axis=1, keepdims=True)
    np.exp(scaled, out=scaled)
    scaled /= scaled.sum(axis=1, keepdims=True)
    return np.asarray(scaled, np.float32)


def _temperature(scores: Floats, labels: Ints) -> float:
    """The temperature at which the softmax of the scores is likeliest: scores in, calibrated probabilities out."""
    picked = np.arange(len(labels))
    losses = [-float(np.log(_softmax(scores, t)[picked, labels] + 1e-9).mean()) for t in TEMPERATURES]
    return TEMPERATURES[int(np.argmin(losses))]


class _Judge(NamedTuple):
    """One view's model of one fold: random features, weights, and what turns its scores into chances."""

    mapping: _Map
    weights: Floats
    temperature: float

    def __call__(self, inputs: Floats) -> Floats:
        return _softmax(self.mapping(inputs) @ self.weights, self.temperature)


def _fit(inputs: Floats, labels: Ints, n_classes: int, rng: np.random.Generator) -> _Judge:
    """Fit on nine rows of ten, set the temperature on the tenth."""
    held = max(1, len(inputs) // 10)
    mapping = _random_map(inputs[:2000], rng)
    weights = ridge(mapping(inputs[held:]), one_hot(labels[held:], n_classes))
    return _Judge(mapping, weights, _temperature(mapping(inputs[:held]) @ weights, labels[:held]))


def _keep_worst(chances: Floats, labels: Ints, rows: Ints, *, doubt: Floats, look: npt.NDArray[np.int32]) -> int:
    """Raise `doubt` and set `look` where this view likes the label less than those before; how many it got right."""
    own = np.arange(len(rows)), labels
    mine = chances[own].copy()
    chances[own] = -1
    best = chances.argmax(axis=1)
    right = int((chances[own[0], best] < mine).sum())
    worse = 1 - mine > doubt[rows]
    doubt[rows[worse]], look[rows[worse]] = 1 - mine[worse], best[worse]
    return right


def label_surprise(
    images: Images,
    labels: Ints,
    folds: Ints,
    *,
    n_classes: int,
    max_train: int,
    rng: np.random.Generator,
    trusted: npt.NDArray[np.bool_] | None = None,
) -> Surprise:
    """How badly each row's label fits its look, judged by models that can't see a local or a faint trigger.

    Parameters
    ----------
    images : (n, h, w, c) uint8.
    labels : (n,) in [0, n_classes), -1 where missing.
    folds : (n,) 0 or 1; copies share one.
    max_train : rows each model is fitted on, at most.
    trusted : (n,) rows known to be honest: they are fitted on before all others.

    Notes
    -----
    Five views (left or right part of the image, as it is or binarised; the palette: values without places), each a
    ridge on random ReLU features, fitted on one fold and asked about the other. O(n d f + m f^2) time for f features
    and m training rows; blocks of rows, so no (n, f) array is held. A trigger that changes the whole image strongly is
    seen by all views and stays hidden.

    References
    ----------
    Rahimi and Recht (2007), random features for large-scale kernel machines, NeurIPS.
    """
    known = labels >= 0
    doubt, look = np.full(len(labels), -1, np.float32), np.zeros(len(labels), np.int32)
    right = np.zeros(N_VIEWS, np.float32)
    for fold in (0, 1):
        rows = rng.permutation(np.flatnonzero((folds != fold) & known))
        if trusted is not None:
            rows = rows[np.argsort(~trusted[rows], kind="stable")]
        rows = rng.permutation(rows[:max_train])
        if not len(rows):
            continue
        judges = [_fit(inputs, labels[rows], n_classes, rng) for inputs in _views(images[rows])]
        judged = np.flatnonzero((folds == fold) & known)
        for start in range(0, len(judged), CHUNK):
            block = judged[start : start + CHUNK]
            for view, inputs in enumerate(_views(images[block])):
                chances = judges[view](inputs)
                right[view] += _keep_worst(chances, labels[block], block, doubt=doubt, look=look)
    return Surprise(doubt, look, right / np.float32(max(1, int(known.sum()))))
