"""Parquet as shards: runs of row groups of a file or a folder, streamed one by one and never wholly held."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mithridate.core.errors import InputError
from mithridate.data.collect import collect
from mithridate.data.columns import Plan, make_plan
from mithridate.data.dataset import Dataset
from mithridate.data.options import Options
from mithridate.data.readers.huggingface import is_huggingface, shards_of
from mithridate.data.readers.parquet import opened

IN_MEMORY = 200_000  # rows up to which an audit holds all of them
SHARD_ROWS = 200_000  # about; a shard ends where a row group ends
BATCH = 65_536  # rows held at a time
_BLOCK = 1 << 22  # bytes hashed at a time
_GUESS = 4096  # rows from which the columns' parts are inferred


@dataclass(frozen=True, slots=True)
class Shard:
    """Row groups `first` to `last` (exclusive) of one file; `start` is its first row's position in reading order."""

    path: str
    first: int
    last: int
    start: int
    n_rows: int


@dataclass(frozen=True, slots=True)
class Shards:
    """A source as shards in reading order, and which column is what."""

    name: str
    plan: Plan
    shards: tuple[Shard, ...]
    n_rows: int


def count_parquet(path: str | os.PathLike[str]) -> int:
    """Rows of a Parquet file or of a folder's Parquet shards, from their footers; 0 for anything else.

    Raises
    ------
    InputError : a shard is cut short or no Parquet.
    """
    return sum(opened(file).metadata.num_rows for file in parquet_files(Path(path))[0])


def large(path: str | os.PathLike[str]) -> bool:
    """Whether a source is Parquet with more rows than an audit holds in memory; False where it can't be told."""
    try:
        return count_parquet(path) > IN_MEMORY
    except (InputError, OSError, ValueError):
        return False  # reading it will say what is wrong


def find_shards(path: str | os.PathLike[str], options: Options, *, shard_rows: int = SHARD_ROWS) -> Shards:
    """The shards of a Parquet file or of a folder of them.

    Parameters
    ----------
    options : which column is what; None infers it from the first rows.
    shard_rows : rows a shard has at least, but for a file's last one; at most one row group more.

    Raises
    ------
    InputError : no Parquet, damaged files, files of different columns, no rows.
    """
    files, name = parquet_files(Path(path))
    if not files:
        raise InputError(f"{options.name} is no Parquet file and no folder of Parquet shards; write it as Parquet")
    out: list[Shard] = []
    plan: Plan | None = None
    first: pa.Schema | None = None
    for file in files:
        parquet = opened(file)
        schema = parquet.schema_arrow
        first = first or schema
        _check_same(first, schema, files[0].name, file.name)
        if plan is None and parquet.metadata.num_rows:
            head = next(_guarded(parquet, file.name, None, _GUESS))
            plan = make_plan(head.replace_schema_metadata(schema.metadata), options)
        start = out[-1].start + out[-1].n_rows if out else 0
        out += _runs(str(file.absolute()), parquet.metadata, start, shard_rows)
        parquet.close()
    if plan is None:
        raise InputError(f"{options.name} has no rows; there is nothing to audit")
    return Shards(name or options.name, plan, tuple(out), sum(shard.n_rows for shard in out))


def _check_same(first: pa.Schema, schema: pa.Schema, here: str, there: str) -> None:
    """`InputError` unless both have the same columns of the same types: shards are put together as they are."""
    if schema.names != first.names:
        raise InputError(f"{here} and {there} have different columns; all shards need the same")
    for one, other in zip(first, schema, strict=True):
        if one.type != other.type:
            raise InputError(
                f"column {one.name!r} is {one.type} in {here} and {other.type} in {there}; write all shards as one type"
            )


def batches(shard: Shard, columns: Sequence[str], *, rows: int = BATCH) -> Iterator[pa.RecordBatch]:
    """The shard's rows in order, these columns only, at most `rows` at a time.

    Raises
    ------
    InputError : the file is damaged inside, or gone.
    """
    name = Path(shard.path).name
    parquet = opened(Path(shard.path))
    groups = list(range(shard.first, shard.last))
    yield from _guarded(parquet, name, list(columns), rows, groups)
    parquet.close()


def digest(shard: Shard) -> str:
    """Hex of a hash over the bytes that the shard's row groups take in the file, and over its place in the whole.

    Raises
    ------
    InputError : the file can't be read.
    """
    parquet = opened(Path(shard.path))
    total = blake2b(f"{shard.start} {shard.n_rows} {parquet.schema_arrow}".encode(), digest_size=16)
    with Path(shard.path).open("rb") as stream:
        for group in range(shard.first, shard.last):
            for low, size in _spans(parquet.metadata.row_group(group)):
                stream.seek(low)
                for begin in range(0, size, _BLOCK):
                    total.update(stream.read(min(_BLOCK, size - begin)))
    return total.hexdigest()


def as_dataset(parts: Sequence[pa.Table], plan: Plan, name: str) -> Dataset:
    """Rows taken from shards, in the order given, as a data set that methods for rows in memory take."""
    return collect((batch for part in parts for batch in part.to_batches()), Options(name), plan=plan)


def named(options: Options, name: str) -> Options:
    """The options with another name for the source."""
    return replace(options, name=name)


def parquet_files(path: Path) -> tuple[tuple[Path, ...], str]:
    """The Parquet files in reading order, and what the source is called where its folder says more than its name."""
    if path.is_dir():
        if not is_huggingface(path):
            return (), ""
        found = shards_of(path, path.name)
        return (found.files if found.parquet else ()), found.name
    return ((path,), "") if path.suffix.lower() in {".parquet", ".pq"} and path.is_file() else ((), "")


def _runs(path: str, metadata: pq.FileMetaData, start: int, shard_rows: int) -> Iterator[Shard]:
    first, held = 0, 0
    for group in range(metadata.num_row_groups):
        held += metadata.row_group(group).num_rows
        if held >= shard_rows or group == metadata.num_row_groups - 1:
            if held:
                yield Shard(path, first, group + 1, start, held)
            first, start, held = group + 1, start + held, 0


def _spans(group: pq.RowGroupMetaData) -> Iterator[tuple[int, int]]:
    """Offset and size in bytes of each column's chunk."""
    for place in range(group.num_columns):
        chunk = group.column(place)
        page = chunk.dictionary_page_offset
        low = chunk.data_page_offset if page is None else min(page, chunk.data_page_offset)
        yield int(low), int(chunk.total_compressed_size)


def _guarded(
    parquet: pq.ParquetFile, name: str, columns: list[str] | None, rows: int, groups: list[int] | None = None
) -> Iterator[pa.RecordBatch]:
    try:
        for batch in parquet.iter_batches(batch_size=rows, row_groups=groups, columns=columns, use_threads=False):
            yield batch if columns is None else batch.select(columns)
    except (pa.ArrowException, OSError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0][:100]
        raise InputError(f"{name} is damaged inside ({said}); copy or write it again") from error
