"""A model file becomes safetensors, tensor by tensor, with the proof that every one is the same on both sides."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mithridate.core.errors import InputError
from mithridate.core.files import atomic, atomic_folder
from mithridate.supply.conversion import safetensors
from mithridate.supply.conversion.shards import OUTPUT_INDEX, index_of, index_text, shards_of
from mithridate.supply.conversion.sources import Held, held
from mithridate.supply.loading.tensors import DTYPES, StoredTensor

_WRITABLE = {"F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL", "C64",
             "F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"}  # fmt: skip
_FREE, _COPIES = 64 << 20, 64  # bytes, and bytes written for each that is stored


@dataclass(frozen=True, slots=True)
class Proof:
    """One tensor on both sides. digest : SHA-256 of its bytes, last axis fastest, in the input and in the output.

    shares : the first tensor, by name, that is cut from the same bytes in the input; empty where there is none.
    file : the name of the shard, of a model in several; else empty.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    digest: str
    written_digest: str
    shares: str = ""
    file: str = ""

    @property
    def same(self) -> bool:
        """Whether the bytes are equal."""
        return self.digest == self.written_digest


@dataclass(frozen=True, slots=True)
class Conversion:
    """What was written: a proof for each tensor, and what the input holds besides, which safetensors can't."""

    proofs: tuple[Proof, ...]
    left_out: tuple[str, ...]


def convert(source: str | Path, target: str | Path, *, overwrite: bool = False) -> Conversion:
    """Write the tensors of a model file as safetensors; nothing in the file is run.

    Parameters
    ----------
    source : `.pt`, `.pth` or `.bin` of `torch.save`, a pickle or joblib file of arrays, `.npy`, `.npz`; or a folder of
        shards with their index, or that index. Tensors are found in dicts, lists and instances of any class, however
        deep; whatever else there is stays behind and is named.
    target : the safetensors file, or for shards a new folder; written in one step, never the source.
    overwrite : replace a file that is there; a folder never is.

    Returns
    -------
    The proof: both digests of every tensor. The output is there only if all are equal.

    Raises
    ------
    InputError : the source is refused or holds no tensor, or a type that safetensors doesn't know; the target is there.

    Notes
    -----
    The bytes are streamed; a tensor whose items lie scattered is held whole, one at a time. What is written is read
    back from the disk and compared byte by byte with the source.
    """
    here, there = Path(source), Path(target)
    if there.exists() and here.exists() and there.samefile(here):
        raise InputError(f"{there} is the input itself, and it is never overwritten; name another file")
    try:
        index = index_of(here)
        if index is not None:
            return _convert_shards(index, there)
        if not overwrite:
            _refuse_file(there)
        with held(here) as found:
            return _written(found, there)
    except InputError as error:
        raise InputError(f"{here}: {error}") from error


def _refuse_file(target: Path) -> None:
    if target.exists() and not target.is_dir():
        raise InputError(f"{target} is there already; name another file, or say --force")


def _convert_shards(index: Path, target: Path) -> Conversion:
    weights, metadata = shards_of(index)
    names = sorted(set(weights.values()))
    places: dict[str, str] = {}
    proofs: list[Proof] = []
    left: list[str] = []
    total = 0
    with atomic_folder(target) as folder:
        for number, shard in enumerate(names, 1):
            file = f"model-{number:05}-of-{len(names):05}.safetensors"
            with held(index.parent / shard) as found:
                _check_names(found, shard, weights, places)
                total += sum(tensor.size for tensor in found.tensors.values())
                done = _written(found, folder / file, file)
            places |= dict.fromkeys((proof.name for proof in done.proofs), file)
            proofs += done.proofs
            left += [f"{shard}: {one}" for one in done.left_out]
        (folder / OUTPUT_INDEX).write_text(index_text(places, metadata, total), "utf-8")
    return Conversion(tuple(proofs), tuple(left))


