"""Parquet, streamed by record batches; only the columns that are needed are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mithridate.core.errors import InputError
from mithridate.data.collect import collect
from mithridate.data.columns import Plan, make_plan
from mithridate.data.dataset import Dataset
from mithridate.data.options import Options

BATCH = 8_192  # rows
_LEAST = 4  # bytes a row takes at least, even if all of it is missing
_BUFFER = 1 << 20  # bytes read ahead in a column


def read_parquet(paths: Sequence[Path], options: Options) -> Dataset:
    """The rows of one or more Parquet files of one schema, in the order given.

    Raises
    ------
    InputError : truncated or damaged files, files of different schemas, more bytes than the budget allows.
    """
    files = [(opened(path), path.name) for path in paths]
    schema = files[0][0].schema_arrow
    for file, name in files[1:]:
        if file.schema_arrow.names != schema.names:
            raise InputError(f"{files[0][1]} and {name} have different columns; shards need the same, or pass one file")
    groups = [
        file.metadata.row_group(i).total_byte_size for file, _ in files for i in range(file.metadata.num_row_groups)
    ]
    n_rows = sum(file.metadata.num_rows for file, _ in files)
    options.budget.check(n_rows * _LEAST, options.name)
    plan = _plan(files, options)
    if plan is not None and len(plan.columns) == len(schema.names):
        options.budget.check(sum(groups), options.name)
    return collect(_batches(files, None if plan is None else plan.columns), options, plan=plan)


def opened(path: Path) -> pq.ParquetFile:
    """The file, its footer read; `InputError` when it's cut short or no Parquet."""
    try:
        return pq.ParquetFile(path, memory_map=False, pre_buffer=False, buffer_size=_BUFFER)
    except pa.ArrowException as error:
        raise InputError(
            f"{path.name} is no whole Parquet file (cut short or damaged); copy or write it again"
        ) from error


def _plan(files: list[tuple[pq.ParquetFile, str]], options: Options) -> Plan | None:
    """The plan from the first rows; None when there are none."""
    for file, name in files:
        first = next(_guarded(file, name, None, rows=4096), None)
        if first is not None:
            return make_plan(first.replace_schema_metadata(file.schema_arrow.metadata), options)
    return None


def _batches(files: list[tuple[pq.ParquetFile, str]], columns: list[str] | None) -> Iterator[pa.RecordBatch]:
    for file, name in files:
        yield from _guarded(file, name, columns, rows=BATCH)
        file.close()


def _guarded(file: pq.ParquetFile, name: str, columns: list[str] | None, rows: int) -> Iterator[pa.RecordBatch]:
    try:
        for batch in file.iter_batches(batch_size=rows, columns=columns, use_threads=False):
            yield batch if columns is None else batch.select(columns)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{name} is damaged inside ({_first_line(error)}); copy or write it again") from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:100]
