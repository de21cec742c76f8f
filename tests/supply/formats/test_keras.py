"""Keras configurations in JSON and HDF5, each published hole with its id."""

from __future__ import annotations

import base64
import json
import marshal
import struct
from collections.abc import Callable
from typing import Any

import pytest

from mithridate.core.findings import Severity
from mithridate.supply.scan.code_object import NotCodeError, read_code
from mithridate.supply.scan.issue import Issue

Scan = Callable[[bytes | str], list[Issue]]


def layer(name: str, config: Any, **more: Any) -> dict[str, Any]:
    return {"module": "keras.layers", "class_name": name, "config": config, "registered_name": None, **more}


def function(module: str, name: str) -> dict[str, Any]:
    return {"module": module, "class_name": "function", "config": name, "registered_name": "function"}


def model(*layers: Any) -> dict[str, Any]:
    return {
        "module": "keras",
        "class_name": "Functional",
        "config": {"name": "m", "layers": list(layers)},
        "registered_name": "Functional",
    }


def code(source: str) -> str:
    return base64.b64encode(marshal.dumps(compile(source, "<lambda>", "eval"))).decode()


EVIL, PLAIN = code("__import__('os').system('id')"), code("(lambda x: x * 2 + 1)")
HOSTILE = {
    "CVE-2025-1550": layer("Lambda", {"function": function("os", "system"), "arguments": {}}),
    "CVE-2025-1550 any module": {
        "module": "subprocess",
        "class_name": "Popen",
        "config": {"args": "id"},
        "registered_name": None,
    },
    "CVE-2025-1550 run": function("builtins", "exec"),
    "CVE-2025-1550 import": function("importlib", "import_module"),
    "CVE-2025-1550 unknown library": function("some_library.tools", "spawn"),
    "CVE-2025-8747": layer(
        "Lambda", {"function": function("keras.utils", "get_file"), "arguments": {"origin": "http://h/x"}}
    ),
    "CVE-2025-8747 src": layer("Lambda", {"function": function("keras.src.utils.file_utils", "get_file")}),
    "CVE-2025-9906": layer("Lambda", {"function": function("keras.config", "enable_unsafe_deserialization")}),
    "CVE-2025-9906 attribute": layer(
        "Lambda", {"function": function("keras.src.backend.common.global_state", "set_global_attribute")}
    ),
    "CVE-2025-9906 load": layer(
        "Lambda", {"function": function("keras.models", "load_model"), "arguments": {"safe_mode": False}}
    ),
    "CVE-2025-12058": layer("StringLookup", {"name": "s", "vocabulary": "/etc/passwd"}),
    "CVE-2025-12058 url": layer("IntegerLookup", {"vocabulary": "http://169.254.169.254/latest"}),
    "CVE-2025-12058 parent": layer("TextVectorization", {"vocabulary": "../../secrets.txt"}),
    "CVE-2025-49655": layer("TorchModuleWrapper", {"module": base64.b64encode(b"PK").decode()}),
    "CVE-2026-12484": {
        "module": "keras.src.utils.torch_utils",
        "class_name": "TorchModuleWrapper",
        "config": {"module": "gAQ="},
    },
    "CVE-2026-1462": layer("TFSMLayer", {"filepath": "./saved", "call_endpoint": "serve"}),
    "CVE-2026-12479": layer("Dense", {"name": "../../x", "units": 1}),
    "CVE-2024-3660 v3": layer(
        "Lambda",
        {"function": {"class_name": "__lambda__", "config": {"code": EVIL, "defaults": None, "closure": None}}},
    ),
    "CVE-2024-3660 list": layer(
        "Lambda", {"function": [EVIL, None, None], "function_type": "lambda", "module": "__main__"}
    ),
    "CVE-2024-3660 shape": layer("Lambda", {"function": [PLAIN, None, None], "output_shape": [EVIL, None, None]}),
    "CVE-2024-3660 noise": layer(
        "Lambda", {"function": [EVIL[:9] + "\n!" + EVIL[9:], None, None], "function_type": "lambda"}
    ),
    "Lambda undecodable": layer("Lambda", {"function": ["bm90IGNvZGU=", None, None], "function_type": "lambda"}),
    "Lambda by name": layer("Lambda", {"function": "system", "function_type": "function", "module": "os"}),
    "GHSA-pwq7-2gvj-vg9v": {
        "module": "http.client",
        "class_name": "HTTPConnection",
        "config": {"host": "h"},
        "registered_name": None,
    },
    "file editor": {"module": "keras.saving", "class_name": "KerasFileEditor", "config": {"filepath": "x"}},
    "pickle": {"module": "pandas", "class_name": "read_pickle", "config": {}},
    "registered": {"module": None, "class_name": "x", "config": {}, "registered_name": "os.system"},
    "dotted": {"class_name": "os.system", "config": {}},
    "nested module": function("torch._utils.os", "system"),
}
ORDINARY = {
    "dense": layer(
        "Dense",
        {
            "name": "d/1",
            "units": 3,
            "activation": "relu",
            "kernel_initializer": {
                "module": "keras.initializers",
                "class_name": "GlorotUniform",
                "config": {"seed": None},
                "registered_name": None,
            },
        },
    ),
    "custom class": {"module": None, "class_name": "Mine", "config": {"u": 4}, "registered_name": "my>Mine"},
    "custom module": {"module": "project.layers", "class_name": "Mine", "config": {"u": 4}, "registered_name": "Mine"},
    "custom loss": function("builtins", "dice_loss"),
    "dtype": {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}, "registered_name": None},
    "operation": {
        "module": "keras.src.ops.numpy",
        "class_name": "Add",
        "config": {"name": "add"},
        "registered_name": "Add",
    },
    "vocabulary": layer("StringLookup", {"vocabulary": ["a", "b"], "name": "s"}),
    "old": {
        "class_name": "Sequential",
        "config": {"name": "s", "layers": [{"class_name": "Dense", "config": {"units": 1}}]},
    },
    "optimizer": {"class_name": "Adam", "config": {"name": "Adam", "learning_rate": 0.001}},
    "tf": {"module": "tensorflow.python.keras.layers", "class_name": "Conv2D", "config": {"name": "c"}},
    "space": {"module": "keras.utils", "class_name": "FeatureSpace", "config": {}},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_every_published_gadget_is_grave(name: str, worst: Callable[..., int]) -> None:
    text = json.dumps(model(layer("Dense", {"units": 1}), HOSTILE[name]))
    assert worst(text) >= Severity.HIGH
    assert worst(text.encode("utf-16")) >= Severity.HIGH
    assert worst(h5(text)) >= Severity.HIGH
    assert worst(json.dumps({"model_config": model(HOSTILE[name])})) >= Severity.HIGH


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_configurations_are_at_most_low(name: str, worst: Callable[..., int]) -> None:
    text = json.dumps(model(ORDINARY[name]))
    assert worst(text) <= Severity.LOW
    assert worst(h5(text)) <= Severity.LOW


