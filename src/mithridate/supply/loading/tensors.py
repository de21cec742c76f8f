"""Tensors as they lie in a file: raw bytes of a storage, and how one tensor is cut from it. No torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from mithridate.core.errors import InputError
from mithridate.supply.scan.blob import Blob

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DTYPES = {
    "float64": ("F64", 8), "float32": ("F32", 4), "float16": ("F16", 2), "bfloat16": ("BF16", 2),
    "int64": ("I64", 8), "int32": ("I32", 4), "int16": ("I16", 2), "int8": ("I8", 1), "uint8": ("U8", 1),
    "uint16": ("U16", 2), "uint32": ("U32", 4), "uint64": ("U64", 8), "bool": ("BOOL", 1), "complex64": ("C64", 8),
    "complex128": ("C128", 16), "float8_e4m3fn": ("F8_E4M3", 1), "float8_e5m2": ("F8_E5M2", 1),
    "float8_e4m3fnuz": ("F8_E4M3FNUZ", 1), "float8_e5m2fnuz": ("F8_E5M2FNUZ", 1), "float8_e8m0fnu": ("F8_E8M0", 1),
}  # fmt: skip
"""torch's name -> the safetensors name and bytes of one item."""

STORAGES = {
    "DoubleStorage": "float64", "FloatStorage": "float32", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
    "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8",
    "ByteStorage": "uint8", "BoolStorage": "bool", "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128", "UntypedStorage": "uint8", "QInt8Storage": "int8",
    "QUInt8Storage": "uint8", "QInt32Storage": "int32",
}  # fmt: skip
"""torch's storage classes and the type of their items."""

ALIASES = {"double": "float64", "float": "float32", "half": "float16", "long": "int64", "int": "int32",
           "short": "int16", "cfloat": "complex64", "cdouble": "complex128"}  # fmt: skip
_SPREAD = 64  # a tensor that repeats its storage more often than this isn't written out
BLOCK = 1 << 20  # bytes that are held at once, where a tensor lies in one piece


@dataclass(slots=True, eq=False)
class Storage:
    """Bytes that tensors share.

    key : its name in the file. items : of `dtype`. find : says where the bytes lie, a blob and an offset in it, and
    checks them; asked once, when they are needed.
    """

    key: str
    dtype: str
    items: int
    find: Callable[[], tuple[Blob, int]] | None = None
    _found: tuple[Blob, int] | None = None

    @property
    def size(self) -> int:
        """Bytes in all."""
        return self.items * DTYPES[self.dtype][1]

    def read(self, begin: int, length: int) -> bytes:
        """So many bytes from `begin` on.

        Raises
        ------
        InputError : they aren't in the file.
        """
        if self._found is None:
            if self.find is None:
                raise InputError(f"the storage {self.key!r} isn't in the file; get it anew from its source")
            self._found = self.find()
        blob, offset = self._found
        found = blob.read(offset + begin, length)
        if len(found) < length:
            raise InputError(
                f"the storage {self.key!r} has {begin + len(found):,} bytes of {self.size:,}; get the file anew"
            )
        return found


@dataclass(frozen=True, slots=True, eq=False)
class StoredTensor:
    """One tensor: items of `dtype` from `offset` on, `strides` items apart, in a storage that others may share.

    conjugate, negative : what is meant are the stored items with the sign of the imaginary part, or of all, turned.
    """

    storage: Storage
    dtype: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    conjugate: bool = False
    negative: bool = False

    @property
    def size(self) -> int:
        """Bytes of all items, one behind the other."""
        return prod(self.shape) * DTYPES[self.dtype][1]

    def check(self) -> None:
        """Refuse a cut that reaches beyond its storage.

        Raises
        ------
        InputError : it does, or isn't a cut at all.
        """
        numbers = (self.offset, *self.shape, *self.strides)
        if len(self.shape) != len(self.strides) or not all(type(one) is int and one >= 0 for one in numbers):
            raise InputError(
                f"a tensor of shape {self.shape!r:.60} has strides {self.strides!r:.60}; get the file anew"
            )
        if prod(self.shape) and self._last() >= self._held():
            raise InputError(
                f"a tensor reaches item {self._last():,} of a storage of {self._held():,}; get the file anew"
            )

    def _held(self) -> int:
        return self.storage.size // DTYPES[self.dtype][1]

    def _last(self) -> int:
        return self.offset + sum((side - 1) * step for side, step in zip(self.shape, self.strides, strict=True))

    def _is_one_piece(self) -> bool:
        step = 1
        for side, stride in zip(reversed(self.shape), reversed(self.strides), strict=True):
            if side != 1 and stride != step:
                return False
            step *= side
        return not (self.conjugate or self.negative)

    def raw(self) -> NDArray[np.void]:
        """The stored items as opaque bytes, in the tensor's shape; a view of what was read."""
        import numpy as np

        self.check()
        size = DTYPES[self.dtype][1]
        if not prod(self.shape):
            return np.zeros(self.shape, dtype=f"V{size}")
        count = self._last() - self.offset + 1
        items = np.frombuffer(self.storage.read(size * self.offset, size * count), dtype=f"V{size}")
        steps = [size * step for step in self.strides]
        return np.lib.stride_tricks.as_strided(items, self.shape, steps, writeable=False)

    def blocks(self) -> Iterator[bytes]:
        """The items one behind the other, last axis fastest, some megabytes at a time.

        Raises
        ------
        InputError : a broadcast tensor that would be many times its storage, or bytes that aren't there.
        """
        self.check()
        size = DTYPES[self.dtype][1]
        if prod(self.shape) > _SPREAD * max(self._held(), 1024):
            raise InputError(f"a tensor of shape {self.shape} repeats {self._held():,} items; it is not written out")
        if self._is_one_piece():
            begin, end = size * self.offset, size * self.offset + self.size
            for at in range(begin, end, BLOCK):
                yield self.storage.read(at, min(BLOCK, end - at))
        elif self.size:
            yield from self._turned()

    def _turned(self) -> Iterator[bytes]:
        """The blocks of a tensor whose items lie scattered: its span is held, its copy isn't."""
        raw = self.raw()
        rows = max(1, BLOCK * len(raw) // self.size) if raw.ndim else 1
        for at in range(0, len(raw), rows) if raw.ndim else [0]:
            yield self._signed(raw[at : at + rows] if raw.ndim else raw)

    def _signed(self, part: NDArray[np.void]) -> bytes:
        import numpy as np

        if not (self.conjugate or self.negative):
            return part.tobytes()
        if not self.dtype.startswith(("complex", "float", "int")) or self.dtype.startswith("float8"):
            raise InputError(f"a {self.dtype} tensor is stored with its sign turned; save it anew with torch")
        values = np.ascontiguousarray(part).view(self.dtype)
        values = np.conj(values) if self.conjugate else values
        return (np.negative(values) if self.negative else values).tobytes()
