"""Wrong labels just across a border between two classes, where no single row gives itself away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mithridate.numeric.isotonic import isotonic

FloatArray = npt.NDArray[np.float64]

EDGES = np.array([0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 2.5, 3, 4, 6])  # distances from the border, natural log odds
NEAR = 1.5  # from here on inwards the excess is sought; outwards the slope of honest labels is learnt
STEEPEST = 5.0
SURE = 3.0  # standard errors
MATTERS = 0.1  # share of the rows just across the border: a smaller bend of the curve can be honest


@dataclass(frozen=True, slots=True)
class BorderNoise:
    """Excess of labels on the far side of the border.

    `odds` (n,): that a row is one of them, 0 on the right side of its border; `excess`: how many rows, with `low` and
    `high` a 95 % interval; `sure`: whether it is more than chance and more than honest data show.
    """

    odds: FloatArray
    excess: float
    low: float
    high: float
    sure: bool


def border_noise(logs: npt.NDArray[np.floating[Any]], codes: npt.NDArray[np.integer[Any]]) -> BorderNoise:
    """How many rows carry the label of the far side although they lie near the border, beyond what chance explains.

    Parameters
    ----------
    logs : (n, c) natural log probabilities by models that never saw the row's own label.
    codes : (n,) labels, 0 to c - 1; -1 leaves the row out.

    Notes
    -----
    Honest labels are a toss-up at the border, and the further from it, the rarer the far side's label: by a constant
    factor a unit of log odds, if the models' odds are right up to their scale. That factor is read off where no
    borderline flip reaches. Whoever flips the rows nearest the border first leaves more of them on the far side than
    that line allows, and fewer on theirs. Flips that ignore content sit far out and only make the line flatter, so
    that less is called excess here.

    References
    ----------
    Platt (1999), probabilistic outputs for support vector machines (the line). Xiao et al. (2015), support vector
    machines under adversarial label contamination, Neurocomputing 160 (the flips).
    """
    depth = _depth(logs, codes)
    far, own = (np.histogram(side * depth, EDGES)[0].astype(np.float64) for side in (-1, 1))
    middle = (EDGES[1:] + EDGES[:-1]) / 2
    near = middle < NEAR
    slope = _slope(middle[~near], far[~near], own[~near])
    honest = own * np.exp(-slope * middle)
    found = float((far - honest)[near].sum())
    error = float(np.sqrt((far + own * np.exp(-2 * slope * middle))[near].sum()))
    share = isotonic(np.clip(1 - honest / np.maximum(far, 1), 0, 0.99), far + 1, rising=False)
    odds = share / (1 - share)
    across = depth < 0
    return BorderNoise(
        odds=np.where(across, np.interp(-depth, middle, odds, right=0.0), 0.0),
        excess=max(found, 0.0),
        low=max(found - 1.96 * error, 0.0),
        high=max(found + 1.96 * error, 0.0),
        sure=found > SURE * error and found > MATTERS * far[near].sum(),
    )


def _depth(logs: npt.NDArray[np.floating[Any]], codes: npt.NDArray[np.integer[Any]]) -> FloatArray:
    """(n,) log odds of the given label over its best rival: how far inside of its class a row lies; inf without one."""
    rows = np.arange(len(codes))
    own = logs[rows, codes]
    others = np.array(logs, dtype=np.float64)
    others[rows, codes] = -np.inf
    return np.where(codes < 0, np.inf, own - others.max(axis=1))


def _slope(distance: FloatArray, far: FloatArray, own: FloatArray) -> float:
    """Maximum-likelihood slope of the line log(far / own) = -slope x distance."""
    from scipy.optimize import minimize_scalar  # a tenth of a second that other audits need not pay

    def loss(slope: float) -> float:
        return float(np.sum(far * np.logaddexp(0, slope * distance) + own * np.logaddexp(0, -slope * distance)))

    return float(minimize_scalar(loss, bounds=(0.0, STEEPEST), method="bounded").x)
