"""TensorFlow Lite: operators and indices."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from mithridate.core.findings import Severity


class Flat:
    """Writes FlatBuffers from the front: every offset points forward, vtables stand before their tables."""

    def __init__(self) -> None:
        self.out = bytearray(b"\0\0\0\0TFL3")

    def table(self, *fields: tuple[str, int] | None) -> tuple[int, list[int]]:
        """A table; the places of its fields, to be pointed elsewhere later."""
        widths = [4 if field else 0 for field in fields]
        offsets = [4 + sum(widths[:i]) if field else 0 for i, field in enumerate(fields)]
        length = 4 + 2 * len(fields)
        self.out += struct.pack(f"<HH{len(fields)}H", length, 4 + sum(widths), *offsets)
        at = len(self.out)
        self.out += struct.pack("<i", length)
        places = []
        for field in fields:
            places.append(len(self.out))
            if field:
                self.out += struct.pack("<I", field[1])
        return at, places

    def point(self, place: int, target: int) -> None:
        self.out[place : place + 4] = struct.pack("<I", target - place)

    def vector(self, place: int, values: list[int]) -> list[int]:
        self.point(place, len(self.out))
        self.out += struct.pack(f"<I{len(values)}I", len(values), *values)
        return [len(self.out) - 4 * (len(values) - i) for i in range(len(values))]

    def text(self, place: int, text: str) -> None:
        self.point(place, len(self.out))
        self.out += struct.pack("<I", len(text)) + text.encode() + b"\0"


def model(custom: str = "", *, used: int = 0, buffer: int = 0, shape: int = 4, tensor: int = 0) -> bytes:
    flat = Flat()
    root, (_, codes, graphs, _, buffers) = flat.table(("v", 3), ("codes", 0), ("graphs", 0), None, ("buffers", 0))
    flat.point(0, root)
    (place,) = flat.vector(codes, [0])
    code, (_, name) = flat.table(("builtin", 32 if custom else 9), ("custom", 0) if custom else None)
    flat.point(place, code)
    if custom:
        flat.text(name, custom)
    (place,) = flat.vector(graphs, [0])
    graph, (tensors, inputs, outputs, nodes) = flat.table(("t", 0), ("i", 0), ("o", 0), ("n", 0))
    flat.point(place, graph)
    flat.vector(inputs, [0])
    flat.vector(outputs, [0])
    (place,) = flat.vector(tensors, [0])
    entry, (extents, _, _) = flat.table(("shape", 0), None, ("buffer", buffer))
    flat.point(place, entry)
    flat.vector(extents, [shape & 0xFFFFFFFF])
    (place,) = flat.vector(nodes, [0])
    entry, (_, inputs) = flat.table(("code", used), ("inputs", 0))
    flat.point(place, entry)
    flat.vector(inputs, [tensor & 0xFFFFFFFF])
    (place,) = flat.vector(buffers, [0])
    entry, _ = flat.table()
    flat.point(place, entry)
    return bytes(flat.out)


def test_an_ordinary_model_is_no_issue(worst: Callable[..., int]) -> None:
    assert worst(model()) == 0
    assert worst(model(tensor=-1)) == 0


@pytest.mark.parametrize(
    "name", ["FlexWriteFile", "FlexPyFunc", "FlexEagerPyFunc", "FlexReadFile", "RunShell", "MyEvilOp", "UnknownThing"]
)
def test_operators_that_need_other_code_are_grave(name: str, worst: Callable[..., int]) -> None:
    assert worst(model(name)) >= Severity.HIGH


@pytest.mark.parametrize("name", ["TFLite_Detection_PostProcess", "FlexRFFT", "edgetpu-custom-op"])
def test_known_operators_are_low(name: str, worst: Callable[..., int]) -> None:
    assert worst(model(name)) == Severity.LOW


@pytest.mark.parametrize("wrong", [{"used": 5}, {"buffer": 9}, {"shape": -7}, {"tensor": 3}])
def test_indices_out_of_range_are_grave(wrong: dict[str, int], worst: Callable[..., int]) -> None:
    assert worst(model(**wrong)) == Severity.HIGH


@pytest.mark.parametrize("cut", [9, 40, 100])
def test_a_cut_model_is_grave(cut: int, worst: Callable[..., int]) -> None:
    assert worst(model()[:cut]) == Severity.HIGH
