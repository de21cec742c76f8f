"""What goes on inside a network: each layer's word on each row, answers with raised weights, a short probe run."""

from __future__ import annotations

import copy
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from mithridate.compute.threads import one_thread
from mithridate.models.adapters import Estimator, TorchModel, as_probabilities
from mithridate.models.inputs import Floats
from mithridate.models.protocol import Fitted
from mithridate.models.quiet import quiet

Codes: TypeAlias = npt.NDArray[np.integer[Any]]

MOST_LAYERS = 4  # the last hidden ones
RAISED = 1.5  # factor on weights and biases, as in the source
MOST_RAISED = 3  # layers from the end, one more at a time


def is_network(model: Fitted) -> bool:
    """Whether its layers can be read: a torch module, or scikit-learn's multi-layer perceptron."""
    perceptron = isinstance(model, Estimator) and all(hasattr(model.model, n) for n in ("coefs_", "predict_proba"))
    return isinstance(model, TorchModel) or perceptron


def layers(model: Fitted, x: Any) -> tuple[Floats, ...]:
    """What the last hidden layers give for each row, from the front to the back.

    Returns
    -------
    At most 4 arrays (n, d); feature maps and sequences come as the mean and the largest value of each channel. Empty
    when the model is no network, or hides its layers.
    """
    if isinstance(model, TorchModel):
        return _torch_layers(model, x)
    if isinstance(model, Estimator) and is_network(model):
        return tuple(_perceptron(model.model, np.asarray(_dense(model.prepare(x))))[1:-1][-MOST_LAYERS:])
    return ()


def raised(model: Fitted, x: Any) -> Floats:
    """(n, c) mean of the answers with the weights of the last layer, the last two and the last three times 1.5.

    Notes
    -----
    The last layers are those defined last, as nearly all networks define them in the order in which they call them.

    References
    ----------
    Hou et al. (2024), IBD-PSC: input-level backdoor detection via parameter-oriented scaling consistency, ICML.
    """
    answers = [_louder(model, depth).predict_proba(x) for depth in range(1, MOST_RAISED + 1)]
    return np.asarray(np.mean(answers, axis=0), dtype=np.float32)


def losses(model: Fitted, x: Any, codes: Codes, *, epochs: int, seed: int) -> Floats:
    """(epochs, n) loss of each row's label after each pass of a fresh network of the same shape.

    Notes
    -----
    The network is copied, its weights are drawn anew, and it is trained for that many passes. Parameters outside
    modules with `reset_parameters` keep their values, so that such a network starts with a part of what it knows.

    References
    ----------
    Li et al. (2021), Anti-backdoor learning, NeurIPS: what carries a trigger is learnt first.
    """
    if isinstance(model, TorchModel):
        return _torch_losses(model, x, codes, epochs=epochs, seed=seed)
    return _perceptron_losses(model, x, codes, epochs=epochs, seed=seed)


def _torch_layers(model: TorchModel, x: Any) -> tuple[Floats, ...]:
    """The last layers that answer, by the order in which they do: a module called twice in a pass is two layers."""
    if len(x) == 0:
        return ()
    rows = model.prepare(x)
    called: list[Any] = []
    few = _heard(model.module, rows[:2], None, called)
    hidden = [place for place in _hidden(called) if place in few]
    kept = _heard(model.module, rows, frozenset(hidden[-MOST_LAYERS:]), [])
    joined = [np.concatenate(parts) for _, parts in sorted(kept.items()) if len({part.shape[1] for part in parts}) == 1]
    return tuple(values for values in joined if len(values) == len(rows) and np.isfinite(values).all())


def _heard(module: Any, rows: Any, wanted: frozenset[int] | None, called: list[Any]) -> dict[int, list[Floats]]:
    """What the n-th call of a module without parts gave, batch by batch: for all n, or those wanted.

    `called` gets the modules of the last pass, in the order in which they were called.
    """
    from mithridate.models.engine import outputs

    kept: dict[int, list[Floats]] = {}
    n_rows = [0]

    def begin(_module: Any, given: tuple[Any, ...]) -> None:
        called.clear()
        n_rows[0] = len(given[0])

    def keep(leaf: Any, _given: Any, got: Any) -> None:
        place = len(called)
        called.append(leaf)
        if (wanted is None or place in wanted) and _is_layer(got, n_rows[0]):
            kept.setdefault(place, []).append(_pooled(got.detach().cpu().float().numpy()))

    leaves = [leaf for leaf in module.modules() if not list(leaf.children())]
    handles = [module.register_forward_pre_hook(begin), *(leaf.register_forward_hook(keep) for leaf in leaves)]
    try:
        outputs(module, rows)
    finally:
        for handle in handles:
            handle.remove()
    return kept


