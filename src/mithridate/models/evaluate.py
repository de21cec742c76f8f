"""How good a model is, and how well a trigger works on it, each with its interval."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from mithridate.core.errors import InputError
from mithridate.data.dataset import Content, Dataset
from mithridate.models.adapters import Estimator
from mithridate.models.inputs import as_given, raw
from mithridate.models.protocol import Fitted
from mithridate.numeric.rates import wilson
from mithridate.numeric.target_rule import ALL_TO_ONE, TargetRule

Predict: TypeAlias = Callable[[Any], npt.NDArray[np.float32]]


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
    labelled = dataset if (dataset.y >= 0).all() else dataset.take(np.flatnonzero(dataset.y >= 0))
    if not len(labelled):
        raise InputError(f"{dataset.name} has no labelled row to measure accuracy on")
    right = probabilities(model, labelled).argmax(axis=1) == labelled.y
    return _rate(int(right.sum()), len(labelled))


def attack_success(
    model: Fitted | Predict, dataset: Dataset, apply: Callable[[Content], Content], target: int | TargetRule
) -> Rate:
    """Share of the rows that the model gives the label that the trigger is to force, once they carry it.

    Parameters
    ----------
    apply : puts the trigger on content of the form of `Dataset.content`; `Poisoned.apply` is one.
    target : class code in [0, c) that every row of another class is to get, or the attack's rule (`Poisoned.rule`).
        By `all-to-all` a row of class y must be called (y + 1) mod c; `untargeted`, anything but its own label.

    Raises
    ------
    InputError : every row is of the target class, or no row is labelled.

    Notes
    -----
    Rows that a model gives that label without the trigger count too; the same rate on a clean model is the baseline.
    """
    rule = target if isinstance(target, TargetRule) else TargetRule(ALL_TO_ONE, dataset.n_classes, target)
    others = dataset.take(np.flatnonzero(rule.movable(dataset.y)))
    if not len(others):
        raise InputError(f"{dataset.name} has no row of another class than the target to try the trigger on")
    carrying = replace(others, content=apply(others.content))
    moved = rule.succeeded(others.y, probabilities(model, carrying).argmax(axis=1))
    return _rate(int(moved.sum()), len(others))


def probabilities(model: Fitted | Predict, dataset: Dataset) -> npt.NDArray[np.float32]:
    """(n, c) class probabilities of the rows, by a fitted model or a predict function."""
    if isinstance(model, Estimator) and model.prepare is not as_given:
        return model.predict_proba(raw(dataset))
    predict = model if callable(model) else model.predict_proba
    return predict(dataset.x)


def _rate(hits: int, rows: int) -> Rate:
    low, high = wilson(hits, rows)
    share = hits / rows
    return Rate(share, min(low, share), max(high, share), hits, rows)
