"""What class would each row be given by models that never saw its label? Several fast ones, joined and calibrated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import linalg, sparse, special

FloatArray: TypeAlias = npt.NDArray[np.float32]
Codes: TypeAlias = npt.NDArray[np.integer[Any]]

TRAIN_ROWS = 20_000  # more rows than this teach these models little and cost a lot
N_RANDOM = 1000  # random Fourier features
BANDWIDTH = 0.7  # kernel exp(-(0.7 distance)² / 2) on rows of total variance 1
RIDGE = 0.1
BIAS = 0.3  # size of the constant feature beside the random ones' root mean square of 1 / sqrt(features)
TREES = 60
MOST_VALUES = 250  # more distinct ids than this and a column counts as numbers
TREE_CLASSES = 12  # a boosted round costs one tree a class
JOIN_ROWS = 4000  # rows that the few joining weights are fitted to,
JOIN_CELLS = 200_000  # fewer with many classes,
JOIN_CLASSES = 50  # and without an offset for each class above this many
CLEAN = -4.6  # logit of 1 % noise
PULL = 10.0  # strength of the prior on log weights, in rows
BLOCK = 512  # rows handled at a time, so that their features stay in cache


class Joined(NamedTuple):
    """`log_probabilities` (n, c) of the class that fits the content; `noise`: estimated share of random labels."""

    log_probabilities: FloatArray
    noise: float


def indicators(codes: Codes, n_classes: int) -> FloatArray:
    """(n, c) one row a label; a missing label (-1) is a row of zeros."""
    table = np.zeros((len(codes), n_classes), np.float32)
    known = np.flatnonzero(codes >= 0)
    table[known, codes[known]] = 1
    return table


def neighbour_scores(indices: npt.NDArray[np.integer[Any]], codes: Codes, *, n_classes: int) -> FloatArray:
    """Log of the share of each class among a row's neighbours, one row shared out evenly among all classes added.

    Parameters
    ----------
    indices : (n, k) neighbours of each row, itself not among them.
    codes : (n,) labels, -1 where missing.
    n_classes : c.

    Returns
    -------
    (n, c) log probabilities.
    """
    counts = np.full((len(indices), n_classes), np.float32(1 / n_classes))
    rows = np.arange(len(indices))
    for neighbour in indices.T:  # a loop over k: one (n, k, c) array would be k times the result
        labels = codes[neighbour]
        known = labels >= 0
        counts[rows[known], labels[known]] += 1
    logs: FloatArray = np.log(counts / counts.sum(axis=1, keepdims=True))
    return logs


def random_feature_scores(
    features: FloatArray, codes: Codes, folds: npt.NDArray[np.integer[Any]], *, n_classes: int, rng: np.random.Generator
) -> FloatArray:
    """Kernel ridge regression by random Fourier features, each fold scored by a fit to the other folds.

    Parameters
    ----------
    features : (n, d), total variance about 1.
    codes : (n,) labels, -1 where missing.
    folds : (n,) fold of each row.
    n_classes : c.
    rng : draws the random features and, above 20,000 rows, the training rows.

    Returns
    -------
    (n, c) scores, near 1 for the fitting class and near 0 for the others.

    Notes
    -----
    One Gram matrix a fold; a fit for a fold is the sum of the others' matrices, so that folds are nearly free.

    References
    ----------
    Rahimi and Recht (2007), random features for large-scale kernel machines, NeurIPS.
    """
    turn = (rng.standard_normal((features.shape[1], N_RANDOM)) * BANDWIDTH).astype(np.float32)
    phase = (rng.random(N_RANDOM) * 2 * np.pi).astype(np.float32)
    turn, phase = np.pad(turn, ((0, 0), (0, 1))), np.append(phase, np.float32(0))  # the last is 1 for every row
    ridge = np.append(np.full(N_RANDOM, RIDGE * N_RANDOM / 2), RIDGE / BIAS**2).astype(np.float32)
    known = np.flatnonzero(codes >= 0)
    if len(known) > TRAIN_ROWS:
        known = np.sort(rng.choice(known, TRAIN_ROWS, replace=False))
    names = np.unique(folds)
    moments = [_moments(known[folds[known] == fold], features, codes, (turn, phase), n_classes) for fold in names]
    gram, cross = sum(part[0] for part in moments), sum(part[1] for part in moments)
    scores = np.zeros((len(features), n_classes), np.float32)
    for fold, (own_gram, own_cross) in zip(names, moments, strict=True):
        rest = gram - own_gram
        rest[np.diag_indices_from(rest)] += ridge
        factor = linalg.cho_factor(rest, lower=True, overwrite_a=True, check_finite=False)
        weights = linalg.cho_solve(factor, cross - own_cross, check_finite=False)
        rows = np.flatnonzero(folds == fold)
        for start in range(0, len(rows), BLOCK):
            part = rows[start : start + BLOCK]
            scores[part] = _lift(features[part], turn, phase) @ weights
    return scores


def _lift(rows: FloatArray, turn: FloatArray, phase: FloatArray) -> FloatArray:
    lifted: FloatArray = rows @ turn
    lifted += phase
    return np.cos(lifted, out=lifted)


def _moments(
    rows: npt.NDArray[np.int64], features: FloatArray, codes: Codes, lift: tuple[FloatArray, FloatArray], n_classes: int
) -> tuple[FloatArray, FloatArray]:
    """Gram matrix, its lower triangle alone, and products with the label indicators."""
    width = lift[0].shape[1]
    gram, cross = np.zeros((width, width), np.float32, order="F"), np.zeros((width, n_classes), np.float32)
    for start in range(0, len(rows), BLOCK):
        part = rows[start : start + BLOCK]
        lifted = _lift(features[part], *lift)
        gram = linalg.blas.ssyrk(1, lifted.T, beta=1, c=gram, overwrite_c=True, lower=True)  # added in place
        cross += lifted.T @ indicators(codes[part], n_classes)
    return gram, cross


def word_scores(
    counts: sparse.csr_matrix, codes: Codes, folds: npt.NDArray[np.integer[Any]], *, n_classes: int
) -> FloatArray:
    """Complement naive Bayes on weighted words, each fold scored by the others' words.

    Parameters
    ----------
    counts : (n, v) TF-IDF rows.
    codes, folds : (n,) labels (-1 where missing) and folds.
    n_classes : c.

    Returns
    -------
    (n, c) scores; higher fits better.

    References
    ----------
    Rennie et al. (2003), tackling the poor assumptions of naive Bayes text classifiers, ICML.
    """
    labels = indicators(codes, n_classes)
    names = np.unique(folds)
    parts = [np.flatnonzero(folds == fold) for fold in names]
    sums = [np.asarray(counts[rows].T @ labels[rows]) for rows in parts]
    whole = np.sum(sums, axis=0)
    scores = np.zeros((counts.shape[0], n_classes), np.float32)
    for rows, own in zip(parts, sums, strict=True):
        seen = whole - own
        others = seen.sum(axis=1, keepdims=True) - seen + 0.05
        weights = -np.log(others / others.sum(axis=0))
        weights *= counts.shape[1] / np.maximum(np.abs(weights).sum(axis=0), 1e-12)  # rows without any word
        scores[rows] = counts[rows] @ weights.astype(np.float32)
    return scores


def tree_scores(
    cells: npt.NDArray[np.floating[Any]],
    codes: Codes,
    folds: npt.NDArray[np.integer[Any]],
    *,
    n_classes: int,
    seed: int,
    n_ids: int = 0,
) -> FloatArray | None:
    """Log probabilities from boosted trees, each fold scored by trees grown on the others.

    Parameters
    ----------
    cells : (n, p) columns, NaN where missing.
    codes, folds : (n,) labels (-1 where missing) and folds.
    n_classes : c.
    seed : for the binning.
    n_ids : how many of the last columns are category ids, -1 where missing.

    Returns
    -------
    (n, c), or None with more than 12 classes, where the trees would cost too much.
    """
    if n_classes > TREE_CLASSES:
        return None
    from sklearn.ensemble import HistGradientBoostingClassifier  # half a second that images need not pay

    named = np.zeros(cells.shape[1], dtype=bool)
    named[len(named) - n_ids :] = [column.max(initial=0) < MOST_VALUES for column in cells[:, len(named) - n_ids :].T]
    scores = np.full((len(cells), n_classes), np.log(np.float32(1e-4)))
    for fold in np.unique(folds):
        rows = np.flatnonzero((folds != fold) & (codes >= 0))
        rows = rows[:: max(len(rows) // TRAIN_ROWS, 1)]
        useful = np.flatnonzero([_varies(column) for column in cells[rows].T])
        if not len(useful) or not _varies(codes[rows]):
            continue
        trees = HistGradientBoostingClassifier(
            max_iter=TREES,
            learning_rate=0.1,
            max_leaf_nodes=12,
            l2_regularization=10.0,
            categorical_features=named[useful],
            early_stopping=False,
            random_state=seed,
        ).fit(cells[np.ix_(rows, useful)], codes[rows])
        own = np.flatnonzero(folds == fold)
        found = np.log(np.maximum(trees.predict_proba(cells[np.ix_(own, useful)]), 1e-4))
        scores[own[:, None], trees.classes_.astype(int)[None, :]] = found
    return scores


def _varies(values: npt.NDArray[Any]) -> bool:
    known = values[np.isfinite(values)]
    return bool(len(known) and known.min() < known.max())


def join_scores(scores: Sequence[FloatArray], codes: Codes, *, rng: np.random.Generator) -> Joined:
    """One calibrated opinion from several: a weighted sum of scores and class offsets, fitted despite noisy labels.

    Parameters
    ----------
    scores : each (n, c); the row's own label played no part in them.
    codes : (n,) labels, -1 where missing.
    rng : chooses the at most 4,000 rows to fit to.

    Returns
    -------
    Log probabilities of the class that the content fits, and the estimated share of random labels.

    Notes
    -----
    The likelihood is (1 - noise) P + noise / c with the noise fitted too, so that wrong labels don't flatten P.
    """
    weights = fit_join(scores, codes, rng=rng)
    return Joined(apply_join(scores, weights), weights.noise)


class JoinWeights(NamedTuple):
    """(m,) weight of each model's scores, (c,) class offsets, and the estimated share of random labels."""

    weights: npt.NDArray[np.float64]
    offsets: npt.NDArray[np.float32]
    noise: float