def test_the_first_of_equal_keys_is_read_too(worst: Callable[..., int]) -> None:
    hidden = '{"class_name": "S", "config": ' + json.dumps(HOSTILE["CVE-2025-1550"]) + ', "config": {}}'
    assert worst(hidden) == Severity.CRITICAL


def test_a_lambda_that_only_computes_is_medium_and_told(scan: Scan) -> None:
    (issue,) = scan(json.dumps(layer("Lambda", {"function": [code("lambda x: tf.reduce_mean(x)"), None, None]})))
    assert issue.severity == Severity.MEDIUM
    assert issue.facts["names"] == ["tf", "reduce_mean"]


def test_a_lambda_says_which_names_it_uses(scan: Scan) -> None:
    (issue,) = scan(json.dumps(layer("Lambda", {"function": [EVIL, None, None]})))
    assert "__import__" in issue.claim
    assert "os" in issue.facts["texts"] or "os" in str(issue.facts)


def test_code_objects_of_older_pythons_are_read() -> None:
    def text(value: bytes) -> bytes:
        return b"z" + bytes([len(value)]) + value

    tables = b")" + b"\x01" + text(b"system")
    tail = text(b"f.py") + text(b"<lambda>") + struct.pack("<i", 1) + b"s\x00\x00\x00\x00"
    body = b"s\x02\x00\x00\x00S\x00" + b")\x01" + text(b"id") + tables + b")\x00" * 3 + tail
    for integers in (6, 5):
        assert read_code(b"c" + bytes(4 * integers) + body).names == ("system",)


