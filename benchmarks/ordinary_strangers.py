"""Ordinary files as strangers brought them: objects that rebuild themselves, bytes without a mark, films, settings."""

from __future__ import annotations

import importlib.util
import json
import marshal
import struct
from random import Random
from typing import Any

_REBUILT = {
    "tree": ("acme.dist", "newObj", ("class acme.dist:Euclidean",)),
    "unit": ("acme.units", "_recreate_unit", ("class acme.units:Unit", ["m", "metre"], True)),
    "grid": ("acme.grid", "Matrix.from_rows", ([[1.5, 2.0]],)),
    "maker": ("acme.nets", "_make_net", ("class acme.nets:Net", {"depth": 3})),
    "point": ("acme.shapes", "from_wkb", (b"\x01\x01\x00\x00\xf0\x3f/:;",)),
    "map": ("acme.maps", "SortedDict", (None, {"a": 1})),
    "state": ("acme.rl", "_State", ([1, 2], {"a": 1.0})),
    "format": ("torch.distributed.checkpoint.metadata", "_MEM_FORMAT_ENCODING", (0,)),
    "kernel": ("acme.kernels", "__rebuild_kernel", ((1, 2), [3.0], None)),
}
_KEPT = (
    "_operator add",
    "_operator mul",
    "posixpath basename",
    "json loads",
    "statistics mean",
    "numpy clip",
    "re sub",
)
_TEXTS = {
    "finder.yaml": "f:\n  _target_: hydra.utils.get_method\n  path: torch.nn.functional.relu\n",
    "finder.json": '{"f": {"_target_": "hydra.utils.get_class", "path": "torch.nn.Linear"}}',
    "plain.yaml": "d: {_target_: builtins.dict, a: 1}\nr: {_target_: builtins.range, _args_: [3]}\n",
    "column.csv": "note\n=HYPERLINK is a function\n= heading =\n-see http://example.org\n",
    "manifest.json": '{"model": {"modelName": "m", "serializedFile": "m.pt", "handler": "image_classifier"}}',
}


def strangers(make: Any) -> None:
    """`make` is the `Maker` of `ordinary_files`."""
    for protocol in (2, 4):
        head = b"\x80" + bytes([protocol])
        for name, (module, function, given) in _REBUILT.items():
            call = _named(module, function) + b"(" + b"".join(map(_value, given)) + b"tR."
            _put(make, f"rebuilt-{name}.p{protocol}.pkl", head + call)
        kept = b"](" + b"".join(_named(*path.split()) for path in _KEPT) + b"e."
        _put(make, f"kept-functions.p{protocol}.pkl", head + kept)
    for name, body in {**_numbers(), **_pictures(), **_code()}.items():
        _put(make, name, body)
    for name, text in _TEXTS.items():
        _put(make, f"stranger-{name}", text.encode())


def _put(make: Any, name: str, body: bytes) -> None:
    make.write(name, lambda path: path.write_bytes(body))


def _named(module: str, name: str) -> bytes:
    return b"".join(b"X" + struct.pack("<I", len(word)) + word.encode() for word in (module, name)) + b"\x93"


def _value(value: Any) -> bytes:
    """The opcodes that push it; `class module:name` pushes what is imported by that name."""
    if isinstance(value, str) and value.startswith("class "):
        return _named(*value.removeprefix("class ").split(":"))
    if isinstance(value, dict):
        return b"}(" + b"".join(_value(part) for pair in value.items() for part in pair) + b"u"
    if isinstance(value, list | tuple):
        inside = b"".join(map(_value, value))
        return b"](" + inside + b"e" if isinstance(value, list) else b"(" + inside + b"t"
    return _plain(value)


def _plain(value: Any) -> bytes:
    if isinstance(value, bool) or value is None:
        return {True: b"\x88", False: b"\x89", None: b"N"}[value]
    if isinstance(value, int):
        return b"J" + struct.pack("<i", value)
    if isinstance(value, float):
        return b"G" + struct.pack(">d", value)
    raw = value.encode() if isinstance(value, str) else value
    return (b"X" if isinstance(value, str) else b"B") + struct.pack("<I", len(raw)) + raw


def _numbers() -> dict[str, bytes]:
    random = Random(0)  # noqa: S311 - nothing secret, and the same files each time
    values = [random.gauss(0, 0.02) for _ in range(4000)]
    small = struct.pack("<4000f", *values)
    return {
        "numbers-float32.bin": small,
        "numbers-float64.raw": struct.pack("<4000d", *values),
        "numbers-float16.dat": struct.pack("<4000e", *values),
        "numbers-bfloat16.bin": b"".join(small[at + 2 : at + 4] for at in range(0, len(small), 4)),
        "numbers-darknet.weights": struct.pack("<iiiq", 0, 2, 5, 0) + small,
        "digits.idx3-ubyte": struct.pack(">IIII", 2051, 9, 8, 8) + bytes(random.randrange(256) for _ in range(576)),
        "digits.idx1-ubyte": struct.pack(">II", 2049, 90) + bytes(random.randrange(10) for _ in range(90)),
        "weights.msgpack": b"\x82\xa1w\x93"
        + b"".join(b"\xcb" + struct.pack(">d", v) for v in values[:3])
        + b"\xa1n\x07",
        "weights.cbor": bytes.fromhex("a2616e07617783") + b"".join(b"\xfb" + struct.pack(">d", v) for v in values[:3]),
    }


def _pictures() -> dict[str, bytes]:
    film = struct.pack(">I4s8sI4s", 16, b"ftyp", b"mp42" + bytes(4), 12, b"mdat") + b"film"
    strip = struct.pack("<HHIIHHII", 273, 4, 1, 38, 279, 4, 1, 4)
    bitmap = struct.pack("<IIIIiiHHIIIIII", 58, 0, 54, 40, 1, 1, 1, 24, 0, 4, 0, 0, 0, 0)
    return {
        "film.mp4": film,
        "film-open.mp4": film[:16] + struct.pack(">I4s", 0, b"mdat") + bytes(range(200)),
        "strip.tif": b"II*\0\x08\0\0\0\x02\0" + strip + bytes(4) + b"grey",
        "small.bmp": b"BM" + bitmap + bytes(4),
        "icons.icns": struct.pack(">4sI4sI", b"icns", 20, b"ic07", 12) + b"icon",
        "photo-with-film.jpg": b"\xff\xd8\xff\xda\x00\x03\x01pixels\xff\xd9" + film,
    }


def _code() -> dict[str, bytes]:
    """Bytecode and metadata that reach nothing."""
    source = "class A:\n    __slots__ = ('a',)\n    def __init__(self, a: int) -> None:\n        self.a = a\n"
    header = {"__metadata__": {"config": '{"_target_": "torch.nn.Linear"}', "format": "pt"},
              "a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}}  # fmt: skip
    text = json.dumps(header).encode()
    return {
        "plain.pyc": importlib.util.MAGIC_NUMBER + bytes(12) + marshal.dumps(compile(source, "a", "exec")),
        "metadata.safetensors": struct.pack("<Q", len(text)) + text + b"\0",
    }
