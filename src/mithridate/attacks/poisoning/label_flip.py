"""Label flip: rows keep their content and get a wrong label, by chance or where it hurts or hides the most."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mithridate.attacks.poisoning.opinion import class_logs
from mithridate.attacks.poisoning.protocol import (
    Poisoned,
    Rows,
    changed,
    choose_rows,
    content_order,
    from_source,
    other_class,
    target_code,
    truth_of,
)
from mithridate.attacks.poisoning.settings import Settings
from mithridate.data.dataset import Dataset

MODES = ("random", "targeted", "near-boundary", "instance-dependent")

Codes = npt.NDArray[np.integer[Any]]


class _Plan(NamedTuple):
    """What is asked for: how many rows of the `pool` (n,) move, and to `to`; None means to whatever the mode says."""

    rate: float
    pool: npt.NDArray[np.bool_]
    to: int | None


def label_flip(dataset: Dataset, rng: np.random.Generator, settings: Mapping[str, Any]) -> Poisoned:
    """A copy in which some rows carry a wrong label; content stays as it was.

    Parameters
    ----------
    settings : `rate`, share of all rows; `mode`, below; `from`, to poison rows of that class alone; `to` or `target`,
        the label they get; `source`, to poison rows of that source alone.

        - `random`: rows and wrong labels by chance.
        - `targeted`: class `from` becomes class `to` (by default the first class, and the first that isn't it).
        - `near-boundary`: the rows nearest the border between their label and the runner-up (or `to`) cross it, as
          judged by kernel models that never saw the row. Moves a trained model's border the most.
        - `instance-dependent`: the nearer a row is to the border, the likelier it is flipped, to a label drawn by how
          well it fits: mistakes as people make them, only more of them.

    Raises
    ------
    InputError : a setting is unknown or out of range, or too few rows can be flipped.

    Notes
    -----
    The last two modes fit five models, 0.5 s for 10,000 images.

    References
    ----------
    Biggio, Nelson, Laskov (2011), support vector machines under adversarial label noise, ACML. Xiao et al. (2015),
    support vector machines under adversarial label contamination, Neurocomputing 160 (nearest-first flips). Zhang et
    al. (2021), learning with feature-dependent label noise, ICLR; Xia et al. (2020), part-dependent label noise,
    NeurIPS.
    """
    read = Settings(settings)
    rate, source, start = read.rate(), read.value("source"), read.value("from")
    to = read.value("to", read.value("target"))
    usual = "targeted" if start is not None or read.value("to") is not None else "random"
    mode = read.word("mode", usual, choices=MODES)
    read.finish()
    plan = _plan(dataset, rate, (start, to), targeted=mode == "targeted")
    plan = plan._replace(pool=plan.pool & from_source(dataset, source))
    flips = {"near-boundary": _nearest, "instance-dependent": _likely}.get(mode, _random)
    rows, new = flips(dataset, rng, plan)
    codes = dataset.y.copy()
    codes[rows] = new
    return Poisoned(changed(dataset, rows, codes=codes), truth_of(dataset, rows, "label-error"))


def flip_codes(codes: Codes, n_classes: int, rng: np.random.Generator) -> Codes:
    """(k,) codes, each moved to another of the `n_classes` with equal chance."""
    return (codes + rng.integers(1, n_classes, size=len(codes))) % n_classes


def _plan(dataset: Dataset, rate: float, pair: tuple[Any, Any], *, targeted: bool) -> _Plan:
    first = target_code(dataset, pair[1])
    to = None if pair[1] is None and not targeted else first
    pool = dataset.y >= 0 if to is None else other_class(dataset, to)
    if pair[0] is not None or targeted:
        pool = pool & (dataset.y == (target_code(dataset, pair[0]) if pair[0] is not None else int(first == 0)))
    return _Plan(rate, pool, to)


def _random(dataset: Dataset, rng: np.random.Generator, plan: _Plan) -> tuple[Rows, Codes]:
    rows = choose_rows(dataset, rng, plan.rate, allowed=plan.pool)
    if plan.to is not None:
        return rows, np.full(len(rows), plan.to)
    return rows, flip_codes(dataset.y[rows], dataset.n_classes, rng)


def _nearest(dataset: Dataset, rng: np.random.Generator, plan: _Plan) -> tuple[Rows, Codes]:
    """Rows on the right side of the border, nearest first; where they don't suffice, the nearest on the wrong side."""
    count = len(choose_rows(dataset, rng, plan.rate, allowed=plan.pool))
    logs = class_logs(dataset, rng)
    rival = _rivals(logs, dataset, plan.to)
    rows = content_order(dataset)
    rows = rows[plan.pool[rows]]
    margin = logs[rows, dataset.y[rows]] - logs[rows, rival[rows]]
    chosen = rows[np.lexsort((np.abs(margin), margin < 0))[:count]]
    return chosen, rival[chosen]


def _likely(dataset: Dataset, rng: np.random.Generator, plan: _Plan) -> tuple[Rows, Codes]:
    """Rows drawn by 1 - (p of the label - p of its rival)², and labels drawn by their own p."""
    count = len(choose_rows(dataset, rng, plan.rate, allowed=plan.pool))
    logs = class_logs(dataset, rng)
    rival = _rivals(logs, dataset, plan.to)
    rows = content_order(dataset)
    rows = rows[plan.pool[rows]]
    chances = np.exp(logs[rows].astype(np.float64))
    places = np.arange(len(rows))
    gap = chances[places, dataset.y[rows]] - chances[places, rival[rows]]
    weight = np.maximum(1 - np.maximum(gap, 0) ** 2, 1e-9)
    drawn = np.argsort(rng.exponential(size=len(rows)) / weight, kind="stable")[:count]
    chosen = rows[drawn]
    if plan.to is not None:
        return chosen, np.full(count, plan.to)
    chances = chances[drawn]
    chances[np.arange(count), dataset.y[chosen]] = 0
    edges = np.cumsum(chances, axis=1)
    new = (rng.random(count)[:, None] * edges[:, -1:] >= edges).sum(axis=1)
    return chosen, np.minimum(new, dataset.n_classes - 1)


def _rivals(logs: npt.NDArray[np.float32], dataset: Dataset, to: int | None) -> Codes:
    """(n,) the class each row would be flipped to: `to`, else the likeliest that isn't its label."""
    if to is not None:
        return np.full(len(logs), to)
    others = logs.copy()
    known = np.flatnonzero(dataset.y >= 0)
    others[known, dataset.y[known]] = -np.inf
    return np.asarray(np.argmax(others, axis=1))
