"""What a trained model and a recipe are, for those who use them and those who make them."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from mithridate.data.dataset import Dataset


class Fitted(Protocol):
    """A trained model; content as `Dataset.x` gives it."""

    def predict_proba(self, x: Any) -> npt.NDArray[np.float32]:
        """(n, c) class probabilities, columns in the order of the sorted labels."""


class Recipe(Protocol):
    """`recipe(dataset, seed)` returns a model fitted to the end on those rows."""

    def __call__(self, dataset: Dataset, seed: int) -> Fitted:
        """Train and return the model."""
