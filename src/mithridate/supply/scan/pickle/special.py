"""Callables whose harm depends on what they are given: each is looked through, none is taken on trust."""

from __future__ import annotations

import builtins
import re
from collections.abc import Sequence

from mithridate.supply.scan.pickle.table import CONVERTERS, DATA_METHODS
from mithridate.supply.scan.pickle.values import Call, Global, Tuple, Value, abstract, items_of
from mithridate.supply.scan.pickle.verdict import Verdict, judge

_INERT = Verdict("inert", "stdlib")
_REBUILDERS = {"copyreg._reconstructor", "copyreg.__newobj__", "copyreg.__newobj_ex__"}
_ATTRIBUTES = {"operator.attrgetter", "_operator.attrgetter"}
_GETTERS = {"builtins.getattr", "__builtin__.getattr"}
_UFUNCS = {"numpy.core._ufunc_reconstruct", "numpy._core._ufunc_reconstruct"}
_TYPED = {"torch._tensor._rebuild_from_type", "torch._tensor._rebuild_from_type_v2", "torch.tensor._rebuild_from_type"}
_ENCODINGS = {"latin1", "latin-1", "ascii", "utf-8", "utf8", "utf_8", "iso-8859-1"}
_REDUCERS = {"functools.reduce", "_functools.reduce"}
_TYPES = {"cloudpickle.cloudpickle._builtin_type", "cloudpickle._builtin_type", "dill._dill._load_type",
          "dill.dill._load_type"}  # fmt: skip
_ARRAYS = {"dill._dill._create_array", "dill.dill._create_array"}
_ARRAY_MAKERS = {f"numpy.{place}._reconstruct" for place in ("core.multiarray", "_core.multiarray")}
_UNIONS = {"operator.or_", "_operator.or_"}
_MAPS = {"builtins.map", "builtins.filter"}
_CONVERTERS = frozenset(f"builtins.{name}" for name in CONVERTERS.split())
_FORMATS = {"builtins.str.format", "builtins.str.format_map", "__builtin__.str.format"}  # `{0.__class__}` is read
_REACHES = Verdict("harmful", "stdlib", "attribute")
_ITEMS = {"operator.getitem", "_operator.getitem"}
_BOOSTERS = {"xgboost.core.Booster", "lightgbm.basic.Booster"}  # given a path, they read it
_SINGLE = {"builtins.type": "exec", "builtins.iter": "exec"}  # with more than one argument they make or call
_PLAIN = re.compile(r"(?!__)[^\W\d]\w*")
_DOTTED = re.compile(r"[^\W\d_]\w*(?:\.[^\W\d_]\w*)*")
_CALLERS = {"operator.methodcaller", "_operator.methodcaller"}
_DATA_METHODS = frozenset(DATA_METHODS.split())
_TEXT_METHODS = frozenset(name for kind in (str, bytes, list, dict, set) for name in dir(kind)) - {
    "format",
    "format_map",
}


def array_given(function: Value, arguments: Value) -> tuple[Call, Value] | None:
    """The array and the state that dill's `_create_array` gives it, as BUILD would; None for other calls."""
    items = items_of(arguments)
    if not isinstance(function, Global) or function.path not in _ARRAYS or len(items) < 3:  # noqa: PLR2004 - with state
        return None
    return Call("call", items[0], items[1]), items[2]


def rebuilt(function: Global, arguments: Value) -> Value | None:
    """The class whose instance the helpers of `copyreg` make; None for other calls."""
    items = items_of(arguments)
    return items[0] if function.path in _REBUILDERS and items else None


def called_within(function: Global, arguments: Value) -> tuple[Value, Value] | None:
    """Function and arguments that this call passes on.

    Torch's rebuilders for subclasses of tensors do, dill's `_create_array` calls its first argument with its second,
    and `copyreg._reconstructor` gives the state to the base's own `__init__`.
    """
    items = items_of(arguments)
    if function.path in _ARRAYS and len(items) > 1:
        return items[0], items[1]
    if function.path == "copyreg._reconstructor" and len(items) > 2:  # noqa: PLR2004 - class, base, state
        base, state = items[1:3]
        return None if isinstance(base, Global) and base.module == "builtins" else (base, Tuple((state,)))
    if function.path not in _TYPED or len(items) < 3:  # noqa: PLR2004 - function, type, arguments
        return None
    return items[0], items[2]


