"""CSV (and tab-separated `.tsv`), streamed by Arrow; a column's type is widened when later rows need it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from pyarrow import csv

from mithridate.core.errors import InputError
from mithridate.data.collect import collect
from mithridate.data.columns import no_repeats
from mithridate.data.dataset import Dataset
from mithridate.data.options import Options
from mithridate.data.readers.lines import refuse_binary, refuse_not_utf8
from mithridate.data.readers.quotes import refuse_open_quote

BLOCK = 1 << 22  # bytes; a record may not be longer
_OTHERS = {";": "semicolons", "\t": "tabs", "|": "bars"}
_TEXT_COST = 1.5  # a decoded row against its bytes in the file, at least
_ROUNDS = 60  # each widens one column and reads the file again: a limit on what a hostile file may cost
_RAGGED = re.compile(r"(?:Row #(\d+): )?Expected (\d+) columns, got (\d+)")


def read_csv(path: Path, options: Options) -> Dataset:
    """The rows below the header line.

    Raises
    ------
    InputError : ragged lines, another delimiter, NUL bytes, bytes that aren't UTF-8, repeated column names, a quote
        that never closes, a file larger than the budget (before it is read).
    """
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    if not path.stat().st_size:
        raise InputError(f"{path.name} is empty; there is nothing to audit")
    kinds: dict[str, pa.DataType] = {}
    _refuse_large(path, options, delimiter)
    refuse_binary(path)
    refuse_open_quote(path, delimiter)
    for _ in range(_ROUNDS):
        try:
            return collect(_batches(path, delimiter, kinds), options)
        except _Widen as wish:
            kinds[wish.column] = wish.kind
    raise InputError(f"{path.name} changes the type of too many columns on the way; write it as Parquet")


def stream_csv(path: Path) -> Iterator[pa.RecordBatch]:
    """The rows below the header, batch by batch, never all of them held; the file is parsed twice to know its types.

    Raises
    ------
    InputError : as `read_csv`, but for the budget.
    """
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    refuse_binary(path)
    refuse_open_quote(path, delimiter)
    kinds: dict[str, pa.DataType] = {}
    for _ in range(_ROUNDS):
        try:
            for _batch in _batches(path, delimiter, kinds):
                pass
        except _Widen as wish:
            kinds[wish.column] = wish.kind
            continue
        yield from _batches(path, delimiter, kinds)
        return
    raise InputError(f"{path.name} changes the type of too many columns on the way; write it as Parquet")


class _Widen(Exception):
    """A column must be read again as another type."""

    def __init__(self, column: str, kind: pa.DataType) -> None:
        super().__init__(column)
        self.column = column
        self.kind = kind


def _batches(path: Path, delimiter: str, kinds: dict[str, pa.DataType]) -> Iterator[pa.RecordBatch]:
    names: list[str] = []
    schema: pa.Schema | None = None
    try:
        reader = csv.open_csv(
            path,
            read_options=csv.ReadOptions(use_threads=False, block_size=BLOCK),
            parse_options=csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=csv.ConvertOptions(column_types=kinds),
        )
        schema = reader.schema
        names = schema.names
        _check_header(path, names, delimiter)
        _refuse_undecoded(schema, path)
        yield from reader
    except (pa.ArrowException, UnicodeDecodeError) as error:
        _explain(path, error, schema)


def _refuse_undecoded(schema: pa.Schema, path: Path) -> None:
    for field in schema:
        if pa.types.is_binary(field.type):
            refuse_not_utf8(path)


def _explain(path: Path, error: Exception, schema: pa.Schema | None) -> None:
    ragged = _RAGGED.search(str(error))
    if ragged:
        where = f"record {ragged[1]} (the header is 1)" if ragged[1] else "a record"
        raise InputError(
            f"{path.name}: {where} has {ragged[3]} values and the header has {ragged[2]}; mend or remove it"
        ) from error
    refuse_not_utf8(path)
    position = re.search(r"In CSV column #(\d+): (?:Row #\d+: )?CSV conversion error", str(error))
    if position and schema is not None and int(position[1]) < len(schema.names):
        field = schema.field(int(position[1]))
        raise _Widen(field.name, _wider(field.type)) from error
    if "straddling" in str(error):
        raise InputError(f"{path.name} has a record longer than {BLOCK:,} bytes; mend it") from error
    if "Empty CSV" in str(error):
        raise InputError(f"{path.name} is empty; there is nothing to audit") from error
    raise InputError(
        f"{path.name} isn't readable as CSV ({str(error).split(':')[0][:60]}); check its quotes and lines"
    ) from error


def _wider(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_null(kind):
        return pa.int64()
    return pa.float64() if pa.types.is_integer(kind) else pa.large_string()


def _check_header(path: Path, names: list[str], delimiter: str) -> None:
    no_repeats(names, path.name)
    if len(names) == 1 and delimiter == ",":
        for other, word in _OTHERS.items():
            if names[0].count(other):
                raise InputError(
                    f"{path.name} is separated by {word}, not commas; save it with commas (tabs: name it .tsv)"
                )


def _refuse_large(path: Path, options: Options, delimiter: str) -> None:
    """Estimate from the first block what the whole file takes; the check costs one block."""
    size = path.stat().st_size
    options.budget.check(size * 0.5, path.name)  # no form takes less
    if size * _TEXT_COST * 4 <= options.budget.limit:
        return
    with path.open("rb") as stream:
        sample = stream.read(BLOCK)
    end = sample.rfind(b"\n") + 1
    try:
        table = csv.read_csv(
            pa.BufferReader(sample[:end]),
            parse_options=csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        )
    except pa.ArrowException:
        return  # the reader will say what's wrong
    options.budget.check(table.nbytes / max(1, end) * size, path.name)
