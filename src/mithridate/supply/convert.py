"""A torch file becomes safetensors, tensor by tensor, with the proof that every one is the same on both sides."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mithridate.core.errors import InputError
from mithridate.core.files import atomic
from mithridate.supply import safetensors
from mithridate.supply.safe_load import read, tensors_of
from mithridate.supply.tensors import DTYPES, StoredTensor

_WRITABLE = {"F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL", "C64",
             "F8_E4M3", "F8_E5M2"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Proof:
    """One tensor on both sides. digest : SHA-256 of its bytes, last axis fastest, in the input and in the output.

    shares : the first tensor, by name, that is cut from the same bytes in the input; empty where there is none.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    digest: str
    written_digest: str
    shares: str = ""

    @property
    def same(self) -> bool:
        """Whether the bytes are equal."""
        return self.digest == self.written_digest


@dataclass(frozen=True, slots=True)
class Conversion:
    """What was written: a proof for each tensor, and what the input holds besides, which safetensors can't."""

    proofs: tuple[Proof, ...]
    left_out: tuple[str, ...]


def convert(source: str | Path, target: str | Path) -> Conversion:
    """Write the tensors of a torch file as safetensors; nothing in the file is run.

    Parameters
    ----------
    source : `.pt`, `.pth` or `.bin` of `torch.save`: a state dict, or dicts and lists of them.
    target : the safetensors file, written in one step; never the source.

    Returns
    -------
    The proof: both digests of every tensor. The output is there only if all are equal.

    Raises
    ------
    InputError : the source is refused or holds no tensor, or a type that safetensors doesn't know.
    """
    here, there = Path(source), Path(target)
    if there.exists() and here.exists() and there.samefile(here):
        raise InputError(f"{there} is the input itself, and it is never overwritten; name another file")
    try:
        tensors, rest = tensors_of(read(here))
        return _written(tensors, rest, there)
    except InputError as error:
        raise InputError(f"{here}: {error}") from error


def _written(tensors: Mapping[str, StoredTensor], rest: list[str], target: Path) -> Conversion:
    if not tensors:
        raise InputError("it holds no tensor; give a file of torch.save")
    for name, tensor in tensors.items():
        if DTYPES[tensor.dtype][0] not in _WRITABLE:
            raise InputError(
                f"{name} is {tensor.dtype}, which safetensors doesn't know; convert it to another type first"
            )
        if name == "__metadata__":
            raise InputError("a tensor is called __metadata__, which safetensors keeps for itself; rename it")
    entries = safetensors.layout({name: _described(tensor) for name, tensor in tensors.items()})
    found: dict[str, str] = {}
    with atomic(target) as temporary:
        safetensors.write(temporary, entries, _contents(tensors, entries, found), {"format": "pt"})
        proofs = _proved(tensors, found, temporary)
        wrong = [proof.name for proof in proofs if not proof.same]
        if wrong:
            raise InputError(f"{wrong[0]} was not written as it was read; the disk or the memory is at fault")
    return Conversion(proofs, tuple(rest))


def _described(tensor: StoredTensor) -> tuple[str, tuple[int, ...], int, int]:
    name, size = DTYPES[tensor.dtype]
    length = size
    for side in tensor.shape:
        length *= side
    return name, tensor.shape, size, length


def _contents(
    tensors: Mapping[str, StoredTensor], entries: Mapping[str, safetensors.Entry], found: dict[str, str]
) -> Iterator[bytes]:
    """Each tensor's bytes in turn; their digests go to `found`. One tensor is held at a time."""
    for name in entries:
        content = tensors[name].row_major()
        found[name] = hashlib.sha256(content).hexdigest()
        yield content
        tensors[name].storage.release()


def _proved(tensors: Mapping[str, StoredTensor], found: Mapping[str, str], written: Path) -> tuple[Proof, ...]:
    """Names, types, shapes and digests of both sides, the written one read from the disk."""
    on_disk = safetensors.digests(written)
    if set(on_disk) != set(tensors):
        raise InputError("the names were not written as they were read; the disk or the memory is at fault")
    first: dict[int, str] = {}
    proofs = []
    for name, tensor in tensors.items():
        entry, digest = on_disk[name]
        described = _described(tensor)
        shares = first.setdefault(id(tensor.storage), name)
        same_form = (entry.dtype, entry.shape) == described[:2]
        written_digest = digest if same_form else ""
        proofs.append(
            Proof(name, entry.dtype, entry.shape, found[name], written_digest, "" if shares == name else shares)
        )
    return tuple(proofs)
