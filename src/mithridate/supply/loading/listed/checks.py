"""What must hold of an estimator's attributes before compiled code may work with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

_THREADS = 1024
_KERNELS = {"rbf", "linear", "poly", "sigmoid"}
_METRICS = {"euclidean", "minkowski", "manhattan", "chebyshev", "cityblock", "l1", "l2", "cosine"}
Kept = Mapping[str, Any]


def _demand(holds: Any, what: str) -> None:
    if not holds:
        raise ValueError(what)


def check_always(kept: Kept) -> None:
    """Of every estimator: counts are counts, and nothing names a folder of pickles.

    Raises
    ------
    ValueError : else.
    """
    for name in ("n_features_in_", "n_outputs_", "n_estimators_", "n_trees_per_iteration_", "_n_threads"):
        if name in kept:
            _demand(type(kept[name]) is int and 0 <= kept[name] < 1 << 31, f"{name} is no count")
    for name in ("n_jobs", "_n_threads"):
        value = kept.get(name)
        _demand(value is None or (isinstance(value, int) and value <= _THREADS), f"{name} is {value!r:.40}")
    _demand(kept.get("memory") is None, "memory names a folder whose pickles would be loaded")


def _tree(kept: Kept) -> None:
    from sklearn.tree._tree import Tree

    if "tree_" not in kept:
        return
    found = kept["tree_"]
    _demand(type(found) is Tree, "tree_ is no tree")
    _demand(found.n_features == kept.get("n_features_in_"), "its tree has other features than it says")
    _demand(found.n_outputs == kept.get("n_outputs_"), "its tree has other outputs than it says")


def _members(kept: Kept) -> list[Any]:
    """The trees of an ensemble; none where it isn't fitted."""
    import numpy as np
    from sklearn.tree import BaseDecisionTree

    found = kept.get("estimators_", [])
    found = found.ravel().tolist() if isinstance(found, np.ndarray) else found
    _demand(isinstance(found, list), "estimators_ is no list")
    for one in found:
        _demand(isinstance(one, BaseDecisionTree) and hasattr(one, "tree_"), "estimators_ holds what is no tree")
    if "estimators_" in kept:
        _demand(found, "it has no tree")
    return list(found)


def _forest(kept: Kept) -> None:
    for one in _members(kept):
        _demand(one.tree_.n_features == kept.get("n_features_in_"), "a tree has other features than its forest")
        _demand(one.tree_.n_outputs == kept.get("n_outputs_"), "a tree has other outputs than its forest")


def _boosting(kept: Kept) -> None:
    import numpy as np

    members = _members(kept)
    if not members:
        return
    shape = (kept.get("n_estimators_"), kept.get("n_trees_per_iteration_"))
    table = kept["estimators_"]
    _demand(
        isinstance(table, np.ndarray) and table.dtype.kind == "O" and table.shape == shape, "its trees are no table"
    )
    for one in members:
        fits = one.tree_.n_features == kept.get("n_features_in_") and one.tree_.value.shape[1:] == (1, 1)
        _demand(fits, "a tree does not fit its ensemble")


def _isolation(kept: Kept) -> None:
    import numpy as np

    members, axes = _members(kept), kept.get("estimators_features_", [])
    width = kept.get("n_features_in_", 0)
    _demand(not members or len(axes) == len(members), "its features are not one row a tree")
    for one, places in zip(members, axes, strict=False):
        places = np.asarray(places)  # noqa: PLW2901 - the same, as an array
        _demand(places.ndim == 1 and places.dtype.kind in "iu" and len(places) == one.tree_.n_features <= width,
                "a tree has other features than its forest")  # fmt: skip
        _demand(0 <= places.min() <= places.max() < width, "a feature isn't there")


