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


def header(path: Path) -> tuple[int, dict[str, Entry]]:
    """Where the data part of a file begins, and its tensors, read anew from the disk."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        raw = json.loads(file.read(length))
    entries = {
        name: Entry(one["dtype"], tuple(one["shape"]), *one["data_offsets"])
        for name, one in raw.items()
        if name != "__metadata__"
    }
    return 8 + length, entries


def digest(path: Path, begin: int, end: int) -> str:
    """The SHA-256 of a range of the file."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        file.seek(begin)
        while begin < end and (block := file.read(min(end - begin, _BLOCK))):
            found.update(block)
            begin += len(block)
    return found.hexdigest()


def is_there(path: Path, begin: int, blocks: Iterable[bytes]) -> bool:
    """Whether exactly these bytes stand in the file from `begin` on."""
    with path.open("rb") as file:
        file.seek(begin)
        return all(file.read(len(block)) == block for block in blocks)
