"""Values of types without a columnar form (maps, unions) as one canonical JSON text each.

A value is written the same whatever rows stand beside it: a struct's field without a value is left out, as if it
weren't in the type; a whole number is written without a point, unless it is -0.0. Bytes and dates are strings behind a
NUL and a letter, and a string that begins with NUL gets one more, so that no value passes for one of another type.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

_MARK = "\x00"
_WHOLE = 2.0**63  # floats below it that are whole are written as integers


def text_of(value: Any) -> str:
    """The JSON.

    Examples
    --------
    >>> text_of({"b": [1.0, None], "a": None})
    '{"b":[1,null]}'
    """
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"))


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return _MARK + value if value.startswith(_MARK) else value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return _number(value) if isinstance(value, float) else _other(value)


def _other(value: Any) -> str:
    return f"{_MARK}b{value.hex()}" if isinstance(value, bytes) else f"{_MARK}o{type(value).__name__} {value!r}"


def _number(value: float) -> float | int:
    whole = value.is_integer() and abs(value) < _WHOLE and not (value == 0 and math.copysign(1.0, value) < 0)
    return int(value) if whole else value
