"""Functions with which packages rebuild their own objects, told by the words that pickling has for it.

`__reduce__` returns a function and what to give it: by custom it is private to its module, is called `_rebuild_x`,
`_reconstruct`, `_unpickle_x`, `newObj` or `Class.from_x`, or takes the class first, and is given data. A list of them
is never whole, so words and arguments decide together; what such a name reaches elsewhere stands in the table.
"""

from __future__ import annotations

import re

from mithridate.supply.scan.pickle.reach import reach
from mithridate.supply.scan.pickle.sniff import looks_like_pickle
from mithridate.supply.scan.pickle.values import Call, Chunk, Container, Global, Tuple, Value, View, items_of
from mithridate.supply.scan.pickle.verdict import judge

_REBUILDS = re.compile(
    r"_*(?:re_?build|re_?construct|re_?create|from_?state|new_?obj(?:ect)?|new_?instance)(?:_\w+|er|or)?_*|"
    r"_+unpickle(?:_\w+)?|unpickle_\w+",
    re.IGNORECASE,
)
_FROM = re.compile(r"_*from_?(\w+)")
_ELSEWHERE = re.compile(
    r"pretrained|hub|file|path|ur[il]|disk|checkpoint|ckpt|config|yaml|toml|json|str|code|source|module|name|import|"
    r"pickle|dump|dir|folder|zip|archive|http|git|env|socket|command|cmd|shell|expr|template|script|text|repo|remote|"
    r"cache|db|sql|connection|store|stream"
)
"""What follows `from_` where a constructor reads more than the data that it is given."""
_ENUMERATION = re.compile(r"_{0,2}[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
_WORD = re.compile(r"[\w+.-]{0,64}")
_LAYOUT = re.compile(r"[<>=|!@]\d{0,4}[a-zA-Z?]\d{0,4}|[<=@!](?:\d{0,4}[xcbBhHiIlLqQnNefdspP?]){1,32}")
"""A struct's or a dtype's: a byte order and codes of types. To a shell, no command stands in it."""
_MARSHALLED = re.compile(rb"[c\xe3][\x00-\x20]\x00\x00\x00")  # a code object: its type, and how many arguments it has
_PLAIN = re.compile(rb"[ -~]{6}")
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
    if not 0 < len(items) <= _WIDTH or isinstance(items[0], str) or not all(map(is_data, items)):
        return False
    source = _FROM.fullmatch(name)
    is_from_data = source is not None and _ELSEWHERE.search(source.group(1)) is None
    return is_from_data or _REBUILDS.fullmatch(name) is not None or _is_given_own_class(function, items[0])


def _is_given_own_class(function: Global, first: Value) -> bool:
    """The first argument is a class of the function's own package, as `copyreg` has it; its name says no more."""
    top = function.module.partition(".")[0]
    is_own = isinstance(first, Global) and first.module.partition(".")[0] == top
    return is_own and not reach(function.module, function.name)


def is_data(value: Value, depth: int = 0) -> bool:
    """Numbers, words, bytes that are no pickle, classes, and objects and containers of these: no path and no code."""
    if value is None or isinstance(value, int | float | complex):
        return True
    if isinstance(value, str | bytes | bytearray):
        return _is_plain(value)
    if isinstance(value, Global):
        return judge(value.module, value.name).kind in {"class", "inert"}
    if isinstance(value, Call):
        return _is_object(value)
    if isinstance(value, Tuple | Container):
        return depth < _DEPTH and all(is_data(item, depth + 1) for item in value.items[:_WIDTH])
    return isinstance(value, Chunk) and value.kind == "int" and not isinstance(value, View)


def _is_plain(value: str | bytes | bytearray) -> bool:
    """Whether a word, or bytes that no loader takes."""
    if isinstance(value, str) or not _is_binary(value):
        return _is_word(value)
    return not _is_stream(bytes(value))


def _is_binary(value: bytes | bytearray) -> bool:
    """Whether bytes can be neither a path nor a command nor source code: a zero byte, which all three refuse.

    A digest of a few bytes may lack one; it has no stretch of plain characters either.
    """
    return 0 in value or (not value.isascii() and _PLAIN.search(value) is None)


def _is_stream(raw: bytes) -> bool:
    """Whether a loader may take these bytes: a pickle that says its protocol or looks like one, code, a program."""
    is_code = _MARSHALLED.match(raw) is not None or raw.startswith((b"\x7fELF", b"MZ", b"PK\3\4"))
    return raw[:1] == b"\x80" or is_code or looks_like_pickle(raw)


def _is_word(value: str | bytes | bytearray) -> bool:
    text = value if isinstance(value, str) else value.decode("latin-1")
    is_word = _WORD.fullmatch(text) is not None and _DOTS.search(text) is None
    return is_word or _LAYOUT.fullmatch(text) is not None


def _is_object(made: Call) -> bool:
    """An instance that the stream made itself, judged where it was made; no text in disguise, and no path."""
    function = made.alias or made.function
    function = function.alias if isinstance(function, Call) else function
    return isinstance(function, Global) and function.module.partition(".")[0] not in _PLACES
