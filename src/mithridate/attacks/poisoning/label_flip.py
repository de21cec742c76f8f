"""Label flip: rows keep their content and get a wrong label, at random or from one class to another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from mithridate.attacks.poisoning.protocol import (
    Poisoned,
    Rows,
    changed,
    choose_rows,
    from_source,
    other_class,
    target_code,
    truth_of,
)
from mithridate.attacks.poisoning.settings import Settings
from mithridate.data.dataset import Dataset


def label_flip(dataset: Dataset, rng: np.random.Generator, settings: Mapping[str, Any]) -> Poisoned:
    """A copy in which some rows carry a wrong label; content stays as it was.

    Parameters
    ----------
    settings : `rate`, share of all rows; `mode`: `random` (any other class, or `target` when given) or `targeted`
        (class `from` becomes class `to`; by default the first class, and the first that isn't it); `source`, to
        poison rows of that source alone.

    Raises
    ------
    InputError : a setting is unknown or out of range, or too few rows can be flipped.

    References
    ----------
    Biggio, Nelson, Laskov (2011), support vector machines under adversarial label noise, ACML.
    """
    read = Settings(settings)
    rate, target, source = read.rate(), read.value("target"), read.value("source")
    pair = read.value("from"), read.value("to")
    mode = read.word("mode", "random" if pair == (None, None) else "targeted", choices=("random", "targeted"))
    read.finish()
    pool = from_source(dataset, source)
    if mode == "targeted":
        to = target_code(dataset, pair[1] if pair[1] is not None else target)
        start = target_code(dataset, pair[0]) if pair[0] is not None else int(to == 0)
        pool &= other_class(dataset, to) & (dataset.y == start)
        rows = choose_rows(dataset, rng, rate, allowed=pool)
        return _flipped(dataset, rows, np.full(len(rows), to))
    if target is not None:
        to = target_code(dataset, target)
        rows = choose_rows(dataset, rng, rate, allowed=pool & other_class(dataset, to))
        return _flipped(dataset, rows, np.full(len(rows), to))
    target_code(dataset, None)
    rows = choose_rows(dataset, rng, rate, allowed=pool & (dataset.y >= 0))
    return _flipped(dataset, rows, flip_codes(dataset.y[rows], dataset.n_classes, rng))


def flip_codes(
    codes: npt.NDArray[np.integer[Any]], n_classes: int, rng: np.random.Generator
) -> npt.NDArray[np.integer[Any]]:
    """(k,) codes, each moved to another of the `n_classes` with equal chance."""
    return (codes + rng.integers(1, n_classes, size=len(codes))) % n_classes


def _flipped(dataset: Dataset, rows: Rows, new: npt.NDArray[np.integer[Any]]) -> Poisoned:
    codes = dataset.y.copy()
    codes[rows] = new
    return Poisoned(changed(dataset, rows, codes=codes), truth_of(dataset, rows, "label-error"))
