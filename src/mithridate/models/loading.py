"""Load the user's own model from a file or a function; nothing is ever unpickled."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from mithridate.core.errors import Error, InputError, MissingExtra
from mithridate.data.dataset import Dataset
from mithridate.models.adapters import as_fitted, is_module
from mithridate.models.importing import is_path, load_function, one_line, takes_nothing
from mithridate.models.protocol import Fitted
from mithridate.models.recipes import BUILTIN
from mithridate.models.skops_file import load_skops

STATE_DICT = (".pt", ".pth", ".safetensors")
LATER: Mapping[str, str] = MappingProxyType(
    {
        ".pt2": "torch.export",
        ".onnx": "ONNX",
        ".json": "XGBoost",
        ".ubj": "XGBoost",
        ".txt": "LightGBM",
    }
)
PICKLES = (".pkl", ".pickle", ".joblib", ".dill", ".cloudpickle")
NOW = "a state dict (.pt, .safetensors) with --recipe, a .skops file, or package.module:function"


def fitted_model(path_or_spec: str, dataset: Dataset, recipe: str | None = None) -> Fitted:
    """The user's own model, behind the common face.

    Parameters
    ----------
    path_or_spec : `.pt` or `.safetensors` with a torch state dict; `.skops`; or `package.module:function`, called
        without arguments for a torch module or an object with `predict_proba`.
    recipe : for a state dict, what makes the untrained module: `package.module:function`, or `cnn`.

    Returns
    -------
    A model of content as `Dataset.x` gives it; probabilities in the order of the sorted labels.

    Raises
    ------
    InputError : no such file, another form, a damaged or an unsafe file, or a model that doesn't fit the data.
    MissingExtra : torch, safetensors or skops isn't installed.
    """
    if re.match(r"https?://", path_or_spec):
        raise InputError(f"served models can't be asked yet; give {NOW}")
    path = Path(path_or_spec)
    suffix = path.suffix.lower()
    if suffix in PICKLES:
        raise InputError(f"{path.name} is a pickle, which runs code when it is read, and is never loaded; give {NOW}")
    if suffix in LATER:
        raise InputError(f"{LATER[suffix]} files ({suffix}) can't be loaded yet; give {NOW}")
    if suffix in {*STATE_DICT, ".skops"}:
        if not path.is_file():
            raise InputError(f"there is no file {path.name!r} to load a model from; look at the path")
        model = load_skops(path) if suffix == ".skops" else _with_state(path, dataset, recipe)
        return as_fitted(model, dataset, by_code=False)
    if is_path(path_or_spec):
        return as_fitted(_call(path_or_spec), dataset, by_code=False)
    raise InputError(f"{path_or_spec!r} is no model; give {NOW}")


def _call(spec: str) -> Any:
    function = load_function(spec)
    if not takes_nothing(function):
        raise InputError(f"{spec} must take no arguments to give a model; one that trains is a recipe: use --recipe")
    try:
        return function()
    except Error:
        raise
    except Exception as error:  # the user's own code runs here, and anything can come out of it
        raise InputError(f"{spec} failed: {one_line(error)}") from error


def _with_state(path: Path, dataset: Dataset, recipe: str | None) -> Any:
    module = _untrained(path, dataset, recipe)
    state = _safetensors(path) if path.suffix.lower() == ".safetensors" else _weights(path)
    try:
        module.load_state_dict(state)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise InputError(
            f"the state dict in {path.name} doesn't fit the module of {recipe}: {one_line(error)}"
        ) from error
    return module


def _untrained(path: Path, dataset: Dataset, recipe: str | None) -> Any:
    if recipe is None:
        raise InputError(f"{path.name} holds weights alone; say with --recipe which function returns the module")
    if recipe == "cnn":
        from mithridate.models.builtin.cnn import build

        shape = np.shape(dataset.content)
        if dataset.modality != "image":
            raise InputError(f"the recipe cnn takes images, {dataset.name} is of modality {dataset.modality}")
        return build(channels=shape[3], n_classes=dataset.n_classes)
    if recipe in BUILTIN:
        raise InputError(f"the recipe {recipe} makes no torch module for the weights in {path.name}; give your own")
    if is_path(recipe) and not takes_nothing(load_function(recipe)):
        raise InputError(f"{recipe} must take no arguments and return the untrained module for {path.name}")
    module = _call(recipe)
    if not is_module(module):
        raise InputError(f"{recipe} must return a torch module for the weights in {path.name}")
    return module


def _weights(path: Path) -> Any:
    from mithridate.models.engine import load_torch

    torch = load_torch()
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a hostile file can make the parser fail in any way
        raise InputError(
            f"{path.name} isn't a plain state dict ({one_line(error, 150)}); save module.state_dict(), "
            "not the module, or use .safetensors"
        ) from error
    inner = state.get("state_dict") if isinstance(state, dict) else None
    return inner if isinstance(inner, dict) else state


def _safetensors(path: Path) -> Any:
    try:
        from safetensors.torch import load_file
    except ImportError as error:
        package, what_for = "safetensors", f"loading {path.name}"
        raise MissingExtra(package, "torch", what_for) from error
    try:
        return load_file(path, device="cpu")
    except Exception as error:  # a hostile file can make the parser fail in any way
        raise InputError(f"{path.name} isn't a safetensors file: {one_line(error)}") from error
