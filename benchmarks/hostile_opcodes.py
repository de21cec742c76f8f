"""Pickles written opcode by opcode: a call in every shape that an unpickler knows."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable

Shape = Callable[[str, str, tuple[object, ...]], bytes]


def const(value: object) -> bytes:
    """A constant in opcodes of protocol 3 and below."""
    if isinstance(value, str):
        raw = value.encode()
        return b"X" + struct.pack("<I", len(raw)) + raw
    if isinstance(value, bytes):
        return b"B" + struct.pack("<I", len(value)) + value
    if isinstance(value, tuple):
        return b"(" + b"".join(map(const, value)) + b"t"
    if isinstance(value, list):
        return b"](" + b"".join(map(const, value)) + b"e"
    if isinstance(value, dict):
        return b"}(" + b"".join(const(part) for pair in value.items() for part in pair) + b"u"
    return b"J" + struct.pack("<i", int(str(value)))


def name(module: str, attribute: str) -> bytes:
    """GLOBAL."""
    return f"c{module}\n{attribute}\n".encode()


def stacked(module: str, attribute: str) -> bytes:
    """STACK_GLOBAL of two short strings."""
    words = [part.encode() for part in (module, attribute)]
    return b"".join(b"\x8c" + bytes([len(word)]) + word for word in words) + b"\x93"


def reduce_text(module: str, attribute: str, arguments: tuple[object, ...]) -> bytes:
    """Protocol 0 as far as its arguments allow."""
    plain = all(isinstance(argument, str) for argument in arguments)
    parts = b"".join(f"S{argument!r}\n".encode() for argument in arguments) if plain else const(arguments)[1:-1]
    return name(module, attribute) + b"(" + parts + b"tR."


def reduce_two(module: str, attribute: str, arguments: tuple[object, ...]) -> bytes:
    """GLOBAL and REDUCE in protocol 2."""
    return b"\x80\x02" + name(module, attribute) + const(arguments) + b"R."


def reduce_four(module: str, attribute: str, arguments: tuple[object, ...]) -> bytes:
    """STACK_GLOBAL, framed, in protocol 4."""
    body = stacked(module, attribute) + b"\x94" + const(arguments) + b"R\x94."
    return b"\x80\x04\x95" + struct.pack("<Q", len(body)) + body


def inst(module: str, attribute: str, arguments: tuple[object, ...]) -> bytes:
    """INST: the oldest way to call."""
    return b"(" + b"".join(map(const, arguments)) + f"i{module}\n{attribute}\n".encode() + b"."


def obj(module: str, attribute: str, arguments: tuple[object, ...]) -> bytes:
    """OBJ."""
    return b"\x80\x02(" + name(module, attribute) + b"".join(map(const, arguments)) + b"o."


def in_a_model(module: str, attribute: str, arguments: tuple[object, ...]) -> bytes:
    """The call is thrown away in the middle of an ordinary state dict."""
    call = stacked(module, attribute) + const(arguments) + b"R0"
    return (
        b"\x80\x04ccollections\nOrderedDict\n)R"
        + call
        + const({"weight": [1, 2]})[:0]
        + const("w")
        + const([1, 2])
        + b"s."
    )


SHAPES: tuple[Shape, ...] = (reduce_text, reduce_two, reduce_four, inst, obj, in_a_model)


def torch_zip(pickle: bytes, root: str = "model", method: int = zipfile.ZIP_STORED) -> bytes:
    """A PyTorch archive around a pickle."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        archive.writestr(f"{root}/data.pkl", pickle)
        archive.writestr(f"{root}/byteorder", b"little")
        archive.writestr(f"{root}/data/0", bytes(400))
        archive.writestr(f"{root}/version", b"3\n")
    return made.getvalue()
