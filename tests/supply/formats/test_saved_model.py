"""TensorFlow graphs: operators by what they reach."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from mithridate.core.findings import Severity

Build = Callable[..., bytes]
LAMBDA = json.dumps(
    {"class_name": "Lambda", "config": {"function": "system", "function_type": "function", "module": "os"}}
)


def node(operator: str, name: str = "n", *attributes: Any) -> list[Any]:
    return [(1, name), (2, operator), (3, "x"), *((5, [(1, key), (2, [(2, value)])]) for key, value in attributes)]


def saved(message: Build, *nodes: Any, in_function: bool = False, more: tuple[Any, ...] = ()) -> bytes:
    entries = [(1, entry) for entry in nodes]
    if in_function:
        entries = [(1, node("Placeholder")), (2, [(1, [(1, [(1, "f")]), *((3, entry) for entry in nodes)])])]
    return message((1, 1), (2, [(1, [(4, "serve"), (5, "2.16.1")]), (2, entries), *more]))


@pytest.mark.parametrize(
    "operator",
    [
        "WriteFile",
        "ReadFile",
        "MatchingFiles",
        "PyFunc",
        "EagerPyFunc",
        "PyFuncStateless",
        "SaveDatasetV2",
        "SqlDataset",
        "DataServiceDataset",
        "TextLineDataset",
        "TFRecordDatasetV2",
        "WholeFileReaderV2",
        "RpcCall",
        "ExecuteShellCommand",
        "Evil>PythonRunner",
    ],
)
@pytest.mark.parametrize("where", ["graph", "function"])
def test_operators_that_reach_out_of_the_graph_are_grave(
    operator: str, where: str, message: Build, worst: Callable[..., int]
) -> None:
    assert worst(saved(message, node(operator), in_function=where == "function")) >= Severity.HIGH


def test_ordinary_graphs_are_at_most_low(message: Build, worst: Callable[..., int]) -> None:
    plain = [
        node("MatMul"),
        node("SaveV2"),
        node("RestoreV2"),
        node("ShardedFilename"),
        node("StatefulPartitionedCall"),
        node("PrintV2", "p", ("output_stream", "stderr")),
    ]
    assert worst(saved(message, *plain)) == 0
    assert worst(saved(message, node("TFText>WordpieceTokenize"))) == Severity.LOW
    assert worst(saved(message, node("MatMul"), more=((6, [(2, "vocab.txt")]),))) == 0


def test_a_print_into_a_file_is_grave(message: Build, worst: Callable[..., int]) -> None:
    assert worst(saved(message, node("PrintV2", "p", ("output_stream", "file:///tmp/x")))) == Severity.CRITICAL
    assert worst(saved(message, node("DebugIdentityV2", "p", ("debug_urls", "grpc://h:1")))) == Severity.CRITICAL


def test_an_asset_outside_the_folder_is_grave(message: Build, worst: Callable[..., int]) -> None:
    assert worst(saved(message, node("MatMul"), more=((6, [(2, "../../etc/passwd")]),))) == Severity.HIGH


def test_a_lambda_in_the_layers_metadata_is_grave(message: Build, worst: Callable[..., int]) -> None:
    user = (7, [(1, [(4, [(1, "_tf_keras_layer"), (3, LAMBDA)])])])
    assert worst(saved(message, node("MatMul"), more=(user,))) == Severity.CRITICAL
    metadata = message((1, [(2, 1), (3, "root"), (4, "_tf_keras_layer"), (5, LAMBDA)]))
    assert worst(metadata) == Severity.CRITICAL  # keras_metadata.pb


def test_frozen_graphs_and_meta_graphs_are_read(
    message: Build, worst: Callable[..., int], known_as: Callable[..., set[str]]
) -> None:
    graph = [(1, node("Placeholder", "x")), (1, node("WriteFile")), (4, [(1, 1)])]
    assert worst(message(*graph)) == Severity.CRITICAL
    assert worst(message((1, [(5, "2.0")]), (2, graph))) == Severity.CRITICAL
    assert known_as(message(*graph)) == {"TensorFlow"}


def test_graphs_in_text_are_read_too(worst: Callable[..., int]) -> None:
    text = (
        'saved_model_schema_version: 1\nmeta_graphs {\n graph_def {\n  node {\n   name: "n"\n   op: "%s"\n  }\n }\n}\n'
    )
    assert worst(text % "WriteFile") == Severity.CRITICAL
    assert worst(text % "MatMul") == 0


def test_what_lies_beside_a_saved_model_is_known(message: Build, worst: Callable[..., int]) -> None:
    assert worst(message((1, 1 << 60), (2, 5), (6, [(1, 4)]), (7, "123"))) == Severity.LOW
