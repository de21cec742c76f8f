"""Values as a reader can take them in: short, escaped, never deeper than a page."""

from __future__ import annotations

from mithridate.supply.scan.pickle.values import Call, Chunk, Container, Global, Tuple, Value, View, items_of

_TEXT = 400
_SHORT = 120
_ITEMS = 8
_DEPTH = 4
_BRACKETS = {"tuple": ("(", ")"), "list": ("[", "]")}


def shown(value: Value, depth: int = _DEPTH) -> str:
    """One value as Python would write it, shortened."""
    if isinstance(value, Global):
        return value.path
    if isinstance(value, Call):
        return _call(value, depth)
    if isinstance(value, View):
        return shown(value.of, depth)
    if isinstance(value, Chunk):
        return f"<{value.kind} of {value.size:,} bytes at offset {value.offset:,}>"
    if isinstance(value, Tuple | Container):
        return _items(value, depth)
    return clipped(repr(_cut(value)))


def arguments_shown(value: Value, limit: int = 2 * _TEXT) -> str:
    """The arguments of a call, between brackets."""
    items = items_of(value)
    if not isinstance(value, Tuple):
        return f"(*{shown(value)})"
    more = ", ..." if len(items) > _ITEMS else ""
    return clipped(f"({', '.join(shown(item) for item in items[:_ITEMS])}{more})", limit)


def clipped(text: str, limit: int = _TEXT) -> str:
    """At most `limit` characters, all printable."""
    safe = "".join(character if character.isprintable() else repr(character)[1:-1] for character in text[:limit])
    return safe if len(text) <= limit else f"{safe}... ({len(text):,} characters)"


def _cut(value: Value) -> Value:
    """Long texts cut before `repr` makes them longer; a huge int would refuse to be printed."""
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > _SHORT:
        return f"<int of {value.bit_length():,} bits>"
    return value[:_TEXT] if isinstance(value, str | bytes | bytearray) and len(value) > _TEXT else value


def _call(value: Call, depth: int) -> str:
    if value.kind == "persistent":
        return f"persistent({shown(value.arguments, depth - 1) if depth > 0 else '...'})"
    if value.function is None:
        return f"<{value.kind}>"
    if depth <= 0:
        return "..."
    inner = ", ".join(shown(item, depth - 1) for item in items_of(value.arguments)[:_ITEMS])
    return clipped(f"{shown(value.function, depth - 1)}({inner})", 2 * _TEXT)


def _items(value: Tuple | Container, depth: int) -> str:
    kind = "tuple" if isinstance(value, Tuple) else value.kind
    opening, closing = _BRACKETS.get(kind, ("{", "}"))
    length = len(value.items) if isinstance(value, Tuple) else value.length
    if depth <= 0:
        return f"{opening}{'...' if length else ''}{closing}"
    parts = [shown(item, depth - 1) for item in value.items[: 2 * _ITEMS if kind == "dict" else _ITEMS]]
    if kind == "dict":
        parts = [f"{key}: {item}" for key, item in zip(parts[::2], parts[1::2], strict=False)]
    more = ", ..." if length > (2 * _ITEMS if kind == "dict" else _ITEMS) else ""
    return clipped(f"{opening}{', '.join(parts)}{more}{closing}", 2 * _TEXT)