def resolved(function: Global, arguments: Value) -> Global | None:
    """The import that a call amounts to: `getattr(module.Class, "name")`, a ufunc of numpy, a type of cloudpickle."""
    items = items_of(arguments)
    if function.path in _TYPES and len(items) == 1 and isinstance(items[0], str):
        return _named_type(items[0])
    if len(items) != 2 or not isinstance(items[1], str):  # noqa: PLR2004 - owner and name
        return None
    owner, name = items
    if function.path in _UFUNCS and isinstance(owner, str):
        return Global(owner, name, (owner, name))
    if function.path not in _GETTERS:
        return None
    if isinstance(owner, Call):
        owner = owner.alias or _class_behind(owner)
    if not isinstance(owner, Global):
        return None
    return Global(owner.module, f"{owner.name}.{name}", owner.asked)


def _named_type(name: str) -> Global:
    """What cloudpickle and dill call by a name of `types`, or of the builtins; dill names partials so too."""
    if name == "PartialType":
        return Global("functools", "partial", ("functools", "partial"))
    module = "types" if name[:1].isupper() and not hasattr(builtins, name) else "builtins"
    return Global(module, name, (module, name))


def _class_behind(owner: Call) -> Value:
    """The class of an instance that was made from a known class."""
    if isinstance(owner.function, Global) and owner.function.path in _REBUILDERS:
        return next(iter(items_of(owner.arguments)), None)
    return owner.function


def judged(function: Global, arguments: Value) -> Verdict | None:
    """A verdict that rests on the arguments; None where the name alone decides."""
    items = items_of(arguments) if isinstance(arguments, Tuple) else ()
    path = function.path
    if path == "_codecs.encode":
        known = len(items) == 1 or (len(items) > 1 and isinstance(items[1], str) and items[1].lower() in _ENCODINGS)
        return None if known else Verdict("unknown", "stdlib")
    if path in _SINGLE:
        return _INERT if len(items) == 1 else Verdict("harmful", "stdlib", _SINGLE[path])
    if path in _REDUCERS:
        first = items[0] if items else None
        return _INERT if isinstance(first, Global) and first.path in _UNIONS else None
    if path in _GETTERS:
        is_plain = len(items) == 2 and isinstance(items[1], str) and not items[1].startswith("__")  # noqa: PLR2004 - as above
        return _INERT if is_plain and not abstract(items[0]) else None
    if path in _BOOSTERS and items:
        is_path = any(isinstance(item, str) for item in items)
        return Verdict("harmful", "library", "file") if is_path else Verdict("class", "library")
    return _item(items) if path in _ITEMS else _inert(path, items)


def _is_plain_array(items: Sequence[Value]) -> bool:
    """Whether numpy's own function makes the array, and nothing is written over its attributes."""
    maker = items[0] if items else None
    return isinstance(maker, Global) and maker.path in _ARRAY_MAKERS and not any(item is not None for item in items[3:])


def _inert(path: str, items: Sequence[Value]) -> Verdict | None:
    """`attrgetter`, `methodcaller` of plain names are inert, and dill's array; dunders reach what classes hide."""
    if path in _FORMATS:
        return _INERT if items and isinstance(items[0], str) and "__" not in items[0] else _REACHES
    if path in _ARRAYS:
        return _INERT if _is_plain_array(items) else None
    if path in _MAPS:
        return _INERT if items and isinstance(items[0], Global) and items[0].path in _CONVERTERS else None
    if path in _CALLERS:
        return _INERT if _is_plain_method(items) else None
    is_plain = all(isinstance(item, str) and _is_plain_path(item) for item in items)
    return _INERT if path in _ATTRIBUTES and items and is_plain else None


def _is_plain_path(name: str) -> bool:
    """One attribute, or public ones in a row of which none is a module that harms, as `os` of `pathlib` is."""
    if _PLAIN.fullmatch(name):
        return True
    return _DOTTED.fullmatch(name) is not None and not any(judge(part, "any").capability for part in name.split("."))


def _is_plain_method(items: Sequence[Value]) -> bool:
    """A method that is only made here, with plain data: one of texts, containers, tables or arrays."""
    name = items[0] if items else None
    is_known = isinstance(name, str) and not name.startswith("_") and name in _DATA_METHODS | _TEXT_METHODS
    return is_known and not any(abstract(item) for item in items[1:])


def _item(items: Sequence[Value]) -> Verdict:
    """`owner[key]`: inert for the generics of `typing` and for what is inert itself and calls nothing for a key."""
    owner = items[0] if items else None
    if isinstance(owner, Call):
        owner = None if _is_mapping(owner) else owner.alias or owner.function
    fits = isinstance(owner, Global) and (owner.module == "typing" or judge(owner.module, owner.name).kind == "inert")
    return _INERT if fits else Verdict("harmful", "stdlib", "attribute")


def _is_mapping(owner: Call) -> bool:
    """Whether an item of it may come from a `default_factory`, which is called for what isn't there."""
    function = owner.alias or owner.function
    return isinstance(function, Global) and function.module == "collections"
