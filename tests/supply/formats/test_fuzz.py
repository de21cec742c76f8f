"""Whatever the bytes are: no exception but a used-up budget, no hang, and every issue is one."""

from __future__ import annotations

import json
import marshal
import struct
import time
from collections.abc import Callable
from types import ModuleType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mithridate.core.findings import Severity
from mithridate.supply.scan.blob import MemoryBlob
from mithridate.supply.scan.budget import Budget, OverBudgetError
from mithridate.supply.scan.formats import (
    FORMATS,
    arrow,
    boxes,
    gguf,
    json_file,
    keras_h5,
    onnx,
    parquet,
    pdf,
    picture,
    pyc_file,
    recognised,
    safetensors,
    saved_model,
    text_file,
    tflite,
    tiff,
    ubjson,
    xml_file,
)
from mithridate.supply.scan.openers.member import Member

MODULES = (
    keras_h5,
    gguf,
    safetensors,
    tflite,
    parquet,
    arrow,
    ubjson,
    onnx,
    saved_model,
    pyc_file,
    picture,
    boxes,
    tiff,
    pdf,
    recognised,
    json_file,
    xml_file,
    text_file,
)
LONGEST_S = 5.0
QUICK = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
MARKS = st.sampled_from(
    [
        b"{{",
        b"}}",
        b"{%",
        b"{#",
        b"'",
        b'"',
        b"[",
        b"{",
        b"(",
        b" ",
        b"\t",
        b"\n",
        b"!!",
        b"<!ENTITY ",
        b"<!--",
        b"&a;",
        b"=",
        b",",
        b"_target_: ",
        b"|",
        b"-",
        b"\x00",
        b"\xff",
        b"\x80",
        b"FHDB",
        b"TREE",
        b"OHDR",
        b"GCOL",
        b"gASV",
        b"curl ",
        b"range(",
    ]
)


def seeds(message: Callable[..., bytes], pack: Callable[..., bytes]) -> list[bytes]:
    """A small valid file for each parser."""
    graph = [(1, [(1, "x"), (2, "y"), (4, "Relu")]), (5, [(2, 1), (13, [(1, "location"), (2, "w")])])]
    attribute = b"\x03\x00\x02\x00\x08\x00\x04\x00\x00a\x00\x13\x00\x00\x00\x04\x00\x00\x00\x02\x00\x00\x00{}  "
    body = b"\x0c" + struct.pack("<H", len(attribute)) + b"\x00" + attribute
    header = b"OHDR\x02\x02" + struct.pack("<I", len(body)) + body + bytes(4)
    hdf5 = b"\x89HDF\r\n\x1a\n\x02\x08\x08\x00" + struct.pack("<QQQQI", 0, 2**64 - 1, 48 + len(header), 48, 0) + header
    tensor = json.dumps(
        {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}, "__metadata__": {"a": "b"}}
    ).encode()
    thrift = b"\x36\x02\x19\x1c\x19\x1c\x3c\x76\x02\x26\x02\x00\x00\x00\x19\x1c\x18\x01k\x18\x01v\x00\x00"
    return [
        hdf5,
        pack({"a": "b", "t": ["x", "y"], "tokenizer.chat_template": "{{ x['a'] }}"}, (("w", (8,), 0, 0),), bytes(32)),
        struct.pack("<Q", len(tensor)) + tensor + bytes(8),
        b"\x1c\x00\x00\x00TFL3" + bytes(12) + b"\x04\x00\x04\x00\x04\x00\x00\x00" + bytes(20),
        b"PAR1" + bytes(16) + thrift + struct.pack("<I", len(thrift)) + b"PAR1",
        b"ARROW1\0\0"
        b"\xff\xff\xff\xff"
        + struct.pack("<I", 32)
        + b"\x10\x00\x00\x00"
        + bytes(28)
        + struct.pack("<I", 20)
        + b"ARROW1",
        b"{L" + struct.pack(">q", 7) + b"learner[$l#l" + struct.pack(">iii", 2, 1, 2) + b"SU\x02ab}",
        message((1, 8), (2, "t"), (7, graph), (8, [(2, 17)])),
        message((1, 1), (2, [(2, [(1, [(1, "n"), (2, "PrintV2"), (5, [(1, "k"), (2, [(2, "v")])])])])])),
        struct.pack("<H", 3495) + b"\r\n" + bytes(12) + marshal.dumps(compile("import os", "a", "exec")),
        b"\x89PNG\r\n\x1a\n\0\0\0\x06tEXta\0<?ph\0\0\0\0\0\0\0\0IEND\xaeB`\x82#!/bin/sh\n",
        struct.pack(">I4s8sI4s", 16, b"ftyp", b"mp42\0\0\0\0", 8, b"mdat") + b"#!/bin/sh\n",
        b"II*\0\x08\0\0\0\x02\0" + struct.pack("<HHIIHHII", 273, 4, 1, 38, 279, 4, 1, 4) + bytes(8) + b"PK\x03\x04",
        b"%PDF-1.4\n1 0 obj<</S/J#61vaScript/Type/ObjStm>>stream\n\x78\x9c\nendstream\n%%EOF\nPK\x03\x04",
        b"CBM1" + struct.pack("<II", 12, 4) + bytes(8),
        json.dumps(
            {
                "class_name": "Lambda",
                "config": {"function": ["4wEAAAAA", None, None]},
                "auto_map": {"a": "b.C"},
                "_target_": "a.B",
                "chat_template": "{% if x %}{{ y }}{% endif %}",
                "cells": [{"cell_type": "code", "source": "!ls"}],
                "metadata": {},
            }
        ).encode(),
        b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><PMML><Apply function='x.y'/></PMML>",
        b"a: !!python/object/apply:x.y [1]\n_target_: a.B\nx,=cmd|'a'!A0\n{% for a in b %}{{ c }}{% endfor %}\n",
    ]


