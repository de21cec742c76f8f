"""Bytes that may be text: their encoding, and whether they are."""

from __future__ import annotations

import codecs
import re

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROL = re.compile(rb"[\x00-\x06\x0e-\x1a\x1c-\x1f\x7f]")
_ENOUGH = 16


def encoding(raw: bytes) -> str:
    """`utf-8` unless a byte-order mark or a pattern of zero bytes says UTF-16 or UTF-32."""
    for mark, name in _BOMS:
        if raw.startswith(mark):
            return name
    pairs = raw[:64]
    if len(pairs) >= _ENOUGH and _mostly_zero(pairs[1::2]) and 0 not in pairs[0::2]:
        return "utf-16-le"
    if len(pairs) >= _ENOUGH and _mostly_zero(pairs[0::2]) and 0 not in pairs[1::2]:
        return "utf-16-be"
    return "utf-8"


def _mostly_zero(half: bytes) -> bool:
    return half.count(0) >= len(half) - 2


def decoded(raw: bytes) -> str:
    """The text; what is none in its encoding becomes U+FFFD; UTF-7 counts where XML declares it."""
    if b"UTF-7" in raw[:200].upper():
        return raw.decode("utf-7", "replace")
    return raw.decode(encoding(raw), "replace").removeprefix("\ufeff")


def looks_like_text(head: bytes) -> bool:
    """No control bytes that text doesn't have, and valid UTF-8 but for its end, or a Latin code page."""
    if not head:
        return False
    name = encoding(head)
    if name != "utf-8":
        return "\x00" not in head.decode(name, "replace")
    if _CONTROL.search(head):
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return sum(byte >= 0x80 for byte in head) * 4 < len(head)  # noqa: PLR2004 - a quarter of accents, in Latin-1
    return True
