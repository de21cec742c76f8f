"""Part of one class rougher than its content explains: how added noise shows where the class is never mistaken."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import special
from scipy.linalg import solve

from mithridate.numeric.grain import POINTS, STEPS

Floats: TypeAlias = npt.NDArray[np.float64]

STILL = (0, 1, 2, 3, len(STEPS), len(STEPS) + 1)  # marks that only the smoothest places of an image decide
SIGN = np.repeat([-1.0, 1.0], (len(STEPS), len(POINTS)))  # noise lowers the shares of alike pixels, raises roughness
QUANTILES = (0.9, 0.95, 0.98, 0.99, 0.995)  # of the rows of all other classes
RIDGE = 0.002  # of the mean squared length of a feature, a row
TIMES = 2.5  # as many rough rows as the roughest other class has, at least
LEVEL = 0.001  # chance of a false report on one data set, all tests together
IMPURE = 0.05  # expected share of ordinary rows among those flagged
LEAST = 10


class Minority(NamedTuple):
    """The rough part of a class.

    `rows`: class members beyond the `quantile` of all others; `expected`: how many the roughest other class would have
    there, at most; `p_value`: times the tests made; `edge`: roughness from which on at most a twentieth is ordinary.
    """

    code: int
    rows: int
    expected: float
    p_value: float
    quantile: float
    edge: float


def unexplained(marks: npt.NDArray[np.floating[Any]], content: npt.NDArray[np.float32], folds: Any) -> Floats:
    """(n,) how much rougher each image's smoothest places are than those of images that look alike.

    Parameters
    ----------
    marks : (n, 18) as `grain` gives them. content : (n, d) features of what is seen. folds : (n,) 0 or 1.

    Notes
    -----
    Every mark becomes a normal score, so that no unit or outlier rules; ridge regression of the other fold foretells it
    from content.
    """
    chosen = np.asarray(marks, dtype=np.float64)[:, STILL] * SIGN[list(STILL)]
    scores = np.stack([_normal(column) for column in chosen.T], axis=1)
    rows = np.concatenate([content, np.ones((len(content), 1), np.float32)], axis=1)
    wanted, left = scores.mean(axis=1), np.zeros(len(chosen))
    for fold in (0, 1):
        seen, held = rows[folds != fold], folds == fold
        gram = (seen.T @ seen).astype(np.float64)
        gram.flat[:: len(gram) + 1] += RIDGE * np.trace(gram) / len(gram)
        right = (wanted[folds != fold].astype(np.float32) @ seen).astype(np.float64)
        left[held] = wanted[held] - rows[held] @ solve(gram, right, assume_a="pos").astype(np.float32)
    return left


def _normal(values: Floats) -> Floats:
    """The normal score of each value's rank; equal values share their middle rank."""
    ordered = np.sort(values)
    middle = (np.searchsorted(ordered, values) + np.searchsorted(ordered, values, side="right")) / 2
    return np.asarray(special.ndtri(middle / len(values)))


def rough_minority(rough: Floats, codes: npt.NDArray[np.integer[Any]], *, n_classes: int) -> list[Minority]:
    """Classes that hold far more rough rows than any other class does.

    Parameters
    ----------
    rough : (n,) as `unexplained` gives it. codes : (n,) 0 to n_classes - 1.

    Notes
    -----
    Classes differ in texture, so a class is not held against the average but against the roughest of the others, at
    the upper end of what that one's rate may be; still one class comes first in every data set, hence two and a
    half times as many are asked for besides. Needs three classes to know what classes differ by.
    """
    classes = [code for code in range(n_classes) if np.count_nonzero(codes == code) >= LEAST]
    if len(classes) < 3:  # noqa: PLR2004 - itself and two that differ
        return []
    found = [_of_class(rough, codes, code, classes) for code in classes]
    return [one for one in found if one is not None]


def _of_class(rough: Floats, codes: npt.NDArray[np.integer[Any]], code: int, classes: list[int]) -> Minority | None:
    own, rest = rough[codes == code], rough[codes != code]
    others = [rough[codes == other] for other in classes if other != code]
    tests = len(classes) * len(QUANTILES)
    best = None
    for quantile in QUANTILES:
        edge = float(np.quantile(rest, quantile))
        count = int((own > edge).sum())
        rate = max(_upper(int((other > edge).sum()), len(other)) for other in others)
        p_value = float(special.bdtrc(count - 1, len(own), rate)) * tests if count else 1.0
        if (
            p_value <= LEVEL
            and count >= max(LEAST, TIMES * rate * len(own))
            and (best is None or p_value < best.p_value)
        ):
            best = Minority(code, count, rate * len(own), p_value, quantile, edge)
    if best is None:
        return None
    best = best._replace(edge=_pure(own, others, best.edge))
    return best if np.count_nonzero(own >= best.edge) >= LEAST else None


def _upper(count: int, n: int) -> float:
    """Upper end of a one-sided 95 % interval of a rate (Clopper, Pearson 1934)."""
    return 1.0 if count >= n else float(special.betaincinv(count + 1, n - count, 0.95))


def _pure(own: Floats, others: list[Floats], edge: float) -> float:
    """The lowest edge beyond which the class has at most a twentieth of what the other classes' middle one has."""
    ordered = np.sort(own[own > edge])
    for least in ordered:
        usual = float(np.median([np.mean(other >= least) for other in others])) * len(own)
        if max(usual, 0.5) <= IMPURE * float((own >= least).sum()):
            return float(least)
    return float(ordered[-1])


def odds(rough: Floats, codes: npt.NDArray[np.integer[Any]], minority: Minority) -> Floats:
    """(n,) log10 odds that a row of the class is one of the added: the class's tail over the other rows'; -inf else.

    Rows as rough as the edge have 20 to 1 or more.
    """
    own, rest = np.flatnonzero(codes == minority.code), np.sort(rough[codes != minority.code])
    values = rough[own]
    beyond = len(own) - np.searchsorted(np.sort(values), values)
    usual = (len(rest) - np.searchsorted(rest, values)) * (len(own) / len(rest))
    tail = np.log10(np.maximum(beyond - usual, 0.01) / np.maximum(usual, 0.5))
    order = np.argsort(values)
    tail[order] = np.maximum.accumulate(tail[order])
    made = np.full(len(rough), -np.inf)
    made[own] = np.clip(tail, -2, 2.5) + 1e-3 * np.argsort(order) / len(own)
    return made
