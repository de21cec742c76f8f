"""numpy's arrays, scalars and types."""

from __future__ import annotations

import re
from collections.abc import Callable
from math import prod
from typing import Any, Literal

from mithridate.core.errors import InputError
from mithridate.supply.loading.listed.plain import later
from mithridate.supply.loading.settle import Name, Pending
from mithridate.supply.loading.tensors import DTYPES

_CODE = re.compile(r"[<>=|]?(?:[?bBhHiIlLqQefdgFDGOMm]|[biufcUSVMmO]\d{1,9})")
_DTYPE_STATE, _ARRAY_STATE, _MASKED_STATE = 8, 5, 7
_LAST_CHARACTER = 0x10FFFF


def _make_dtype(arguments: tuple[Any, ...], state: Any) -> Any:
    import numpy as np

    code = arguments[0]
    if isinstance(code, Name):
        if code in {"numpy.record", "numpy.void"}:
            code = "V8"
        code = code.rpartition(".")[2].removesuffix("_")
    if not isinstance(code, str) or not (_CODE.fullmatch(code) or code in DTYPES or code in {"str", "bytes", "object"}):
        raise ValueError(f"{code!r} is no type of numpy's")
    dtype: Any = np.dtype(code)
    if not isinstance(state, tuple) or len(state) < _DTYPE_STATE:
        return dtype
    _, order, base, names, fields, size = state[:6]
    if names:
        parts = [fields[name] for name in names]
        made = np.dtype({
            "names": list(names), "formats": [_type(part[0]) for part in parts],
            "offsets": [int(part[1]) for part in parts], "itemsize": int(size),
        })  # fmt: skip
        return np.dtype((np.record, made)) if arguments[0] == "numpy.record" else made
    if base:
        return np.dtype((_type(base[0]), base[1]))
    if dtype.kind in "Mm" and len(state) > _DTYPE_STATE:
        unit = state[8][1]
        dtype = np.dtype(f"{dtype.kind}8[{unit[1]}{str(unit[0], 'ascii') if isinstance(unit[0], bytes) else unit[0]}]")
    return dtype.newbyteorder(order) if order in {"<", ">"} else dtype


def _type(value: Any) -> Any:
    import numpy as np

    if not isinstance(value, np.dtype):
        raise TypeError("a type of an array is no type of numpy's")
    return value


def _dtype(*arguments: Any) -> Pending:
    return Pending("numpy.dtype", _make_dtype, arguments)


def _reconstruct(cls: Any = None, *_: Any) -> Pending:
    return Pending("numpy.ndarray", _make_array, (cls,))


def _make_array(arguments: tuple[Any, ...], state: Any) -> Any:
    import numpy as np

    if not isinstance(state, tuple) or len(state) != _ARRAY_STATE:
        raise ValueError("an array has no state")
    _, shape, dtype, is_fortran, content = state
    made = from_state(shape, dtype, bool(is_fortran), content)
    cls = arguments[0]
    if cls in {"numpy.rec.recarray", "numpy.recarray"}:
        return made.view(np.recarray)
    if cls in {"numpy.matrix", "numpy.matrixlib.defmatrix.matrix"}:
        return np.matrix(made)
    return made


def from_state(shape: Any, dtype: Any, is_fortran: bool, content: Any) -> Any:  # noqa: FBT001 - as numpy's own state
    """An array from what numpy's state of it says, every part checked.

    Raises
    ------
    ValueError, TypeError : they don't fit one another.
    """
    import numpy as np

    order: Literal["F", "C"] = "F" if is_fortran else "C"
    if _type(dtype).kind == "O" and isinstance(content, list):
        check_shape(shape)
        made = np.empty(len(content), dtype=object)
        for place, item in enumerate(content):
            made[place] = item
        return made.reshape(shape, order=order)
    return from_bytes(content, dtype, shape, order)


def check_shape(shape: Any) -> None:
    """Refuse what is no tuple of lengths.

    Raises
    ------
    ValueError : it isn't.
    """
    if not isinstance(shape, tuple) or not all(type(side) is int and side >= 0 for side in shape):
        raise ValueError(f"{shape!r:.60} is no shape")


