"""scikit-learn's estimators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

ESTIMATORS: dict[str, Callable[..., Any]] = {}