def _check_names(found: Held, shard: str, weights: Mapping[str, str], before: Mapping[str, str]) -> None:
    wanted = {name for name, place in weights.items() if place == shard}
    if missing := sorted(wanted - set(found.tensors)):
        raise InputError(f"the shard {shard} lacks {missing[0]}, which the index says it has; get it anew")
    if twice := sorted(set(found.tensors) & set(before)):
        raise InputError(f"{twice[0]} is in two shards; get them anew from their source")


def _written(found: Held, target: Path, file: str = "") -> Conversion:
    _check(found)
    entries = safetensors.layout({name: _described(tensor) for name, tensor in found.tensors.items()})
    digests: dict[str, str] = {}
    with atomic(target) as temporary:
        safetensors.write(temporary, entries, _contents(found.tensors, entries, digests), {"format": "pt"})
        proofs = _proved(found.tensors, digests, temporary, file)
        wrong = [proof.name for proof in proofs if not proof.same]
        if wrong:
            raise InputError(f"{wrong[0]} was not written as it was read; the disk or the memory is at fault")
    return Conversion(proofs, tuple(found.rest))


def _check(found: Held) -> None:
    if not found.tensors:
        raise InputError("it holds no tensor; give a file of torch.save, or arrays of numpy's")
    for name, tensor in found.tensors.items():
        if DTYPES[tensor.dtype][0] not in _WRITABLE:
            raise InputError(
                f"{name} is {tensor.dtype}, which safetensors doesn't know; convert it to another type first"
            )
        if name == "__metadata__":
            raise InputError("a tensor is called __metadata__, which safetensors keeps for itself; rename it")
        if not name.isascii() and any("\ud800" <= letter <= "\udfff" for letter in name):
            raise InputError(f"the name {name!r:.100} is no text that JSON can hold; rename it")
    storages = {id(tensor.storage): tensor.storage.size for tensor in found.tensors.values()}
    size = sum(tensor.size for tensor in found.tensors.values())
    if size > _FREE + _COPIES * sum(storages.values()):
        raise InputError(f"a tensor repeats its bytes, up to {size:,} in all; it is not written out")


def _described(tensor: StoredTensor) -> tuple[str, tuple[int, ...], int, int]:
    name, width = DTYPES[tensor.dtype]
    return name, tensor.shape, width, tensor.size


def _contents(
    tensors: Mapping[str, StoredTensor], entries: Mapping[str, safetensors.Entry], digests: dict[str, str]
) -> Iterator[bytes]:
    """Each tensor's bytes in turn; their digests go to `digests`."""
    for name in entries:
        digest = hashlib.sha256()
        for block in tensors[name].blocks():
            digest.update(block)
            yield block
        digests[name] = digest.hexdigest()


def _proved(
    tensors: Mapping[str, StoredTensor], digests: Mapping[str, str], written: Path, file: str
) -> tuple[Proof, ...]:
    """Names, types, shapes and digests of both sides, the written one read from the disk.

    Where the disk has the source's own bytes, its digest is the source's; where it hasn't, it is computed.
    """
    data, on_disk = safetensors.header(written)
    if set(on_disk) != set(tensors):
        raise InputError("the names were not written as they were read; the disk or the memory is at fault")
    first: dict[int, str] = {}
    proofs = []
    for name, tensor in tensors.items():
        entry, digest = on_disk[name], digests[name]
        is_same = (entry.dtype, entry.shape) == _described(tensor)[:2] and entry.end - entry.begin == tensor.size
        if not is_same or not safetensors.is_there(written, data + entry.begin, tensor.blocks()):
            digest = safetensors.digest(written, data + entry.begin, data + entry.end) if is_same else ""
        shares = first.setdefault(id(tensor.storage), name)
        proofs.append(
            Proof(name, entry.dtype, entry.shape, digests[name], digest, "" if shares == name else shares, file)
        )
    return tuple(proofs)
