"""A whole data set as one file, under the names its columns were read from."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mithridate.core.errors import InputError
from mithridate.data.dataset import Dataset
from mithridate.data.instructions import columns
from mithridate.data.pictures import png_of

_WIDEST = 1 << 30  # bytes a numpy string array may take: it pads every text to the longest
ALSO = {".pq": ".parquet", ".ndjson": ".jsonl"}  # other names of a form
_PICTURE = pa.struct({"bytes": pa.binary(), "path": pa.string()})  # as Hugging Face stores an image


def write_whole(dataset: Dataset, target: Path, suffix: str) -> None:
    """Write `dataset` to `target` in the form of `suffix`; `InputError` when that form can't hold it."""
    writers: dict[str, Callable[[Dataset, Path], None]] = {
        ".npz": _npz,
        ".parquet": _parquet,
        ".csv": _csv,
        ".tsv": partial(_csv, delimiter="\t"),
        ".jsonl": _jsonl,
    }
    known = ALSO.get(suffix, suffix)
    if known not in writers:
        raise InputError(
            f"data can't be written as {suffix or 'a file without suffix'}; use one of {', '.join(writers)}"
        )
    writers[known](dataset, target)


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
    if dataset.beside is not None:
        raise InputError(f"{dataset.name} holds prompts and responses; write it as .jsonl or .parquet")
    content = _matrix(dataset.content, dataset.name) if isinstance(dataset.content, pa.Table) else dataset.content
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


def _matrix(table: pa.Table, name: str) -> npt.NDArray[Any]:
    """(n, d) the numbers of a table that has nothing else."""
    plain = all(
        (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)) and not column.null_count
        for column in table.columns
    )
    if not plain:
        raise InputError(f"{name} is a table of more than numbers; write it as .parquet, .csv or .jsonl")
    return np.stack([column.to_numpy() for column in table.columns], axis=1)


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
    return _with_labels(dataset, _content(dataset))


def _content(dataset: Dataset) -> pa.Table:
    if isinstance(dataset.content, pa.Table):
        return dataset.content
    if dataset.beside is not None:
        return columns(dataset)
    if dataset.modality == "text":
        return pa.table({dataset.content_name or "text": pa.array(dataset.content.tolist(), pa.large_string())})
    width = dataset.content.shape[1]
    flat = pa.array(np.ascontiguousarray(dataset.content).reshape(-1))
    return pa.table({dataset.content_name or "embedding": pa.FixedSizeListArray.from_arrays(flat, width)})


def _pictures(dataset: Dataset) -> pa.Table:
    """Images as PNG files in a column, as Hugging Face stores them."""
    images = cast("npt.NDArray[Any]", dataset.content)
    if images.dtype != np.uint8:
        raise InputError(f"{dataset.name} holds images finer than 8 bits a channel; write them as .npz")
    files = [{"bytes": png_of(image), "path": None} for image in images]
    return pa.table({dataset.content_name or "image": pa.array(files, _PICTURE)})


def _with_labels(dataset: Dataset, table: pa.Table) -> pa.Table:
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

    image = dataset.modality == "image"
    table = _with_labels(dataset, _pictures(dataset)) if image else _table(dataset)
    pq.write_table(table, target, compression="zstd")


def _csv(dataset: Dataset, target: Path, *, delimiter: str = ",") -> None:
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
    csv.write_csv(table, target, csv.WriteOptions(delimiter=delimiter))


def _jsonl(dataset: Dataset, target: Path) -> None:
    import json

    with target.open("w", encoding="utf-8") as stream:
        for batch in _table(dataset).to_batches(max_chunksize=4096):
            for row in batch.to_pylist():
                plain = {key: None if value != value else value for key, value in row.items()}  # noqa: PLR0124 - NaN
                stream.write(json.dumps(plain, ensure_ascii=False, default=str) + "\n")
