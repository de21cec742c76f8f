"""Layouts without a mark of their own, told by lengths that the bytes declare and that fill the file exactly.

A reader of such a file takes numbers out of it; nothing that it holds is run. Each layout must account for every byte,
so that nothing can lie behind it, and whatever recognises a pickle, an archive or a program in the same bytes says so
before anybody asks here.

References
----------
glTF 2.0, section 4.4 (binary container); STL, binary form; TEXMEX, `fvecs` and its kin;
Paddle `SerializeToStream` (lod_tensor.cc); RFC 1740 (AppleDouble).
"""

from __future__ import annotations

import struct

from mithridate.supply.scan.blob import Blob

_STL_HEADER, _STL_FACE = 84, 50
_WIDTHS = (4, 1)  # bytes of a component: float32 or int32, and uint8
_LARGEST_VECTOR = 1 << 16
_PLACES = 64
_LONGEST_DESCRIPTION = 256  # bytes; a type and a few extents
_SMALLEST_MASK = 64  # bytes: a few may be anything's
_LARGEST_MASK = 256 << 20  # bytes that are read whole
_CONTROLS = bytes(range(32))
_APPLE_DOUBLE = b"\x00\x05\x16\x07\x00\x02\x00\x00"
_APPLE_ENTRY, _APPLE_HEADER, _MOST_ENTRIES = 12, 26, 32
_TENSOR_TYPES = {0: 1, 1: 2, 2: 4, 3: 8, 4: 2, 5: 4, 6: 8, 20: 1, 21: 1, 22: 2}  # Paddle's VarType -> bytes
_MOST_TENSORS = 10_000


def is_shaped(blob: Blob, head: bytes) -> bool:
    """Whether one of the layouts fills the file to its last byte."""
    return (
        _is_gltf(blob, head)
        or _is_stl(blob, head)
        or _is_vectors(blob, head)
        or _is_apple_double(blob, head)
        or _is_paddle(blob, head)
        or _is_small_numbers(blob)
    )


def _is_gltf(blob: Blob, head: bytes) -> bool:
    """A mark, a version, the length of all, and chunks of which the first is JSON."""
    return head[:4] == b"glTF" and int.from_bytes(head[8:12], "little") == blob.size and head[16:20] == b"JSON"


def _is_stl(blob: Blob, head: bytes) -> bool:
    """80 bytes of anything but a script, a count, and 50 bytes a face."""
    count = int.from_bytes(head[80:_STL_HEADER], "little")
    is_script = head.lstrip()[:2] in {b"#!", b"<?", b"<%", b"@e"}
    return count > 0 and not is_script and blob.size == _STL_HEADER + _STL_FACE * count


def _is_vectors(blob: Blob, head: bytes) -> bool:
    """Each vector with its length before it, the same all over."""
    length = int.from_bytes(head[:4], "little")
    if not 1 < length < _LARGEST_VECTOR:
        return False
    for width in _WIDTHS:
        record = 4 + width * length
        count, rest = divmod(blob.size, record)
        if rest == 0 and count > 1:
            step = max(1, count // _PLACES)
            return all(blob.read(at * record, 4) == head[:4] for at in (*range(0, count, step), count - 1))
    return False


def _is_apple_double(blob: Blob, head: bytes) -> bool:
    """What macOS puts beside a file in archives: entries with their places, the last of which ends the file."""
    count = int.from_bytes(head[24:_APPLE_HEADER], "big")
    if head[:8] != _APPLE_DOUBLE or not 0 < count <= _MOST_ENTRIES:
        return False
    places = [
        struct.unpack(">III", head[at : at + _APPLE_ENTRY])
        for at in range(_APPLE_HEADER, _APPLE_HEADER + _APPLE_ENTRY * count, _APPLE_ENTRY)
        if len(head) >= at + _APPLE_ENTRY
    ]
    return len(places) == count and max(offset + length for _, offset, length in places) == blob.size


def _is_paddle(blob: Blob, head: bytes) -> bool:
    """Paddle's parameters: for each a version, no levels, a version, a description with its length, the values."""
    if head[:16] != b"\0" * 16 or blob.size < 32:  # noqa: PLR2004 - the shortest of them
        return False
    at = 0
    for _ in range(_MOST_TENSORS):
        start = blob.read(at, 20)
        length = int.from_bytes(start[16:20], "little")
        if start[:16] != b"\0" * 16 or not 0 < length < _LONGEST_DESCRIPTION:
            return False
        values = _tensor_bytes(blob.read(at + 20, length))
        if values < 0:
            return False
        at += 20 + length + values
        if at >= blob.size:
            return at == blob.size
    return False


def _tensor_bytes(description: bytes) -> int:
    """How many bytes of values a `TensorDesc` announces; -1 where it is none."""
    numbers: list[tuple[int, int]] = []
    value, shift, is_key, key = 0, 0, True, 0
    for byte in description:
        value |= (byte & 127) << shift
        shift += 7
        if byte & 128:
            continue
        if not is_key:
            numbers.append((key, value))
        is_key, key, value, shift = not is_key, value, 0, 0
    kinds = [found for at, found in numbers if at == 8]  # noqa: PLR2004 - field 1, a varint: the type
    extents = [found for at, found in numbers if at == 16]  # noqa: PLR2004 - field 2, a varint: an extent
    if len(kinds) != 1 or kinds[0] not in _TENSOR_TYPES or len(kinds) + len(extents) != len(numbers) or shift:
        return -1
    total = _TENSOR_TYPES[kinds[0]]
    for extent in extents:
        total *= extent
    return total


def _is_small_numbers(blob: Blob) -> bool:
    """Labels and masks of one byte: every one is below 32, of which no pickle, script, archive or program is made."""
    step = 1 << 20
    blocks = (blob.read(at, step) for at in range(0, blob.size, step))
    return _SMALLEST_MASK <= blob.size <= _LARGEST_MASK and all(
        not block.translate(None, _CONTROLS) for block in blocks
    )
