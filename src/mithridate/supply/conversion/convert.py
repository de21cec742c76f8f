"""A model file becomes safetensors, tensor by tensor, with the proof that every one is the same on both sides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mithridate.core.errors import InputError
from mithridate.core.files import atomic, atomic_folder
from mithridate.supply.conversion import safetensors
from mithridate.supply.conversion.copying import Digests, copied
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
    The bytes are streamed, by up to four threads; a tensor whose items lie scattered is held whole, one at a time.
    What is written is read back and compared byte by byte with the source, which is read anew too. The floor is a
    SHA-256 of all bytes and their CRC-32, where the source has one; see benchmarks/convert.py.
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
    with atomic(target) as temporary:
        with safetensors.create(temporary, entries, {"format": "pt"}) as sink:
            digests = copied(found.tensors, entries, sink)
        wrong = "the header" if safetensors.header(temporary) != entries else ""
        wrong = next((name for name, both in digests.items() if both.read != both.written), wrong)
        if wrong:
            raise InputError(f"{wrong} was not written as it was read; the disk or the memory is at fault")
    return Conversion(_proofs(found, digests, file), tuple(found.rest))


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


def _proofs(found: Held, digests: Mapping[str, Digests], file: str) -> tuple[Proof, ...]:
    first: dict[int, str] = {}
    proofs = []
    for name, tensor in found.tensors.items():
        shares = first.setdefault(id(tensor.storage), name)
        dtype, both = DTYPES[tensor.dtype][0], digests[name]
        proofs.append(Proof(name, dtype, tensor.shape, *both, "" if shares == name else shares, file))
    return tuple(proofs)
