"""Files that `torch.save` wrote, read without torch: the zip of today and the row of pickles of before version 1.6."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mithridate.core.errors import InputError
from mithridate.supply.loading.settle import Name
from mithridate.supply.loading.tensors import DTYPES, STORAGES, Storage
from mithridate.supply.loading.zipped import ZipFile
from mithridate.supply.scan.blob import Blob, MemoryBlob
from mithridate.supply.scan.budget import Budget, OverBudgetError
from mithridate.supply.scan.pickle.machine import Effects, Machine
from mithridate.supply.scan.pickle.opcodes import HANDLERS
from mithridate.supply.scan.pickle.reader import BrokenError, Reader

MAGIC = 0x1950A86A20F9469CFC6C


class Storages:
    """The storages that a file's pickle names, by key.

    find : where the bytes of a storage lie; None until that is known.
    """

    def __init__(self, find: Callable[[Storage], tuple[Blob, int]] | None = None) -> None:
        self.by_key: dict[str, Storage] = {}
        self._find = find

    def named(self, identity: Any) -> Storage:
        """What a persistent id of torch's stands for: `("storage", class, key, place, items[, view])`."""
        if not isinstance(identity, tuple) or len(identity) not in {5, 6} or identity[0] != "storage":
            raise BrokenError("a persistent id isn't one of torch's")
        cls, key, _, items = identity[1:5]
        dtype = STORAGES.get(cls.rpartition(".")[2]) if isinstance(cls, Name) else None
        if dtype is None or not isinstance(key, str) or type(items) is not int or not 0 <= items < 1 << 60:
            raise BrokenError(f"a storage of class {cls!r:.60} isn't one of torch's")
        if len(identity) > 5 and identity[5] is not None:  # noqa: PLR2004 - the view of old files
            raise InputError("the file holds views of storages as torch before 0.4 wrote them; save it anew with torch")
        found = self.by_key.setdefault(key, Storage(key, dtype, items))
        if found.size < items * DTYPES[dtype][1]:
            found.items, found.dtype = items, dtype
        if self._find is not None and found.find is None:
            find = self._find
            found.find = lambda: find(found)
        return found


@dataclass(frozen=True, slots=True)
class Reading:
    """How pickles are read. effects : makes their effects, given what persistent ids stand for."""

    budget: Budget
    effects: Callable[[Callable[[Any], Any] | None], Effects]


def rebuilt(blob: Blob, start: int, storages: Storages | None, reading: Reading) -> tuple[Any, int]:
    """One pickle's value, not yet settled, and where the next one begins.

    Raises
    ------
    InputError : it is refused, broken, or over the budget.
    """
    reader = Reader(blob, start, blob.size)
    effects = reading.effects(storages.named if storages else None)
    machine = Machine(reader, effects, reading.budget, keep=1 << 62)
    try:
        return machine.run(HANDLERS), reader.offset
    except BrokenError as error:
        raise InputError(f"{error}, at offset {machine.opcode_at:,}; get the file anew from its source") from error
    except OverBudgetError as error:
        raise InputError(f"{error}; split the file") from error
    except RecursionError as error:
        raise InputError("the values are nested too deep; split the file") from error


def read_zip(blob: Blob, archive: ZipFile, reading: Reading) -> Any:
    """What a zip of `torch.save` holds; its storages are read when a tensor asks for them.

    Raises
    ------
    InputError : it is no such archive, or its pickle is refused.
    """
    pickles = [name for name in archive.members if name.rpartition("/")[2] == "data.pkl"]
    if len(pickles) != 1:
        raise InputError(
            f"the zip has {len(pickles)} members data.pkl, where torch.save writes one; .npz, .skops and .keras"
            " files are loaded by their own libraries; see `mithridate scan`"
        )
    folder = pickles[0].removesuffix("data.pkl")
    if f"{folder}constants.pkl" in archive.members:
        raise InputError("it is TorchScript, which holds code; save its state_dict() with torch.save")
    if f"{folder}byteorder" in archive.members and archive.read(f"{folder}byteorder").strip() != b"little":
        raise InputError("the tensors are big-endian; save the file anew on a little-endian machine")
    content = archive.read(pickles[0])

    def find(storage: Storage) -> tuple[Blob, int]:
        return archive.place(f"{folder}data/{storage.key}", storage.size)

    return rebuilt(MemoryBlob(blob.name, content), 0, Storages(find), reading)[0]


def read_legacy(blob: Blob, reading: Reading) -> Any:
    """What a file of five pickles and raw storages holds.

    Raises
    ------
    InputError : it breaks off, or a pickle is refused.
    """
    at, parts = 0, []
    storages = Storages()
    for number in range(5):
        value, at = rebuilt(blob, at, storages if number == 3 else None, reading)  # noqa: PLR2004 - the object
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
    begin = at + 8
    if begin + storage.size > blob.size:
        raise InputError("the file breaks off among its storages; get it anew from its source")
    storage.find = lambda: (blob, begin)
    return int(begin + storage.size)
