"""Binomial tails from scipy.special alone: scipy.stats takes as long to load as a small audit to run."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

FLOOR = 1e-300  # a chance smaller than this is reported as this


def upper_tail(count: npt.ArrayLike, trials: npt.ArrayLike, chance: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """P[Bin(trials, chance) >= count], elementwise, in [0, 1]; the regularised incomplete beta function.

    Examples
    --------
    >>> upper_tail(2, 2, 0.5).item(), upper_tail(0, 5, 0.1).item()
    (0.25, 1.0)
    """
    counts, total = np.asarray(count, dtype=np.float64), np.asarray(trials, dtype=np.float64)
    inside = np.clip(counts, 1.0, np.maximum(total, 1.0))
    tail = special.betainc(inside, total - inside + 1, chance)
    return np.asarray(np.where(counts <= 0, 1.0, np.where(counts > total, 0.0, tail)), dtype=np.float64)


def surprise(count: npt.ArrayLike, trials: npt.ArrayLike, chance: npt.ArrayLike) -> npt.NDArray[Any]:
    """-log10 of the upper tail, at most 300.

    Examples
    --------
    >>> round(surprise(10, 10, 0.1).item(), 6)
    10.0
    """
    return np.asarray(-np.log10(np.maximum(upper_tail(count, trials, chance), FLOOR)))
