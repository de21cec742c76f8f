"""What models that never saw a row say of it: k-fold class probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mithridate.compute.port import Executor, first_failure
from mithridate.compute.process import ThisProcess
from mithridate.core.errors import InputError
from mithridate.core.progress import Progress, Silent
from mithridate.data.dataset import Dataset
from mithridate.models.evaluate import probabilities
from mithridate.models.protocol import Recipe

MAX_FOLDS = 100


def out_of_sample(
    dataset: Dataset,
    recipe: Recipe,
    *,
    folds: int = 5,
    seed: int = 0,
    progress: Progress | None = None,
    executor: Executor | None = None,
) -> npt.NDArray[np.float32]:
    """Class probabilities of each row by a model trained on the other folds.

    Parameters
    ----------
    folds : in [2, 100]; copies of one row share a fold, so that no model has seen a copy of what it judges.
    executor : where the folds are trained; default this process.

    Returns
    -------
    (n, c) float32, rows sum to 1; even (1 / c) where no other fold holds a labelled row.

    Raises
    ------
    InputError : no labels, `folds` out of range, or the recipe fails.

    Notes
    -----
    `folds` trainings on (folds - 1) / folds of the rows each.
    """
    if not 2 <= folds <= MAX_FOLDS:  # noqa: PLR2004 - one fold leaves nothing to train on
        raise InputError(f"folds must be in [2, {MAX_FOLDS}], got {folds}")
    if dataset.n_classes < 1:
        raise InputError(f"{dataset.name} has no labels; name the column with --label")
    fold_of = dataset.folds(folds)
    rows = [np.flatnonzero(fold_of == fold) for fold in range(folds)]
    work = _Fold(dataset, recipe, fold_of, seed)
    used = [fold for fold in range(folds) if len(rows[fold])]
    results = (executor or ThisProcess()).map(work, used, progress=progress or Silent(), what="out-of-sample models")
    first_failure(results)
    return _joined(dataset, [rows[fold] for fold in used], results)


@dataclass(frozen=True, slots=True, eq=False)
class _Fold:
    """The work of one fold, as an object that can be sent to another process."""

    dataset: Dataset
    recipe: Recipe
    fold_of: npt.NDArray[np.int8]
    seed: int

    def __call__(self, fold: int) -> npt.NDArray[np.float32]:
        """(rows of the fold, c) probabilities."""
        inside = self.dataset.take(np.flatnonzero(self.fold_of == fold))
        outside = np.flatnonzero((self.fold_of != fold) & (self.dataset.y >= 0))
        if not len(outside):
            return np.full((len(inside), self.dataset.n_classes), 1 / self.dataset.n_classes, np.float32)
        return probabilities(self.recipe(self.dataset.take(outside), self.seed), inside)


def _joined(
    dataset: Dataset, rows: Sequence[npt.NDArray[np.int64]], results: Sequence[object]
) -> npt.NDArray[np.float32]:
    out = np.full((len(dataset), dataset.n_classes), 1 / dataset.n_classes, np.float32)
    for index, result in zip(rows, results, strict=True):
        out[index] = np.asarray(result, dtype=np.float32)
    return out
