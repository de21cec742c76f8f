"""What a name can do, said without importing it: known inert, known harmful, a class, or unknown.

A class can't be told from a function without importing it. What is taken for one: a name that PEP 8 gives to classes
(capitalised, no underscore but before it, as `LinearSVC`, `PCA` or `_Tree`) in a package of `LIBRARIES`, and whatever
NEWOBJ makes an instance of, because that opcode refuses everything but classes. A lower-case name that is called and
stands in no list stays unknown, whoever wrote it.
"""

from __future__ import annotations

import builtins
import re
import sys
from dataclasses import dataclass
from functools import lru_cache

from mithridate.supply.scan.pickle.table import (
    CAPABILITIES,
    HARMFUL_MODULES,
    HARMFUL_NAMES,
    INERT,
    LIBRARIES,
    UNMISTAKABLE,
)

_CLASS = re.compile(r"_{0,2}[A-Z][A-Za-z0-9]*(\._{0,2}[A-Z][A-Za-z0-9]*)*")
_CYTHON = re.compile(r"__pyx_unpickle_\w+")
_INDICES = re.compile(r"pandas\.core\.indexes\.[a-z]+\._new_[A-Z][A-Za-z]*Index")
_DUNDER = re.compile(r"__\w+__")


def _prefixes(words: dict[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for capability in CAPABILITIES:
        for word in words.get(capability, "").split():
            found.setdefault(word, capability)
    return found


_MODULES = _prefixes(HARMFUL_MODULES)
_NAMES = _prefixes(HARMFUL_NAMES)
_INERT = {f"{module}.{name}" for module, names in INERT.items() for name in names.split()}
_LIBRARIES = frozenset(LIBRARIES.split())
_UNMISTAKABLE = frozenset(UNMISTAKABLE.split())
_TYPES = (str, bytes, bytearray, int, float, bool, complex, list, tuple, dict, set, frozenset, range, slice)
_METHODS = frozenset(f"{kind.__name__}.{name}" for kind in _TYPES for name in dir(kind) if not name.startswith("_"))
_EXCEPTIONS = frozenset(
    name for name, value in vars(builtins).items() if isinstance(value, type) and issubclass(value, BaseException)
)
_OLD_STDLIB = frozenset({"UserDict", "UserList", "UserString", "exceptions", "sets", "StringIO", "cStringIO", "Queue"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of a name.

    kind : `inert`, `harmful`, `class` or `unknown`. capability : of a harmful one, a key of `CAPABILITIES`.
    origin : `stdlib`, `library` (of `LIBRARIES`) or `foreign`. by_family : the capability is that of callables with
    such names; nobody has looked at this one.
    """

    kind: str
    origin: str
    capability: str = ""
    by_family: bool = False


@lru_cache(maxsize=1 << 14)
def judge(module: str, name: str) -> Verdict:
    """The verdict on `module.name`, as Python would resolve it."""
    path = f"{module}.{name}"
    top = module.partition(".")[0]
    is_stdlib = top in sys.stdlib_module_names or top in _OLD_STDLIB
    origin = "library" if top in _LIBRARIES else "stdlib" if is_stdlib else "foreign"
    if path in _INERT or (module == "builtins" and (name in _EXCEPTIONS or name in _METHODS)):
        return Verdict("inert", origin)
    if _is_method_of_inert(module, name):
        return Verdict("class", origin)
    capability = _harm(module, name)
    if capability:
        return Verdict("harmful", origin, capability)
    if origin == "library" and (_CYTHON.fullmatch(name) or _INDICES.fullmatch(path)):
        return Verdict("inert", origin)
    return Verdict("class" if is_class_name(name) else "unknown", origin)


def _is_method_of_inert(module: str, name: str) -> bool:
    """A public method of a class of Python's own containers that is named, as bound methods are pickled."""
    owner, _, method = name.rpartition(".")
    return module in {"collections", "configparser"} and f"{module}.{owner}" in _INERT and not method.startswith("_")


def _harm(module: str, name: str) -> str:
    parts = name.split(".")
    if any(_DUNDER.fullmatch(part) for part in parts) and f"{module}.{name}" not in _NAMES:
        return "attribute"
    for first, part in enumerate(parts):
        if part in _UNMISTAKABLE:
            rest = ".".join(parts[first + 1 :])
            return _longest(f"{part}.{rest}") or "attribute"
    return _longest(f"{module}.{name}")


def _longest(path: str) -> str:
    """The capability of the longest known beginning of a dotted path."""
    while path:
        if path in _NAMES:
            return _NAMES[path]
        if path in _MODULES:
            return _MODULES[path]
        path = path.rpartition(".")[0]
    return ""


def is_class_name(name: str) -> bool:
    """Whether PEP 8 gives such a name to classes.

    Examples
    --------
    >>> is_class_name("LinearSVC"), is_class_name("system"), is_class_name("_Private")
    (True, False, True)
    """
    return _CLASS.fullmatch(name) is not None


def is_library(module: str) -> bool:
    """Whether models are known to come from this package."""
    return module.partition(".")[0] in _LIBRARIES
