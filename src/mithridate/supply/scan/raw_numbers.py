"""Bytes without any header that read as an array of numbers from beginning to end: weights dumped as they lie.

OpenVINO's and ncnn's `.bin`, darknet's `.weights`, memory maps and `tofile` have no mark of their own. Of random or
packed bytes, text or code a quarter at most would pass for the sign and exponent of ordinary numbers; of weights, all.
"""

from __future__ import annotations

from typing import NamedTuple

from mithridate.supply.scan.blob import Blob

_PLACES, _PART = 32, 4096
_LEAST = 64  # bytes: fewer say nothing
_SHARE, _MOST_ZEROS = 0.98, 0.8
_HEADER = 64  # bytes at the beginning that may be something else, as darknet's version is


class _Number(NamedTuple):
    """How wide a number is, and which values its last byte has (sign and exponent's upper bits)."""

    name: str
    width: int
    allowed: bytes


def _both_signs(first: int, last: int) -> bytes:
    """Of positive and of negative numbers; zero among them."""
    return bytes((0, 128, *range(first, last + 1), *range(128 + first, 128 + last + 1)))


_NUMBERS = (
    _Number("float32", 4, _both_signs(43, 75)),  # 2^-41 to 2^25
    _Number("float64", 8, _both_signs(59, 66)),  # 2^-79 to 2^49
    _Number("float16", 2, _both_signs(4, 75)),  # 2^-14 to 2^4
    _Number("bfloat16", 2, _both_signs(43, 75)),
)


def numbers_in(blob: Blob) -> str:
    """What the bytes read as, `float32` or another width, all over 32 places of the file; empty where as nothing."""
    if blob.size < _LEAST:
        return ""
    step = max(_PART, blob.size // _PLACES // 8 * 8)
    skipped = _HEADER if blob.size >= 8 * _HEADER else 0
    parts = [blob.read(max(at, skipped), _PART) for at in range(0, blob.size, step)]
    parts += [blob.read(max(0, blob.size - _PART) // 8 * 8, _PART)]
    for number in _NUMBERS:
        if blob.size % number.width == 0 and all(_reads_as(part, number) for part in parts):
            return number.name
    return ""


def _reads_as(part: bytes, number: _Number) -> bool:
    """Nearly all last bytes are allowed, and zeros, of which padding is made, are not nearly all of them."""
    last = part[number.width - 1 :: number.width]
    strange, zeros = len(last.translate(None, number.allowed)), last.count(0) + last.count(128)
    return zeros <= _MOST_ZEROS * len(last) and strange <= (1 - _SHARE) * (len(last) - zeros)
