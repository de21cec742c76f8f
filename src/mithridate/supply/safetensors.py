"""The safetensors format, written and read by hand: eight bytes of length, a JSON header, the tensors' bytes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mithridate.core.errors import InputError

_ALIGNMENT = 8
_HEADER_LIMIT = 100_000_000  # the format's own
_BLOCK = 1 << 24


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


def write(path: Path, entries: Mapping[str, Entry], contents: Iterable[bytes], metadata: Mapping[str, str]) -> None:
    """Write the file; `contents` come in the order of the entries."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    for name, entry in entries.items():
        header[name] = {"dtype": entry.dtype, "shape": entry.shape, "data_offsets": [entry.begin, entry.end]}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    if len(text) > _HEADER_LIMIT:
        raise InputError(
            f"the header would be {len(text):,} bytes, over the format's {_HEADER_LIMIT:,}; split the model"
        )
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little"))
        file.write(text)
        for content in contents:
            file.write(content)


def digests(path: Path) -> dict[str, tuple[Entry, str]]:
    """Each tensor of a file with the SHA-256 of its bytes, read anew from the disk."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        found = {}
        for name, raw in header.items():
            if name == "__metadata__":
                continue
            entry = Entry(raw["dtype"], tuple(raw["shape"]), *raw["data_offsets"])
            file.seek(8 + length + entry.begin)
            digest, left = hashlib.sha256(), entry.end - entry.begin
            while left > 0 and (block := file.read(min(left, _BLOCK))):
                digest.update(block)
                left -= len(block)
            found[name] = (entry, digest.hexdigest())
    return found
