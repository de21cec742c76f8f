"""The tensors of a checkpoint, whatever stands around them: what isn't listed is noted by name and never made."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

from mithridate.core.errors import InputError
from mithridate.supply.loading.listed.torch_values import Unwritten
from mithridate.supply.loading.rebuild import Rebuilder
from mithridate.supply.loading.settle import Name, Unlisted
from mithridate.supply.loading.tensors import DTYPES, Storage, StoredTensor
from mithridate.supply.scan.blob import Blob, MemoryBlob
from mithridate.supply.scan.pickle.machine import Machine
from mithridate.supply.scan.pickle.verdict import judge

_OF_A_MODULE = ("_parameters", "_buffers", "_modules")
_NO_TENSORS = "numpy.random."  # states of generators, in arrays
Tensors = OrderedDict[str, StoredTensor]


class Collector(Rebuilder):
    """Effects that keep what isn't listed as a note of its name, its arguments and its state."""

    def unlisted(self, module: str, name: str) -> Any:
        """A note, unless the name is one that only an attack has a use for.

        Raises
        ------
        InputError : it is.
        """
        verdict = judge(module, name)
        if verdict.kind == "harmful":
            raise InputError(
                f"it names {module}.{name}, which no checkpoint needs ({verdict.capability}); `mithridate scan` says"
                " what it does with it"
            )
        return Unlisted(f"{module}.{name}")

    def call(self, machine: Machine, function: Any, arguments: Any) -> Any:
        """As `Rebuilder`; of a note, a note."""
        if isinstance(function, Unlisted):
            return Unlisted(function.path, arguments)
        return super().call(machine, function, arguments)

    def new(self, machine: Machine, cls: Any, arguments: Any, *keywords: Any) -> Any:
        """As `Rebuilder`; of a note, a note."""
        if isinstance(cls, Unlisted):
            return Unlisted(cls.path, (arguments, *keywords))
        return super().new(machine, cls, arguments, *keywords)

    def build(self, machine: Machine, instance: Any, state: Any) -> Any:
        """As `Rebuilder`; a note keeps its state."""
        if isinstance(instance, Unlisted):
            instance.parts.append(state)
            return instance
        return super().build(machine, instance, state)

    def extend(self, machine: Machine, target: Any, items: Sequence[Any]) -> None:
        """As `Rebuilder`; a note keeps its items."""
        if isinstance(target, Unlisted):
            target.parts.append(list(items))
        else:
            super().extend(machine, target, items)

    def set_items(self, machine: Machine, target: Any, items: Sequence[Any]) -> None:
        """As `Rebuilder`; a note keeps its items."""
        if isinstance(target, Unlisted):
            target.parts.append(self.make("dict", items))
        else:
            super().set_items(machine, target, items)

    def add_items(self, machine: Machine, target: Any, items: Sequence[Any]) -> None:
        """As `Rebuilder`; a note keeps its items."""
        if isinstance(target, Unlisted):
            target.parts.append(list(items))
        else:
            super().add_items(machine, target, items)


def tensors_of(value: Any) -> tuple[Tensors, list[str]]:
    """The tensors of nested containers under their dotted names, and what else there is, as `name (type)`.

    Raises
    ------
    InputError : two would have one name.
    """
    found: Tensors = OrderedDict()
    rest: list[str] = []
    todo: list[tuple[str, Any]] = [("", value)]
    seen: dict[int, Any] = {}
    inner: set[int] = set()
    while todo:
        name, item = todo.pop()
        stored = stored_array(item, name) if _is_array(item) else item
        if isinstance(stored, StoredTensor):
            if (name or "tensor") in found:
                raise InputError(f"two tensors would be called {name!r:.100}; rename one")
            found[name or "tensor"] = stored
        elif isinstance(item, dict | list | tuple | Unlisted) or hasattr(item, "__dict__"):
            if isinstance(item, Unlisted):
                rest += _noted(item, name or "it", inner)
                if item.path.startswith(_NO_TENSORS):
                    continue
            elif not isinstance(item, dict | list | tuple | Unlisted):
                rest.append(f"{name or 'it'} ({type(item).__module__}.{type(item).__name__})")
            if id(item) not in seen:
                seen[id(item)] = item
                todo += reversed([(f"{name}.{key}" if name else str(key), one) for key, one in _inside(item)])
        elif item is not None:
            kind = item.kind if isinstance(item, Unwritten) else type(item).__name__
            rest.append(f"{name or 'it'} ({kind})")
    return found, rest


