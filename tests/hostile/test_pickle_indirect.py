"""Harm out of inert names alone: a loader called where its bytes aren't seen, pointers forged as arrays of objects.

Streams are written opcode by opcode and only ever read: nothing here is unpickled.
"""

from __future__ import annotations

import pickle
import struct
from functools import partial

import numpy as np
import pytest

from mithridate.core.findings import Severity
from mithridate.supply.scan.blob import MemoryBlob
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.pickle import scan_pickle

BAD = b"(S'id'\nios\nsystem\n."


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def name(module: str, attribute: str) -> bytes:
    return text(module) + text(attribute) + b"\x93"


def call(module: str, attribute: str, *arguments: bytes) -> bytes:
    return name(module, attribute) + b"(" + b"".join(arguments) + b"tR"


LOAD = name("torch.storage", "_load_from_bytes")
RAW = b"C" + bytes([len(BAD)]) + BAD
NUMBERS = b"]" + b"".join(b"K" + bytes([byte]) + b"a" for byte in BAD)
BOUND = call("functools", "partial", LOAD, RAW)
DTYPE = call("numpy", "dtype", text("O8"), b"\x89", b"\x88")
FIELDS = (
    call("numpy", "dtype", text("V8"), b"\x89", b"\x88")
    + b"(K\x03" + text("|") + b"N(" + text("a") + b"t}" + text("a") + DTYPE + b"K\x00\x86sK\x08K\x01K\x1btb"
)  # fmt: skip
EMPTY = call("numpy._core.multiarray", "_reconstruct", name("numpy", "ndarray"), b"K\x00\x85", b"C\x01b")
SHAPE = b"K\x01\x85"
POINTER = b"C\x08AAAAAAAA"

STREAMS = {
    "a loader bound by partial": BOUND + b")R",
    "a loader bound by partial's state": name("functools", "partial") + name("builtins", "str") + b"\x85R("
    + LOAD + b"(" + RAW + b"t}Ntb)R",
    "a loader as default factory": call("_operator", "getitem", call("collections", "defaultdict", BOUND), text("k")),
    "a loader in a list": call("builtins", "list", b"]" + LOAD + b"a"),
    "a loader behind torch's rebuilder": call(
        "torch._tensor", "_rebuild_from_type_v2", LOAD, name("torch", "Tensor"), RAW + b"\x85", b"}"
    ),
    "a loader called first with what is harmless": call("torch.storage", "_load_from_bytes", b"C\x02N.") + b"0" + BOUND,
    "a loader given bytes made of numbers": call(
        "torch.storage", "_load_from_bytes", call("builtins", "bytes", NUMBERS)
    ),
    "an unknown default factory": call(
        "_operator", "getitem", call("collections", "defaultdict", name("mine.own", "make")), text("k")
    ),
    "an array over given memory": call("numpy", "ndarray", SHAPE, text("O"), POINTER),
    "an array by NEWOBJ": name("numpy", "ndarray") + b"(" + SHAPE + text("O") + POINTER + b"t\x81",
    "an array by NEWOBJ_EX": name("numpy", "ndarray") + b"(" + SHAPE + text("O") + b"t}" + text("buffer") + POINTER
    + b"s\x92",
    "an array by copyreg": call("copyreg", "__newobj__", name("numpy", "ndarray"), SHAPE, text("O"), POINTER),
    "an array bound by partial": call("functools", "partial", name("numpy", "ndarray"), SHAPE, text("O"), POINTER)
    + b")R",
    "objects from raw bytes": EMPTY + b"(K\x01" + SHAPE + DTYPE + b"\x89" + POINTER + b"tb",
    "fields of objects from raw bytes": EMPTY + b"(K\x01" + SHAPE + FIELDS + b"\x89" + POINTER + b"tb",
    "a function that INST calls": b"(imine.own\nmake\n",
    "a function that OBJ calls": b"(cpandas\nread_clipboard\no",
    "a constructor that copyreg calls with a state": call(
        "copyreg", "_reconstructor", name("mine.own", "Net"), name("mine.own", "Net"), text("evil")
    ),
    "a constructor that copyreg calls after an instance without": call(
        "copyreg", "_reconstructor", *[name("sentence_transformers", "SentenceTransformer")] * 2, text("evil")
    ),
    "a grave call behind a mild one of the same name": call("mine.own", "Kind", b"K\x01")
    + b"0" + call("mine.own", "Kind", text("models/evil")),
    "a constructor that downloads": call("sentence_transformers", "SentenceTransformer", text("evil")),
    "a constructor given a file's name": call("torch", "PyTorchFileWriter", text("model.pt")),
    "a constructor given a path object": call("sklearn.x", "Net", call("pathlib", "PosixPath", text("evil"))),
    "a constructor given a path in a list": call("transformers", "Trainer", b"]" + text("models/evil") + b"a"),
}  # fmt: skip


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS.keys())
def test_inert_names_that_are_used_against_their_grain_are_grave(stream: bytes) -> None:
    found = scan_pickle(MemoryBlob("model.pkl", b"\x80\x04" + stream + b"."), Budget())
    assert found.complete
    assert max((issue.severity for issue in found.issues), default=0) >= Severity.HIGH


@pytest.mark.parametrize("protocol", range(6))
def test_what_numpy_itself_writes_stays_inert(protocol: int) -> None:
    objects = np.array([1, "a", None], dtype=object)
    records = np.array([(1, "a")], dtype=[("n", int), ("o", object)])
    plain = {"o": objects, "r": records, "f": np.ones((3, 4)), "c": np.array(["a"]), "p": partial(max, 1)}
    content = pickle.dumps([plain, np.ma.array([1, 2], mask=[0, 1]), list[int]], protocol)
    found = scan_pickle(MemoryBlob("model.pkl", content), Budget())
    assert found.complete
    assert not found.issues


def test_a_storage_that_torch_pickles_is_followed_and_not_accused() -> None:
    inner = pickle.dumps({"weights": [1.0]}, 2)
    stream = b"\x80\x04" + call("torch.storage", "_load_from_bytes", b"C" + bytes([len(inner)]) + inner) + b"."
    assert not scan_pickle(MemoryBlob("model.pkl", stream), Budget()).issues
