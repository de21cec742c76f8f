"""What code in the arguments of a call does, for the report: decoded source, or bytecode as lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mithridate.core.findings import Json
from mithridate.supply.scan.code_object import Code, NotCodeError, looks_marshalled, read_code
from mithridate.supply.scan.disassembly import disassembled
from mithridate.supply.scan.pickle.explain import clipped
from mithridate.supply.scan.pickle.payload import small_bytes
from mithridate.supply.scan.pickle.values import Call, Container, Global, Tuple, Value, items_of

_KEPT = 40
_TEXT = 120
_DEPTH = 8
_BEHIND = 6  # arguments of `CodeType` from the bytecode on: constants, names, variables, file, name


def told(path: str, arguments: Value) -> dict[str, Json]:
    """What the code in the arguments holds: the source that decoders hide, or names, texts and the bytecode."""
    if _makes_code(path) and (code := _built(items_of(arguments), 0)) is not None:
        return code_facts(code)
    found: dict[str, Json] = {}
    for item in items_of(arguments):
        content = small_bytes(item)
        if content is None:
            continue
        if looks_marshalled(content):
            found |= _marshalled(content)
        elif isinstance(item, Call):
            found["decoded"] = clipped(content.decode("utf-8", "backslashreplace"))
    return found


def _makes_code(path: str) -> bool:
    """Whether a call of it makes a code object: the type itself, or dill's function around it."""
    return path.endswith(("CodeType", "._create_code"))


def _marshalled(content: bytes) -> dict[str, Json]:
    try:
        return code_facts(read_code(content))
    except NotCodeError as error:
        return {"code": [clipped(text, _TEXT) for text in error.seen[:_KEPT]]}


def code_facts(code: Code) -> dict[str, Json]:
    """The names and texts of code, in order, and its instructions: at most 40 of each."""
    parts = list(code.walk())
    words = dict.fromkeys(word for part in parts for word in (*part.names, *part.texts) if word)
    version, lines = disassembled(code)
    named: dict[str, Json] = {"code": [clipped(word, _TEXT) for word in list(words)[:_KEPT]]} if words else {}
    return {
        **named,
        "python": version or code.layout,
        "disassembly": [*lines],
    }


def _built(items: Sequence[Value], depth: int) -> Code | None:
    """The code object that a call of `CodeType` makes; None where its arguments aren't known."""
    items = [small_bytes(item) if isinstance(item, Call) else item for item in items]  # protocols 0 to 2 encode them
    items = items[1:] if items and isinstance(items[0], bytes) else items  # dill's line table, before the rest
    at = next((place for place, item in enumerate(items) if isinstance(item, bytes)), len(items))
    if len(items) < at + _BEHIND or depth > _DEPTH:
        return None
    raw, constants, names, variables = items[at : at + 4]
    shown = tuple(_constant(item, depth) for item in items_of(constants))
    texts = tuple(item for item in shown if isinstance(item, str))
    inner = tuple(item for item in shown if isinstance(item, Code))
    words = [tuple(map(str, items_of(part))) for part in (names, variables, *items[:-3:-1])]
    name = items[at + 5] if isinstance(items[at + 5], str) else ""
    held = tuple(word for part in words[1:] for word in part)
    return Code("3.11 or later", name, words[0], texts, inner, shown, held, raw)


def _constant(item: Value, depth: int) -> Any:
    if isinstance(item, Tuple):
        return tuple(_constant(part, depth + 1) for part in item.items[:_KEPT]) if depth < _DEPTH else ()
    if isinstance(item, Call):
        function = item.function.alias if isinstance(item.function, Call) else item.function
        if isinstance(function, Global) and _makes_code(function.path):
            return _built(items_of(item.arguments), depth + 1)
    return "?" if isinstance(item, Call | Global | Container) else item
