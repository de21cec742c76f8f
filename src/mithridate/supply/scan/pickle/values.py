"""What stands on the unpickler's stack while nothing is run.

Numbers, texts, bytes, booleans and None are themselves; what lies in the file and is long is a `Chunk`; everything
else is one of the classes below. Shared values are shared here too, so that a memo bomb costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

Value: TypeAlias = Any
"""An int, float, str, bytes, bytearray, bool, None, or an instance of a class of this file."""

KEPT = 1 << 16  # items of one container that are kept; its length is counted on
HEAVY = 1 << 28  # containers that a value would be, were nothing in it shared
_HEAVIEST = 1 << 62


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """A long str, bytes, bytearray or int, left where it lies in the file."""

    kind: str
    offset: int
    size: int


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A read-only view of a bytearray."""

    of: Value


class Tuple:
    """A tuple; `hashable` and `weight` are worked out once, so that no nesting makes them dear.

    weight : tuples and containers that one would walk through, the shared ones as often as they are met.
    """

    __slots__ = ("hashable", "items", "weight")

    def __init__(self, items: Sequence[Value]) -> None:
        self.items = items
        self.hashable = True
        self.weight = 1
        for item in items:
            if type(item) in _DOUBTFUL:
                self.hashable = all(map(hashable, items))
                self.weight += weight_of(items)
                break


class Container:
    """A list, dict (keys and values in turn) or set: its first `KEPT` items, its length and its weight."""

    __slots__ = ("items", "kind", "length", "weight")

    def __init__(self, kind: str, items: Sequence[Value] = ()) -> None:
        self.kind = kind
        self.items: list[Value] = []
        self.length = 0
        self.weight = 1
        if items:
            self.extend(items)

    def extend(self, items: Sequence[Value]) -> None:
        """Put these behind the others."""
        self.length += len(items)
        if not NESTED.isdisjoint(map(type, items)):
            self.weight = min(self.weight + weight_of(items), _HEAVIEST)
        if len(self.items) < KEPT:
            self.items.extend(items[: KEPT - len(self.items)] if len(items) > KEPT else items)


def weight_of(items: Sequence[Value]) -> int:
    """The weights of the tuples and containers among the values, summed."""
    found: int = sum([item.weight for item in items if type(item) in NESTED])
    return min(found, _HEAVIEST)


@dataclass(slots=True, eq=False)
class Global:
    """What the stream imports. asked : the names as they stand in the stream, before Python 2's were mapped."""

    module: str
    name: str
    asked: tuple[str, str]

    @property
    def path(self) -> str:
        """The dotted name."""
        return f"{self.module}.{self.name}"


@dataclass(slots=True, eq=False)
class Call:
    """What a call gives, unknown but for how it was made.

    kind : `call` (REDUCE, INST and OBJ with arguments), `new` (NEWOBJ, NEWOBJ_EX, INST and OBJ without), `persistent`
        (the loader's own `persistent_load`), `extension` (a code of the registry of `copyreg`), `buffer` (out of band).
    state : what BUILD gave it last. alias : the import that it is known to be, as `getattr(os, "system")` is.
    """

    kind: str
    function: Value
    arguments: Value
    keywords: Value = None
    offset: int = 0
    state: Value = None
    alias: Global | None = None


_UNHASHABLE = {"list", "dict", "set"}


_DOUBTFUL = {Tuple, Container, Chunk, View, bytearray}
NESTED = {Tuple, Container}


def unhashable(values: Sequence[Value]) -> Value | None:
    """The first value that can't be a key; None where all can (None can)."""
    for value in values:
        if type(value) in _DOUBTFUL and not hashable(value):
            return value
    return None


def hashable(value: Value) -> bool:
    """Whether the value can be a key, as far as its type says."""
    kind = type(value)
    if kind is Tuple:
        return bool(value.hashable)
    if kind is Container:
        return value.kind not in _UNHASHABLE
    if kind is Chunk:
        return bool(value.kind != "bytearray")
    return kind is not bytearray and kind is not View


def abstract(value: Value) -> bool:
    """Whether only its origin is known: it may be of any type."""
    return type(value) in {Global, Call}


def items_of(value: Value) -> Sequence[Value]:
    """What a tuple or container holds, as far as it was kept; empty for anything else."""
    return value.items if isinstance(value, Tuple | Container) else ()
