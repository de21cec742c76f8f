"""Changed rows as the Parquet file or Hugging Face folder it was read from: same columns, types, shards, splits."""

from __future__ import annotations

import shutil
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mithridate.core.errors import InputError
from mithridate.data.columns import is_picture
from mithridate.data.dataset import Dataset
from mithridate.data.hashing import hash_rows
from mithridate.data.instructions import columns
from mithridate.data.pictures import png_of
from mithridate.data.readers.huggingface import shards_of, stream_of
from mithridate.data.readers.parquet import opened
from mithridate.data.writers.folders import as_bytes
from mithridate.data.writers.rows import codec_of
from mithridate.data.writers.whole import stored_labels

IntArray = npt.NDArray[np.int64]


class _Change(NamedTuple):
    """The rows as read and as they are to be, both in reading order; `content` and `label` say which rows differ."""

    after: Dataset
    content: npt.NDArray[np.bool_]
    label: npt.NDArray[np.bool_]
    labels: list[Any] | None


def write_shards(source: Path, before: Dataset, after: Dataset, folder: Path) -> IntArray:
    """Write `source` again into `folder`, with the content and labels of `after`; each row keeps its position.

    Parameters
    ----------
    before, after : the rows as they were read from `source`, and with changes, in any order; where `after` has fewer
        rows, the last positions are left out.

    Returns
    -------
    (n,) the reading position of each row of `after`: its `ids`.

    Raises
    ------
    InputError : `after` has other rows than `before`, or `source` isn't what it was when it was read.

    Notes
    -----
    Rows that didn't change keep their very bytes, also in columns that no audit reads; other files are copied.
    """
    change = _change(before, after)
    shards = shards_of(source, source.name)
    _copy_others(source, folder, set(shards.files))
    start = 0
    for shard in shards.files:
        place = folder / shard.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        start = _write(shard, place, change, start, parquet=shards.parquet)
    _refuse_other(start, before, source.name)
    return after.ids


def write_parquet(source: Path, before: Dataset, after: Dataset, target: Path) -> None:
    """Write the Parquet file `source` again to `target`, with the content and labels of `after`.

    Raises
    ------
    InputError : as `write_shards`.
    """
    n_rows = _write(source, target, _change(before, after), 0, parquet=True)
    _refuse_other(n_rows, before, source.name)


def keeps_rows(before: Dataset, after: Dataset) -> bool:
    """Whether `after` is the rows of `before`, at most without the last ones: then the source can be written again."""
    return len(after) <= len(before) and np.array_equal(np.sort(after.ids), np.arange(len(after)))


def _change(before: Dataset, after: Dataset) -> _Change:
    second = after.take(np.argsort(after.ids, kind="stable"))
    if not keeps_rows(before, after):
        form = ".npz" if after.modality == "image" else ".parquet"
        raise InputError(f"{before.name}: rows were added or renumbered; write the result as one file, such as {form}")
    first = before.take(np.argsort(before.ids, kind="stable")[: len(after)])
    if second.modality == "embedding" and not before.content_name:
        raise InputError(f"{before.name}: vectors made of several columns are written as one file, such as .parquet")
    labels = stored_labels(second)
    moved = np.zeros(len(first), bool)
    if labels is not None:
        moved = np.array([old != new for old, new in zip(stored_labels(first) or [], labels, strict=True)])
    edited = first.hashes != second.hashes
    if first.beside is not None and second.beside is not None:
        edited |= hash_rows(first.beside) != hash_rows(second.beside)
    return _Change(second, edited, moved, labels)


def _refuse_other(n_rows: int, before: Dataset, name: str) -> None:
    if n_rows != len(before):
        raise InputError(f"{name} has {n_rows:,} rows now and had {len(before):,} when it was read; read it again")


def _copy_others(source: Path, folder: Path, shards: set[Path]) -> None:
    """Other splits and notes; hidden files and Hugging Face's caches stay behind."""
    for path in sorted(source.rglob("*")):
        inside = path.relative_to(source)
        hidden = any(part.startswith((".", "cache-")) for part in inside.parts)
        if path in shards or hidden or not path.is_file():
            continue
        (folder / inside).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, folder / inside)


def _write(shard: Path, place: Path, change: _Change, start: int, *, parquet: bool) -> int:
    """Write one shard with the changes of its rows; the position after its last row."""
    if parquet:
        file = opened(shard)
        schema, batches = file.schema_arrow, file.iter_batches(batch_size=8192, use_threads=False)
        with pq.ParquetWriter(place, schema, compression=codec_of(file)) as writer:
            for batch in batches:
                writer.write_batch(_changed(batch.cast(schema), change, start))
                start += batch.num_rows
        return start
    stream = stream_of([shard])
    first = next(stream, None)
    if first is None:
        shutil.copy2(shard, place)
        return start
    with pa.ipc.new_stream(str(place), first.schema) as writer:
        for batch in chain([first], stream):
            writer.write_batch(_changed(batch, change, start))
            start += batch.num_rows
    return start


def _changed(batch: pa.RecordBatch, change: _Change, start: int) -> pa.RecordBatch:
    """The batch whose first row has position `start`, with what changed in its rows; its schema stays."""
    batch = batch.slice(0, max(0, len(change.content) - start))
    rows = slice(start, start + batch.num_rows)
    edited, moved = np.flatnonzero(change.content[rows]), np.flatnonzero(change.label[rows])
    arrays = dict(zip(batch.schema.names, batch.columns, strict=True))
    if len(edited):
        for name, values in _contents(change.after, edited + start, batch.schema).items():
            arrays[name] = _put(arrays[name], edited, values)
    if len(moved) and change.labels is not None:
        name = change.after.label_name
        arrays[name] = _put(arrays[name], moved, [change.labels[row] for row in moved + start])
    return pa.RecordBatch.from_arrays([arrays[name] for name in batch.schema.names], schema=batch.schema)


def _contents(after: Dataset, rows: IntArray, schema: pa.Schema) -> dict[str, list[Any]]:
    """Column -> the new values of these rows, as Python values."""
    if isinstance(after.content, pa.Table) or after.beside is not None:
        chosen = after.take(rows)
        table = chosen.content if isinstance(chosen.content, pa.Table) else columns(chosen)
        return {name: table.column(name).to_pylist() for name in table.column_names if name in schema.names}
    values = cast("npt.NDArray[Any]", after.content)[rows]
    if after.modality == "image":
        files = [png_of(as_bytes(image)) for image in values]
        picture = is_picture(schema.field(after.content_name).type)
        return {after.content_name: [{"bytes": file, "path": None} for file in files] if picture else list(files)}
    return {after.content_name: values.tolist()}


def _put(column: pa.Array, rows: IntArray, values: list[Any]) -> pa.Array:
    """The column with `values` in the place of `rows`, in its own type."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return pc.cast(_put(column.cast(kind.value_type), rows, values), kind)
    if pa.types.is_struct(kind):
        known = {field.name for field in kind}
        values = [{key: item for key, item in value.items() if key in known} for value in values]
    index = np.arange(len(column))
    index[rows] = len(column) + np.arange(len(rows))
    return pa.concat_arrays([column, pa.array(values, kind)]).take(pa.array(index))
