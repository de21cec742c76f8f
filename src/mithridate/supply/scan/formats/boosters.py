"""Gradient-boosting models as data: XGBoost's JSON and UBJSON, LightGBM's text, CatBoost's binary: sizes and indices.

References
----------
XGBoost, Introduction to Model IO; Universal Binary JSON draft 12; LightGBM `GBDT::SaveModelToString`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mithridate.core.findings import Severity
from mithridate.supply.scan.formats.payload_text import payload_in
from mithridate.supply.scan.formats.reading import clip
from mithridate.supply.scan.issue import Issue

_REMEDY = "Don't load it: a native loader trusts these numbers."
_ARRAYS = (
    "left_children",
    "right_children",
    "parents",
    "split_indices",
    "split_conditions",
    "base_weights",
    "default_left",
)


def is_xgboost(document: Any) -> bool:
    """The document is an XGBoost model."""
    return isinstance(document, dict) and isinstance(document.get("learner"), dict)


def examine_xgboost(document: dict[str, Any]) -> Iterator[Issue]:
    """Trees whose arrays differ in length or whose children lie outside, and texts among the attributes."""
    learner = document["learner"]
    attributes = learner.get("attributes")
    for key, value in (attributes if isinstance(attributes, dict) else {}).items():
        if isinstance(value, str) and (what := payload_in(value)):
            yield Issue("payload-in-metadata", Severity.HIGH, f"the attribute {clip(key)} holds {what}", clip(key))
    booster = learner.get("gradient_booster")
    model = booster.get("model") if isinstance(booster, dict) else None
    trees = model.get("trees") if isinstance(model, dict) else None
    for number, tree in enumerate(trees if isinstance(trees, list) else []):
        wrong = _tree(tree) if isinstance(tree, dict) else "it is no object"
        if wrong:
            yield Issue(
                "xgboost-tree", Severity.HIGH, f"tree {number} is broken: {wrong}", f"tree {number}", remedy=_REMEDY
            )
            return


def _tree(tree: dict[str, Any]) -> str:
    parameters = tree.get("tree_param")
    declared = str(parameters.get("num_nodes", "")) if isinstance(parameters, dict) else ""
    left = tree.get("left_children")
    if not isinstance(left, list):
        return "it has no children"
    if declared and declared != str(len(left)):
        return f"it declares {clip(declared)} nodes and has {len(left)}"
    for name in _ARRAYS:
        values = tree.get(name)
        if isinstance(values, list) and len(values) != len(left) and name != "base_weights":
            return f"{name} has {len(values)} values for {len(left)} nodes"
    for name in ("left_children", "right_children"):
        values = tree.get(name)
        if not isinstance(values, list) or not all(isinstance(v, int) and -1 <= v < len(left) for v in values):
            return f"{name} points outside the tree"
    return ""


def examine_lightgbm(text: str) -> Iterator[Issue]:
    """Trees whose arrays don't have as many values as leaves, or whose children lie outside."""
    for number, block in enumerate(text.split("\nTree=")[1:]):
        wrong = _leaves(dict(line.partition("=")[::2] for line in block.split("\n", 40)[1:]))
        if wrong:
            yield Issue(
                "lightgbm-tree", Severity.HIGH, f"tree {number} is broken: {wrong}", f"tree {number}", remedy=_REMEDY
            )
            return


def _leaves(lines: dict[str, str]) -> str:
    declared = lines.get("num_leaves", "")
    if not (declared.isascii() and declared.isdigit() and 1 <= len(declared) < 10):  # noqa: PLR2004 - fits 32 bits
        return f"it declares {clip(declared or 'no')} leaves"
    leaves = int(declared)
    for name, expected in (("leaf_value", leaves), ("left_child", leaves - 1), ("right_child", leaves - 1),
                           ("split_feature", leaves - 1), ("threshold", leaves - 1)):  # fmt: skip
        values = lines.get(name, "").split()
        if len(values) != expected and leaves > 1:
            return f"{name} has {len(values)} values for {leaves} leaves"
        if name.endswith("child") and not all(_is_child(value, leaves) for value in values):
            return f"{name} points outside the tree"
    return ""


def _is_child(value: str, leaves: int) -> bool:
    """A node from 0 on, or a leaf from -1 down."""
    digits = value.removeprefix("-")
    return digits.isascii() and digits.isdigit() and len(digits) < 10 and -leaves <= int(value) < max(1, leaves - 1)  # noqa: PLR2004
