"""scikit-learn's compiled trees. Their code follows node numbers without a look, so each number is looked at first."""

from __future__ import annotations

from typing import Any

_CLASSES, _OUTPUTS, _FEATURES = 1 << 16, 1 << 12, 1 << 31
_METRICS = {"Euclidean": "euclidean", "Manhattan": "manhattan", "Chebyshev": "chebyshev"}
_KEYS = {"max_depth", "node_count", "nodes", "values"}


def tree(arguments: tuple[Any, ...], state: Any) -> Any:
    """A decision tree.

    Raises
    ------
    ValueError : a node points outside of the tree, back, or at a feature that isn't there.
    """
    import numpy as np
    from sklearn.tree._tree import NODE_DTYPE, Tree

    n_features, n_classes, n_outputs = arguments
    n_classes = np.ascontiguousarray(n_classes, dtype=np.intp)
    if type(n_features) is not int or type(n_outputs) is not int:
        raise TypeError("its sizes are no numbers")
    if not 0 < n_features < _FEATURES or not 0 < n_outputs <= _OUTPUTS or n_classes.shape != (n_outputs,):
        raise ValueError("its features or outputs are none")
    if n_classes.min() < 1 or n_classes.max() > _CLASSES or set(state) != _KEYS:
        raise ValueError("its classes are none, or its state is another version's")
    nodes, values, count = state["nodes"], state["values"], state["node_count"]
    if nodes.dtype != NODE_DTYPE or nodes.ndim != 1 or type(count) is not int or not 0 < count == len(nodes):
        raise ValueError("its nodes are another version's, or not as many as it says")
    if values.dtype != np.float64 or values.shape != (count, n_outputs, int(n_classes.max())):
        raise ValueError(f"its values have the shape {values.shape}")
    _check_nodes(nodes, n_features)
    depth = state["max_depth"]
    if type(depth) is not int or not 0 <= depth < count:
        raise ValueError("its depth is more than its nodes")
    made = Tree(n_features, n_classes, n_outputs)
    made.__setstate__({
        "max_depth": depth, "node_count": count, "nodes": np.ascontiguousarray(nodes),
        "values": np.ascontiguousarray(values),
    })  # fmt: skip
    return made


def _check_nodes(nodes: Any, n_features: int) -> None:
    import numpy as np

    left, right, feature = nodes["left_child"], nodes["right_child"], nodes["feature"]
    place = np.arange(len(nodes))
    is_leaf = left == -1
    if (right[is_leaf] != -1).any():
        raise ValueError("a leaf has a child")
    inner = ~is_leaf
    for child in (left[inner], right[inner]):
        if len(child) and ((child <= place[inner]).any() or child.max() >= len(nodes)):
            raise ValueError("a node points back, or outside of the tree")
    if inner.any() and not 0 <= feature[inner].min() <= feature[inner].max() < n_features:
        raise ValueError("a node asks for a feature that isn't there")
    children = np.concatenate([left[inner], right[inner]])
    if len(np.unique(children)) != len(nodes) - 1 or len(children) != len(nodes) - 1:
        raise ValueError("a node is the child of none, or of two")


def neighbour_tree(arguments: tuple[Any, ...], state: Any) -> Any:
    """A tree of neighbours, built anew from its points: what the file says of its nodes isn't used.

    Raises
    ------
    ValueError : its points are none, or its distance is none of the listed.
    """
    import numpy as np
    from sklearn.neighbors import BallTree, KDTree

    kind = BallTree if str(arguments[0]).endswith("BallTree") else KDTree
    points, leaf_size = state[0], state[4]
    names = [one for one in state if isinstance(one, str)]
    word = names[0].rpartition(".")[2].removesuffix("Distance64") if names else ""
    metric = _METRICS.get(word)
    if not metric or not isinstance(points, np.ndarray) or points.ndim != 2 or not points.size:  # noqa: PLR2004 - points and axes
        raise ValueError("its points are none, or its distance is none of the listed")
    if state[-1] is not None or type(leaf_size) is not int or leaf_size < 1:
        raise ValueError("its weights or its leaves are not as listed")
    return kind(points.astype(np.float64), leaf_size=leaf_size, metric=metric)
