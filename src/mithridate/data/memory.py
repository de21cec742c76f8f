"""Rows that are in memory already: numpy, pandas, polars, Arrow, lists of str, torch, scikit-learn bunches."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mithridate.core.errors import InputError
from mithridate.data.arrays import Shaped, shape_array, text_array
from mithridate.data.assemble import from_parts
from mithridate.data.collect import collect
from mithridate.data.columns import make_plan
from mithridate.data.dataset import Dataset
from mithridate.data.options import NO_LABEL, Options, checked_modality


def from_memory(
    x: Any,
    *,
    labels: Any = None,
    sources: Any = None,
    content: str | None = None,
    modality: str | None = None,
    name: str = "memory",
) -> Dataset:
    """The rows as a `Dataset`; `x` is never changed.

    Parameters
    ----------
    x : numpy array, pandas or polars frame, Arrow table, list of str, torch tensor or `Dataset` of (content, label)
        pairs, scikit-learn bunch, or a `Dataset` of ours (returned as it is).
    labels, sources : one value a row, or, for frames and tables, a column's name.
    content : a frame's content column.

    Raises
    ------
    InputError : what `x` is can't be told, or labels and rows differ in number.
    """
    asked = checked_modality(modality)
    if isinstance(x, Dataset):
        return x
    if hasattr(x, "data") and hasattr(x, "target") and isinstance(x, Mapping):
        x, labels = _bunch(x, labels)
    tensors = _is_tensor(x)
    if _is_torch_dataset(x):
        x, labels, tensors = _pairs(x, labels)
    table = _as_table(x, name)
    if table is not None:
        return _from_table(table, labels, sources, Options(name, content=content, modality=asked))
    for given in (labels, sources):
        if isinstance(given, str):
            raise InputError(f"{given!r} names a column and {name} has none; pass the values, one a row")
    array = _as_array(x, name)
    shaped = shape_array(_channels_last(array) if tensors else array, name, asked)
    return from_parts(shaped, name, labels=_plain(labels), sources=_plain(sources))


def _bunch(x: Any, labels: Any) -> tuple[Any, Any]:
    images = x.get("images")
    content = images if isinstance(images, np.ndarray) and images.ndim >= 3 else x["data"]  # noqa: PLR2004 - (n, h, w)
    if content is images and images.size and 1 < images.max() <= 16:  # noqa: PLR2004 - digits come in 0..16
        content = images / 16.0
    return content, x["target"] if labels is None else labels


def _torch() -> Any:
    return sys.modules.get("torch")


def _is_torch_dataset(x: object) -> bool:
    torch = _torch()
    data = sys.modules.get("torch.utils.data")
    return torch is not None and data is not None and isinstance(x, data.Dataset)


def _is_tensor(x: object) -> bool:
    torch = _torch()
    return torch is not None and isinstance(x, torch.Tensor)


def _channels_last(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Torch keeps images (n, c, h, w), also where h or w might be taken for channels."""
    turned = array.ndim == 4 and array.shape[1] in {1, 3, 4}  # noqa: PLR2004 - n, c, h, w
    return array.transpose(0, 2, 3, 1) if turned else array


class _Pairs(NamedTuple):
    content: npt.NDArray[Any]
    labels: Any
    tensors: bool


def _pairs(x: Any, labels: Any) -> _Pairs:
    tensors = getattr(x, "tensors", None)
    if isinstance(tensors, tuple) and tensors:
        own = tensors[1] if len(tensors) > 1 else None
        return _Pairs(_plain(tensors[0]), labels if labels is not None else _plain(own), tensors=True)
    if not hasattr(x, "__len__"):
        msg = "a torch IterableDataset has no length; pass a map-style Dataset, or arrays"
        raise InputError(msg)
    rows = [x[i] for i in range(len(x))]
    paired = bool(rows) and isinstance(rows[0], tuple | list)
    try:
        content = np.stack([np.asarray(_plain(row[0] if paired else row)) for row in rows])
    except ValueError as error:
        msg = "the Dataset's items differ in shape, or there are none; resize them to one size"
        raise InputError(msg) from error
    own = [_scalar(row[1]) for row in rows] if paired and len(rows[0]) > 1 else None
    of_tensors = bool(rows) and _is_tensor(rows[0][0] if paired else rows[0])
    return _Pairs(content, own if labels is None else labels, tensors=of_tensors)


