"""Tensors copied to their places in a safetensors file, each hashed on the way and then compared where it landed."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from mithridate.supply.conversion.safetensors import Entry, Sink
from mithridate.supply.loading.tensors import StoredTensor

_LARGE = 1 << 20  # bytes from which on a tensor is worth a worker's turn
_WORKERS = 4  # beyond these, the disk is what is waited for


class Digests(NamedTuple):
    """SHA-256 of a tensor's bytes, last axis fastest: as they were read, and as they stand in the file."""

    read: str
    written: str


def copied(
    tensors: Mapping[str, StoredTensor], entries: Mapping[str, Entry], sink: Sink, *, jobs: int | None = None
) -> dict[str, Digests]:
    """Every tensor's digests, when all are written.

    Parameters
    ----------
    jobs : threads; one a core by default, and no more than four.

    Raises
    ------
    InputError : a tensor's bytes aren't in the source, or don't have its checksum.

    Notes
    -----
    Threads share the large tensors that lie in one piece: hashes and the system's calls set them free. Each holds two
    blocks. The others follow in turn, since one whose items lie scattered is held whole.
    """
    uses = Counter(id(tensor.storage) for tensor in tensors.values())

    def one(name: str) -> Digests:
        tensor = tensors[name]
        digests = _one(tensor, entries[name], sink)
        if uses[id(tensor.storage)] == 1:
            tensor.storage.forget()
        return digests

    large = [name for name in entries if tensors[name].is_one_piece and tensors[name].size >= _LARGE]
    with ThreadPoolExecutor(jobs or min(_WORKERS, _n_cores())) as pool:
        done = dict(zip(large, pool.map(one, large), strict=True))
    return {name: done[name] if name in done else one(name) for name in entries}


def _one(tensor: StoredTensor, entry: Entry, sink: Sink) -> Digests:
    total = hashlib.sha256()

    def hashed() -> Iterator[memoryview | bytes]:
        for block in tensor.blocks():
            total.update(block)
            yield block

    sink.write(entry, hashed())
    read = total.hexdigest()
    return Digests(read, read if sink.has(entry, tensor.blocks()) else sink.digest(entry))


def _n_cores() -> int:
    """The cores that this process may use, where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
