"""Load a `.skops` file: scikit-learn's own types only, and trees only after their indices are checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mithridate.core.errors import InputError, MissingExtra
from mithridate.models.importing import one_line

TRUSTED = (
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    "sklearn.tree._tree.Tree",
)
MAX_OBJECTS = 1_000_000  # looked at in a loaded model


def load_skops(path: Path) -> Any:
    """The estimator in the file.

    Raises
    ------
    InputError : damaged, holds a type that isn't trusted, or a tree whose nodes point outside it.
    MissingExtra : skops isn't installed.

    Notes
    -----
    skops trusts most of scikit-learn by itself; `TRUSTED` adds what common models need besides. Compiled trees read
    memory at the indices in the file, so these are checked before the first prediction.
    """
    try:
        import skops.io as skops
    except ImportError as error:
        package, what_for = "skops", f"loading {path.name}"
        raise MissingExtra(package, "models", what_for) from error
    try:
        unknown = sorted(set(skops.get_untrusted_types(file=path)) - set(TRUSTED))
        model = None if unknown else skops.load(path, trusted=list(TRUSTED))
    except Exception as error:  # a hostile file can make the parser fail in any way
        raise InputError(f"{path.name} can't be loaded as skops: {one_line(error)}") from error
    if unknown:
        raise InputError(
            f"{path.name} holds types that aren't trusted: {', '.join(unknown[:5])}; "
            "load it in your own function and give that as package.module:function"
        )
    for part, n_features in _parts(model, path.name):
        _check_tree(part, path.name, n_features)
    return model


def _parts(model: Any, name: str) -> Iterator[tuple[Any, int]]:
    """Every object in the model, once, and how many features the estimator around it takes (0: unknown)."""
    seen: set[int] = set()
    stack = [(model, 0)]
    while stack:
        part, outer = stack.pop()
        if id(part) in seen or isinstance(part, (str, bytes, int, float, type(None))):
            continue
        seen.add(id(part))
        if len(seen) > MAX_OBJECTS:
            raise InputError(f"{name} holds more than {MAX_OBJECTS} objects, too many to check; use a smaller model")
        n_features = int(part.__dict__.get("n_features_in_", outer)) if hasattr(part, "__dict__") else outer
        yield part, n_features
        stack.extend((inner, n_features) for inner in _inside(part))


def _inside(part: Any) -> Iterable[Any]:
    if isinstance(part, np.ndarray):
        return part.ravel().tolist() if part.dtype == object else ()
    if isinstance(part, (list, tuple, set)):
        return part
    inner: dict[Any, Any] = part if isinstance(part, dict) else getattr(part, "__dict__", {})
    return inner.values()


def _check_tree(part: Any, name: str, n_features: int) -> None:
    kind = type(part).__name__
    if kind == "Tree":
        inner = part.children_left != -1
        children, own = (part.children_left, part.children_right), np.arange(part.node_count)
        features, most = part.feature, part.n_features
        size = part.node_count
    elif kind == "TreePredictor":
        nodes = part.nodes
        inner = nodes["is_leaf"] == 0
        children, own, size = (nodes["left"], nodes["right"]), np.arange(len(nodes)), len(nodes)
        features, most = nodes["feature_idx"], n_features or np.iinfo(np.int32).max
        bitsets = min(len(part.raw_left_cat_bitsets), len(part.binned_left_cat_bitsets))
        if (nodes["bitset_idx"][inner & (nodes["is_categorical"] != 0)] >= bitsets).any():
            raise InputError(f"{name} holds a damaged tree: a category set outside it; don't use this file")
    else:
        return
    forward = all(((child > own) & (child < size))[inner].all() for child in children)
    if not forward or not ((features >= 0) & (features < most))[inner].all():
        raise InputError(f"{name} holds a damaged tree: a node points outside it; don't use this file")
