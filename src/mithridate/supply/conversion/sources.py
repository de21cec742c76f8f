"""What `convert` reads: torch files, pickles of arrays, `.npy` and `.npz`; each as named tensors left in the file."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mithridate.core.errors import InputError
from mithridate.supply.conversion.collect import Collector, Tensors, stored_npy, tensors_of
from mithridate.supply.loading.constructors import TENSORS
from mithridate.supply.loading.safe_load import opened, unsettled
from mithridate.supply.loading.settle import Allowance, Settler
from mithridate.supply.loading.tensors import StoredTensor
from mithridate.supply.loading.zipped import ZipFile, is_zip
from mithridate.supply.scan.blob import Blob
from mithridate.supply.scan.pickle.machine import Effects

_NPY = b"\x93NUMPY"


@dataclass(frozen=True, slots=True)
class Held:
    """What a file holds: its tensors by name, and what else there is, as `name (type)`."""

    tensors: Tensors
    rest: list[str]


@contextmanager
def held(path: Path) -> Iterator[Held]:
    """The tensors of a file, to be read while the block lasts.

    Raises
    ------
    InputError : there is no such file, it is broken, or names what only an attack does.
    """
    with opened(path) as blob:
        head = blob.read(0, 8)
        if head.startswith(_NPY):
            yield _from_arrays({"tensor": (blob, 0, blob.size)})
        elif is_zip(head) and (arrays := _members(ZipFile(path, blob))):
            yield _from_arrays(arrays)
        else:
            yield _from_pickle(path, blob)


def _members(archive: ZipFile) -> dict[str, tuple[Blob, int, int]]:
    """The arrays of an `.npz`; none where the zip is anything else."""
    if not archive.members or not all(name.endswith(".npy") for name in archive.members):
        return {}
    return {name.removesuffix(".npy"): archive.whole(name) for name in archive.members}


def _from_arrays(arrays: dict[str, tuple[Blob, int, int]]) -> Held:
    found: Tensors = OrderedDict()
    rest: list[str] = []
    for name, place in arrays.items():
        one = stored_npy(name, *place)
        if isinstance(one, StoredTensor):
            found[name] = one
        else:
            rest.append(f"{name} (array of {one})")
    return Held(found, rest)


def _from_pickle(path: Path, blob: Blob) -> Held:
    allowance = Allowance(blob.size)

    def effects(persistent: Callable[[Any], Any] | None) -> Effects:
        return Collector(TENSORS, allowance, persistent)

    try:
        value = unsettled(path, blob, effects, allowance)
        return Held(*tensors_of(Settler(allowance).settle(value)))
    except MemoryError as error:
        raise InputError("it needs more memory than there is; split the file") from error
