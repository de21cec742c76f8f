"""Functions with which packages rebuild their own objects, told by the words that pickling has for it.

`__reduce__` returns a function and what to give it: by custom the function is private to its module, is called
`_rebuild_x`, `_reconstruct`, `_unpickle_x` or `newObj`, and is given data and classes. A list of them is never whole,
so words and arguments decide together; what a function of such a name reaches elsewhere stands in the table.
"""

from __future__ import annotations

import re

from mithridate.supply.scan.pickle.sniff import looks_like_pickle
from mithridate.supply.scan.pickle.values import Call, Chunk, Container, Global, Tuple, Value, View, items_of
from mithridate.supply.scan.pickle.verdict import judge

_REBUILDS = re.compile(
    r"_*(?:re_?build|re_?construct|unpickle|from_?state|new_?obj(?:ect)?|new_?instance)(?:_\w+|er|or)?_*", re.IGNORECASE
)
_FROM_DATA = re.compile(
    r"_*from_?(?:wkb|bytes|buffer|dict|list|tuple|array|numpy|values|parts|spec|args|kwargs|components|items|indices)s?"
)
_ENUMERATION = re.compile(r"_{0,2}[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
_WORD = re.compile(r"[\w+.-]{0,64}")
_DOTS = re.compile(r"\.[A-Za-z]\w{0,9}\Z")
_DEPTH, _WIDTH = 8, 256
_PLACES = ("pathlib", "builtins", "_codecs", "codecs", "io", "_io", "operator", "_operator", "functools")


def rebuilds(function: Global, arguments: Value) -> bool:
    """Whether an unlisted function rebuilds an object from data, as far as its name and its arguments say.

    Examples
    --------
    >>> new = Global("hdbscan.dist_metrics", "newObj", ("", ""))
    >>> rebuilds(new, Tuple([Global("hdbscan.dist_metrics", "EuclideanDistance", ("", ""))]))
    True
    >>> rebuilds(Global("acme", "_rebuild", ("", "")), Tuple(["rm -r /tmp/x"]))
    False
    """
    name = function.name.rpartition(".")[2]
    items = items_of(arguments)
    if _ENUMERATION.fullmatch(name):
        return len(items) == 1 and isinstance(items[0], int)
    known = _REBUILDS.fullmatch(name) or _FROM_DATA.fullmatch(name)
    return bool(items) and known is not None and all(is_data(item) for item in items[:_WIDTH])


def is_data(value: Value, depth: int = 0) -> bool:
    """Numbers, words, bytes that are no pickle, classes, and objects and containers of these: no path and no code."""
    if value is None or isinstance(value, int | float | complex):
        return True
    if isinstance(value, str | bytes | bytearray):
        return _is_word(value) if isinstance(value, str) or value.isascii() else not looks_like_pickle(bytes(value))
    if isinstance(value, Global):
        return judge(value.module, value.name).kind in {"class", "inert"}
    if isinstance(value, Call):
        return _is_object(value)
    if isinstance(value, Tuple | Container):
        return depth < _DEPTH and all(is_data(item, depth + 1) for item in value.items[:_WIDTH])
    return isinstance(value, Chunk) and value.kind == "int" and not isinstance(value, View)


def _is_word(value: str | bytes | bytearray) -> bool:
    text = value if isinstance(value, str) else value.decode("ascii")
    return _WORD.fullmatch(text) is not None and _DOTS.search(text) is None


def _is_object(made: Call) -> bool:
    """An instance that the stream made itself, judged where it was made; no text in disguise, and no path."""
    function = made.alias or made.function
    return isinstance(function, Global) and function.module.partition(".")[0] not in _PLACES
