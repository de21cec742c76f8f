"""The list of what `safe_load` rebuilds: a dotted name, and a function of ours that makes the value from plain ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mithridate.supply.loading.listed.arrays import ARRAYS
from mithridate.supply.loading.listed.arrow import ARROW
from mithridate.supply.loading.listed.columns import COLUMNS
from mithridate.supply.loading.listed.estimators import ESTIMATORS
from mithridate.supply.loading.listed.frames import FRAMES
from mithridate.supply.loading.listed.generators import GENERATORS
from mithridate.supply.loading.listed.plain import PLAIN
from mithridate.supply.loading.listed.sparse import SPARSE
from mithridate.supply.loading.listed.torch_values import TORCH
from mithridate.supply.loading.rebuild import WRAPPER
from mithridate.supply.loading.settle import Constant, Pending


def _wrapper(*_: Any) -> Pending:
    return Pending(WRAPPER, lambda *_: None)


TENSORS: dict[str, Callable[..., Any] | Constant] = {**PLAIN, **ARRAYS, **TORCH, WRAPPER: _wrapper}
"""Dotted name -> what makes the value, of what stands around tensors."""

CONSTRUCTORS: dict[str, Callable[..., Any] | Constant] = {
    **TENSORS, **GENERATORS, **SPARSE, **ARROW, **COLUMNS, **FRAMES, **ESTIMATORS,
}  # fmt: skip
"""Dotted name -> what makes the value. Nothing else is ever called."""
