"""Calls of harmless names that eat memory or time without end: seen from the arguments, never computed.

An iterator is not an array: `range(10**18)` costs nothing until something takes all of it. `extent` says how many items
a value would give, from how it is made; what takes all of them is listed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from mithridate.supply.scan.pickle.regexes import backtracks
from mithridate.supply.scan.pickle.values import Call, Chunk, Container, Global, Tuple, Value, items_of

MOST_ITEMS = 1 << 27  # a list of so many takes a gigabyte
MOST_BYTES = 1 << 32
_MOST_DIGITS = 100_000  # Python itself refuses more than 4,300 unless told otherwise
_DEPTH = 6
_TAKERS = {
    *(f"builtins.{name}" for name in ("list", "tuple", "set", "frozenset", "dict", "bytes", "bytearray", "sum", "max",
                                      "min", "any", "all", "sorted")),
    *(f"collections.{name}" for name in ("deque", "Counter", "OrderedDict", "UserList")),
    "array.array", "itertools.product", "itertools.permutations", "itertools.combinations", "numpy.array",
    "pandas.Index", "pandas.Series",
}  # fmt: skip
_RANGES = {"builtins.range", "builtins.xrange"}
_SAME = {"builtins.iter", "builtins.enumerate", "builtins.reversed", "itertools.chain", "itertools.tee",
         "itertools.pairwise", "itertools.zip_longest"}  # fmt: skip
_MAKERS = re.compile(
    r"builtins\.(?:bytes|bytearray)|numpy(?:\.\w+)*\.(?:ndarray|recarray|chararray|void|bytes_|_reconstruct)|"
    r"torch(?:\.\w+)*\.(?:\w*Storage|Tensor|Size)|scipy\.sparse\.\w+\.\w+_(?:matrix|array)"
)
_METHOD = re.compile(r"builtins\.(?:str|bytes|bytearray|list|dict|set|frozenset|tuple|int)\.\w+")
_NUMBERS = {"builtins.int", "builtins.complex", "fractions.Fraction", "builtins.hash", "builtins.round"}
_EXPONENT = re.compile(r"[eE][+]?(\d{6,})")
_COMPILERS = {"re._compile", "re.compile", "re.template", "regex._regex_core.compile", "regex.compile"}


def bomb(path: str, arguments: Value) -> str:
    """What the call would use up, for a sentence that begins with `which`; empty where it is nothing unusual."""
    items = items_of(arguments)
    if path in _TAKERS or _METHOD.fullmatch(path):
        longest = max((extent(item) for item in items), default=0.0)
        if longest > MOST_ITEMS:
            return f"takes {_count(longest)} items out of an iterator: memory or time without end"
    if _MAKERS.fullmatch(path) or _METHOD.fullmatch(path):
        size = max((_product(item) for item in (*items, arguments)), default=0.0)
        if size > MOST_BYTES:
            return f"asks for {_count(size)} items of memory at once"
    if path in _NUMBERS and (digits := max(map(_digits, items[:1]), default=0)) > _MOST_DIGITS:
        return f"makes a number of {digits:,} digits, in time that grows with their square"
    if path in _COMPILERS and items and isinstance(items[0], str | bytes) and backtracks(items[0]):
        return "holds a pattern that backtracks without end on some texts"
    return ""


def extent(value: Value, depth: int = 0) -> float:
    """How many items iterating over a value gives; infinite where it never ends, 0 where that isn't known."""
    if isinstance(value, Tuple):
        return len(value.items)
    if isinstance(value, Container):
        return value.length
    if not isinstance(value, Call) or not isinstance(value.function, Global) or depth > _DEPTH:
        return 0
    path, items = value.function.path, items_of(value.arguments)
    sizes = [extent(item, depth + 1) for item in items]
    if path in _RANGES:
        return _range(items)
    if path in _SAME or path == "builtins.zip":
        return sum(sizes) if path in _SAME else min(sizes, default=0)
    return _of_itertools(path.removeprefix("itertools."), items, sizes) if path.startswith("itertools.") else 0


def _of_itertools(name: str, items: Sequence[Value], sizes: Sequence[float]) -> float:
    if name == "count" or (name == "cycle" and any(sizes)) or (name == "repeat" and len(items) < 2):  # noqa: PLR2004 - no times
        return math.inf
    if name == "repeat":
        return float(min(items[1], 1 << 62)) if isinstance(items[1], int) else 0
    if name == "islice":
        stops = [item for item in items[1:3] if isinstance(item, int)]
        return min(sizes[0], float(min(max(stops), 1 << 62))) if stops and sizes else 0
    if name == "product":
        return _power(sizes)
    if name in {"permutations", "combinations"} and sizes:
        chosen = items[1] if len(items) > 1 and isinstance(items[1], int) else sizes[0]
        return _ways(sizes[0], chosen, ordered=name == "permutations")
    return 0


def _range(items: Sequence[Value]) -> float:
    numbers = [item for item in items if isinstance(item, int)]
    if not 0 < len(numbers) <= 3 or len(numbers) < len(items):  # noqa: PLR2004 - start, stop, step
        return 0
    start, stop, step = (0, numbers[0], 1) if len(numbers) == 1 else (*numbers, 1)[:3]
    return float(min(max((stop - start) // (step or 1), 0), 1 << 62))


def _power(sizes: Sequence[float]) -> float:
    found = 1.0
    for size in sizes[:64]:
        found = min(found * size, math.inf)
    return found if sizes else 0


def _ways(size: float, chosen: float, *, ordered: bool) -> float:
    """As many as a lower bound needs: it stops beyond what counts."""
    if size > MOST_ITEMS or not 0 <= chosen <= size:
        return size if chosen else 0
    found = 1.0
    chosen = chosen if ordered else min(chosen, size - chosen)
    for place in range(int(min(chosen, 64))):
        found *= (size - place) / (1 if ordered else place + 1)
    return found


def _product(shape: Value) -> float:
    """Items of memory that a whole number or a shape asks for."""
    sides = items_of(shape) if isinstance(shape, Tuple | Container) else (shape,)
    found = 1.0
    for side in sides[:64]:
        if not isinstance(side, int) or isinstance(side, bool):
            return 0
        found *= float(min(abs(side), 1 << 62))
    return found if sides else 0


def _digits(value: Value) -> int:
    """Digits of the whole number that a text, or a decimal with an exponent, stands for."""
    if isinstance(value, Call) and isinstance(value.function, Global):
        is_decimal = value.function.path in {"decimal.Decimal", "_decimal.Decimal"}
        return max(map(_digits, items_of(value.arguments)[:1]), default=0) if is_decimal else 0
    if isinstance(value, Chunk):
        return value.size if value.kind in {"str", "bytes", "bytearray"} else 0
    if not isinstance(value, str | bytes):
        return 0
    text = value if isinstance(value, str) else value.decode("latin-1")
    exponent = _EXPONENT.search(text)
    return max(len(text), int(exponent.group(1)[:18]) if exponent else 0)


def _count(number: float) -> str:
    return f"{number:,.0f}" if number < 1e15 else "countless"  # noqa: PLR2004 - more has no meaning to a reader
