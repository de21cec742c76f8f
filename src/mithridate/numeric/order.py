"""The order of many float32 numbers, quickly: as integers that hold value and position, which sort with SIMD."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

VALUE = np.int32(0x7FFFFFFF)  # all bits of a float32 but its sign
POSITION = 0xFFFFFFFF


def ascending(values: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """Positions along the last axis (n < 2^32) from the smallest to the largest; of equal ones the first comes first.

    As `np.argsort(values, kind="stable")`, and several times as fast for thousands of numbers. NaN isn't allowed.

    Examples
    --------
    >>> ascending(np.array([2, -1, 0.5, -1], np.float32)).tolist()
    [1, 3, 2, 0]
    """
    bits = (values + np.float32(0)).view(np.int32)  # -0.0 becomes 0.0: they are equal
    keys = (bits ^ ((bits >> 31) & VALUE)).astype(np.int64)  # of negative ones the larger integer is the larger number
    keys <<= 32
    keys |= np.arange(values.shape[-1])
    keys.sort(axis=-1)
    keys &= POSITION
    return keys
