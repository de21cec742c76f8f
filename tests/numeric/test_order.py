"""The quick order of float32 numbers is the stable one."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mithridate.numeric.order import ascending

FLOATS = st.sampled_from([0.0, -0.0, 1.0, -1.0, 1e-45, -1e-45, np.inf, -np.inf]) | st.floats(width=32, allow_nan=False)


@given(hnp.arrays(np.float32, hnp.array_shapes(min_dims=1, max_dims=2, max_side=40), elements=FLOATS))
def test_the_order_is_that_of_a_stable_sort(values: np.ndarray) -> None:
    assert ascending(values).tolist() == np.argsort(values, axis=-1, kind="stable").tolist()


def test_the_given_numbers_stay_as_they_are() -> None:
    values = np.array([2, -0.0, -3], np.float32)
    ascending(values)
    assert np.signbit(values).tolist() == [False, True, True]
