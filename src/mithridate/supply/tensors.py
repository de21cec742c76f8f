"""Tensors as they lie in a file: raw bytes of a storage, and how one tensor is cut from it. No torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING

from mithridate.core.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DTYPES = {
    "float64": ("F64", 8), "float32": ("F32", 4), "float16": ("F16", 2), "bfloat16": ("BF16", 2),
    "int64": ("I64", 8), "int32": ("I32", 4), "int16": ("I16", 2), "int8": ("I8", 1), "uint8": ("U8", 1),
    "uint16": ("U16", 2), "uint32": ("U32", 4), "uint64": ("U64", 8), "bool": ("BOOL", 1), "complex64": ("C64", 8),
    "complex128": ("C128", 16), "float8_e4m3fn": ("F8_E4M3", 1), "float8_e5m2": ("F8_E5M2", 1),
    "float8_e4m3fnuz": ("F8_E4M3FNUZ", 1), "float8_e5m2fnuz": ("F8_E5M2FNUZ", 1),
}  # fmt: skip
"""torch's name -> the safetensors name and bytes of one item."""

STORAGES = {
    "DoubleStorage": "float64", "FloatStorage": "float32", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
    "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8",
    "ByteStorage": "uint8", "BoolStorage": "bool", "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128", "UntypedStorage": "uint8",
}  # fmt: skip
"""torch's storage classes and the type of their items."""

ALIASES = {"double": "float64", "float": "float32", "half": "float16", "long": "int64", "int": "int32",
           "short": "int16", "cfloat": "complex64", "cdouble": "complex128"}  # fmt: skip
_SPREAD = 64  # a tensor that repeats its storage more often than this isn't written out


@dataclass(slots=True, eq=False)
class Storage:
    """Bytes that tensors share. key : its name in the file. read : gives the bytes; set when they are found."""

    key: str
    dtype: str
    items: int
    read: Callable[[], bytes] | None = None
    _held: bytes | None = field(default=None, repr=False)

    def release(self) -> None:
        """Hold the bytes no longer; they are read again when they are asked for."""
        self._held = None

    def content(self) -> bytes:
        """All bytes of the storage.

        Raises
        ------
        InputError : they aren't in the file, or are fewer than were promised.
        """
        if self._held is None:
            if self.read is None:
                raise InputError(f"the storage {self.key!r} isn't in the file; get it anew from its source")
            self._held = self.read()
        need = self.items * DTYPES[self.dtype][1]
        if len(self._held) < need:
            raise InputError(f"the storage {self.key!r} has {len(self._held):,} bytes of {need:,}; get the file anew")
        return self._held


@dataclass(frozen=True, slots=True, eq=False)
class StoredTensor:
    """One tensor: items of `dtype` from `offset` on, `strides` items apart, in a storage that others may share."""

    storage: Storage
    dtype: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def check(self) -> None:
        """Refuse a cut that reaches beyond its storage.

        Raises
        ------
        InputError : it does, or isn't a cut at all.
        """
        numbers = (self.offset, *self.shape, *self.strides)
        if len(self.shape) != len(self.strides) or not all(type(one) is int and one >= 0 for one in numbers):
            raise InputError(f"a tensor of shape {self.shape} has strides {self.strides}; get the file anew")
        held = self.storage.items * DTYPES[self.storage.dtype][1] // DTYPES[self.dtype][1]
        last = self.offset + sum((side - 1) * step for side, step in zip(self.shape, self.strides, strict=True))
        if prod(self.shape) and last >= held:
            raise InputError(f"a tensor reaches item {last:,} of a storage of {held:,}; get the file anew")

    def raw(self) -> NDArray[np.void]:
        """The items as opaque bytes, in the tensor's shape; a view."""
        import numpy as np

        self.check()
        size = DTYPES[self.dtype][1]
        items = np.frombuffer(self.storage.content(), dtype=f"V{size}", count=self._held())
        if not prod(self.shape):
            return np.zeros(self.shape, dtype=f"V{size}")
        steps = [size * step for step in self.strides]
        return np.lib.stride_tricks.as_strided(items[self.offset :], self.shape, steps, writeable=False)

    def _held(self) -> int:
        return self.storage.items * DTYPES[self.storage.dtype][1] // DTYPES[self.dtype][1]

    def row_major(self) -> bytes:
        """The items one behind the other, last axis fastest.

        Raises
        ------
        InputError : a broadcast tensor that would be many times its storage.
        """
        self.check()
        if prod(self.shape) > _SPREAD * max(self._held(), 1024):
            raise InputError(f"a tensor of shape {self.shape} repeats {self._held():,} items; it is not written out")
        return self.raw().tobytes()
