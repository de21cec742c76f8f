"""MessagePack and CBOR: values with their lengths before them, and nothing that a reader would run.

Flax keeps its weights as MessagePack. Almost any byte begins a value of either, so a file counts only where one map or
array at the top fills it to the last byte.

References
----------
msgpack/spec.md (formats); RFC 8949, section 3 (major types) and appendix B.
"""

from __future__ import annotations

from typing import NamedTuple

from mithridate.supply.scan.blob import Blob

_MOST = 1_000_000  # values that are walked through; what has more was not looked at to its end, and stays unknown
_LEAST = 3
_SIZED = {  # MessagePack: byte -> bytes of the length, bytes behind the length besides what it counts
    0xC4: (1, 0), 0xC5: (2, 0), 0xC6: (4, 0), 0xC7: (1, 1), 0xC8: (2, 1), 0xC9: (4, 1), 0xD9: (1, 0), 0xDA: (2, 0),
    0xDB: (4, 0),
}  # fmt: skip
_FIXED = {
    0xC0: 0, 0xC2: 0, 0xC3: 0, 0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8,
    0xD4: 2, 0xD5: 3, 0xD6: 5, 0xD7: 9, 0xD8: 17,
}  # fmt: skip
_MANY = {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}  # bytes of the count, values an entry
_INDEFINITE, _BREAK = 31, 0xFF


class _Head(NamedTuple):
    """Where the next value begins, and how many values belong to this one; a step of 0 is no value at all."""

    step: int
    inside: int


_NONE = _Head(0, 0)


def is_packed_values(blob: Blob) -> bool:
    """Whether one map or array of MessagePack or CBOR fills the file."""
    first = blob.read(0, 1)
    if blob.size < _LEAST or not first:
        return False
    is_messages = 0x80 <= first[0] <= 0x9F or first[0] in _MANY  # noqa: PLR2004 - small maps and arrays
    return (is_messages and _fills(blob, cbor=False)) or (0x80 <= first[0] <= 0xBB and _fills(blob, cbor=True))  # noqa: PLR2004 - arrays, maps


def _fills(blob: Blob, *, cbor: bool) -> bool:
    at, left = 0, 1
    for _ in range(_MOST):
        head = _cbor(blob.read(at, 9)) if cbor else _message(blob.read(at, 6))
        at, left = at + head.step, left - 1 + head.inside
        if not head.step or at > blob.size or left > blob.size - at:
            return False
        if not left:
            return at == blob.size
    return False


def _message(head: bytes) -> _Head:
    byte = head[0] if head else 0xC1
    if byte in _MANY:
        width, each = _MANY[byte]
        return _Head(1 + width, each * int.from_bytes(head[1 : 1 + width], "big"))
    if byte in _SIZED:
        width, more = _SIZED[byte]
        return _Head(1 + width + more + int.from_bytes(head[1 : 1 + width], "big"), 0)
    return _SINGLE[byte]


def _single(byte: int) -> _Head:
    """What begins with a byte that says its own length."""
    if byte <= 0x7F or byte >= 0xE0:  # noqa: PLR2004 - small numbers
        return _Head(1, 0)
    if byte <= 0x9F:  # noqa: PLR2004 - small maps, small arrays
        return _Head(1, (byte & 15) * (2 if byte < 0x90 else 1))  # noqa: PLR2004 - maps
    if byte <= 0xBF:  # noqa: PLR2004 - short texts
        return _Head(1 + (byte & 31), 0)
    return _Head(1 + _FIXED[byte], 0) if byte in _FIXED else _NONE


_SINGLE = tuple(map(_single, range(256)))


def _cbor(head: bytes) -> _Head:
    """Definite lengths only: what streams are made of is told as unknown."""
    if not head or head[0] == _BREAK:
        return _NONE
    major, low = head[0] >> 5, head[0] & 31
    width = {24: 1, 25: 2, 26: 4, 27: 8}.get(low, 0)
    if low > 27:  # noqa: PLR2004 - reserved, or of unknown length
        return _NONE
    value = int.from_bytes(head[1 : 1 + width], "big") if width else low
    content = value if major in {2, 3} else 0
    inside = {4: value, 5: 2 * value, 6: 1}.get(major, 0)
    return _Head(1 + width + content, inside)
