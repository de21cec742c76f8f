"""One face for every trained model: content in, (n, c) class probabilities in label order out."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from mithridate.core.errors import InputError
from mithridate.data.dataset import Dataset
from mithridate.models.inputs import Floats, Prepare, as_given, flat, nchw
from mithridate.models.protocol import Fitted

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Estimator:
    """A model with `predict_proba` (or `decision_function`, or `predict`) and what prepares its inputs.

    columns : (k,) class code of each of the model's k outputs; the other classes get probability 0.
    """

    model: Any
    prepare: Prepare
    columns: Ints
    n_classes: int

    def predict_proba(self, x: Any) -> Floats:
        """(n, c) class probabilities."""
        outputs = _outputs(self.model, self.prepare(x), self.columns)
        if outputs.ndim != 2 or outputs.shape[1] != len(self.columns):  # noqa: PLR2004 - rows and classes
            raise InputError(
                f"the model's output has shape {outputs.shape}, wanted a column for each of {len(self.columns)} classes"
            )
        spread = np.zeros((len(outputs), self.n_classes), np.float32)
        spread[:, self.columns] = outputs
        return _finite(spread)


@dataclass(frozen=True, slots=True, eq=False)
class Constant:
    """What one learns from rows of a single class: that class, always."""

    code: int
    n_classes: int

    def predict_proba(self, x: Any) -> Floats:
        """(n, c) with probability 1 for the one class."""
        out = np.zeros((len(x), self.n_classes), np.float32)
        out[:, self.code] = 1.0
        return out


@dataclass(frozen=True, slots=True, eq=False)
class TorchModel:
    """A torch module in evaluation mode; `prepare` makes its float32 batch."""

    module: Any
    prepare: Prepare
    n_classes: int

    def predict_proba(self, x: Any) -> Floats:
        """(n, c) class probabilities: the softmax of the outputs, or the outputs when they are probabilities."""
        from mithridate.models.engine import outputs

        return _finite(as_probabilities(outputs(self.module, self.prepare(x)), self.n_classes))


def as_fitted(model: Any, dataset: Dataset, *, by_code: bool) -> Fitted:
    """The user's trained model behind the common face.

    Parameters
    ----------
    model : a torch module, an object with `predict_proba`, `decision_function` or `predict`.
    by_code : its classes are codes 0..c-1 (it was trained here); otherwise they may be labels as stored.

    Raises
    ------
    InputError : it can't predict, or its classes are not those of the data set.
    """
    if isinstance(model, (Estimator, Constant, TorchModel)):
        return model
    if is_module(model):
        model.eval()
        return TorchModel(model, _module_inputs(dataset), dataset.n_classes)
    if not any(hasattr(model, name) for name in ("predict_proba", "decision_function", "predict")):
        raise InputError(f"a model must be a torch module or have predict_proba; {type(model).__name__} is neither")
    prepare: Prepare = flat if dataset.modality in {"image", "embedding"} else as_given
    return Estimator(model, prepare, columns_of(model, dataset, by_code=by_code), dataset.n_classes)


def is_module(model: Any) -> bool:
    """Whether it is a torch module; torch isn't loaded to find out."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(model, torch.nn.Module)


def columns_of(model: Any, dataset: Dataset, *, by_code: bool) -> Ints:
    """(k,) class code of each output of a model, by its `classes_` if it has them."""
    classes = getattr(model, "classes_", None)
    if classes is None or len(classes) == dataset.n_classes:
        return np.arange(dataset.n_classes)
    labels = {str(dataset.label_of(code)): code for code in range(dataset.n_classes)}
    codes = {str(code): code for code in range(dataset.n_classes)}
    for known in (codes,) if by_code else (labels, codes):
        if all(str(item) in known for item in classes):
            return np.array([known[str(item)] for item in classes], dtype=np.int64)
    raise InputError(
        f"the model knows {len(classes)} classes and {dataset.name} has {dataset.n_classes}, and they don't match"
    )


def as_probabilities(outputs: Floats, n_classes: int) -> Floats:
    """(n, c) probabilities of a module's outputs: one column means the second of two classes.

    Raises
    ------
    InputError : the number of outputs isn't the number of classes.
    """
    if outputs.ndim == 1 or outputs.shape[1:] == (1,):
        second = outputs.reshape(len(outputs), 1)
        if len(second) and float(second.min()) >= 0.0 and float(second.max()) <= 1.0:
            outputs = np.concatenate([1.0 - second, second], axis=1)
        else:
            outputs = np.concatenate([np.zeros_like(second), second], axis=1)
    if outputs.ndim != 2 or outputs.shape[1] != n_classes:  # noqa: PLR2004 - rows and classes
        raise InputError(
            f"the module's output has shape {outputs.shape}, wanted (rows, {n_classes}): one for each class"
        )
    if float(outputs.min(initial=0.0)) >= 0.0 and np.allclose(outputs.sum(axis=1), 1.0, atol=1e-3):
        return outputs
    return softmax(outputs)


def softmax(scores: npt.NDArray[Any]) -> Floats:
    """(n, c) probabilities of (n, c) scores."""
    raised = np.exp(scores - scores.max(axis=1, keepdims=True, initial=-np.inf))
    return cast("Floats", (raised / raised.sum(axis=1, keepdims=True)).astype(np.float32))


def _outputs(model: Any, x: Any, columns: Ints) -> Floats:
    if hasattr(model, "predict_proba"):
        return np.asarray(model.predict_proba(x), dtype=np.float32)
    if hasattr(model, "decision_function"):
        scores = np.asarray(model.decision_function(x), dtype=np.float64)
        return softmax(np.stack([-scores, scores], axis=1) / 2 if scores.ndim == 1 else scores)
    predicted, classes = np.asarray(model.predict(x)), getattr(model, "classes_", np.arange(len(columns)))
    return np.asarray(predicted[:, None] == np.asarray(classes)[None, :], dtype=np.float32)


def _module_inputs(dataset: Dataset) -> Prepare:
    if dataset.modality == "text":
        msg = "a torch module takes no text; give an object with predict_proba that takes a list of str"
        raise InputError(msg)
    if dataset.modality == "table":
        msg = "a torch module takes no table; give an object with predict_proba that takes a pandas frame"
        raise InputError(msg)
    return nchw


def _finite(probabilities: Floats) -> Floats:
    if not np.isfinite(probabilities).all():
        msg = "the model's outputs are not all finite numbers; look at its training (learning rate, missing values)"
        raise InputError(msg)
    return probabilities
