"""Values of the standard library: containers, numbers, dates, paths and the like."""

from __future__ import annotations

import argparse
import datetime as dt
import decimal
import fractions
import http
import pathlib
import re
import types
import uuid
import zoneinfo
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from typing import Any

from mithridate.supply.loading.settle import Finish, Pending

_DIGITS = 1 << 14  # of a number: reading one costs the square of them
_ENCODINGS = {"latin1", "latin-1", "ascii", "utf-8", "utf8"}
_ZONE = re.compile(r"[A-Za-z0-9_+\-]{1,40}(/[A-Za-z0-9_+\-]{1,40}){0,3}")
_RATIO = re.compile(r"-?[0-9]+(/[0-9]+)?")
_FACTORIES: dict[str, Any] = {
    "list": list, "dict": dict, "int": int, "float": float, "set": set, "str": str, "bool": bool, "tuple": tuple,
}  # fmt: skip
_HELD = (list, tuple, dict, set, frozenset, deque, str, bytes, bytearray)


def later(path: str, finish: Finish) -> Callable[..., Pending]:
    """A constructor that keeps its arguments until all is there."""

    def note(*arguments: Any) -> Pending:
        return Pending(path, finish, arguments)

    return note


def _from_items(kind: Callable[..., Any]) -> Callable[..., Any]:
    """`kind(items)`, of items that are there already: nothing is counted out of a range."""

    def make(*parts: Any) -> Any:
        if len(parts) > 1 or (parts and not isinstance(parts[0], _HELD)):
            raise ValueError("it is not made from items")
        return kind(*parts)

    return make


def _hashed(kind: Any) -> Callable[..., Pending]:
    """A set or the like, from items that may not be there yet."""

    def finish(arguments: tuple[Any, ...], state: Any) -> Any:
        if state is not None or len(arguments) > 1 or (arguments and not isinstance(arguments[0], _HELD)):
            raise ValueError("it is not made from items")
        return kind(*arguments)

    return later(kind.__name__, finish)


def _encode(text: str, encoding: str = "utf-8") -> bytes:
    if encoding.lower() not in _ENCODINGS:
        raise ValueError(f"the encoding {encoding!r}")
    return text.encode(encoding)


def _bytes(*parts: Any) -> bytes:
    if not all(isinstance(part, bytes | bytearray | str | list) for part in parts):
        raise ValueError("it is made from a number")
    return _encode(*parts) if parts and isinstance(parts[0], str) else bytes(*parts)


def _defaultdict(factory: Any = None, *items: Any) -> Any:
    if items and not all(isinstance(part, dict) for part in items):
        raise ValueError("its items are no dict")
    if factory is None:
        return defaultdict(None, *items)
    return defaultdict(_FACTORIES[str(factory).removeprefix("builtins.")], *items)


def _dict(*parts: Any) -> dict[Any, Any]:
    if len(parts) > 1 or not all(isinstance(part, dict) for part in parts):
        raise ValueError("its items are no dict")
    return dict(*parts)


def _counter(*parts: Any) -> Any:
    if not all(isinstance(part, dict) for part in parts):
        raise ValueError("its counts are no dict")
    return Counter(*parts)


def _deque(items: Any = (), most: Any = None) -> Any:
    if not isinstance(items, _HELD) or not (most is None or type(most) is int):
        raise ValueError("its items are no list")
    return deque(items, most)


def _ordered(*parts: Any) -> Any:
    made: OrderedDict[Any, Any] = OrderedDict()
    for pair in parts[0] if parts else ():
        key, value = pair
        if type(key) is not str:
            raise ValueError("a key is no text")
        made[key] = value
    return made


def _number(kind: Any) -> Callable[..., Any]:
    def make(value: Any = 0) -> Any:
        if not isinstance(value, str | int | float) or (isinstance(value, str) and len(value) > _DIGITS):
            raise ValueError("it is not made from a number or a short text")
        return kind(value)

    return make


def _fraction(first: Any = 0, second: Any = None) -> Any:
    if isinstance(first, str):
        if second is not None or len(first) > _DIGITS or not _RATIO.fullmatch(first):
            raise ValueError("it is no ratio")
        return fractions.Fraction(first)
    numbers = (first, 1 if second is None else second)
    if any(type(one) is not int or one.bit_length() > _DIGITS for one in numbers):
        raise ValueError("it is no ratio of whole numbers")
    return fractions.Fraction(*numbers)


