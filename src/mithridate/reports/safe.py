"""Hostile text made harmless to show: what can't be seen, or would steer a screen, is spelt out.

Training text reaches a report through evidence, labels and source names. Each format escapes its own
markup; this module takes out what no escaping helps against: terminal control sequences, overrides of
the writing direction, invisible characters, lone surrogates and what XML forbids.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

# C0 and C1 controls, soft hyphen, zero-width space, word joiner, line separators, direction overrides and
# isolates, byte-order mark, interlinear marks, surrogates, non-characters, and the tag block that smuggles ASCII.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u2028\u2029\u202a-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufdd0-\ufdef\ufeff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f]"
)
_SPACES = re.compile(r"[ \t\r\n]+")
_DELETE = 0x7F
_SPACE = 0x20


def _spelt(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < _SPACE:
        return chr(0x2400 + code)
    if code == _DELETE:
        return "\u2421"
    if 0xD800 <= code <= 0xDFFF:  # noqa: PLR2004  the range of surrogates
        return "\ufffd"
    return f"‹U+{code:04X}›"


def line(value: object, *, limit: int = 2000) -> str:
    r"""The text on one line, unseen characters spelt out, cut after `limit` characters.

    Examples
    --------
    >>> line("a\nb\x1b[31m")
    'a b␛[31m'
    """
    body = value if isinstance(value, str) else plain(value)
    return clip(_UNSEEN.sub(_spelt, _SPACES.sub(" ", body[: 4 * limit])).strip(), limit=limit)


def block(value: object, *, limit: int = 4000) -> str:
    """The text with its line breaks kept, unseen characters spelt out, cut after `limit` characters."""
    body = value if isinstance(value, str) else plain(value)
    cut = body[:limit].replace("\r\n", "\n").replace("\t", "    ")
    shown = "\n".join(_UNSEEN.sub(_spelt, part) for part in cut.split("\n"))
    left = len(body) - limit
    return f"{shown}… ({left:,} more characters)" if left > 0 else shown


def clip(text: str, *, limit: int) -> str:
    """The text, or its first `limit` - 1 characters and an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def plain(value: object) -> str:
    """A JSON value as a person writes it: no quotes around text, no `.0` on whole numbers, `none` for null."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool):
        return {None: "none", True: "true", False: "false"}[value]
    if isinstance(value, float):
        return f"{value:.6g}" if math.isfinite(value) else "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{plain(key)}: {plain(item)}" for key, item in value.items())
    if isinstance(value, Sequence):
        return ", ".join(map(plain, value))
    return str(value)


def real(value: object) -> float | None:
    """The value as a finite float; None for anything else, booleans included."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        out = float(value)
    except OverflowError:
        return None
    return out if math.isfinite(out) else None


def finite(value: object, *, zero: Sequence[str] = (), name: str = "") -> object:
    """JSON with NaN and infinity as null (as 0 under a name in `zero`) and plain containers all through."""
    if isinstance(value, float):
        return value if math.isfinite(value) else (0.0 if name in zero else None)
    if isinstance(value, Mapping):
        return {str(key): finite(item, zero=zero, name=str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item, zero=zero) for item in value]
    return value


def items(value: object) -> list[Any]:
    """The value as a list; empty unless it is a JSON array."""
    return list(value) if isinstance(value, list | tuple) else []


def fields(value: object) -> dict[str, Any]:
    """The value as a dictionary; empty unless it is a JSON object."""
    return dict(value) if isinstance(value, Mapping) else {}