def _is_layer(got: Any, n_rows: int) -> bool:
    """Whether a module's answer is an array of numbers, a row of at least one unit for each row."""
    return (
        hasattr(got, "ndim") and got.ndim >= 2 and got.is_floating_point() and len(got) == n_rows and got.numel() > 0  # noqa: PLR2004 - rows and units
    )


def _hidden(called: list[Any]) -> list[int]:
    """Places of the activations; where they are called as functions, of the layers with weights but the last."""
    active = [n for n, leaf in enumerate(called) if type(leaf).__module__ == "torch.nn.modules.activation"]
    weighted = [n for n, leaf in enumerate(called) if getattr(leaf, "weight", None) is not None]
    return active if active and active[-1] < len(called) - 1 else weighted[:-1]


def _pooled(values: Floats) -> Floats:
    if values.ndim == 2:  # noqa: PLR2004 - rows and units
        return values
    channels_first = values.ndim == 4  # noqa: PLR2004 - (b, channels, h, w); sequences are (b, t, units)
    flat = values.reshape(*values.shape[:2], -1) if channels_first else np.moveaxis(values, 1, -1)
    return np.concatenate([flat.mean(axis=-1), flat.max(axis=-1)], axis=1).reshape(len(values), -1)


def _louder(model: Fitted, depth: int) -> Fitted:
    return _louder_torch(model, depth) if isinstance(model, TorchModel) else _louder_perceptron(model, depth)


def _louder_torch(model: TorchModel, depth: int) -> TorchModel:
    module = copy.deepcopy(model.module)
    weighted = [leaf for leaf in module.modules() if getattr(leaf, "weight", None) is not None]
    for leaf in weighted[-depth:]:
        for parameter in leaf.parameters(recurse=False):
            parameter.data.mul_(RAISED)
    return TorchModel(module, model.prepare, model.n_classes)


def _louder_perceptron(model: Any, depth: int) -> Estimator:
    network = copy.deepcopy(model.model)
    for part in (network.coefs_, network.intercepts_):
        for place in range(max(0, len(part) - depth), len(part)):
            part[place] = part[place] * RAISED
    return Estimator(network, model.prepare, model.columns, model.n_classes)


def _torch_losses(model: TorchModel, x: Any, codes: Codes, *, epochs: int, seed: int) -> Floats:
    from mithridate.models.engine import fit_watched

    inputs = model.prepare(x)

    def fresh() -> Any:
        module = copy.deepcopy(model.module)
        for leaf in module.modules():
            if hasattr(leaf, "reset_parameters"):
                leaf.reset_parameters()
        return module.float().requires_grad_(True)  # a deployed network may be frozen

    passes = fit_watched(fresh, inputs, codes, n_classes=model.n_classes, seed=seed, epochs=epochs)
    return np.stack([_loss(as_probabilities(answers, model.n_classes), codes) for answers in passes])


def _perceptron_losses(model: Any, x: Any, codes: Codes, *, epochs: int, seed: int) -> Floats:
    from sklearn.base import clone

    network, rows, curve = clone(model.model), model.prepare(x), []
    network.set_params(random_state=seed, early_stopping=False)  # this, and l-bfgs, can't learn pass by pass
    if network.solver == "lbfgs":
        network.set_params(solver="adam")
    with one_thread(), quiet():
        for _ in range(epochs):
            network.partial_fit(rows, codes, classes=np.arange(model.n_classes))
            curve.append(_loss(np.asarray(network.predict_proba(rows), dtype=np.float32), codes))
    return np.stack(curve)


def _loss(chances: Floats, codes: Codes) -> Floats:
    return np.asarray(-np.log(np.maximum(chances[np.arange(len(codes)), codes], 1e-12)), dtype=np.float32)


def _perceptron(network: Any, rows: Floats) -> list[Floats]:
    """Input, hidden layers and scores of scikit-learn's perceptron."""
    from sklearn.neural_network._base import ACTIVATIONS

    passed = [np.asarray(rows, dtype=np.float32)]
    for place, (weights, bias) in enumerate(zip(network.coefs_, network.intercepts_, strict=True)):
        values = passed[-1] @ weights + bias
        if place < len(network.coefs_) - 1:
            ACTIVATIONS[network.activation](values)
        passed.append(np.asarray(values, dtype=np.float32))
    return passed


def _dense(rows: Any) -> Any:
    return rows.toarray() if hasattr(rows, "toarray") else rows
