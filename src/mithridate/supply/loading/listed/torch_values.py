"""torch's tensors as they are stored, and its types; torch itself is needed for none but the sparse and quantised."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mithridate.supply.loading.listed.arrays import VALUE
from mithridate.supply.loading.settle import Name, Pending
from mithridate.supply.loading.tensors import ALIASES, DTYPES, STORAGES, Storage, StoredTensor

_LAYOUTS = ("sparse_coo", "sparse_csr", "sparse_csc", "sparse_bsr", "sparse_bsc")
_QUANTISED = {"int8": "qint8", "uint8": "quint8", "int32": "qint32"}
_AXES = 64


@dataclass(frozen=True, slots=True)
class Unwritten:
    """A tensor of a kind that only torch has, where torch's aren't made."""

    kind: str


def tensor(storage: Any, offset: Any, shape: Any, strides: Any, *rest: Any) -> StoredTensor:
    """`_rebuild_tensor`, `_v2` and `_v3`: of what follows the strides only a type and the signs matter.

    Raises
    ------
    InputError, ValueError, TypeError : it is no cut of its storage.
    """
    if not isinstance(storage, Storage):
        raise TypeError("a tensor is cut from no storage")
    if len(shape) > _AXES:
        raise ValueError(f"a tensor has {len(shape)} axes")
    dtype = next((name for name in map(dtype_of, rest) if name), storage.dtype)
    signs = next((one for one in reversed(rest) if type(one) is dict), {})
    made = StoredTensor(
        storage, dtype, offset, tuple(shape), tuple(strides),
        signs.get("conj") is True, signs.get("neg") is True,
    )  # fmt: skip
    made.check()
    return made


def dtype_of(value: Any) -> str:
    """The type that a name such as `torch.float32` means; empty for anything else."""
    word = value.removeprefix("torch.") if isinstance(value, Name) else ""
    word = ALIASES.get(word, word)
    return word if word in DTYPES else ""


def _from_type(function: Any, _: Any, arguments: Any, __: Any = None) -> Any:
    if function not in TORCH or not str(function).startswith("torch._utils._rebuild_"):
        raise ValueError(f"{function!r:.60} makes no tensor")
    return TORCH[function](*arguments)


def _sparse(arguments: tuple[Any, ...], _: Any) -> Any:
    layout, parts = arguments
    layout = str(layout).rpartition(".")[2]
    if layout not in _LAYOUTS:
        raise ValueError(f"{layout!r:.40} is no layout of torch's")
    if any(isinstance(part, StoredTensor) for part in parts):
        return Unwritten(f"{layout} tensor")
    import torch

    size = tuple(next(part for part in reversed(parts) if isinstance(part, list | tuple)))
    if any(type(side) is not int or not 0 <= side < 1 << 62 for side in size):
        raise ValueError("its size is none")
    if layout == "sparse_coo":
        made = torch.sparse_coo_tensor(parts[0], parts[1], size, check_invariants=True)
        is_coalesced = len(parts) > 3 and parts[3] is True  # noqa: PLR2004 - indices, values, size, and this
        return made.coalesce() if is_coalesced else made
    return torch.sparse_compressed_tensor(
        parts[0], parts[1], parts[2], size, layout=getattr(torch, layout), check_invariants=True
    )


def _quantised(arguments: tuple[Any, ...], _: Any) -> Any:
    whole, parameters = arguments
    if isinstance(whole, StoredTensor):
        return Unwritten("quantised tensor")
    import torch

    kind, scale, zero = parameters[:3]
    if str(whole.dtype).removeprefix("torch.") not in _QUANTISED:
        raise ValueError(f"{whole.dtype} is no type of quantised numbers")
    if kind == "torch.per_tensor_affine":
        bounds = torch.iinfo(whole.dtype)
        if not 0 < float(scale) < float("inf") or not bounds.min <= int(zero) <= bounds.max:
            raise ValueError("its scale or its zero is none")
        return torch._make_per_tensor_quantized_tensor(whole, float(scale), int(zero))  # noqa: SLF001 - torch has no public way from whole numbers
    axis = int(parameters[3])
    if kind != "torch.per_channel_affine" or not 0 <= axis < whole.dim():
        raise ValueError(f"{kind!r:.40} is no way to quantise")
    if scale.shape != zero.shape or scale.dim() != 1 or len(scale) != whole.shape[axis]:
        raise ValueError("its scales are not one a channel")
    return torch._make_per_channel_quantized_tensor(whole, scale, zero, axis)  # noqa: SLF001 - as above


def _qtensor(storage: Any, offset: Any, shape: Any, strides: Any, parameters: Any, *_: Any) -> Pending:
    whole = tensor(storage, offset, shape, strides)
    return Pending("torch.quantized tensor", _quantised, (whole, parameters))


def _device(*parts: Any) -> str:
    return ":".join(part if isinstance(part, str) else str(int(part)) for part in parts[:2])


def _layout(name: Any) -> str:
    if not isinstance(name, str):
        raise TypeError("a layout is no text")
    return name


TORCH: dict[str, Callable[..., Any]] = {
    "torch.Size": tuple, "torch.device": _device,
    "torch._utils._rebuild_tensor": tensor, "torch._utils._rebuild_tensor_v2": tensor,
    "torch._utils._rebuild_tensor_v3": tensor, "torch._utils._rebuild_parameter": lambda data, *_: data,
    "torch._utils._rebuild_parameter_with_state": lambda data, *_: data, "torch.serialization._get_layout": _layout,
    "torch._utils._rebuild_sparse_tensor": lambda *parts: Pending("torch sparse tensor", _sparse, parts),
    "torch._utils._rebuild_qtensor": _qtensor, "torch._tensor._rebuild_from_type_v2": _from_type,
    **{f"torch.{name}": VALUE for name in (*DTYPES, *ALIASES, *STORAGES, "strided", *_LAYOUTS, "Tensor",
                                           "per_tensor_affine", "per_channel_affine", *_QUANTISED.values())},
    **{f"torch.storage.{name}": VALUE for name in ("UntypedStorage", "TypedStorage")},
    **{f"torch.nn.parameter.{name}": VALUE for name in ("Parameter", "Buffer")},
}  # fmt: skip
