"""Label surprise of images: how little a row's label fits what several half-blind models see in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
FEATURES = 384  # random features a view
CHUNK = 4096  # rows transformed at a time
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
    total = np.zeros((n, high, wide, c), np.float32)
    for dy in range(step):
        for dx in range(step):  # strided sums: no copy of the whole as float; the last row and column repeat
            rows = np.minimum(np.arange(high) * step + dy, h - 1)
            columns = np.minimum(np.arange(wide) * step + dx, w - 1)
            total += images[:, rows[:, None], columns[None, :]]
    total /= np.float32(255 * step * step)
    return total


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

    centre: Floats
    weights: Floats
    offsets: Floats

    def __call__(self, inputs: Floats) -> Floats:
        hidden: Floats = np.asarray((inputs - self.centre) @ self.weights + self.offsets, np.float32)
        np.maximum(hidden, 0, out=hidden)
        hidden[:, -1] = 1
        return hidden


def _random_map(sample: Floats, rng: np.random.Generator) -> _Map:
    centre = np.asarray(sample.mean(axis=0), np.float32)
    weights = rng.standard_normal((sample.shape[1], FEATURES)).astype(np.float32)
    scale = np.asarray(((sample - centre) @ weights).std(axis=0) + 1e-6, np.float32)
    weights /= scale
    return _Map(centre, weights, rng.uniform(-1.0, 1.0, FEATURES).astype(np.float32))


def ridge(features: Floats, targets: Floats, *, penalty: float = RIDGE) -> Floats:
    """Weights (d, c) of the least-squares fit with a penalty relative to the features' mean squared length."""
    gram = features.T @ features
    gram[np.diag_indices_from(gram)] += penalty * float(np.trace(gram)) / len(gram) + 1e-6
    solved: Floats = cho_solve(cho_factor(gram, overwrite_a=True), features.T @ targets).astype(np.float32)
    return solved


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


def _out_of_fold(
    inputs: Floats, labels: Ints, folds: Ints, *, train: Sequence[Ints], n_classes: int, rng: np.random.Generator
) -> tuple[Floats, npt.NDArray[np.int32], float]:
    """One view: (doubt, look, accuracy), each row judged by a model fitted on the other fold's rows."""
    n = len(inputs)
    doubt, look, right = np.zeros(n, np.float32), np.zeros(n, np.int32), 0.0
    for fold, rows in enumerate(train):
        mapping = _random_map(inputs[rows[:2000]], rng)
        weights = ridge(mapping(inputs[rows]), one_hot(labels[rows], n_classes))
        judged = np.flatnonzero((folds == fold) & (labels >= 0))
        temperature = 0.0
        for start in range(0, len(judged), CHUNK):
            block = judged[start : start + CHUNK]
            scores = mapping(inputs[block]) @ weights
            temperature = temperature or _temperature(scores[:2000], labels[block[:2000]])
            chances = _softmax(scores, temperature)
            own = np.arange(len(block)), labels[block]
            mine = chances[own]
            chances[own] = -1
            look[block] = chances.argmax(axis=1)
            right += float((chances[np.arange(len(block)), look[block]] < mine).sum())
            doubt[block] = 1 - mine
    return doubt, look, right / max(1, int((labels >= 0).sum()))


def label_surprise(
    images: Images, labels: Ints, folds: Ints, *, n_classes: int, max_train: int, rng: np.random.Generator
) -> Surprise:
    """How badly each row's label fits its look, judged by models that can't see a local or a faint trigger.

    Parameters
    ----------
    images : (n, h, w, c) uint8.
    labels : (n,) in [0, n_classes), -1 where missing.
    folds : (n,) 0 or 1; copies share one.
    max_train : rows each model is fitted on, at most.

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
    train = []
    for fold in (0, 1):
        rows = np.flatnonzero((folds != fold) & known)
        train.append(np.sort(rng.permutation(rows)[:max_train]))
    doubt, look, accuracy = np.full(len(labels), -1, np.float32), np.zeros(len(labels), np.int32), []
    for inputs in _views(images):
        one_doubt, one_look, right = _out_of_fold(inputs, labels, folds, train=train, n_classes=n_classes, rng=rng)
        worse = one_doubt > doubt
        doubt[worse], look[worse] = one_doubt[worse], one_look[worse]
        accuracy.append(right)
    return Surprise(doubt, look, np.asarray(accuracy, np.float32))
