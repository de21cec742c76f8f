"""Files that `torch.save` wrote, read without torch: the zip of today and the row of pickles of before version 1.6."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mithridate.core.errors import InputError
from mithridate.supply.constructors import Name
from mithridate.supply.rebuild import Rebuilder
from mithridate.supply.scan.blob import Blob, MemoryBlob
from mithridate.supply.scan.budget import Budget, OverBudgetError
from mithridate.supply.scan.pickle.machine import Machine
from mithridate.supply.scan.pickle.opcodes import HANDLERS
from mithridate.supply.scan.pickle.reader import BrokenError, Reader
from mithridate.supply.tensors import DTYPES, STORAGES, Storage

MAGIC = 0x1950A86A20F9469CFC6C
_PICKLE_LIMIT = 1 << 31


class Storages:
    """The storages that a file's pickle names, by key."""

    def __init__(self) -> None:
        self.by_key: dict[str, Storage] = {}
        self.read: Callable[[Storage], bytes] | None = None

    def find(self, identity: Any) -> Storage:
        """What a persistent id of torch's stands for: `("storage", class, key, place, items[, view])`."""
        if not isinstance(identity, tuple) or len(identity) not in {5, 6} or identity[0] != "storage":
            raise BrokenError("a persistent id isn't one of torch's")
        cls, key, _, items = identity[1:5]
        dtype = STORAGES.get(cls.rpartition(".")[2]) if isinstance(cls, Name) else None
        if dtype is None or not isinstance(key, str) or not isinstance(items, int) or items < 0:
            raise BrokenError(f"a storage of class {cls!r} isn't one of torch's")
        if len(identity) > 5 and identity[5] is not None:  # noqa: PLR2004 - the view of old files
            raise InputError("the file holds views of storages as torch before 0.4 wrote them; save it anew with torch")
        found = self.by_key.setdefault(key, Storage(key, dtype, items))
        if found.items * DTYPES[found.dtype][1] < items * DTYPES[dtype][1]:
            found.items, found.dtype = items, dtype
        if self.read is not None and found.read is None:
            read = self.read
            found.read = lambda: read(found)
        return found


def rebuilt(blob: Blob, start: int, storages: Storages | None, budget: Budget) -> tuple[Any, int]:
    """One pickle's value, not yet settled, and where the next one begins.

    Raises
    ------
    InputError : it is refused, broken, or over the budget.
    """
    reader = Reader(blob, start, blob.size)
    machine = Machine(reader, Rebuilder(storages.find if storages else None), budget, keep=1 << 62)
    try:
        return machine.run(HANDLERS), reader.offset
    except BrokenError as error:
        raise InputError(f"{error}, at offset {machine.opcode_at:,}; get the file anew from its source") from error
    except OverBudgetError as error:
        raise InputError(f"{error}; split the file") from error
    except RecursionError as error:
        raise InputError("the values are nested too deep; split the file") from error


def is_zip(head: bytes) -> bool:
    """Whether the bytes begin a zip archive."""
    return head.startswith(b"PK\x03\x04")


def read_zip(path: Path, budget: Budget) -> Any:
    """What a zip of `torch.save` holds; its storages are read when a tensor asks for them.

    Raises
    ------
    InputError : it is no such archive, or its pickle is refused.
    """
    with _archive(path) as archive:
        names = archive.namelist()
        pickles = [name for name in names if name.rpartition("/")[2] == "data.pkl"]
        if len(pickles) != 1:
            raise InputError(
                f"the zip has {len(pickles)} members data.pkl, where torch.save writes one; .npz, .skops and .keras"
                " files are loaded by their own libraries; see `mithridate scan`"
            )
        folder = pickles[0].removesuffix("data.pkl")
        if f"{folder}byteorder" in names and archive.read(f"{folder}byteorder").strip() != b"little":
            raise InputError("the tensors are big-endian; save the file anew on a little-endian machine")
        if archive.getinfo(pickles[0]).file_size > _PICKLE_LIMIT:
            raise InputError(f"the pickle in the zip is over {_PICKLE_LIMIT:,} bytes; split the file")
        content = _member(archive, pickles[0])
    storages = Storages()
    storages.read = lambda storage: _stored(path, f"{folder}data/{storage.key}", storage)
    return rebuilt(MemoryBlob(str(path), content), 0, storages, budget)[0]


def _archive(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError) as error:
        raise InputError(f"the zip is broken: {error}; get the file anew from its source") from error


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    try:
        return archive.read(name)
    except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        raise InputError(f"the member {name} can't be read: {error}; get the file anew from its source") from error


def _stored(path: Path, name: str, storage: Storage) -> bytes:
    need = storage.items * DTYPES[storage.dtype][1]
    with _archive(path) as archive:
        if name in archive.namelist() and archive.getinfo(name).file_size > max(2 * need, need + 4096):
            raise InputError(f"the member {name} is far longer than its {need:,} bytes; see `mithridate scan`")
        return _member(archive, name)


def read_legacy(blob: Blob, budget: Budget) -> Any:
    """What a file of five pickles and raw storages holds.

    Raises
    ------
    InputError : it breaks off, or a pickle is refused.
    """
    at, parts = 0, []
    storages = Storages()
    for number in range(5):
        value, at = rebuilt(blob, at, storages if number == 3 else None, budget)  # noqa: PLR2004 - the object
        parts.append(value)
    keys = parts[4]
    if not isinstance(keys, list):
        raise InputError("the list of storages isn't one; get the file anew from its source")
    for key in keys:
        at = _place(blob, at, storages.by_key.get(key) if isinstance(key, str) else None)
    return parts[3]


def _place(blob: Blob, at: int, storage: Storage | None) -> int:
    """Say where a storage's bytes lie: behind their count. Where the next one begins."""
    head = blob.read(at, 8)
    if storage is None or len(head) < 8:  # noqa: PLR2004 - a count of 64 bits
        raise InputError("the file breaks off among its storages; get it anew from its source")
    (items,) = struct.unpack("<q", head)
    if items != storage.items:
        raise InputError(f"a storage has {items:,} items where {storage.items:,} were named; get the file anew")
    begin, length = at + 8, items * DTYPES[storage.dtype][1]
    if begin + length > blob.size:
        raise InputError("the file breaks off among its storages; get it anew from its source")
    storage.read = lambda: blob.read(begin, length)
    return int(begin + length)