def test_what_is_no_code_is_said_so() -> None:
    for raw in (b"", b"c", b"\xe3" + bytes(40), b"(" * 100, b"\xa9\xff", b"i\x01\x00\x00\x00", b"(\xff\xff\xff\x7f"):
        with pytest.raises(NotCodeError):
            read_code(raw)


def h5_message(kind: int, body: bytes) -> bytes:
    return struct.pack("<BHB", kind, len(body), 0) + body


def h5_attribute(name: str, value: bytes) -> bytes:
    datatype = struct.pack("<B3sI", 0x13, b"\0\0\0", len(value))
    label = name.encode() + b"\0"
    head = struct.pack("<BBHHHB", 3, 0, len(label), len(datatype), 4, 0)
    return h5_message(0x0C, head + label + datatype + b"\x02\x00\x00\x00" + value)


def h5_file(messages: bytes) -> bytes:
    header = b"OHDR\x02\x02" + struct.pack("<I", len(messages)) + messages + bytes(4)
    superblock = b"\x89HDF\r\n\x1a\n\x02\x08\x08\x00" + struct.pack("<QQQQI", 0, 2**64 - 1, 48 + len(header), 48, 0)
    return superblock + header


def h5(config: str) -> bytes:
    raw = config.encode()
    if len(raw) > 60_000:
        raise ValueError
    return h5_file(h5_attribute("model_config", raw))


def test_hdf5_links_out_of_the_file_are_grave(worst: Callable[..., int]) -> None:
    target = b"\x00/etc/other.h5\x00/x\x00"
    link = struct.pack("<BBBB", 1, 8, 64, 1) + b"a" + struct.pack("<H", len(target)) + target
    assert worst(h5_file(h5_message(6, link))) == Severity.HIGH  # CVE-2026-9335
    assert worst(h5_file(h5_message(7, bytes(8)))) == Severity.HIGH  # CVE-2026-1669
    assert worst(h5_file(h5_message(8, b"\x04\x03" + bytes(12)))) == Severity.HIGH  # CVE-2026-12480


def test_an_hdf5_shape_that_no_machine_can_hold_is_grave(worst: Callable[..., int]) -> None:
    space = h5_message(1, b"\x02\x02\x00\x01" + struct.pack("<QQ", 1 << 20, 1 << 20))
    kind, layout = h5_message(3, struct.pack("<B3sI", 0x11, b"\0\0\0", 8)), h5_message(8, b"\x04\x02" + bytes(10))
    assert worst(h5_file(space + kind + layout)) == Severity.HIGH  # CVE-2026-0897
    small = h5_message(1, b"\x02\x01\x00\x01" + struct.pack("<Q", 4))
    assert worst(h5_file(small + kind + layout)) == 0


def test_a_config_behind_a_broken_structure_is_found_by_its_grammar(worst: Callable[..., int]) -> None:
    raw = bytearray(h5(json.dumps(model(HOSTILE["CVE-2025-1550"]))))
    raw[36:44] = struct.pack("<Q", 7)
    assert worst(bytes(raw)) == Severity.CRITICAL


def test_hdf5_behind_a_user_block_is_read(worst: Callable[..., int]) -> None:
    raw = h5(json.dumps(model(HOSTILE["CVE-2025-1550"])))
    moved = raw.replace(struct.pack("<QQQQI", 0, 2**64 - 1, len(raw), 48, 0)[:8], struct.pack("<Q", 512), 1)
    assert worst(b"#!/bin/sh\n".ljust(512, b" ") + moved) == Severity.CRITICAL


def test_a_pickle_in_an_attribute_is_judged_by_what_it_gets(worst: Callable[..., int]) -> None:
    for raw in (
        b"cos\nsystem\n(S'id'\ntR.",
        b"\x80\x04\x95\x1c\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94.",
    ):
        assert worst(h5_file(h5_attribute("TITLE", raw))) == Severity.CRITICAL
    for raw in (b"(lp0\nI1\na.", b"ccollections\nOrderedDict\n(tR.", b"A plain sentence."):
        assert worst(h5_file(h5_attribute("non_index_axes", raw))) == 0
