r"""Regular expressions that backtrack without end, read from their parse tree; none is compiled or matched.

The dangerous shape: a repetition whose body is itself an unbounded repetition, so that the same text can be cut in very
many ways (`(a+)+`, `(.*)*`, `(\w+|\d)*`). Milder ones, as `(\d+\.?)+`, stand in ordinary tokenizers and are left alone.

References
----------
Weideman et al. (2016), Analyzing matching time behavior of backtracking regular expression matchers, CIAA.
"""

from __future__ import annotations

import re
import re._parser as parser  # type: ignore[import-not-found]
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

_LONGEST = 1 << 12
_DEPTH = 40
_MANY = 64  # repetitions from which on two ways for each are too many
_REPEATS = (parser.MAX_REPEAT, parser.MIN_REPEAT)


def backtracks(pattern: str | bytes) -> bool:
    r"""Whether a repetition holds another one that can take its place, character for character.

    Examples
    --------
    >>> backtracks(r"(a+)+$"), backtracks(r"(?u)\b\w\w+\b"), backtracks(r"(\w+,)*")
    (True, False, False)
    """
    if len(pattern) > _LONGEST:
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parsed: Any = parser.parse(pattern)
        return any(_is_ambiguous(body) for body in _repeated(parsed, 0))
    except (re.error, RecursionError, OverflowError, ValueError, TypeError):
        return False


def _repeated(tree: Any, depth: int) -> Iterator[Sequence[Any]]:
    """The body of every repetition without a low bound, however deep."""
    if depth > _DEPTH:
        return
    for kind, argument in tree:
        if kind in _REPEATS and argument[1] >= _MANY:
            yield argument[2]
        for inner in _inside(argument):
            yield from _repeated(inner, depth + 1)


def _inside(argument: Any) -> Iterator[Any]:
    """The patterns that an item of a parse tree holds."""
    if isinstance(argument, parser.SubPattern):
        yield argument
    elif isinstance(argument, tuple | list):
        for part in argument:
            yield from _inside(part)


def _is_ambiguous(body: Any) -> bool:
    """Whether an alternative of the body is nothing but unbounded repetitions of one thing."""
    for branch in _branches(body, 0):
        same = {str(item[1][2]) for item in branch if _is_unbounded(item)}
        if len(same) == 1 and all(map(_is_unbounded, branch)):
            return True
    return False


def _branches(body: Any, depth: int) -> Iterator[list[Any]]:
    """The alternatives of a pattern, groups opened."""
    items = list(body)
    if len(items) == 1 and depth < _DEPTH:
        kind, argument = items[0]
        if kind is parser.SUBPATTERN:
            yield from _branches(argument[-1], depth + 1)
            return
        if kind is parser.BRANCH:
            for branch in argument[1]:
                yield from _branches(branch, depth + 1)
            return
    yield items


def _is_unbounded(item: Any) -> bool:
    kind, argument = item
    return kind in _REPEATS and argument[1] >= _MANY
