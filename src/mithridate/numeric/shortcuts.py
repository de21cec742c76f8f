"""Faint detail against visible content: which of the two says more about an image's label."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import special
from scipy.linalg import cho_factor, cho_solve

Floats: TypeAlias = npt.NDArray[np.float32]
Codes: TypeAlias = npt.NDArray[np.integer[Any]]
Flags: TypeAlias = npt.NDArray[np.bool_]

FAINT = 8 / 255  # detail is cut to this size: more than that can be seen
CELLS = 8  # pooled cells a side that content is seen by
LEVELS = 9  # levels that content is rounded to, so that faint changes vanish
FEATURES = 600  # random features of content
BANDWIDTH = 0.5
PLACES = 1024  # most pixels whose detail is looked at
TOLERANCE = 1 / 3  # natural detail errs more than this share of content's errors (.29 in 27 errors was the least seen)
SHARES = (0.02, 0.05, 0.1, 0.2, 0.4, 1.0)  # of the rows, surest by detail first
TELLING = 0.25  # of the places, left out to see whether a pattern fills the image or is a mark in one place
CONTENT_RIDGE, DETAIL_RIDGE = 0.002, 0.05  # as shares of the mean squared length of a feature


class Views(NamedTuple):
    """Features of the same rows: `content` (n, f), what can be seen; `detail` (n, d), faint differences of pixels."""

    content: Floats
    detail: Floats


def seen_content(images: npt.NDArray[Any], rng: np.random.Generator) -> Floats:
    """Random Fourier features of 8 x 8 cell means in nine levels: what can be seen, and no faint change.

    Parameters
    ----------
    images : (n, h, w, c), uint8 or float in [0, 1].

    Returns
    -------
    (n, 600) in [-1, 1].

    Notes
    -----
    A pattern of long waves is content here, however faint.
    """
    n, height, width, _ = images.shape
    down, across = (np.linspace(0, side, min(CELLS, side) + 1).astype(int) for side in (height, width))
    sums = np.add.reduceat(np.add.reduceat(images, down[:-1], axis=1, dtype=np.float32), across[:-1], axis=2)
    cells = sums / np.float32(255 if images.dtype == np.uint8 else 1)
    cells /= (np.diff(down)[:, None, None] * np.diff(across)[:, None]).astype(np.float32)
    flat = (np.rint(cells * (LEVELS - 1)) / (LEVELS - 1)).reshape(n, -1).astype(np.float32)
    flat -= flat.mean(axis=0)
    flat /= np.sqrt(np.mean((flat**2).sum(axis=1))) + np.float32(1e-9)
    weights = BANDWIDTH * rng.standard_normal((flat.shape[1], FEATURES)).astype(np.float32)
    return np.asarray(np.cos(flat @ weights + rng.uniform(0, 2 * np.pi, FEATURES).astype(np.float32)))


def faint_detail(images: npt.NDArray[Any], rng: np.random.Generator) -> Floats:
    """Each pixel minus the mean of its four neighbours, cut to 8/255 so that no edge stands out.

    Parameters
    ----------
    images : (n, h, w, c), uint8 or float in [0, 1], h and w at least 3.
    rng : draws the 1,024 places that are looked at in larger images; the same state, the same places.

    Returns
    -------
    (n, d) in [-8/255, 8/255], d <= 1024.

    Examples
    --------
    >>> spot = np.zeros((1, 3, 3, 1), np.uint8)
    >>> spot[0, 1, 1] = 4
    >>> round(float(faint_detail(spot, np.random.default_rng(0)).item() * 255), 3)
    4.0
    """
    n, height, width, channels = images.shape
    size = (height - 2) * (width - 2) * channels
    places = np.sort(rng.choice(size, min(PLACES, size), replace=False))
    y, x, channel = np.unravel_index(places, (height - 2, width - 2, channels))
    flat = images.reshape(n, -1)
    out = np.zeros((n, len(places)), np.float32)
    for dy, dx, weight in ((1, 1, 4), (0, 1, -1), (2, 1, -1), (1, 0, -1), (1, 2, -1)):
        out += np.float32(weight) * flat[:, ((y + dy) * width + x + dx) * channels + channel]
    out /= np.float32(4 * (255 if images.dtype == np.uint8 else 1))
    return np.clip(out, -FAINT, FAINT, out=out)


def cross_scores(features: Floats, codes: Codes, folds: Codes, *, n_classes: int, ridge: float) -> Floats:
    """Ridge regression on the labels, each fold scored by a fit to the other folds.

    Parameters
    ----------
    features : (n, d).
    codes, folds : (n,) labels in [0, n_classes) and folds.
    ridge : penalty as a share of the mean squared length of a feature, > 0.

    Returns
    -------
    (n, n_classes); higher fits better.
    """
    scores = np.zeros((len(features), n_classes), np.float32)
    for fold in np.unique(folds):
        held = folds == fold
        fitted = fit_scores(features[~held], codes[~held], n_classes=n_classes, ridge=ridge)
        scores[held] = fitted(features[held])
    return scores


class Linear(NamedTuple):
    """A fitted linear model: call it on (n, d) features for (n, c) scores."""

    centre: Floats
    weights: Floats
    offset: Floats

    def __call__(self, features: Floats) -> Floats:
        """(n, c) scores."""
        return np.asarray((features - self.centre) @ self.weights + self.offset)


def fit_scores(features: Floats, codes: Codes, *, n_classes: int, ridge: float) -> Linear:
    """Ridge regression of the label indicators on the features."""
    centre = features.mean(axis=0)
    rows = features - centre
    truth = np.zeros((len(rows), n_classes), np.float32)
    truth[np.arange(len(rows)), codes] = 1
    share = truth.mean(axis=0)
    gram = rows.T @ rows
    gram[np.diag_indices_from(gram)] += np.float32(ridge * np.trace(gram) / len(gram) + 1e-9)
    factor = cho_factor(gram.T, lower=True, overwrite_a=True)  # in LAPACK's own order: no copy
    return Linear(centre, np.asarray(cho_solve(factor, rows.T @ (truth - share))), share)


class Contest(NamedTuple):
    """Errors of the two views on the same rows, and the chance of so few in detail if it made a third of content's.

    `share`: of the rows, the surest by detail; 1 for all of them, or for the rows of one class against the others.
    """

    content_errors: int
    detail_errors: int
    p_value: float
    share: float = 1.0


def contest(content_wrong: Flags, detail_wrong: Flags, share: float = 1.0) -> Contest:
    """Whether detail errs less than a third as often as content does, tested on (n,) errors of the same rows.

    Examples
    --------
    >>> contest(np.ones(30, bool), np.zeros(30, bool)).p_value < 1e-3
    True
    """
    seen, fine = int(content_wrong.sum()), int(detail_wrong.sum())
    chance = TOLERANCE / (1 + TOLERANCE)
    p_value = float(special.bdtr(fine, seen + fine, chance)) if seen > TOLERANCE * fine else 1.0
    return Contest(seen, fine, min(p_value, 1.0), share)


def surest(detail: Floats, content_wrong: Flags, detail_wrong: Flags) -> Contest:
    """The strongest contest among the rows that detail is surest of, chosen without a look at labels.

    Parameters
    ----------
    detail : (n, c) scores by detail; content_wrong, detail_wrong : (n,) whether each view misses the label.

    Returns
    -------
    The contest of the smallest p-value among shares of the rows, its p-value times their number.
    """
    order = np.argsort(-confidence(detail), kind="stable")
    found = []
    for share in SHARES:
        rows = order[: max(1, round(share * len(order)))]
        found.append(contest(content_wrong[rows], detail_wrong[rows], share))
    best = min(found, key=lambda one: one.p_value)
    return best._replace(p_value=min(1.0, best.p_value * len(SHARES)))


def confidence(scores: Floats) -> Floats:
    """(n,) by how much the first class leads the second."""
    top = np.partition(scores, -2, axis=1)
    return np.asarray(top[:, -1] - top[:, -2])


def telling_places(detail: Floats, codes: Codes, *, n_classes: int) -> Flags:
    """(d,) true for the quarter of the places that tell the classes apart best by their means."""
    means = np.stack([detail[codes == code].mean(axis=0) for code in range(n_classes) if np.any(codes == code)])
    told = means.var(axis=0)
    return np.asarray(told >= np.quantile(told, 1 - TELLING))


def follow_rate(train: Views, codes: Codes, shown: Views, donors: Codes, *, n_classes: int) -> float:
    """Share of rows that a model of both views calls by their detail, when it was taken from rows of another class.

    Parameters
    ----------
    train, codes : views and labels that the model is fitted to.
    shown : `content` (m, f) of some rows and `detail` (m, d) of others; donors : (m,) the labels of the latter.
    """
    gain = np.float32(np.sqrt(train.content.var(axis=0).sum() / max(float(train.detail.var(axis=0).sum()), 1e-12)))
    both = np.concatenate([train.content, gain * train.detail], axis=1)
    fitted = fit_scores(both, codes, n_classes=n_classes, ridge=CONTENT_RIDGE)
    swapped = np.concatenate([shown.content, gain * shown.detail], axis=1)
    return float(np.mean(fitted(swapped).argmax(axis=1) == donors))
