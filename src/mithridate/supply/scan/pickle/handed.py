"""Functions that a harmless callable is given, and calls: judged as if the stream called them itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mithridate.supply.scan.pickle.reach import reach
from mithridate.supply.scan.pickle.values import Call, Container, Global, Tuple, Value, items_of
from mithridate.supply.scan.pickle.verdict import judge

PARTIALS = {"functools.partial", "_functools.partial"}
_KEEPS = {"functools.partial", "_functools.partial", "operator.getitem", "_operator.getitem", "builtins.isinstance",
          "builtins.issubclass", "builtins.callable", "builtins.type", "builtins.id", "builtins.repr", "builtins.hash",
          "types.GenericAlias", "torch._tensor._rebuild_from_type", "torch._tensor._rebuild_from_type_v2",
          "torch.tensor._rebuild_from_type", "builtins.getattr", "_codecs.encode"}  # fmt: skip
"""Names that keep or inspect what they are given and call nothing; what partials hold counts where those are called."""

_CLASS_FIRST = re.compile(r"_reconstructor|__newobj(?:_ex)?__|_\w*reconstruct|_new_\w*Index|_rebuild_\w+|newObj|\w*new")
_DEPTH, _WIDTH = 6, 256
_BY_INSTANCE = {"build": "__setstate__", "extend": "extend", "add": "add"}
"""Effect -> the attribute of the instance that an unpickler calls for it: one in its own `__dict__` comes first."""


class Deferred(NamedTuple):
    """What a `functools.partial` calls: the function, the arguments bound to it, and the values of its keywords."""

    function: Value
    arguments: tuple[Value, ...]
    keywords: tuple[Value, ...]


def partial_of(call: Call) -> Deferred | None:
    """What calling this value calls, where it is a `functools.partial`."""
    if not (isinstance(call.function, Global) and call.function.path in PARTIALS):
        return None
    state = items_of(call.state)
    if len(state) > 2:  # noqa: PLR2004 - function, arguments, keywords
        return Deferred(state[0], tuple(items_of(state[1])), tuple(items_of(state[2])[1::2]))
    items = items_of(call.arguments)
    return Deferred(items[0], tuple(items[1:]), tuple(items_of(call.keywords)[1::2])) if items else None


def handed(function: Global, given: Sequence[Value], *, deferred: bool = False) -> Global | None:
    """The first function among the arguments that would be grave if the stream called it; None where there is none.

    Parameters
    ----------
    deferred : the call comes out of a partial, as ordinary pickles never make one: functions of known libraries count.
    """
    if function.path in _KEEPS:
        return None
    skipped = 1 if _CLASS_FIRST.fullmatch(function.name) else 0
    for value in given[skipped:]:
        for found in _functions(value):
            verdict = judge(found.module, found.name)
            if verdict.kind != "unknown":
                continue
            if deferred or verdict.origin != "library" or reach(found.module, found.name):
                return found
    return None


def _functions(value: Value, depth: int = 0) -> Iterator[Global]:
    """Every name in a value, however it is wrapped, as far as it is looked at."""
    if isinstance(value, Call):
        inner = partial_of(value)
        if value.alias is not None:
            yield value.alias
        elif inner is not None and depth < _DEPTH:
            for part in (inner.function, *inner.arguments, *inner.keywords):
                yield from _functions(part, depth + 1)
    elif isinstance(value, Global):
        yield value
    elif isinstance(value, Tuple | Container) and depth < _DEPTH:
        for part in value.items[:_WIDTH]:
            if isinstance(part, Global | Call | Tuple | Container):
                yield from _functions(part, depth + 1)


def own_methods(state: Value) -> dict[str, Value]:
    """Names that an unpickler calls on instances, where a state sets them to something that can be called."""
    parts = state.items if isinstance(state, Tuple) and len(state.items) == 2 else (state,)  # noqa: PLR2004 - and slots
    found: dict[str, Value] = {}
    for part in parts:
        keys = part.items[::2] if isinstance(part, Container) and part.kind == "dict" else ()
        for name in ("__setstate__", "append", "extend", "add"):
            if name in keys and isinstance(value := part.items[2 * keys.index(name) + 1], Global | Call):
                found["extend" if name == "append" else name] = value
    return found


def method_for(kind: str) -> str:
    """The attribute that an effect calls on an instance; empty for others."""
    return _BY_INSTANCE.get(kind, "")
