"""The safetensors format, written and read by hand: eight bytes of length, a JSON header, the tensors' bytes."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mithridate.core.errors import InputError

_ALIGNMENT = 8
_HEADER_LIMIT = 100_000_000  # the format's own
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Entry:
    """One tensor: the format's name of its type, its shape, and its bytes in the file's data part."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def layout(tensors: Mapping[str, tuple[str, tuple[int, ...], int, int]]) -> dict[str, Entry]:
    """Where each tensor goes: widest items first, then by name, so that every tensor is aligned to its items.

    Parameters
    ----------
    tensors : name -> type, shape, bytes of one item, bytes in all.
    """
    found: dict[str, Entry] = {}
    at = 0
    for name in sorted(tensors, key=lambda name: (-tensors[name][2], name)):
        dtype, shape, _, length = tensors[name]
        found[name] = Entry(dtype, shape, at, at + length)
        at += length
    return found


@dataclass(frozen=True, slots=True)
class Sink:
    """The data part of a file, which begins at the byte `data`; tensors are put into it in any order, by any thread."""

    descriptor: int
    data: int

    def write(self, entry: Entry, blocks: Iterable[memoryview | bytes]) -> None:
        """Put a tensor's bytes in their place."""
        at = self.data + entry.begin
        for block in blocks:
            left = memoryview(block)
            while left:
                n_bytes = os.pwrite(self.descriptor, left, at)
                left, at = left[n_bytes:], at + n_bytes

    def has(self, entry: Entry, blocks: Iterable[memoryview | bytes]) -> bool:
        """Whether exactly these bytes stand there, read anew."""
        at, buffer = self.data + entry.begin, bytearray()
        for block in blocks:
            for start in range(0, len(block), _BLOCK):
                part = memoryview(block)[start : start + _BLOCK]
                buffer = buffer if len(buffer) == len(part) else bytearray(len(part))
                if os.preadv(self.descriptor, [buffer], at) != len(part) or buffer != part:
                    return False
                at += len(part)
        return at == self.data + entry.end

    def digest(self, entry: Entry) -> str:
        """The SHA-256 of the tensor's bytes there."""
        found, at, end = hashlib.sha256(), self.data + entry.begin, self.data + entry.end
        while at < end and (block := os.pread(self.descriptor, min(end - at, _BLOCK), at)):
            found.update(block)
            at += len(block)
        return found.hexdigest()


@contextmanager
def create(path: Path, entries: Mapping[str, Entry], metadata: Mapping[str, str]) -> Iterator[Sink]:
    """A file with its header, as long as it will be; its tensors are to be put into the sink.

    Raises
    ------
    InputError : the header is longer than the format allows.
    """
    text = head(entries, metadata)
    with path.open("w+b") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.flush()
        file.truncate(8 + len(text) + max((entry.end for entry in entries.values()), default=0))
        yield Sink(file.fileno(), 8 + len(text))


def head(entries: Mapping[str, Entry], metadata: Mapping[str, str]) -> bytes:
    """The header's JSON, padded.

    Raises
    ------
    InputError : it is longer than the format allows.
    """
    described: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    for name, entry in entries.items():
        described[name] = {"dtype": entry.dtype, "shape": entry.shape, "data_offsets": [entry.begin, entry.end]}
    text = json.dumps(described, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    if len(text) > _HEADER_LIMIT:
        raise InputError(
            f"the header would be {len(text):,} bytes, over the format's {_HEADER_LIMIT:,}; split the model"
        )
    return text


def header(path: Path) -> dict[str, Entry]:
    """The tensors of a file, as its header has them, read anew."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        raw = json.loads(file.read(length))
    return {
        name: Entry(one["dtype"], tuple(one["shape"]), *one["data_offsets"])
        for name, one in raw.items()
        if name != "__metadata__"
    }
