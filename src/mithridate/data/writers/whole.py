"""A whole data set as one file, under the names its columns were read from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mithridate.core.errors import InputError
from mithridate.data.dataset import Dataset
from mithridate.data.instructions import columns

_WIDEST = 1 << 30  # bytes a numpy string array may take: it pads every text to the longest
_CONTENT = {"text": "text", "embedding": "embedding"}


def write_whole(dataset: Dataset, target: Path, suffix: str) -> None:
    """Write `dataset` to `target` in the form of `suffix`; `InputError` when that form can't hold it."""
    writers: dict[str, Callable[[Dataset, Path], None]] = {
        ".npz": _npz,
        ".parquet": _parquet,
        ".csv": _csv,
        ".jsonl": _jsonl,
    }
    if suffix not in writers:
        raise InputError(
            f"data can't be written as {suffix or 'a file without suffix'}; use one of {', '.join(writers)}"
        )
    writers[suffix](dataset, target)


def stored_labels(dataset: Dataset) -> list[Any] | None:
    """Each row's label as stored, None where it is missing; None without labels."""
    return None if dataset.codes is None else _stored(dataset.codes, dataset.classes)


def stored_sources(dataset: Dataset) -> list[Any] | None:
    """Each row's source; None without sources."""
    return None if dataset.source_codes is None else _stored(dataset.source_codes, dataset.source_names)


def _stored(codes: npt.NDArray[np.int32], values: tuple[Any, ...]) -> list[Any]:
    known = [value.item() if isinstance(value, np.generic) else value for value in values]
    known.append(None)  # code -1
    return [known[code] for code in codes.tolist()]


def _npz(dataset: Dataset, target: Path) -> None:
    if isinstance(dataset.content, pa.Table):
        raise InputError(f"{dataset.name} is a table; write it as .parquet, .csv or .jsonl")
    if dataset.beside is not None:
        raise InputError(f"{dataset.name} holds prompts and responses; write it as .jsonl or .parquet")
    content = dataset.content
    if dataset.modality == "text":
        longest = max((len(text) for text in content.tolist()), default=0)
        if longest * 4 * len(content) > _WIDEST:
            raise InputError(
                f"{dataset.name} has texts of up to {longest:,} letters, too long for .npz; write it as .jsonl"
            )
        content = content.astype(str)
    if dataset.modality == "image" and content.shape[-1] == 1:
        content = content[..., 0]
    arrays = {dataset.content_name or "x": content}
    for name, values in ((dataset.label_name, stored_labels(dataset)), (dataset.source_name, stored_sources(dataset))):
        if values is not None:
            arrays[name] = _as_array(values)
    if dataset.modality == "audio":
        arrays["rate"] = np.array(dataset.rate)
    with target.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **arrays)


def _as_array(values: list[Any]) -> npt.NDArray[Any]:
    """Strings with "" for missing, else numbers with NaN for missing."""
    if any(isinstance(value, str) for value in values):
        return np.array(["" if value is None else str(value) for value in values])
    if None in values:
        return np.array([np.nan if value is None else float(value) for value in values])
    return np.array(values)


def _table(dataset: Dataset) -> pa.Table:
    if dataset.modality in {"image", "audio"}:
        raise InputError(f"{dataset.name} holds {dataset.modality} data; write them as .npz")
    if isinstance(dataset.content, pa.Table):
        table = dataset.content
    elif dataset.beside is not None:
        table = columns(dataset)
    elif dataset.modality == "text":
        table = pa.table({dataset.content_name or "text": pa.array(dataset.content.tolist(), pa.large_string())})
    else:
        width = dataset.content.shape[1]
        flat = pa.array(np.ascontiguousarray(dataset.content).reshape(-1))
        table = pa.table({dataset.content_name or "embedding": pa.FixedSizeListArray.from_arrays(flat, width)})
    for name, values in ((dataset.label_name, stored_labels(dataset)), (dataset.source_name, stored_sources(dataset))):
        if values is not None:
            table = table.append_column(name, _as_arrow(values))
    return table


def _as_arrow(values: list[Any]) -> pa.Array:
    try:
        return pa.array(values)
    except OverflowError:  # beyond int64
        return pa.array(values, pa.uint64())


def _parquet(dataset: Dataset, target: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(_table(dataset), target, compression="zstd")


def _csv(dataset: Dataset, target: Path) -> None:
    from pyarrow import csv

    if dataset.modality == "embedding":
        raise InputError(f"{dataset.name} holds vectors; write them as .npz or .parquet")
    table = _table(dataset)
    plain = [pa.types.is_dictionary(field.type) for field in table.schema]
    for position, dictionary in enumerate(plain):
        if dictionary:
            column = table.column(position)
            table = table.set_column(position, table.column_names[position], column.cast(column.type.value_type))
    nested = [field.name for field in table.schema if pa.types.is_nested(field.type)]
    if nested:
        raise InputError(f"{dataset.name} holds lists or records in {nested[0]!r}; write it as .jsonl or .parquet")
    csv.write_csv(table, target)


def _jsonl(dataset: Dataset, target: Path) -> None:
    import json

    with target.open("w", encoding="utf-8") as stream:
        for batch in _table(dataset).to_batches(max_chunksize=4096):
            for row in batch.to_pylist():
                plain = {key: None if value != value else value for key, value in row.items()}  # noqa: PLR0124 - NaN
                stream.write(json.dumps(plain, ensure_ascii=False, default=str) + "\n")