def _machine(kept: Kept) -> None:
    """libsvm: it reads as many numbers as there are classes and support vectors, whatever the arrays hold."""
    if "support_vectors_" not in kept:
        return
    vectors, counts = kept["support_vectors_"], kept["_n_support"]
    n_classes = len(kept["classes_"]) if "classes_" in kept else 2
    pairs, n_vectors = n_classes * (n_classes - 1) // 2, len(vectors)
    _demand(kept["kernel"] in _KERNELS and kept["_sparse"] is False, "its kernel or its sparseness is not listed")
    _demand(vectors.shape == (n_vectors, kept.get("n_features_in_")), "its vectors have other features than it says")
    rows = {"support_vectors_": vectors.shape, "_dual_coef_": (n_classes - 1, n_vectors), "_intercept_": (pairs,),
            "dual_coef_": (n_classes - 1, n_vectors), "intercept_": (pairs,)}  # fmt: skip
    for name, shape in rows.items():
        one = kept[name]
        if hasattr(one, "toarray"):
            raise ValueError(f"{name} is sparse")
        _demand(one.dtype.str[1:] == "f8" and one.shape == shape, f"{name} has the shape {one.shape}")
    for name in ("_probA", "_probB"):
        _demand(kept[name].dtype.str[1:] == "f8" and kept[name].shape in {(0,), (pairs,)}, f"{name} is out of shape")
    if n_classes == 2 and "classes_" not in kept:  # noqa: PLR2004 - a regression or one class has no labels
        _demand(len(kept["_probA"]) == 0, "_probA is out of shape")
    _demand(kept["support_"].shape == (n_vectors,) and kept["support_"].dtype.str[1:] == "i4", "support_ is no row")
    fits = counts.shape == (n_classes,) and counts.dtype.str[1:] == "i4" and counts.min() >= 0
    counted = counts.astype("i8").sum() if "classes_" in kept else counts[0]
    _demand(fits and int(counted) == n_vectors, "_n_support does not count its vectors")


def _centres(kept: Kept) -> None:
    if "cluster_centers_" in kept:
        centres = kept["cluster_centers_"]
        _demand(centres.ndim == 2 and centres.dtype.kind == "f" and len(centres) > 0, "its centres are none")  # noqa: PLR2004 - centres and axes
        _demand(centres.shape[1] == kept.get("n_features_in_"), "its centres have other features than it says")


def _neighbours(kept: Kept) -> None:
    import numpy as np

    if "_fit_X" not in kept:
        return
    points, labels = kept["_fit_X"], kept["_y"]
    _demand(isinstance(points, np.ndarray) and points.ndim == 2 and points.dtype.kind == "f", "its points are none")  # noqa: PLR2004 - points and axes
    _demand(points.shape == (kept.get("n_samples_fit_"), kept.get("n_features_in_")), "its points are out of shape")
    _demand(kept["effective_metric_"] in _METRICS and isinstance(kept["weights"], str), "its distance is not listed")
    _demand(isinstance(labels, np.ndarray) and len(labels) == len(points), "its labels are not one a point")
    tree = kept.get("_tree")
    _demand(tree is None or np.asarray(tree.data).shape == points.shape, "its tree has other points")
    if "classes_" in kept:
        n_classes = len(kept["classes_"])
        _demand(labels.ndim == 1 and labels.dtype.kind in "iu", "its labels are no codes")
        _demand(0 <= labels.min() <= labels.max() < n_classes, "a label is of no class")


def _one_hot(kept: Kept) -> None:
    if "categories_" not in kept:
        return
    dropped = kept.get("_drop_idx_after_grouping", kept.get("drop_idx_"))
    dropped = [None] * len(kept["categories_"]) if dropped is None else list(dropped)
    widths = kept.get("_n_features_outs")
    _demand(not kept.get("_infrequent_enabled"), "it groups rare categories, which is not rebuilt")
    wanted = [len(one) - (drop is not None) for one, drop in zip(kept["categories_"], dropped, strict=True)]
    _demand(widths == wanted, "its columns are not as many as its categories")


def _vocabulary(kept: Kept) -> None:
    words = kept.get("vocabulary_")
    if words is not None:
        _demand(isinstance(words, dict) and all(isinstance(word, str) for word in words), "its words are no texts")
        _demand(sorted(map(int, words.values())) == list(range(len(words))), "its words don't have one column each")


CHECKS: dict[str, Callable[[Kept], None]] = {
    **dict.fromkeys(("DecisionTreeClassifier", "DecisionTreeRegressor", "ExtraTreeClassifier", "ExtraTreeRegressor"),
                    _tree),
    **dict.fromkeys(("RandomForestClassifier", "RandomForestRegressor", "ExtraTreesClassifier", "ExtraTreesRegressor"),
                    _forest),
    **dict.fromkeys(("GradientBoostingClassifier", "GradientBoostingRegressor"), _boosting),
    **dict.fromkeys(("SVC", "SVR", "NuSVC", "NuSVR", "OneClassSVM"), _machine),
    **dict.fromkeys(("KMeans", "MiniBatchKMeans"), _centres),
    **dict.fromkeys(("KNeighborsClassifier", "KNeighborsRegressor"), _neighbours),
    **dict.fromkeys(("CountVectorizer", "TfidfVectorizer"), _vocabulary),
    "IsolationForest": _isolation, "OneHotEncoder": _one_hot,
}  # fmt: skip
"""Class -> what must hold of its attributes; whoever isn't here has only numpy work with them."""
