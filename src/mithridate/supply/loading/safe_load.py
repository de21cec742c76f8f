"""`mithridate.safe_load`: what a pickle, torch or joblib file holds, where all of it is on a list of plain things."""

from __future__ import annotations

import bz2
import importlib.util
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mithridate.core.errors import InputError
from mithridate.supply.loading.constructors import CONSTRUCTORS
from mithridate.supply.loading.listed.arrays import check_items
from mithridate.supply.loading.rebuild import Rebuilder
from mithridate.supply.loading.settle import Allowance, Settler
from mithridate.supply.loading.tensors import DTYPES, Storage, StoredTensor
from mithridate.supply.loading.torch_file import MAGIC, Reading, read_legacy, read_zip, rebuilt
from mithridate.supply.loading.zipped import ZipFile, is_zip
from mithridate.supply.scan.blob import Blob, MemoryBlob, open_file
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.pickle import looks_like_pickle
from mithridate.supply.scan.pickle.machine import Effects

_SECONDS = 3600.0
_LARGE = 64 << 20  # bytes; above it the look of the first ones decides whether the rest is read
_UNPACKED, _SMALL, _RATIO = 8 << 30, 64 << 20, 200  # bytes, bytes, and bytes for each packed one: no bomb is unpacked
_PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\xfd7zXZ": "xz", b"\x5d\x00\x00": "xz"}


def safe_load(path: str | Path) -> Any:
    """The value that a pickle, `torch.save` or `joblib.dump` file holds, with nothing of the file's choosing run.

    Parameters
    ----------
    path : a file. Containers, numbers, texts, dates, numpy arrays, scalars and random generators, scipy.sparse
        matrices, pandas frames, series and indexes, common scikit-learn estimators and torch's tensors are rebuilt, by
        functions of ours alone.

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
    harmless: convert the model, or load it where its author is trusted. A state that is listed is checked before any
    library gets it: indices stay inside, trees have no cycle, generators read no word beyond their own.
    """
    source = Path(path)
    try:
        with opened(source) as blob:
            return read(source, blob)
    except InputError as error:
        raise InputError(f"{source}: {error}") from error


@contextmanager
def opened(source: Path) -> Iterator[Blob]:
    """The file's bytes, to be read in parts.

    Raises
    ------
    InputError : there is no such file, or it can't be read.
    """
    if source.is_dir():
        raise InputError("it is a folder; give a file in it")
    if not source.is_file():
        raise InputError("there is no such file; give a pickle, a torch or a joblib file")
    try:
        with open_file(source) as blob:
            yield blob
    except OSError as error:
        raise InputError(f"it can't be read: {error.strerror or error}") from error


def read(source: Path, blob: Blob) -> Any:
    """The file's value, whole.

    Raises
    ------
    InputError : as `safe_load`, without the path.
    """
    allowance = Allowance(blob.size)

    def effects(persistent: Callable[[Any], Any] | None) -> Effects:
        return Rebuilder(CONSTRUCTORS, allowance, persistent)

    try:
        value = unsettled(source, blob, effects, allowance)
        return Settler(allowance, _Arrays(allowance).make).settle(value)
    except MemoryError as error:
        raise InputError("it needs more memory than there is; split the file") from error


def unsettled(
    source: Path, blob: Blob, effects: Callable[[Callable[[Any], Any] | None], Effects], allowance: Allowance
) -> Any:
    """The file's value before its states are made.

    Raises
    ------
    InputError : as `safe_load`, without the path.
    """
    reading = Reading(Budget(seconds=_SECONDS, opcodes=1 << 40), effects)
    head = blob.read(0, 4096)
    if is_zip(head):
        return read_zip(blob, ZipFile(source, blob), reading)
    _refuse_others(source, head)
    content = _unpacked(blob, head[:16])
    allowance.left += 16 * (content.size - blob.size)
    try:
        value, at = rebuilt(content, 0, None, reading)
    except InputError as error:
        if looks_like_pickle(content.read(0, min(content.size, 4096))):
            raise
        raise InputError(f"it looks like no pickle: {error}; `mithridate scan` says what it is") from error
    if type(value) is int and value == MAGIC and at < content.size:
        return read_legacy(content, reading)
    return value


