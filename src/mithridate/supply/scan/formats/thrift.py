"""Thrift's compact protocol, as Parquet's footer uses it: structs as {field: value}, within a budget.

References
----------
Apache Thrift, compact protocol specification.
"""

from __future__ import annotations

import struct
from typing import Any

from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.formats.reading import BrokenError

_DEEPEST = 24
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 11, 12
_WHOLE = (4, 5, 6)
_NUMBERS = (*_WHOLE, _BYTE, _DOUBLE)
_LONGEST_VARINT = 10


class Reader:
    """Reads values one after another."""

    __slots__ = ("_budget", "_raw", "at")

    def __init__(self, raw: bytes, budget: Budget) -> None:
        self._raw, self._budget, self.at = raw, budget, 0

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """The fields of a struct.

        Raises
        ------
        BrokenError : it runs past the end, is nested deeper than 24, or has an unknown type.
        """
        if depth > _DEEPEST:
            raise BrokenError(f"structs nested deeper than {_DEEPEST}")
        self._budget.spend(opcodes=1)
        found: dict[int, Any] = {}
        last = 0
        while header := self._byte():
            last = last + (header >> 4) if header >> 4 else self._zigzag()
            found[last] = self._value(header & 15, depth + 1, in_list=False)
        return found

    def _byte(self) -> int:
        if self.at >= len(self._raw):
            raise BrokenError("the footer ends too early")
        self.at += 1
        return self._raw[self.at - 1]

    def _varint(self) -> int:
        value = 0
        for place in range(_LONGEST_VARINT):
            byte = self._byte()
            value |= (byte & 0x7F) << (7 * place)
            if byte < 0x80:  # noqa: PLR2004 - the continuation bit
                return value
        raise BrokenError(f"a number without end at {self.at}")

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def _take(self, length: int) -> bytes:
        if length > len(self._raw) - self.at:
            raise BrokenError(f"{length} bytes at {self.at} run past the footer")
        self.at += length
        return self._raw[self.at - length : self.at]

    def _value(self, kind: int, depth: int, *, in_list: bool) -> Any:
        if kind in {_TRUE, _FALSE}:
            return self._byte() == 1 if in_list else kind == _TRUE
        if kind == _BINARY:
            return self._take(self._varint())
        if kind == _STRUCT:
            return self.struct(depth)
        return self._number(kind) if kind in _NUMBERS else self._collection(kind, depth)

    def _number(self, kind: int) -> Any:
        if kind in _WHOLE:
            return self._zigzag()
        return self._byte() if kind == _BYTE else struct.unpack("<d", self._take(8))[0]

    def _collection(self, kind: int, depth: int) -> Any:
        if depth > _DEEPEST:
            raise BrokenError(f"values nested deeper than {_DEEPEST}")
        if kind in {_LIST, _SET}:
            header = self._byte()
            count = header >> 4 if header >> 4 != 15 else self._varint()  # noqa: PLR2004 - 15 says that a count follows
            kinds: tuple[int, ...] = (header & 15,)
        elif kind == _MAP:
            count = self._varint()
            both = self._byte() if count else 0
            kinds = (both >> 4, both & 15)
        else:
            raise BrokenError(f"a value of the type {kind} at {self.at}")
        if count > len(self._raw) - self.at:
            raise BrokenError(f"{count} elements at {self.at} run past the footer")
        return [self._value(part, depth + 1, in_list=True) for _ in range(count) for part in kinds]
