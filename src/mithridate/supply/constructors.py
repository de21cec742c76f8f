"""The list of what `safe_load` rebuilds: a dotted name, and a function of ours that makes the value from plain ones."""

from __future__ import annotations

import datetime as dt
import decimal
import fractions
import pathlib
import re
import uuid
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from typing import Any, Literal

from mithridate.core.errors import InputError
from mithridate.supply.tensors import ALIASES, DTYPES, STORAGES, StoredTensor

_CODE = re.compile(r"[<>=|]?(?:[?bBhHiIlLqQefdgFDGOMm]|[biufcUSVMmO]\d{1,9})")
WRAPPER = "joblib.numpy_pickle.NumpyArrayWrapper"
_DEPTH = 200
_DTYPE_STATE, _ARRAY_STATE = 8, 5


class Name(str):
    """A class or function of the list; where it stands as a value, it stays its dotted name."""

    __slots__ = ()


class Pending:
    """An instance that gets its state after it was referred to; `settle` makes it when all is there."""

    __slots__ = ("arguments", "finish", "made", "path", "state")

    def __init__(self, path: str, finish: Callable[[Pending], Any], arguments: tuple[Any, ...] = ()) -> None:
        self.path, self.finish, self.arguments = path, finish, arguments
        self.state: Any = None
        self.made: Any = None


def settle(value: Any, depth: int = 0) -> Any:
    """The value with every `Pending` in it made; containers are changed in place, tuples made anew.

    Raises
    ------
    InputError : it is nested too deep, or a state does not fit.
    """
    if depth > _DEPTH:
        raise InputError(f"the values are nested deeper than {_DEPTH}; split the file")
    if isinstance(value, Pending):
        if value.made is None:
            value.made = _finished(value, depth)
        return value.made
    if isinstance(value, tuple) and any(not isinstance(item, str | int | float | bytes) for item in value):
        return tuple(settle(item, depth + 1) for item in value)
    return value


def settle_all(root: Any) -> Any:
    """`settle` for everything that is reached from the root, cycles included."""
    root = settle(root)
    seen: set[int] = set()
    todo = [root]
    while todo:
        value = todo.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, dict):
            for key, item in value.items():
                value[key] = settle(item)
            todo.extend(value.values())
        elif isinstance(value, list | deque):
            for place, item in enumerate(value):
                value[place] = settle(item)
            todo.extend(value)
        elif isinstance(value, tuple | set | frozenset):
            todo.extend(value)
        metadata = getattr(value, "__dict__", None) if isinstance(value, OrderedDict) else None
        if metadata:
            todo.append(metadata)
    return root


def _finished(value: Pending, depth: int) -> Any:
    state = value.state
    if isinstance(state, dict):
        value.state = {key: settle(item, depth + 1) for key, item in state.items()}
    else:
        value.state = settle(state, depth + 1)
    value.arguments = settle(value.arguments, depth + 1)
    try:
        return value.finish(value)
    except (TypeError, ValueError, OverflowError, KeyError, IndexError, AttributeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"the state of a {value.path} does not fit: {error}; get the file anew") from error


def _dtype(code: Any, *_: Any) -> Pending:
    if isinstance(code, Name):
        code = code.rpartition(".")[2].removesuffix("_")
    if not isinstance(code, str) or not (_CODE.fullmatch(code) or code in DTYPES or code in {"str", "bytes", "object"}):
        raise ValueError(f"{code!r} is no type of numpy's")
    return Pending("numpy.dtype", _make_dtype, (code,))


