"""A model of the label that is fitted to a sample and scores any row, two folds so that no row is judged by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import linalg
from sklearn.ensemble import HistGradientBoostingClassifier

from mithridate.core.errors import Skip
from mithridate.numeric.out_of_fold import (
    BANDWIDTH,
    N_RANDOM,
    RIDGE,
    TREE_CLASSES,
    TREES,
    JoinWeights,
    apply_join,
    fit_join,
    indicators,
)

FOLDS = 2
BLOCK = 4096
LEAST = 1e-4

FloatArray = npt.NDArray[np.float32]
Codes = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Kernel:
    """Ridge regression on random Fourier features of centred rows of total variance 1."""

    centre: FloatArray
    scale: float
    turn: FloatArray
    phase: FloatArray
    weights: FloatArray

    def scores(self, rows: FloatArray) -> FloatArray:
        """(n, c), near 1 for the fitting class."""
        return np.concatenate([self._block(rows[b : b + BLOCK]) for b in range(0, max(len(rows), 1), BLOCK)])

    def _block(self, rows: FloatArray) -> FloatArray:
        out: FloatArray = _lift((rows - self.centre) / np.float32(self.scale), self.turn, self.phase) @ self.weights
        return out


def _lift(rows: FloatArray, turn: FloatArray, phase: FloatArray) -> FloatArray:
    lifted = np.empty((len(rows), turn.shape[1] + 1), np.float32)
    np.cos(rows @ turn + phase, out=lifted[:, :-1])
    lifted[:, :-1] *= np.float32(np.sqrt(2 / turn.shape[1]))
    lifted[:, -1] = 0.3
    return lifted


@dataclass(frozen=True, slots=True, eq=False)
class Trees:
    """Boosted trees over columns that vary."""

    model: HistGradientBoostingClassifier
    useful: npt.NDArray[np.int64]
    n_classes: int

    def scores(self, rows: FloatArray) -> FloatArray:
        """(n, c) log probabilities."""
        out = np.full((len(rows), self.n_classes), np.log(LEAST), np.float32)
        classes = self.model.classes_.astype(int)
        for start in range(0, len(rows), BLOCK):  # blocks stay in the cache while every tree passes over them
            block = rows[start : start + BLOCK, self.useful]
            out[start : start + BLOCK, classes] = np.log(np.maximum(self.model.predict_proba(block), LEAST))
        return out


@dataclass(frozen=True, slots=True, eq=False)
class ShardModel:
    """One model a fold, fitted without it, and the weights that calibrate their scores."""

    folds: tuple[Trees | Kernel, ...]
    weights: JoinWeights
    n_classes: int

    def log_probabilities(self, rows: FloatArray, folds: npt.NDArray[np.integer[Any]]) -> FloatArray:
        """(n, c) log probabilities of the class that fits the content, each row by the model without its fold."""
        return apply_join([self.raw(rows, folds)], self.weights)

    def raw(self, rows: FloatArray, folds: npt.NDArray[np.integer[Any]]) -> FloatArray:
        """(n, c) scores before calibration."""
        return _by_fold(self.folds, rows, folds, self.n_classes)


def _by_fold(
    models: Sequence[Trees | Kernel], rows: FloatArray, folds: npt.NDArray[np.integer[Any]], n_classes: int
) -> FloatArray:
    out = np.zeros((len(rows), n_classes), np.float32)
    for fold, model in enumerate(models):
        own = np.flatnonzero(folds == fold)
        if len(own):
            out[own] = model.scores(rows[own])
    return out


def fit_shard_model(
    rows: FloatArray,
    codes: Codes,
    folds: npt.NDArray[np.integer[Any]],
    *,
    n_classes: int,
    trees: bool,
    rng: np.random.Generator,
) -> ShardModel:
    """Boosted trees (tables of up to 12 classes) or a kernel machine for each fold's complement.

    Parameters
    ----------
    rows : (n, d) numbers, NaN where missing (taken as 0 by the kernel).
    codes : (n,) labels, -1 where missing.
    folds : (n,) 0 or 1.
    trees : whether trees fit this kind of data.

    Raises
    ------
    Skip : a fold's complement holds fewer than two classes.
    """
    models: list[Trees | Kernel] = []
    for fold in range(FOLDS):
        fit = np.flatnonzero((folds != fold) & (codes >= 0))
        if len(np.unique(codes[fit])) < 2:  # noqa: PLR2004 - a model needs two classes
            msg = "one class only in half of the sample; at least 2 are needed to find a wrong label"
            raise Skip(msg)
        if trees and n_classes <= TREE_CLASSES:
            models.append(_fit_trees(rows[fit], codes[fit], n_classes, int(rng.integers(2**31))))
        else:
            models.append(_fit_kernel(rows[fit], codes[fit], n_classes, rng))
    raw = _by_fold(models, rows, folds, n_classes)
    return ShardModel(tuple(models), fit_join([raw], codes, rng=rng), n_classes)


def _fit_trees(rows: FloatArray, codes: Codes, n_classes: int, seed: int) -> Trees:
    useful = np.flatnonzero(np.nanmin(rows, axis=0, initial=np.inf) < np.nanmax(rows, axis=0, initial=-np.inf))
    if not len(useful):
        msg = "every column holds one value; there is nothing to tell the classes apart by"
        raise Skip(msg)
    model = HistGradientBoostingClassifier(
        max_iter=TREES,
        learning_rate=0.15,
        max_leaf_nodes=15,
        l2_regularization=5.0,
        early_stopping=False,
        random_state=seed,
    )
    return Trees(model.fit(rows[:, useful], codes), useful, n_classes)


def _fit_kernel(rows: FloatArray, codes: Codes, n_classes: int, rng: np.random.Generator) -> Kernel:
    centre = rows.mean(axis=0)
    scale = float(np.sqrt(rows.var(axis=0).sum())) or 1.0
    turn = (rng.standard_normal((rows.shape[1], N_RANDOM)) * BANDWIDTH).astype(np.float32)
    phase = (rng.random(N_RANDOM) * 2 * np.pi).astype(np.float32)
    gram, cross = np.zeros((N_RANDOM + 1,) * 2, np.float32), np.zeros((N_RANDOM + 1, n_classes), np.float32)
    for start in range(0, len(rows), BLOCK):
        lifted = _lift((rows[start : start + BLOCK] - centre) / np.float32(scale), turn, phase)
        gram += lifted.T @ lifted
        cross += lifted.T @ indicators(codes[start : start + BLOCK], n_classes)
    gram[np.diag_indices_from(gram)] += np.float32(RIDGE)
    weights = linalg.solve(gram, cross, assume_a="pos", check_finite=False).astype(np.float32)
    return Kernel(centre, scale, turn, phase, weights)