def _refuse_others(source: Path, head: bytes) -> None:
    """An `InputError` that says who reads it, for what is sound and no pickle; and before much is read for nothing."""
    size = source.stat().st_size
    if head.startswith(b"\x93NUMPY"):
        raise InputError("this is a .npy file; numpy.load(path, allow_pickle=False) reads it and runs nothing")
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < size:
        raise InputError("this looks like safetensors, in which nothing can run; load it with safetensors")
    if size > _UNPACKED or (size > _LARGE and not head.startswith(tuple(_PACKED)) and not looks_like_pickle(head)):
        raise InputError(f"its {size:,} bytes begin no pickle, or more than fit here; see `mithridate scan`")


def _unpacked(blob: Blob, head: bytes) -> Blob:
    """The bytes, unpacked where joblib packed them."""
    kind = next((kind for magic, kind in _PACKED.items() if head.startswith(magic)), "")
    if not kind and head[:1] == b"\x78" and int.from_bytes(head[:2], "big") % 31 == 0:
        kind = "zlib"
    if not kind:
        return blob
    content = blob.read(0, blob.size)
    make: Any = {"bz2": bz2.BZ2Decompressor, "xz": lzma.LZMADecompressor}.get(kind, lambda: zlib.decompressobj(47))
    try:
        found: bytes = make().decompress(content, min(_UNPACKED, max(_SMALL, _RATIO * len(content))))
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise InputError(f"the packed bytes are broken: {error}; get the file anew from its source") from error
    return MemoryBlob(blob.name, found)


class _Arrays:
    """Makes tensors, each storage read once.

    Parameters
    ----------
    allowance : bytes that the storages may take.
    """

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance
        self._held: dict[int, bytearray] = {}
        self._has_torch = importlib.util.find_spec("torch") is not None

    def make(self, tensor: StoredTensor) -> Any:
        """Torch's tensor, or numpy's array where there is no torch."""
        tensor.check()
        return self._torch(tensor) if self._has_torch else _numpy(tensor)

    def _torch(self, tensor: StoredTensor) -> Any:
        import torch

        dtype = getattr(torch, tensor.dtype)
        if not tensor.size:
            return torch.zeros(tensor.shape, dtype=dtype)
        held = self._bytes(tensor.storage)
        if tensor.dtype == "bool":
            _refuse_odd(held)
        whole = torch.frombuffer(held, dtype=dtype, count=len(held) // DTYPES[tensor.dtype][1])
        made = whole.as_strided(tensor.shape, tensor.strides, tensor.offset)
        made = made.conj() if tensor.conjugate else made
        return torch._neg_view(made) if tensor.negative else made  # noqa: SLF001 - what torch's own loader calls

    def _bytes(self, storage: Storage) -> bytearray:
        if id(storage) not in self._held:
            self._allowance.spend(storage.size)
            self._held[id(storage)] = bytearray(storage.read(0, storage.size))
        return self._held[id(storage)]


def _refuse_odd(held: bytearray) -> None:
    import numpy as np

    if np.frombuffer(held, np.uint8).max() > 1:
        raise InputError("a boolean of a tensor is neither 0 nor 1, as no program writes them; get the file anew")


def _numpy(tensor: StoredTensor) -> Any:
    import numpy as np

    if tensor.dtype.startswith(("bfloat", "float8")):
        raise InputError(f"numpy has no {tensor.dtype}; install torch, or use `mithridate convert`")
    made = np.frombuffer(bytearray(b"".join(tensor.blocks())), tensor.dtype).reshape(tensor.shape)
    check_items(made)
    return made