def _decimal(text: Any = "0") -> Any:
    if not isinstance(text, str | int | tuple) or len(str(text)) > _DIGITS:
        raise ValueError("it is no number of at most 16,384 digits")
    return decimal.Decimal(text)


def _text(*parts: Any) -> str:
    if len(parts) > 1 or not all(isinstance(part, str) for part in parts):
        raise ValueError("it is made from something else than a text")
    return "".join(parts)


def _object(*_: Any) -> Any:
    raise ValueError("it is a base, and can't be called")


def _uuid(_: tuple[Any, ...], state: Any) -> uuid.UUID:
    return uuid.UUID(int=state["int"])


def attributes(state: Any) -> dict[str, Any]:
    """A state as attributes of an instance.

    Raises
    ------
    ValueError : it is no dict of names, or one of them is Python's own.
    """
    if not isinstance(state, dict) or not all(isinstance(key, str) and not key.startswith("__") for key in state):
        raise ValueError("the attributes are no dict of plain names")
    return state


def _namespace(kind: Any) -> Callable[..., Pending]:
    def finish(arguments: tuple[Any, ...], state: Any) -> Any:
        if arguments:
            raise ValueError("it has arguments")
        return kind(**(attributes(state) if state is not None else {}))

    return later(kind.__name__, finish)


def _zone(key: Any, *_: Any) -> zoneinfo.ZoneInfo:
    if not isinstance(key, str) or not _ZONE.fullmatch(key):
        raise ValueError(f"{key!r} is no time zone's name")
    return zoneinfo.ZoneInfo(key)


def _listed(kind: Any) -> Callable[..., Any]:
    """A member of a listed enum, by its value."""

    def make(value: Any) -> Any:
        if not isinstance(value, str | int):
            raise TypeError("it is no member's value")
        return kind(value)

    return make


def _typed(kind: Any, *types_: type) -> Callable[..., Any]:
    """`kind(*parts)`, where each part is of a plain type."""

    def make(*parts: Any) -> Any:
        if not all(isinstance(part, types_) for part in parts):
            raise ValueError("its parts are not plain")
        return kind(*parts)

    return make


_DATED = (int, str, bytes, float, dt.tzinfo, dt.timedelta, type(None))

PLAIN: dict[str, Callable[..., Any]] = {
    "builtins.set": _hashed(set), "builtins.frozenset": _hashed(frozenset), "builtins.list": _from_items(list),
    "builtins.dict": _dict, "builtins.tuple": _from_items(tuple),
    "builtins.complex": _typed(complex, int, float),
    "builtins.slice": slice, "builtins.range": _typed(range, int),
    "builtins.bytearray": lambda *parts: bytearray(_bytes(*parts)), "builtins.bytes": _bytes,
    "builtins.int": _number(int), "builtins.float": _number(float), "builtins.bool": _number(bool),
    "builtins.str": _text, "builtins.object": _object, "_codecs.encode": _encode,
    "collections.OrderedDict": _ordered, "collections.defaultdict": _defaultdict, "collections.Counter": _counter,
    "collections.deque": _deque, "datetime.datetime": _typed(dt.datetime, *_DATED),
    "datetime.date": _typed(dt.date, *_DATED), "datetime.time": _typed(dt.time, *_DATED),
    "datetime.timedelta": _typed(dt.timedelta, int, float), "datetime.timezone": _typed(dt.timezone, *_DATED),
    "zoneinfo.ZoneInfo": _zone, "zoneinfo.ZoneInfo._unpickle": _zone,
    "decimal.Decimal": _decimal, "fractions.Fraction": _fraction, "uuid.UUID": later("uuid.UUID", _uuid),
    "argparse.Namespace": _namespace(argparse.Namespace), "types.SimpleNamespace": _namespace(types.SimpleNamespace),
    "http.HTTPStatus": _listed(http.HTTPStatus), "http.HTTPMethod": _listed(http.HTTPMethod),
    "uuid.SafeUUID": _listed(uuid.SafeUUID), "re.RegexFlag": _listed(re.RegexFlag),
}  # fmt: skip
for _kind in ("PosixPath", "PurePosixPath", "WindowsPath", "PureWindowsPath", "Path", "PurePath"):
    _pure = pathlib.PureWindowsPath if "Windows" in _kind else pathlib.PurePosixPath
    PLAIN |= {f"{module}.{_kind}": _typed(_pure, str) for module in ("pathlib", "pathlib._local")}
