"""How a model is made: built-in recipes by name, and the user's own as `package.module:function`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any, cast

import numpy as np

from mithridate.core.errors import Error, InputError, MissingExtra
from mithridate.data.dataset import Dataset
from mithridate.models.importing import is_path, load_function, one_line, takes_nothing
from mithridate.models.protocol import Fitted, Recipe
from mithridate.models.quiet import quiet

__all__ = ["BUILTIN", "DEFAULTS", "BuiltIn", "Fitted", "Recipe", "UserRecipe", "recipe", "training_rows"]

BUILTIN: Mapping[str, str] = MappingProxyType(
    {
        "mlp": "mithridate.models.builtin.mlp:mlp",
        "cnn": "mithridate.models.builtin.cnn:cnn",
        "logistic": "mithridate.models.builtin.logistic:logistic",
        "gbdt": "mithridate.models.builtin.gbdt:gbdt",
        "text-linear": "mithridate.models.builtin.text_linear:text_linear",
    }
)
DEFAULTS: Mapping[str, str] = MappingProxyType(
    {"image": "mlp", "table": "gbdt", "text": "text-linear", "embedding": "mlp"}
)
TORCH = frozenset({"cnn"})


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A built-in recipe by name; its code is loaded when it first trains."""

    name: str

    def __call__(self, dataset: Dataset, seed: int) -> Fitted:
        """Train on the labelled rows, in content-hash order."""
        module, function = BUILTIN[self.name].split(":")
        train = cast("Recipe", getattr(import_module(module), function))
        return train(training_rows(dataset).canonical(), seed)


@dataclass(frozen=True, slots=True)
class UserRecipe:
    """The user's `package.module:function`, found again in each process that calls it; or the function itself."""

    path: str
    function: Callable[..., Any] | None = None

    def __call__(self, dataset: Dataset, seed: int) -> Fitted:
        """Call `function(dataset, seed)`, or train what `function()` returns."""
        from mithridate.models.adapters import as_fitted
        from mithridate.models.training import train_untrained

        function, rows = self.function or load_function(self.path), training_rows(dataset)
        try:
            with quiet():
                if takes_nothing(function):
                    return train_untrained(function, rows.canonical(), seed)
                return as_fitted(function(rows, seed), dataset, by_code=True)
        except Error:
            raise
        except Exception as error:  # the user's own code runs here, and anything can come out of it
            raise InputError(f"recipe {self.path} failed: {one_line(error)}") from error


def recipe(name_or_path: str | Callable[..., Any]) -> Recipe:
    """The recipe of that name, or the user's own function.

    Parameters
    ----------
    name_or_path : `mlp`, `cnn`, `logistic`, `gbdt`, `text-linear`; or `package.module:function`, called as
        `function(dataset, seed)` for a fitted model, or without arguments for an untrained torch module or
        scikit-learn estimator that is trained here; or such a function itself (in this process alone: `--jobs 1`).

    Raises
    ------
    InputError : no such recipe, module or function.
    MissingExtra : the recipe needs torch and it isn't installed.

    Examples
    --------
    >>> recipe("logistic")
    BuiltIn(name='logistic')
    """
    if not isinstance(name_or_path, str):
        return UserRecipe(getattr(name_or_path, "__name__", "recipe"), name_or_path)
    if name_or_path in BUILTIN:
        if name_or_path in TORCH and find_spec("torch") is None:
            package, what_for = "torch", f"the recipe {name_or_path}"
            raise MissingExtra(package, package, what_for)
        return BuiltIn(name_or_path)
    if not is_path(name_or_path):
        raise InputError(
            f"no recipe {name_or_path!r}; use one of {', '.join(BUILTIN)}, or your own as package.module:function"
        )
    load_function(name_or_path)
    return UserRecipe(name_or_path)


def training_rows(dataset: Dataset) -> Dataset:
    """The labelled rows; `InputError` when there is none."""
    labelled = np.flatnonzero(dataset.y >= 0)
    if not len(labelled):
        raise InputError(f"{dataset.name} has no labelled row to train on; give labels")
    return dataset if len(labelled) == len(dataset) else dataset.take(labelled)