def _scalar(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def _plain(values: Any) -> Any:
    """Tensors, series and the like as numpy; the rest as it is."""
    torch = _torch()
    if torch is not None and isinstance(values, torch.Tensor):
        held = values.detach().cpu()
        return (held.float() if held.dtype == torch.bfloat16 else held).numpy()
    if _module(values) == "polars":
        return values.to_arrow()
    return values


def _module(x: object) -> str:
    return type(x).__module__.split(".", 1)[0]


def _as_table(x: Any, name: str) -> pa.Table | None:
    if isinstance(x, pa.Table):
        return x
    if isinstance(x, pa.RecordBatch):
        return pa.Table.from_batches([x])
    if _module(x) == "polars" and (hasattr(x, "collect") or hasattr(x, "columns")):
        return (x.collect() if hasattr(x, "collect") else x).to_arrow()
    if _module(x) == "pandas" and hasattr(x, "columns"):
        return _from_pandas(x, name)
    if isinstance(x, np.ndarray) and x.dtype.names:
        return pa.table({column: x[column] for column in x.dtype.names})
    return None


def _from_pandas(frame: Any, name: str) -> pa.Table:
    repeated = frame.columns[frame.columns.duplicated()].tolist()
    if repeated:
        raise InputError(f"{name} has more than one column named {repeated[0]!r}; rename them apart")
    try:
        frame = frame.rename(columns=str)
        return pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowException, TypeError, ValueError) as error:
        mixed = [str(column) for column in frame.columns if _kinds(frame[column]) > 1]
        what = f"column {mixed[0]!r} of {name}" if mixed else name
        raise InputError(f"{what} mixes types of values; make it one type") from error


def _kinds(column: Any) -> int:
    return len({type(item) for item in column if item is not None}) if column.dtype == object else 1


def _from_table(table: pa.Table, labels: Any, sources: Any, options: Options) -> Dataset:
    given_labels = labels is not None and not isinstance(labels, str)
    given_sources = sources is not None and not isinstance(sources, str)
    options = Options(
        options.name,
        label=NO_LABEL if given_labels else labels,
        source=None if given_sources else sources,
        content=options.content,
        modality=options.modality,
    )
    if not table.num_rows:
        raise InputError(f"{options.name} has no rows; there is nothing to audit")
    batches = table.to_batches()
    plan = make_plan(batches[0], options)
    dataset = collect(batches, options, plan=plan)
    if not given_labels and not given_sources:
        return dataset
    extra = from_parts(
        Shaped(dataset.modality, dataset.content),
        options.name,
        labels=_plain(labels) if given_labels else None,
        sources=_plain(sources) if given_sources else None,
    )
    return _joined(dataset, extra, labels=given_labels, sources=given_sources)


def _joined(dataset: Dataset, extra: Dataset, *, labels: bool, sources: bool) -> Dataset:
    from dataclasses import replace

    changed: dict[str, Any] = {}
    if labels:
        changed |= {"codes": extra.codes, "classes": extra.classes, "label_name": extra.label_name}
    if sources:
        changed |= {"source_codes": extra.source_codes, "source_names": extra.source_names}
    return replace(dataset, **changed)


def _as_array(x: Any, name: str) -> npt.NDArray[Any]:
    x = _plain(x)
    if isinstance(x, pa.Array | pa.ChunkedArray):
        x = x.to_pylist()
    if isinstance(x, Sequence) and not isinstance(x, str | bytes):
        strings = sum(isinstance(item, str) for item in x)
        if 0 < strings < len(x):
            raise InputError(f"{name} mixes types: {strings:,} of {len(x):,} rows are strings; make all rows one type")
        if strings:
            return text_array(x)
    try:
        array = np.asarray(x)
    except (ValueError, TypeError) as error:
        raise InputError(f"{name} has rows of different shapes or types; make them one shape") from error
    if array.ndim == 0:
        raise InputError(f"{name} is a {type(x).__name__}; pass an array, a frame, a list of texts, or a path")
    return array
