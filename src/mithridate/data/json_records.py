"""JSON lines as records: every column of the whole file, and a string that looks like a date as the string it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from pyarrow import json

from mithridate.data.readers.json_lines import BLOCK, blocks, stream_jsonl


def stream_json_records(path: Path) -> Iterator[pa.RecordBatch]:
    """The rows block by block, the first with the columns of all; the file is parsed twice to know them.

    Arrow reads a block's strings as times where all of them look like one, so that a row's type would hang on the rows
    beside it. JSON has no times: they stay strings.

    Raises
    ------
    InputError : as `read_jsonl`.
    """
    kinds: dict[str, pa.DataType] = {}
    for batch in stream_jsonl(path):
        for field in batch.schema:
            kinds.setdefault(field.name, pa.null())
            if _has_times(field.type):
                kinds[field.name] = _without_times(field.type)
    texts = pa.schema([(name, kind) for name, kind in kinds.items() if not pa.types.is_null(kind)])
    for batch in _again(path, texts) if len(texts) else stream_jsonl(path):
        columns = {name: batch.column(name) if name in batch.schema.names else pa.nulls(len(batch)) for name in kinds}
        yield pa.RecordBatch.from_pydict(columns)


def _again(path: Path, texts: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The file once more; that every block can be parsed is known."""
    for block in blocks(path):
        yield from json.read_json(
            pa.BufferReader(block.removeprefix(b"\xef\xbb\xbf")),
            read_options=json.ReadOptions(use_threads=False, block_size=max(BLOCK, len(block) + 1)),
            parse_options=json.ParseOptions(explicit_schema=texts),
        ).to_batches()


def _has_times(kind: pa.DataType) -> bool:
    if pa.types.is_timestamp(kind):
        return True
    return any(_has_times(kind.field(i).type) for i in range(kind.num_fields))


def _without_times(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_timestamp(kind):
        return pa.string()
    if pa.types.is_list(kind):
        return pa.list_(_without_times(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, _without_times(field.type)) for field in kind])
    return kind