def _make_dtype(value: Pending) -> Any:
    import numpy as np

    dtype = np.dtype(value.arguments[0])
    state = value.state
    if not isinstance(state, tuple) or len(state) < _DTYPE_STATE:
        return dtype
    _, order, base, names, fields, size = state[:6]
    if names:
        parts = [fields[name] for name in names]
        return np.dtype({
            "names": list(names), "formats": [settle(part[0]) for part in parts],
            "offsets": [int(part[1]) for part in parts], "itemsize": int(size),
        })  # fmt: skip
    if base:
        return np.dtype((settle(base[0]), base[1]))
    if dtype.kind in "Mm" and len(state) > _DTYPE_STATE:
        unit = state[8][1]
        dtype = np.dtype(f"{dtype.kind}8[{unit[1]}{str(unit[0], 'ascii') if isinstance(unit[0], bytes) else unit[0]}]")
    return dtype.newbyteorder(order) if order in {"<", ">"} else dtype


def _array(*_: Any) -> Pending:
    return Pending("numpy.ndarray", _make_array)


def _make_array(value: Pending) -> Any:
    import numpy as np

    state = value.state
    if not isinstance(state, tuple) or len(state) != _ARRAY_STATE:
        raise ValueError("an array has no state")
    _, shape, dtype, is_fortran, content = state
    order: Literal["F", "C"] = "F" if is_fortran else "C"
    if dtype.kind == "O" and isinstance(content, list):
        made = np.empty(len(content), dtype=object)
        made[:] = [settle(item) for item in content]
        return made.reshape(shape, order=order)
    return _from_bytes(content, dtype, shape, order)


def _from_bytes(content: Any, dtype: Any, shape: Any, order: str = "C") -> Any:
    import numpy as np

    if isinstance(content, str):
        content = content.encode("latin-1")
    if dtype.hasobject:
        raise InputError("an array holds objects among its bytes; such arrays are not rebuilt")
    if not dtype.itemsize:
        return np.zeros(shape, dtype)
    made = np.frombuffer(content, dtype).reshape(shape, order="F" if order == "F" else "C")
    return made.copy(order="K")


def _scalar(dtype: Any, content: Any = b"") -> Pending:
    return Pending("numpy.scalar", lambda value: _make_scalar(*value.arguments), (dtype, content))


def _make_scalar(dtype: Any, content: Any) -> Any:
    if dtype.kind == "O":
        return content
    return _from_bytes(content, dtype, (1,))[0]


def _frombuffer(content: Any, dtype: Any, shape: Any, order: Any) -> Pending:
    return Pending("numpy.ndarray", lambda value: _from_bytes(*value.arguments), (content, dtype, shape, order))


def _encode(text: str, encoding: str = "utf-8") -> bytes:
    if encoding.lower() not in {"latin1", "latin-1", "ascii", "utf-8", "utf8"}:
        raise ValueError(f"the encoding {encoding!r}")
    return text.encode(encoding)


def _defaultdict(factory: Any = None, *items: Any) -> Any:
    factories: dict[str, Any] = {"list": list, "dict": dict, "int": int, "float": float, "set": set, "str": str}
    if factory is None:
        return defaultdict(None, *items)
    return defaultdict(factories[str(factory).removeprefix("builtins.")], *items)


def _uuid(*_: Any) -> Pending:
    return Pending("uuid.UUID", lambda value: uuid.UUID(int=value.state["int"]))


def _bytes(*parts: Any) -> bytes:
    if not all(isinstance(part, bytes | bytearray | str | list) for part in parts):
        raise ValueError("it is made from a number")
    return _encode(*parts) if parts and isinstance(parts[0], str) else bytes(*parts)


def _sparse(kind: str) -> Callable[..., Pending]:
    def pending(*_: Any) -> Pending:
        return Pending(f"scipy.sparse.{kind}", lambda value: _make_sparse(kind, value.state))

    return pending