def _noted(item: Unlisted, name: str, inner: set[int]) -> list[str]:
    """What of a note stays behind; of modules only the outermost says it. inner : the modules within others."""
    if not _is_module(item):
        return [f"{name} ({item.path})"]
    is_outer = id(item) not in inner
    held = [part.get("_modules") for part in item.parts if isinstance(part, dict)]
    inner |= {id(one) for modules in held if isinstance(modules, dict) for one in modules.values()}
    return [f"{name} ({item.path}: its code, hooks and settings)"] if is_outer else []


def _is_module(item: Unlisted) -> bool:
    return any(isinstance(part, dict) and all(word in part for word in _OF_A_MODULE) for part in item.parts)


def _inside(item: Any) -> Iterator[tuple[Any, Any]]:
    """What a container holds, each part with its key; of a note, only what holds tensors further down counts."""
    if isinstance(item, dict):
        yield from item.items()
    elif isinstance(item, list | tuple):
        yield from enumerate(item)
    elif not isinstance(item, Unlisted):
        yield from ((key, one) for key, one in vars(item).items() if _is_array(one) or _holds(one))
    else:
        for part in item.parts:
            if isinstance(part, dict) and _is_module(item):
                for word in _OF_A_MODULE:
                    yield from (part[word] or {}).items()
            elif isinstance(part, dict):
                yield from ((key, one) for key, one in part.items() if _is_array(one) or _holds(one))
            elif isinstance(part, list | tuple):
                yield from ((place, one) for place, one in enumerate(part) if _is_array(one) or _holds(one))


def _holds(item: Any) -> bool:
    return isinstance(item, StoredTensor | dict | list | tuple | Unlisted | Unwritten) and not isinstance(item, Name)


def _is_array(item: Any) -> bool:
    """Whether it is an array of numpy's, which is never imported to find out."""
    kind = type(item)
    return kind.__name__ in {"ndarray", "memmap"} and kind.__module__ == "numpy"


def stored_array(array: Any, name: str) -> Any:
    """An array of numpy's as a tensor; the array itself where its type is none of tensors'."""
    if array.dtype.name not in DTYPES or array.dtype.names:
        return array
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    content = MemoryBlob(name, little.tobytes())
    return StoredTensor(
        Storage(name, array.dtype.name, array.size, lambda: (content, 0)), array.dtype.name, 0, array.shape,
        row_major(array.shape),
    )  # fmt: skip


def row_major(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of items that lie one behind the other, last axis fastest."""
    return tuple(prod(shape[axis + 1 :]) for axis in range(len(shape)))


def stored_npy(name: str, blob: Blob, begin: int, size: int) -> StoredTensor | str:
    """The array of a `.npy` file as a tensor, its bytes left where they are; its type where no tensor has it.

    Raises
    ------
    InputError : the file is broken.
    """
    import io

    import numpy as np

    try:
        head = io.BytesIO(blob.read(begin, min(size, 1 << 16)))
        major, _ = np.lib.format.read_magic(head)
        parse = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
        shape, is_fortran, dtype = parse(head)
    except Exception as error:
        text = " ".join(str(error).split())[:120]
        raise InputError(f"{name or 'the array'} has a broken head: {text}; get the file anew") from error
    if dtype.name not in DTYPES or dtype.names:
        return str(dtype)
    start, n_items = begin + head.tell(), prod(shape)
    if any(side < 0 for side in shape) or n_items * dtype.itemsize != begin + size - start:
        raise InputError(
            f"{name or 'the array'} has {begin + size - start:,} bytes for its shape {shape}; it broke off"
        )
    if dtype.byteorder == ">":
        swapped = np.frombuffer(blob.read(start, begin + size - start), dtype).astype(dtype.newbyteorder("<"))
        blob, start = MemoryBlob(name, swapped.tobytes()), 0
    strides = tuple(prod(shape[:axis]) for axis in range(len(shape))) if is_fortran else row_major(shape)
    return StoredTensor(Storage(name, dtype.name, n_items, lambda: (blob, start)), dtype.name, 0, shape, strides)
