"""Arrays that joblib writes into the stream itself: raw bytes between two opcodes, behind the wrapper's BUILD.

Source: joblib's `numpy_pickle.py`, class `NumpyArrayWrapper`: a byte that counts the padding (since 1.2), the padding,
the items; arrays of objects are a pickle of their own.
"""

from __future__ import annotations

import math
import re

from mithridate.supply.scan.pickle.reader import BrokenError, Reader
from mithridate.supply.scan.pickle.values import Call, Container, Global, Tuple, Value, items_of

WRAPPERS = {"joblib.numpy_pickle.NumpyArrayWrapper", "sklearn.externals.joblib.numpy_pickle.NumpyArrayWrapper"}
_REBUILDERS = {"copyreg._reconstructor", "copyreg.__newobj__", "copyreg.__newobj_ex__"}
_CODE = re.compile(r"[<>=|]?([?bBhHiIlLqQefdgFDGOSUVMmcau])(\d*)")
_SIZES = {"?": 1, "b": 1, "B": 1, "h": 2, "H": 2, "i": 4, "I": 4, "l": 8, "L": 8, "q": 8, "Q": 8, "e": 2, "f": 4,
          "d": 8, "g": 16, "F": 8, "D": 16, "G": 32, "M": 8, "m": 8}  # fmt: skip
_HAS_OBJECT = 1
_FLAGS = 7


def class_of(value: Value) -> Global | None:
    """The class of an instance that was made by NEWOBJ or by the helpers of `copyreg`."""
    if not isinstance(value, Call) or not isinstance(value.function, Global):
        return None
    if value.kind == "call" and value.function.path in _REBUILDERS:
        first = items_of(value.arguments)[:1]
        return first[0] if first and isinstance(first[0], Global) else None
    return value.function


def is_wrapper(value: Value) -> bool:
    """Whether joblib's loader reads an array behind this instance's BUILD."""
    cls = class_of(value)
    return cls is not None and cls.path in WRAPPERS


def attributes(state: Value) -> dict[str, Value]:
    """A state's names and values; empty where it is no dict of texts."""
    items = items_of(state) if isinstance(state, Container) and state.kind == "dict" else ()
    return {key: value for key, value in zip(items[::2], items[1::2], strict=False) if isinstance(key, str)}


def skip_array(reader: Reader, state: Value) -> bool:
    """Step over the array that the wrapper's state describes; False where a pickle of objects stands there instead.

    Raises
    ------
    BrokenError : its length can't be worked out, or so many bytes aren't left.
    """
    known = attributes(state)
    size = item_size(known.get("dtype"))
    if size is None:
        return False
    if known.get("numpy_array_alignment_bytes") is not None:
        reader.skip(reader.byte())
    reader.skip(size * count(known.get("shape")))
    return True


def count(shape: Value) -> int:
    """How many items an array of this shape has."""
    sides = items_of(shape) if isinstance(shape, Tuple | Container) else None
    if sides is None or not all(isinstance(side, int) and side >= 0 for side in sides):
        raise BrokenError("the shape of an array in the stream is unknown")
    return math.prod(sides)


def item_size(dtype: Value) -> int | None:
    """Bytes of one item; None for objects.

    Raises
    ------
    BrokenError : the type can't be worked out.
    """
    code = items_of(dtype.arguments)[:1] if isinstance(dtype, Call) else ()
    match = _CODE.fullmatch(code[0]) if code and isinstance(code[0], str) else None
    if match is None:
        raise BrokenError("the type of an array in the stream is unknown")
    flags = items_of(dtype.state)[_FLAGS : _FLAGS + 1]
    if match[1] == "O" or (match[1] == "V" and flags and isinstance(flags[0], int) and flags[0] & _HAS_OBJECT):
        return None
    if match[2] and match[1] == "U":
        return 4 * int(match[2])
    if match[2]:
        return int(match[2])
    return _SIZES.get(match[1], 0)
