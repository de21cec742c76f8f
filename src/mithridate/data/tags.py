"""The first byte of every cell (see `encoding`)."""

from __future__ import annotations

import struct

MISSING, NUMBER, SIGNED, UNSIGNED, TEXT, BYTES, VECTOR, OTHER, CELLS, FIELDS = (bytes([tag]) for tag in range(10))
LENGTH = struct.Struct("<Q").pack
EMPTY = VECTOR + b"B" + LENGTH(0)  # a list without values, whatever they would have been
HEAD = 1 + 8  # bytes: tag and length