def from_bytes(content: Any, dtype: Any, shape: Any, order: str = "C") -> Any:
    """An array from its items' bytes; the number of bytes is exact.

    Raises
    ------
    InputError : the type holds objects. ValueError, TypeError : bytes and shape don't fit, or an item is impossible.
    """
    import numpy as np

    check_shape(shape)
    if isinstance(content, str):
        content = content.encode("latin-1")
    if not isinstance(content, bytes | bytearray):
        raise TypeError(f"the bytes of an array are a {type(content).__name__}")
    if _type(dtype).hasobject:
        raise InputError("an array holds objects among its bytes; such arrays are not rebuilt")
    if prod(shape) * dtype.itemsize != len(content):
        raise ValueError(f"{len(content):,} bytes for {prod(shape):,} items of {dtype.itemsize}")
    if not dtype.itemsize and prod(shape) > 1 << 20:
        raise ValueError(f"{prod(shape):,} items without a byte")
    if not content:
        return np.zeros(shape, dtype)
    made = np.frombuffer(content, dtype).reshape(shape, order="F" if order == "F" else "C")
    check_items(made)
    return made.copy(order="K")


def check_items(array: Any) -> None:
    """Refuse items that no program wrote: booleans beyond 0 and 1, which numpy's own loops count wrongly, and texts.

    Raises
    ------
    ValueError : one is there.
    """
    import numpy as np

    dtype = array.dtype
    if dtype.names:
        for name in dtype.names:
            check_items(array[name])
    elif dtype.kind == "b" and array.size and array.view(np.uint8).max() > 1:
        raise ValueError("a boolean is neither 0 nor 1")
    elif dtype.kind == "U" and dtype.itemsize and array.size:
        letters = np.ascontiguousarray(array).view(np.dtype("u4").newbyteorder(dtype.byteorder))
        if letters.max() > _LAST_CHARACTER:
            raise ValueError("a text holds what is no character")


def _make_scalar(arguments: tuple[Any, ...], state: Any) -> Any:
    dtype, content = (*arguments, b"")[:2]
    if state is not None:
        raise ValueError("a number has a state")
    if _type(dtype).kind == "O":
        return content
    return from_bytes(content, dtype, (1,))[0]


def _frombuffer(content: Any, dtype: Any, shape: Any, order: Any) -> Pending:
    return Pending(
        "numpy.ndarray", lambda given, _: from_bytes(*given), (content, dtype, shape, "F" if order == "F" else "C")
    )


def _masked(*_: Any) -> Pending:
    return Pending("numpy.ma.MaskedArray", _make_masked)


def _make_masked(_: tuple[Any, ...], state: Any) -> Any:
    import numpy as np

    if not isinstance(state, tuple) or len(state) != _MASKED_STATE:
        raise ValueError("a masked array has no state")
    _, shape, dtype, is_fortran, content, mask, fill = state
    data = from_state(shape, dtype, bool(is_fortran), content)
    if isinstance(mask, str):
        mask = mask.encode("latin-1")
    hidden = from_bytes(mask, np.ma.make_mask_descr(dtype), shape, "F" if is_fortran else "C")
    if dtype.names:
        fill = None
    return np.ma.MaskedArray(data, mask=hidden, fill_value=fill)


def _value(*_: Any) -> Any:
    raise ValueError("it is a value, and can't be called")


def _all() -> dict[str, Callable[..., Any]]:
    found: dict[str, Callable[..., Any]] = {}
    for core in ("numpy.core", "numpy._core"):
        found |= {f"{core}.multiarray._reconstruct": _reconstruct, f"{core}.numeric._frombuffer": _frombuffer,
                  f"{core}.multiarray.scalar": later("numpy.scalar", _make_scalar)}  # fmt: skip
    words = ("bool_", "str_", "bytes_", "object_", "ndarray", "matrix", "record", "void", "recarray", "longdouble",
             "datetime64", "timedelta64", "rec.recarray", "ma.MaskedArray", "ma.core.MaskedArray",
             "matrixlib.defmatrix.matrix")  # fmt: skip
    found |= {f"numpy.{name}": _value for name in (*words, *DTYPES)}
    return found | {"numpy.dtype": _dtype, "numpy.ma.core._mareconstruct": _masked}


ARRAYS = _all()
VALUE = _value
"""For classes that stand as values."""