def _make_sparse(kind: str, state: dict[str, Any]) -> Any:
    import scipy.sparse

    shape = state.get("_shape", state.get("shape"))
    build = getattr(scipy.sparse, kind)
    if kind.startswith("coo"):
        row, col = state["coords"] if "coords" in state else (state["row"], state["col"])
        return build((state["data"], (row, col)), shape=shape)
    if kind.startswith("dia"):
        return build((state["data"], state["offsets"]), shape=shape)
    made = build((state["data"], state["indices"], state["indptr"]), shape=shape)
    made.check_format(full_check=True)
    return made


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *rest: Any) -> StoredTensor:
    """`_rebuild_tensor`, `_v2` and `_v3`: of what follows the strides only a type matters."""
    dtype = next((name for name in map(dtype_of, rest) if name), storage.dtype)
    made = StoredTensor(storage, dtype, offset, tuple(shape), tuple(strides))
    made.check()
    return made


def dtype_of(value: Any) -> str:
    """The type that a name such as `torch.float32` means; empty for anything else."""
    word = value.removeprefix("torch.") if isinstance(value, Name) else ""
    word = ALIASES.get(word, word)
    return word if word in DTYPES else ""


_PLAIN: dict[str, Callable[..., Any]] = {
    "builtins.set": set, "builtins.frozenset": frozenset, "builtins.list": list, "builtins.dict": dict,
    "builtins.tuple": tuple, "builtins.complex": complex, "builtins.slice": slice, "builtins.range": range,
    "builtins.bytearray": lambda *parts: bytearray(_bytes(*parts)), "builtins.bytes": _bytes,
    "builtins.int": int, "builtins.float": float, "builtins.str": str, "_codecs.encode": _encode,
    "collections.OrderedDict": OrderedDict, "collections.defaultdict": _defaultdict, "collections.Counter": Counter,
    "collections.deque": deque, "datetime.datetime": dt.datetime, "datetime.date": dt.date,
    "datetime.time": dt.time, "datetime.timedelta": dt.timedelta, "datetime.timezone": dt.timezone,
    "decimal.Decimal": decimal.Decimal, "fractions.Fraction": fractions.Fraction, "uuid.UUID": _uuid,
    "torch.Size": tuple, "torch.device": lambda *parts: ":".join(map(str, parts)),
    "torch._utils._rebuild_tensor": _tensor, "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _tensor, "torch._utils._rebuild_parameter": lambda data, *_: data,
    "torch._utils._rebuild_parameter_with_state": lambda data, *_: data, "torch.serialization._get_layout": str,
    WRAPPER: lambda *_: Pending(WRAPPER, lambda _: None),
}  # fmt: skip


def _value(*_: Any) -> Any:
    raise ValueError("it is a value, and can't be called")


def _all() -> dict[str, Callable[..., Any]]:
    found = dict(_PLAIN)
    for core in ("numpy.core", "numpy._core"):
        found |= {f"{core}.multiarray._reconstruct": _array, f"{core}.multiarray.scalar": _scalar,
                  f"{core}.numeric._frombuffer": _frombuffer}  # fmt: skip
    found |= {"numpy.dtype": _dtype, "numpy.ndarray": _value}
    found |= {f"numpy.{name}": _value for name in ("bool_", "str_", "bytes_", "object_", *DTYPES)}
    found |= {f"torch.{name}": _value for name in (*DTYPES, *ALIASES, *STORAGES, "strided")}
    found |= {f"torch.storage.{name}": _value for name in ("UntypedStorage", "TypedStorage")}
    for word in ("csr", "csc", "bsr", "coo", "dia"):
        for kind in (f"{word}_matrix", f"{word}_array"):
            found |= {f"scipy.sparse.{module}.{kind}": _sparse(kind) for module in (f"_{word}", word, "_arrays")}
    for kind in ("PosixPath", "PurePosixPath", "WindowsPath", "PureWindowsPath", "Path", "PurePath"):
        pure = pathlib.PureWindowsPath if "Windows" in kind else pathlib.PurePosixPath
        found |= {f"{module}.{kind}": pure for module in ("pathlib", "pathlib._local")}
    return found


CONSTRUCTORS = _all()
"""Dotted name -> what makes the value. Nothing else is ever called."""
