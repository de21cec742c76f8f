"""XGBoost, LightGBM, CatBoost: numbers that native loaders trust."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from typing import Any

import pytest

from mithridate.core.findings import Severity


def xgboost(**changes: Any) -> dict[str, Any]:
    tree = {
        "tree_param": {"num_nodes": "3"},
        "left_children": [1, -1, -1],
        "right_children": [2, -1, -1],
        "parents": [2147483647, 0, 0],
        "split_indices": [0, 0, 0],
        "split_conditions": [0.5, 1.0, 2.0],
        "base_weights": [0.0, 0.1, 0.2],
        "default_left": [0, 0, 0],
    }
    return {
        "learner": {
            "attributes": {},
            "gradient_booster": {"model": {"trees": [{**tree, **changes}]}, "name": "gbtree"},
        },
        "version": [2, 1, 0],
    }


def lightgbm(**changes: str) -> str:
    lines = {
        "num_leaves": "3",
        "num_cat": "0",
        "split_feature": "0 1",
        "threshold": "0.5 0.7",
        "left_child": "-1 -2",
        "right_child": "1 -3",
        "leaf_value": "0.1 0.2 0.3",
    } | changes
    return (
        "tree\nversion=v4\nnum_class=1\n\nTree=0\n"
        + "\n".join(f"{k}={v}" for k, v in lines.items())
        + "\n\nend of trees\n"
    )


def ubj(value: Any) -> bytes:
    if isinstance(value, dict):
        return b"{" + b"".join(b"L" + struct.pack(">q", len(k)) + k.encode() + ubj(v) for k, v in value.items()) + b"}"
    if isinstance(value, list):
        return b"[" + b"".join(map(ubj, value)) + b"]"
    if isinstance(value, str):
        return b"SL" + struct.pack(">q", len(value)) + value.encode()
    return b"d" + struct.pack(">f", value) if isinstance(value, float) else b"l" + struct.pack(">i", value)


def test_ordinary_models_are_no_issue(worst: Callable[..., int]) -> None:
    assert worst(json.dumps(xgboost())) == 0
    assert worst(ubj(xgboost())) == 0
    assert worst(lightgbm()) == 0
    assert worst(b"CBM1" + struct.pack("<II", 12, 4) + bytes(8)) == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"left_children": [1, -1]},
        {"left_children": [99, -1, -1]},
        {"right_children": [-2, -1, -1]},
        {"split_indices": [0]},
        {"tree_param": {"num_nodes": "2147483647"}},
        {"left_children": None},
        {"right_children": [1.5, -1, -1]},
    ],
)
def test_trees_that_point_outside_are_grave(changes: dict[str, Any], worst: Callable[..., int]) -> None:
    assert worst(json.dumps(xgboost(**changes))) == Severity.HIGH


@pytest.mark.parametrize(
    "changes",
    [
        {"num_leaves": "99999999"},
        {"num_leaves": "-1"},
        {"left_child": "7 -2"},
        {"leaf_value": "1"},
        {"right_child": "1 -9"},
        {"num_leaves": "9" * 40},
    ],
)
def test_leaves_that_do_not_match_are_grave(changes: dict[str, str], worst: Callable[..., int]) -> None:
    assert worst(lightgbm(**changes)) == Severity.HIGH


@pytest.mark.parametrize(
    "raw",
    [
        ubj(xgboost())[:-9],
        ubj(xgboost()) + b"hidden",
        b"{L" + struct.pack(">q", 7) + b"learner[$d#L" + struct.pack(">q", 1 << 60),
        b"{L" + struct.pack(">q", 7) + b"learner" + b"[" * 500,
        b"{L" + struct.pack(">q", 7) + b"learnerSL" + struct.pack(">q", -5) + bytes(9),
        ubj({"learner": {"attributes": {"x": "__import__('os').system('id')"}}}),
        b"CBM1" + struct.pack("<I", 1 << 30) + bytes(8),
        b"CBM1" + struct.pack("<II", 12, 4000) + bytes(8),
    ],
)
def test_binary_models_that_lie_are_grave(raw: bytes, worst: Callable[..., int]) -> None:
    assert worst(raw) == Severity.HIGH


def test_code_among_the_attributes_is_grave(worst: Callable[..., int]) -> None:
    document = xgboost()
    document["learner"]["attributes"] = {"note": "eval(compile(x))"}
    assert worst(json.dumps(document)) == Severity.HIGH
