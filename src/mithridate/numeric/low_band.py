"""Smooth patterns: random weights on the lowest spatial frequencies of the discrete cosine transform."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.fft import idctn


def low_band_pattern(shape: tuple[int, int, int], band: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """(h, w, c) with mean 0 and largest absolute value 1, made of frequencies below `band` in both directions.

    Parameters
    ----------
    band : 2 to min(h, w); the constant is left out.

    Notes
    -----
    The channels share three quarters of their energy, so that a colour pattern isn't lost in a grey copy.
    """
    weights = np.zeros(shape)
    shared = rng.normal(size=(band, band, 1))
    weights[:band, :band] = shared + rng.normal(size=(band, band, shape[2])) / np.sqrt(3.0)
    weights[0, 0] = 0.0
    pattern: npt.NDArray[np.float64] = idctn(weights, axes=(0, 1), norm="ortho")
    pattern /= np.abs(pattern).max()
    return pattern
