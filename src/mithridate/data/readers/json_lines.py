"""JSON lines: blocks of whole lines, each parsed by Arrow."""

from __future__ import annotations

import json as standard
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from pyarrow import json

from mithridate.core.errors import InputError
from mithridate.data.collect import collect
from mithridate.data.dataset import Dataset
from mithridate.data.options import Options
from mithridate.data.readers.lines import refuse_binary, refuse_not_utf8

BLOCK = 1 << 22  # bytes
_LONGEST = 1 << 26  # bytes a line may have


def read_jsonl(path: Path, options: Options) -> Dataset:
    """The rows of a file with one JSON object a line.

    Raises
    ------
    InputError : a broken line (with its number), values of several types in a column, bytes that aren't UTF-8.
    """
    if not path.stat().st_size:
        raise InputError(f"{path.name} is empty; there is nothing to audit")
    options.budget.check(path.stat().st_size * 0.5, path.name)
    refuse_binary(path)
    return collect(stream_jsonl(path), options)


def stream_jsonl(path: Path) -> Iterator[pa.RecordBatch]:
    """The rows block by block, each block with the columns and types that its own lines have."""
    line = 1
    for block in blocks(path):
        yield from _parsed(block, path, line).to_batches()
        line += block.count(b"\n")


def blocks(path: Path) -> Iterator[bytes]:
    """The file in pieces of whole lines."""
    rest = b""
    with path.open("rb") as stream:
        while read := stream.read(BLOCK):
            whole, newline, tail = (rest + read).rpartition(b"\n")
            rest = tail
            if len(rest) > _LONGEST:
                raise InputError(
                    f"{path.name} has a line longer than {_LONGEST:,} bytes; it isn't one JSON object a line"
                )
            if newline:
                yield whole + newline
    if rest.strip():
        yield rest


def _parsed(block: bytes, path: Path, first_line: int) -> pa.Table:
    try:
        table = json.read_json(
            pa.BufferReader(block.removeprefix(b"\xef\xbb\xbf")),
            read_options=json.ReadOptions(use_threads=False, block_size=max(BLOCK, len(block) + 1)),
        )
        table.validate(full=True)
    except pa.ArrowException as error:
        refuse_not_utf8(path)
        raise InputError(_explain(block, path, first_line, error)) from error
    if table.num_rows != sum(1 for line in block.split(b"\n") if line.strip()):
        raise InputError(_explain(block, path, first_line, ValueError("objects and lines differ in number")))
    return table


def _explain(block: bytes, path: Path, first_line: int, error: Exception) -> str:
    seen: dict[str, tuple[str, int]] = {}
    for number, line in enumerate(block.split(b"\n"), first_line):
        if not line.strip():
            continue
        try:
            item = standard.loads(line)
        except (ValueError, RecursionError) as fault:
            reason = fault.msg if isinstance(fault, standard.JSONDecodeError) else "nested too deeply"
            return f"{path.name}: line {number} is no JSON ({reason}); mend or remove it"
        if not isinstance(item, dict):
            return f"{path.name}: line {number} is a {type(item).__name__}, not an object; write {{...}} on each line"
        for key, value in item.items():
            kind = _kind(value)
            before = seen.setdefault(key, (kind, number)) if kind else None
            if before is not None and before[0] != kind:
                return (
                    f"{path.name}: column {key!r} mixes types, {before[0]} in line {before[1]} and {kind} in line "
                    f"{number}; make it one type"
                )
    return f"{path.name} isn't readable as JSON lines ({str(error).splitlines()[0][:80]}); mend those lines"


def _kind(value: object) -> str:
    if value is None:
        return ""
    words = {bool: "boolean", int: "number", float: "number", str: "string", list: "list", dict: "object"}
    return words.get(type(value), "value")
