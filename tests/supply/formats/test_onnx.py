"""ONNX: external data, operators, texts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mithridate.core.findings import Severity

Build = Callable[..., bytes]


def model(message: Build, *graph: Any, more: tuple[Any, ...] = ()) -> bytes:
    return message((1, 8), (2, "pytorch"), (7, [*graph, (2, "g")]), (8, [(2, 17)]), *more)


def node(operator: str, domain: str = "", *more: Any) -> tuple[int, list[Any]]:
    return (1, [(1, "x"), (2, "y"), (4, operator), (7, domain), *more])


def external(**keys: str) -> tuple[int, list[Any]]:
    return (5, [(1, 4), (2, 1), (8, "w"), *((13, [(1, key), (2, value)]) for key, value in keys.items()), (14, 1)])


@pytest.mark.parametrize(
    "location",
    [
        "/etc/passwd",
        "../secret",
        "a/../../b",
        "C:\\x",
        "\\\\host\\share",
        "..\\x",
        "file:///etc/passwd",
        "http://h/x",
        "a\0b",
        "~/.ssh/id_rsa",
        "./../x",
    ],
)
def test_data_outside_the_folder_is_grave(location: str, message: Build, worst: Callable[..., int]) -> None:
    assert worst(model(message, node("Relu"), external(location=location))) == Severity.CRITICAL  # CVE-2022-25882


@pytest.mark.parametrize(
    "keys",
    [
        {"location": "w.bin", "offset": "-1"},
        {"location": "w", "length": "1e9"},
        {"location": "w", "offset": "9" * 30},
        {"location": "w", "__class__": "x"},
        {"location": "w", "checksum2": "x"},
    ],
)
def test_keys_and_ranges_that_no_writer_makes_are_grave(
    keys: dict[str, str], message: Build, worst: Callable[..., int]
) -> None:
    assert worst(model(message, node("Relu"), external(**keys))) == Severity.HIGH  # CVE-2024-27319, CVE-2026-34445


def test_external_data_in_a_branch_a_constant_and_a_function_is_found(
    message: Build, worst: Callable[..., int]
) -> None:
    bad = external(location="../x")
    inner = (6, [node("Identity"), bad])
    assert worst(model(message, node("If", "", (5, [(1, "then_branch"), inner])))) == Severity.CRITICAL
    assert worst(model(message, node("Constant", "", (5, [(1, "value"), (5, bad[1])])))) == Severity.CRITICAL
    in_function = (25, [(1, "F"), (10, "local"), (7, [(4, "Constant"), (5, [(5, bad[1])])])])
    assert worst(model(message, node("F", "local"), more=(in_function,))) == Severity.CRITICAL
    assert worst(model(message, node("Relu"), (15, [(1, bad[1])]))) == Severity.CRITICAL


@pytest.mark.parametrize(
    ("operator", "domain"),
    [
        ("PyOp", "ai.onnx.contrib"),
        ("Anything", "com.evil"),
        ("PythonOp", "com.microsoft.x"),
        ("ExecuteShell", "custom"),
        ("Backdoor", "my.ops"),
        ("PyCustomOpDef", "ai.onnx.contrib"),
    ],
)
def test_operators_that_run_other_code_are_grave(
    operator: str, domain: str, message: Build, worst: Callable[..., int]
) -> None:
    assert worst(model(message, node(operator, domain))) == Severity.HIGH


def test_ordinary_models_are_at_most_low(message: Build, worst: Callable[..., int]) -> None:
    function = (25, [(1, "F"), (10, "local"), (7, [(4, "Relu")])])
    assert worst(model(message, node("Relu"), external(location="w.onnx.data", offset="0", length="16"))) == 0
    assert (
        worst(model(message, node("FusedMatMul", "com.microsoft"), node("TreeEnsembleClassifier", "ai.onnx.ml"))) == 0
    )
    assert worst(model(message, node("F", "local"), more=(function, (14, [(1, "names"), (2, "{0: 'a'}")])))) == 0
    assert worst(model(message, node("grid_sampler", "mmdeploy"))) == Severity.LOW


def test_code_in_the_metadata_or_a_text_tensor_is_grave(message: Build, worst: Callable[..., int]) -> None:
    code = "__import__('os').system('id')"
    assert worst(model(message, node("Relu"), more=((14, [(1, "x"), (2, code)]),))) == Severity.HIGH
    assert worst(model(message, node("Relu"), more=((6, code),))) == Severity.HIGH
    assert worst(model(message, (5, [(2, 8), (6, code)]), node("Relu"))) == Severity.HIGH


def test_the_order_of_fields_is_free(message: Build, known_as: Callable[..., set[str]]) -> None:
    raw = message((7, [node("Relu")]), (8, [(2, 17)]), (1, 8))
    assert known_as(raw) == {"ONNX"}


def test_a_model_that_is_cut_is_told_and_not_searched_forever(message: Build, worst: Callable[..., int]) -> None:
    raw = model(message, *(node("Relu") for _ in range(50)))
    assert worst(raw[:-60]) == Severity.MEDIUM


def test_graphs_nested_without_end_are_told(message: Build, worst: Callable[..., int]) -> None:
    graph: list[Any] = [node("Relu")]
    for _ in range(40):
        graph = [node("If", "", (5, [(6, graph)]))]
    assert worst(model(message, *graph)) == Severity.MEDIUM
