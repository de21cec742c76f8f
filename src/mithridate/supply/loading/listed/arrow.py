"""Texts as Arrow keeps them, read from their buffers in Python: Arrow's own code would trust the offsets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mithridate.supply.loading.listed.plain import later

_WIDTHS = {"string": 4, "utf8": 4, "large_string": 8, "large_utf8": 8}


def _type(arguments: tuple[Any, ...], _: Any) -> Any:
    if arguments[0] not in _WIDTHS:
        raise ValueError(f"{arguments[0]!r:.40} is no type of texts")
    return arguments[0]


def _buffer(arguments: tuple[Any, ...], _: Any) -> bytes:
    if not isinstance(arguments[0], bytes | bytearray):
        raise TypeError("a buffer holds no bytes")
    return bytes(arguments[0])


def _texts(arguments: tuple[Any, ...], _: Any) -> list[str | None]:
    import numpy as np

    kind, length, _, offset, (present, offsets, content), *_ = arguments[0]
    width = _WIDTHS[kind]
    if type(length) is not int or type(offset) is not int or length < 0 or offset < 0:
        raise ValueError("its length is no length")
    if not length:
        return []
    if len(offsets) < width * (offset + length + 1):
        raise ValueError(f"{len(offsets):,} bytes of offsets for {length:,} texts")
    bounds = np.frombuffer(offsets, f"<i{width}", length + 1, width * offset)
    content = content or b""
    if bounds[0] < 0 or (np.diff(bounds) < 0).any() or bounds[-1] > len(content):
        raise ValueError("its offsets do not rise, or leave the buffer")
    shown = np.ones(length, bool)
    if present is not None:
        bits = np.frombuffer(present, np.uint8)
        if 8 * len(bits) < offset + length:
            raise ValueError("its bits of presence are too few")
        shown = np.unpackbits(bits, bitorder="little", count=offset + length)[offset:].astype(bool)
    places = bounds.tolist()
    return [
        content[start:stop].decode() if is_shown else None
        for start, stop, is_shown in zip(places, places[1:], shown.tolist(), strict=False)
    ]


ARROW: dict[str, Callable[..., Any]] = {
    "pyarrow.lib.type_for_alias": later("pyarrow.DataType", _type),
    "pyarrow.lib.py_buffer": later("pyarrow.Buffer", _buffer),
    "pyarrow.lib._restore_array": later("pyarrow.Array", _texts),
}