def judge(module: ModuleType, raw: bytes) -> None:
    blob, started = MemoryBlob("file", raw), time.process_time()
    assert isinstance(module.sniff(raw[:4096], blob), bool)
    try:
        for issue in module.analyse(blob, Budget()):
            if isinstance(issue, Member):
                continue  # a part, which is judged in its turn
            assert issue.code
            assert issue.claim
            assert isinstance(issue.severity, Severity)
            json.dumps(issue.facts)
    except OverBudgetError:
        pass
    assert time.process_time() - started < LONGEST_S


def test_every_format_is_fuzzed() -> None:
    assert {module.__name__ for module in MODULES} == {known.module for known in FORMATS}


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
@QUICK
@given(
    raw=st.one_of(
        st.binary(max_size=400),
        st.lists(st.tuples(MARKS, st.sampled_from([1, 2, 40, 4000])), max_size=6).map(
            lambda parts: b"".join(mark * times for mark, times in parts)
        ),
    )
)
def test_any_bytes_are_judged_in_time(module: ModuleType, raw: bytes) -> None:
    judge(module, raw)


@pytest.mark.parametrize("place", range(len(MODULES)), ids=lambda place: MODULES[place].__name__.rpartition(".")[2])
@QUICK
@given(data=st.data())
def test_a_valid_file_with_changes_is_judged_in_time(
    place: int, data: st.DataObject, message: Callable[..., bytes], gguf: Callable[..., bytes]
) -> None:
    raw = bytearray(seeds(message, gguf)[place])
    for _ in range(data.draw(st.integers(0, 5))):
        at = data.draw(st.integers(0, len(raw)))
        cut = data.draw(st.integers(0, 12))
        value = data.draw(
            st.one_of(
                st.binary(max_size=8),
                MARKS,
                st.sampled_from([b"\xff" * 8, bytes(8), b"\xff\xff\xff\x7f", b"\x00\x00\x00\x80"]),
            )
        )
        raw[at : at + cut] = value
    judge(MODULES[place], bytes(raw))


def test_a_valid_file_is_known_by_its_own_format(message: Callable[..., bytes], gguf: Callable[..., bytes]) -> None:
    for module, raw in zip(MODULES, seeds(message, gguf), strict=True):
        assert module.sniff(raw[:4096], MemoryBlob("file", raw)), module.__name__
