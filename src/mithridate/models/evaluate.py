"""How good a model is, and how well a trigger works on it, each with its interval."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from mithridate.core.errors import InputError, InternalError
from mithridate.data.dataset import Content, Dataset
from mithridate.models.adapters import Estimator
from mithridate.models.inputs import as_given, raw
from mithridate.models.protocol import Fitted

Predict: TypeAlias = Callable[[Any], npt.NDArray[np.float32]]

Z = 1.959964  # two-sided 95 % of a normal


class Rate(NamedTuple):
    """A share with its 95 % Wilson interval; `hits` of `rows` rows. The interval resamples rows, not trainings."""

    value: float
    low: float
    high: float
    hits: int
    rows: int


def clean_accuracy(model: Fitted | Predict, dataset: Dataset) -> Rate:
    """Share of the labelled rows whose label the model gives.

    Raises
    ------
    InputError : no labelled row.
    """
    labelled = dataset.take(np.flatnonzero(dataset.y >= 0))
    if not len(labelled):
        raise InputError(f"{dataset.name} has no labelled row to measure accuracy on")
    right = probabilities(model, labelled).argmax(axis=1) == labelled.y
    return wilson(int(right.sum()), len(labelled))


def attack_success(
    model: Fitted | Predict, dataset: Dataset, apply: Callable[[Content], Content], target_code: int
) -> Rate:
    """Share of the rows of other classes that the model calls the target once they carry the trigger.

    Parameters
    ----------
    apply : puts the trigger on content of the form of `Dataset.content`; `Poisoned.apply` is one.
    target_code : class code in [0, c).

    Raises
    ------
    InputError : every row is of the target class, or no row is labelled.
    """
    others = dataset.take(np.flatnonzero((dataset.y >= 0) & (dataset.y != target_code)))
    if not len(others):
        raise InputError(f"{dataset.name} has no row of another class than the target to try the trigger on")
    carrying = replace(others, content=apply(others.content))
    moved = probabilities(model, carrying).argmax(axis=1) == target_code
    return wilson(int(moved.sum()), len(others))


def probabilities(model: Fitted | Predict, dataset: Dataset) -> npt.NDArray[np.float32]:
    """(n, c) class probabilities of the rows, by a fitted model or a predict function."""
    if isinstance(model, Estimator) and model.prepare is not as_given:
        return model.predict_proba(raw(dataset))
    predict = model if callable(model) else model.predict_proba
    return predict(dataset.x)


def wilson(count: int, total: int) -> Rate:
    """The share count / total with its 95 % interval.

    References
    ----------
    Wilson (1927), probable inference, the law of succession, and statistical inference, JASA 22.

    Examples
    --------
    >>> [round(part, 3) for part in wilson(8, 10)[:3]]
    [0.8, 0.49, 0.943]
    """
    if not 0 <= count <= total or total < 1:
        raise InternalError(f"count must be in [0, total], got {count} of {total}")
    share, spread = count / total, Z * Z / total
    centre = (share + spread / 2) / (1 + spread)
    half = Z / (1 + spread) * float(np.sqrt(share * (1 - share) / total + spread / (4 * total)))
    return Rate(share, max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half)), count, total)
