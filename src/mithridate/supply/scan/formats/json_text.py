"""JSON as loaders read it: any Unicode encoding, the last of equal keys; the ones they drop are kept apart."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mithridate.supply.scan.formats.reading import BrokenError

_LONGEST_WHOLE = 400
_MOST_DUPLICATES = 1000
_BEGINS = re.compile(r'\ufeff?[ \t\r\n]*(?:\{[ \t\r\n]*["}]|\[[ \t\r\n]*(?:[{\["\d\]-]|true|false|null))')


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed text.

    value : what `json.loads` gives. shadowed : (key, value) pairs that an equal key after them hides from it.
    """

    value: Any
    shadowed: tuple[tuple[str, Any], ...]


def looks_like_json(head: bytes) -> bool:
    """The first bytes, in any encoding that `json.loads` takes, begin an object or an array; Jinja and TOML don't."""
    return _BEGINS.match(_decoded(head)) is not None


def is_blank(head: bytes) -> bool:
    """Nothing but white space, as far as it goes."""
    return not _decoded(head).strip(" \t\r\n\ufeff")


def _decoded(raw: bytes) -> str:
    return raw.decode(json.detect_encoding(raw), "replace")


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) <= _LONGEST_WHOLE else float("inf")


def parse(raw: bytes) -> Document:
    """The document.

    Raises
    ------
    BrokenError : not JSON, or nested deeper than Python's parser goes (which loaders share).
    """
    shadowed: list[tuple[str, Any]] = []

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(found)
        if len(made) != len(found) and len(shadowed) < _MOST_DUPLICATES:
            seen: dict[str, Any] = {}
            for key, value in found:
                if key in seen:
                    shadowed.append((key, seen[key]))
                seen[key] = value
        return made

    try:
        value = json.loads(
            raw.decode(json.detect_encoding(raw)).lstrip("\ufeff"), object_pairs_hook=pairs, parse_int=_whole
        )
    except RecursionError:
        raise BrokenError("its objects are nested deeper than a parser goes") from None
    except UnicodeDecodeError:
        raise BrokenError("not Unicode text") from None
    except json.JSONDecodeError as error:
        raise BrokenError(f"{error.msg} at character {error.pos}") from None
    return Document(value, tuple(shadowed))


def objects(value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object in a document with its path (`/config/layers/3`), without recursion."""
    stack: list[tuple[str, Any]] = [("", value)]
    while stack:
        path, node = stack.pop()
        if isinstance(node, dict):
            yield path, node
            stack += [(f"{path}/{key}", part) for key, part in node.items() if isinstance(part, dict | list)]
        elif isinstance(node, list):
            stack += [(f"{path}/{place}", part) for place, part in enumerate(node) if isinstance(part, dict | list)]
