"""`mithridate.safe_load`: what a pickle, torch or joblib file holds, where all of it is on a list of plain things."""

from __future__ import annotations

import bz2
import importlib.util
import lzma
import zlib
from collections import OrderedDict
from pathlib import Path
from typing import Any

from mithridate.core.errors import InputError
from mithridate.supply.constructors import settle_all
from mithridate.supply.scan.blob import MemoryBlob
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.pickle import looks_like_pickle
from mithridate.supply.tensors import StoredTensor
from mithridate.supply.torch_file import MAGIC, is_zip, read_legacy, read_zip, rebuilt

_SECONDS = 3600.0
_LARGE = 64 << 20  # bytes; above it the look of the first ones decides whether the rest is read
_UNPACKED, _SMALL, _RATIO = 8 << 30, 64 << 20, 200  # bytes, bytes, and bytes for each packed one: no bomb is unpacked
_PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\xfd7zXZ": "xz", b"\x5d\x00\x00": "xz"}


def safe_load(path: str | Path) -> Any:
    """The value that a pickle, `torch.save` or `joblib.dump` file holds, with nothing of the file's choosing run.

    Parameters
    ----------
    path : a file. Containers, numbers, texts, dates, numpy arrays and scalars, scipy.sparse matrices, and tensors in
        state dicts are rebuilt, by functions of ours alone.

    Returns
    -------
    The value. Tensors are torch's where torch is installed and else numpy's; a class or function that stands as a value
    comes as its dotted name; paths come as pure ones.

    Raises
    ------
    InputError : the file names anything else (the message says what), is broken, or is no such file.

    Notes
    -----
    The stream is read by the machine that `mithridate scan` uses. An unknown class is refused even where it would be
    harmless: convert the model, or load it where its author is trusted.
    """
    source = Path(path)
    try:
        return as_tensors(read(source))
    except InputError as error:
        raise InputError(f"{source}: {error}") from error


def read(source: Path) -> Any:
    """The file's value, with tensors as `StoredTensor`s.

    Raises
    ------
    InputError : as `safe_load`, without the path.
    """
    if not source.is_file():
        raise InputError("there is no such file; give a pickle, a torch or a joblib file")
    budget = Budget(seconds=_SECONDS, opcodes=1 << 40)
    with source.open("rb") as file:
        head = file.read(4096)
    if is_zip(head):
        return settle_all(read_zip(source, budget))
    _refuse_others(source, head)
    try:
        blob = MemoryBlob(str(source), _unpacked(source, head[:16]))
        value, at = rebuilt(blob, 0, None, budget)
    except MemoryError as error:
        raise InputError("it needs more memory than there is; split the file") from error
    if type(value) is int and value == MAGIC and at < blob.size:
        return settle_all(read_legacy(blob, budget))
    return settle_all(value)


def _refuse_others(source: Path, head: bytes) -> None:
    """An `InputError` that says who reads it, for what is sound and no pickle; and before much is read for nothing."""
    size = source.stat().st_size
    if head.startswith(b"\x93NUMPY"):
        raise InputError("this is a .npy file; numpy.load(path, allow_pickle=False) reads it and runs nothing")
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < size:
        raise InputError("this looks like safetensors, in which nothing can run; load it with safetensors")
    if size > _UNPACKED or (size > _LARGE and not head.startswith(tuple(_PACKED)) and not looks_like_pickle(head)):
        raise InputError(f"its {size:,} bytes begin no pickle, or more than fit here; see `mithridate scan`")


def _unpacked(source: Path, head: bytes) -> bytes:
    """The bytes, unpacked where joblib packed them."""
    content = source.read_bytes()
    kind = next((kind for magic, kind in _PACKED.items() if head.startswith(magic)), "")
    if not kind and head[:1] == b"\x78" and int.from_bytes(head[:2], "big") % 31 == 0:
        kind = "zlib"
    if not kind:
        return content
    make: Any = {"bz2": bz2.BZ2Decompressor, "xz": lzma.LZMADecompressor}.get(kind, lambda: zlib.decompressobj(47))
    try:
        found: bytes = make().decompress(content, min(_UNPACKED, max(_SMALL, _RATIO * len(content))))
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise InputError(f"the packed bytes are broken: {error}; get the file anew from its source") from error
    return found


def as_tensors(value: Any) -> Any:
    """The value with its `StoredTensor`s made into arrays, in containers of any depth."""
    return _Arrays().convert(value)


class _Arrays:
    """Each tensor made once, each container changed in place."""

    def __init__(self) -> None:
        self.seen: dict[int, Any] = {}
        self.has_torch = importlib.util.find_spec("torch") is not None

    def convert(self, value: Any, depth: int = 0) -> Any:
        if isinstance(value, StoredTensor):
            if id(value) not in self.seen:
                self.seen[id(value)] = self._tensor(value)
            return self.seen[id(value)]
        if id(value) in self.seen or not isinstance(value, dict | list | tuple):
            return value
        if depth > 200:  # noqa: PLR2004 - `settle` has the same limit
            raise InputError("the values are nested too deep; split the file")
        if isinstance(value, tuple):
            return tuple(self.convert(item, depth + 1) for item in value)
        self.seen[id(value)] = value
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            value[key] = self.convert(item, depth + 1)
        return value

    def _tensor(self, tensor: StoredTensor) -> Any:
        if not self.has_torch:
            return _numpy(tensor)
        import torch

        tensor.check()
        dtype = getattr(torch, tensor.dtype)
        if id(tensor.storage) not in self.seen:
            self.seen[id(tensor.storage)] = bytearray(tensor.storage.content())
        held = self.seen[id(tensor.storage)]
        if not held:
            return torch.zeros(tensor.shape, dtype=dtype)
        whole = torch.frombuffer(held, dtype=dtype)
        return whole.as_strided(tensor.shape, tensor.strides, tensor.offset)


def _numpy(tensor: StoredTensor) -> Any:
    import numpy as np

    if tensor.dtype.startswith(("bfloat", "float8")):
        raise InputError(f"numpy has no {tensor.dtype}; install torch, or use `mithridate convert`")
    return np.ascontiguousarray(tensor.raw()).view(tensor.dtype).reshape(tensor.shape)


def tensors_of(value: Any) -> tuple[OrderedDict[str, StoredTensor], list[str]]:
    """The tensors of nested dicts and lists under their dotted names, and what else there is, as `name (type)`."""
    found: OrderedDict[str, StoredTensor] = OrderedDict()
    rest: list[str] = []
    todo: list[tuple[str, Any]] = [("", value)]
    seen: set[int] = set()
    while todo:
        name, item = todo.pop()
        if isinstance(item, StoredTensor):
            found[name or "tensor"] = item
        elif isinstance(item, dict | list | tuple) and id(item) not in seen:
            seen.add(id(item))
            pairs = list(item.items() if isinstance(item, dict) else enumerate(item))
            todo += [(f"{name}.{key}" if name else str(key), one) for key, one in reversed(pairs)]
        elif item is not None:
            rest.append(f"{name} ({type(item).__name__})")
    return found, rest