def fit_join(scores: Sequence[FloatArray], codes: Codes, *, rng: np.random.Generator) -> JoinWeights:
    """The weights of `join_scores`, to be applied to these rows or to others."""
    n_classes = scores[0].shape[1]
    known = np.flatnonzero(codes >= 0)
    most = min(JOIN_ROWS, max(JOIN_CELLS // n_classes, 500))
    if len(known) > most:
        known = np.sort(rng.choice(known, most, replace=False))
    stacked = np.stack([part[known] - part.mean(axis=1, keepdims=True)[known] for part in scores])
    scales = np.maximum(stacked.std(axis=(1, 2)), 1e-6)
    fitted = _fit_join(stacked.astype(np.float64) / scales[:, None, None], codes[known])
    noise = float(special.expit(fitted[len(scores)]))
    weights = np.exp(fitted[: len(scores)]) / scales
    return JoinWeights(weights, fitted[len(scores) + 1 :].astype(np.float32), noise * (n_classes - 1) / n_classes)


def apply_join(scores: Sequence[FloatArray], weights: JoinWeights) -> FloatArray:
    """(n, c) joined log probabilities of rows by weights that `fit_join` gave."""
    total = np.tile(weights.offsets, (len(scores[0]), 1))
    for part, weight in zip(scores, weights.weights, strict=True):
        total += np.float32(weight) * (part - part.mean(axis=1, keepdims=True))
    joined: FloatArray = special.log_softmax(total, axis=1).astype(np.float32)
    return joined


def _fit_join(stacked: npt.NDArray[np.float64], codes: Codes) -> npt.NDArray[np.float64]:
    """Log weights (m), logit of the noise (1), class offsets (c): first as if labels were clean, then with noise.

    Sharp opinions and much noise explain small data as well as blunt opinions and little noise, so the second fit is
    held near the first by a prior on the weights that a few hundred rows can outweigh.
    """
    n_models, _, n_classes = stacked.shape
    start = np.concatenate([np.zeros(n_models), [CLEAN], np.zeros(n_classes)])
    offset = 5.0 if n_classes <= JOIN_CLASSES else 0.0
    bounds = [(-4.0, 4.0)] * n_models + [(CLEAN, CLEAN)] + [(-offset, offset)] * n_classes
    first = _minimise(stacked, codes, start, bounds, np.zeros(0))
    bounds[n_models] = (-7.0, 0.0)
    begin = np.concatenate([first[:n_models], [-3.0], first[n_models + 1 :]])
    return _minimise(stacked, codes, begin, bounds, first[:n_models])


def _minimise(
    stacked: npt.NDArray[np.float64],
    codes: Codes,
    start: npt.NDArray[np.float64],
    bounds: list[tuple[float, float]],
    prior: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    from scipy import optimize  # a tenth of a second that other audits need not pay

    n_models, n_rows, n_classes = stacked.shape
    rows, truth = np.arange(n_rows), indicators(codes, n_classes).astype(np.float64)

    def loss(point: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        weights, noise, offsets = np.exp(point[:n_models]), special.expit(point[n_models]), point[n_models + 1 :]
        soft = special.softmax(np.tensordot(weights, stacked, 1) + offsets, axis=1)
        own = soft[rows, codes]
        likely = (1 - noise) * own + noise / n_classes
        slope = ((1 - noise) * own / likely / -n_rows)[:, None] * (truth - soft)
        by_weight = np.einsum("mnc,nc->m", stacked, slope) * weights
        by_noise = -np.mean((1 / n_classes - own) / likely) * noise * (1 - noise)
        pull = 0.01 * offsets / n_classes
        value = -float(np.mean(np.log(likely))) + 0.5 * float(offsets @ pull)
        if len(prior):
            away = point[:n_models] - prior
            by_weight = by_weight + PULL / n_rows * away
            value += 0.5 * PULL / n_rows * float(away @ away)
        return value, np.concatenate([by_weight, [by_noise], slope.sum(axis=0) + pull])

    found = optimize.minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 60})
    return np.asarray(found.x, dtype=np.float64)
