"""Batches in, one `Dataset` out: content, label and source are split as they stream past."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mithridate.core.errors import InputError
from mithridate.data.arrays import images, text_array, vectors
from mithridate.data.columns import Plan, is_picture, is_vector, make_plan, refuse_nested
from mithridate.data.dataset import Content, Dataset
from mithridate.data.instructions import ASKING, is_chat, turns
from mithridate.data.labels import Encoded, encode_labels, encode_sources
from mithridate.data.options import Options
from mithridate.data.pictures import decode_all, same_channels

_PLAIN = {"string_view": pa.large_string(), "binary_view": pa.large_binary()}  # few functions know the views
_STRING = 64  # bytes of a Python string beside its letters


def collect(batches: Iterable[pa.RecordBatch], options: Options, *, plan: Plan | None = None) -> Dataset:
    """The data set that a stream of record batches holds.

    Text leaves Arrow batch by batch and a table stays in it, so that nothing is held twice.

    Raises
    ------
    InputError : no rows, columns that change their type on the way, more bytes than the budget allows.
    """
    stream = (_sound(batch, options.name) for batch in batches if batch.num_rows)
    first = next(stream, None)
    if first is None:
        raise InputError(f"{options.name} has no rows; there is nothing to audit")
    plan = plan or make_plan(first, options)
    holder = _Holder(plan, options)
    holder.add(first)
    for batch in stream:
        holder.add(batch)
    return holder.finish()


def _sound(batch: pa.RecordBatch, name: str) -> pa.RecordBatch:
    """The batch, once its offsets and strings have been checked (files may lie about both), without view types."""
    try:
        batch.validate(full=True)
    except pa.ArrowException as error:
        fact = "holds text that isn't UTF-8" if "UTF8" in str(error) else "is damaged inside"
        raise InputError(f"{name} {fact}; write it again") from error
    plain = [_PLAIN.get(str(field.type)) for field in batch.schema]
    if not any(plain):
        return batch
    columns = [column if kind is None else column.cast(kind) for column, kind in zip(batch.columns, plain, strict=True)]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names, metadata=batch.schema.metadata)


class _Holder:
    """What has streamed past so far."""

    def __init__(self, plan: Plan, options: Options) -> None:
        self.plan = plan
        self.options = options
        self.n_rows = 0
        self.held = 0
        self.parts: list[Any] = []
        kept = [name for name in plan.columns if name not in plan.content or name == plan.response]
        self.columns: dict[str, list[pa.Array]] = {name: [] for name in kept}

    def add(self, batch: pa.RecordBatch) -> None:
        names = set(batch.schema.names)
        for name, chunks in self.columns.items():
            chunks.append(batch.column(name) if name in names else pa.nulls(batch.num_rows))
        part = self._part(batch)
        self.parts.append(part)
        self.held += _size(part) + sum(chunks[-1].nbytes for chunks in self.columns.values())
        self.n_rows += batch.num_rows
        self.options.budget.check(self.held, f"{self.options.name} (stopped after {self.n_rows:,} rows)")

    def _part(self, batch: pa.RecordBatch) -> Any:
        names, modality = self.plan.content, self.plan.modality
        if modality == "table":
            there = dict.fromkeys(batch.schema.names)
            later = [] if self.options.content else [name for name in there if name not in self.columns]
            return batch.select([name for name in dict.fromkeys([*names, *later]) if name in there])
        where = f"{self.options.name}, column {names[0]!r}"
        column = batch.column(names[0]) if names[0] in batch.schema.names else pa.nulls(batch.num_rows)
        if modality == "text":
            return turns(column, ASKING) if self.plan.response and is_chat(column.type) else _texts(column, where)
        if modality == "image":
            return decode_all(_pictures(column, where), where, first_row=self.n_rows)
        if is_vector(column.type):
            return _matrix(column, where, self.n_rows)
        if not set(names) <= set(batch.schema.names) or not all(_is_number(batch.column(name)) for name in names):
            raise InputError(
                f"{where}: row {self.n_rows} and those after it hold no vector of numbers; mend or drop them"
            )
        return np.stack([_floats(batch.column(name)) for name in names], axis=1)

    def finish(self) -> Dataset:
        labels = self._encoded(self.plan.label, encode_labels)
        sources = self._encoded(self.plan.source, encode_sources)
        names = self.plan.class_names
        if labels is not None and names and set(labels.values) <= set(range(-1, len(names))):
            labels = _with_names(labels)
        return Dataset(
            name=self.options.name,
            modality=self.plan.modality,
            content=self._content(),
            codes=None if labels is None else labels.codes,
            classes=() if labels is None else labels.values,
            class_names=() if labels is None or not names else tuple(_name_of(value, names) for value in labels.values),
            source_codes=None if sources is None else sources.codes,
            source_names=() if sources is None else sources.values,
            label_name=self.plan.label or "y",
            source_name=self.plan.source or "source",
            content_name="" if self.plan.modality == "table" else self.plan.content[0],
            beside=self._beside(),
            response_name=self.plan.response,
        )

    def _beside(self) -> pa.Table | None:
        if not self.plan.response:
            return None
        found = {
            name: pa.chunked_array([pa.nulls(self.n_rows)]) for name in self.plan.content
        }  # texts aren't held twice
        for name in [name for name in self.plan.beside if name in self.columns]:
            found[name] = join(self.columns.pop(name), f"column {name!r} of {self.options.name}")
        return pa.table({name: found[name] for name in self.plan.beside})

    def _encoded(self, name: str | None, encode: Any) -> Encoded | None:
        if name is None:
            return None
        chunks = self.columns.pop(name)
        return encode(join(chunks, f"column {name!r} of {self.options.name}"), name)  # type: ignore[no-any-return]

    def _content(self) -> Content:
        parts, self.parts = self.parts, []
        if self.plan.modality == "text":
            return text_array([item for part in parts for item in part])
        if self.plan.modality == "table":
            table = _table(parts, self.options.name)
            refuse_nested(table.schema, self.options.name)
            return _checked_table(table, self.options.name)
        if self.plan.modality == "image":
            parts = same_channels(parts)
        whole = _stack(parts, self.options.name)
        if self.plan.modality == "image":
            return images(whole, self.options.name)
        return vectors(whole, self.options.name)


def join(chunks: list[pa.Array], what: str) -> pa.ChunkedArray:
    """Chunks as one column, widened to a common type (int to float, anything to a null's other type)."""
    kinds = {chunk.type for chunk in chunks}
    if len(kinds) == 1:
        return pa.chunked_array(chunks)
    tables = [pa.table({"c": chunk}) for chunk in chunks]
    try:
        return pa.concat_tables(tables, promote_options="permissive").column("c")
    except pa.ArrowException as error:
        raise InputError(f"{what} mixes types ({', '.join(sorted(map(str, kinds)))}); make it one type") from error


def _with_names(labels: Encoded) -> Encoded:
    """-1 is how Hugging Face writes *no label*."""
    if not labels.values or labels.values[0] != -1:
        return labels
    return Encoded((labels.codes - (labels.codes >= 0)).astype(np.int32), labels.values[1:])


def _name_of(value: Any, names: tuple[str, ...]) -> str:
    return names[value] if isinstance(value, int) and 0 <= value < len(names) else str(value)


def _size(part: Any) -> int:
    if isinstance(part, list):
        return sum(map(len, part)) + _STRING * len(part)
    return int(part.nbytes)


def _texts(column: pa.Array, where: str) -> list[str]:
    """Python strings; a missing text is read as an empty one."""
    kind = column.type
    if pa.types.is_nested(kind) or pa.types.is_binary(kind):
        raise InputError(f"{where} changes its type to {kind}; make it text in every row")
    if not pa.types.is_string(kind):
        column = pc.cast(column, pa.large_string())
    return (pc.fill_null(column, "") if column.null_count else column).to_pylist()  # type: ignore[no-any-return]


def _pictures(column: pa.Array, where: str) -> Iterator[bytes]:
    files = column.field("bytes") if is_picture(column.type) else column
    for item in files:
        data = item.as_py()
        if not isinstance(data, bytes):
            raise InputError(f"{where} holds paths instead of image bytes; embed the images, or pass their folder")
        yield data


def _floats(column: pa.Array) -> npt.NDArray[Any]:
    return np.asarray(pc.cast(column, pa.float32(), safe=False).fill_null(np.nan).to_numpy(zero_copy_only=False))


def _is_number(column: pa.Array) -> bool:
    return bool(pa.types.is_floating(column.type) or pa.types.is_integer(column.type))


def _matrix(column: pa.Array, where: str, first_row: int) -> npt.NDArray[Any]:
    lengths = pc.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False)
    ragged = np.flatnonzero(lengths != lengths[0])
    if len(ragged) or lengths[0] == 0:
        row = int(ragged[0]) if len(ragged) else 0
        raise InputError(
            f"{where}: vectors differ in length, row {first_row} has {lengths[0]} values and row {first_row + row} has "
            f"{lengths[row]}; pad or drop them"
        )
    return _floats(column.flatten()).reshape(len(column), -1)


def _table(parts: list[pa.RecordBatch], name: str) -> pa.Table:
    if all(part.schema.equals(parts[0].schema) for part in parts):
        return pa.Table.from_batches(parts)
    try:
        return pa.concat_tables([pa.Table.from_batches([part]) for part in parts], promote_options="permissive")
    except pa.ArrowException as error:
        raise InputError(f"{name} mixes types in a column ({str(error).splitlines()[0]}); make it one type") from error


def _checked_table(table: pa.Table, name: str) -> pa.Table:
    """No infinite numbers, no schema metadata (pandas' index notes would travel on)."""
    for column in table.column_names:
        if not pa.types.is_floating(table.schema.field(column).type):
            continue
        infinite = pc.fill_null(pc.is_inf(table.column(column)), False)
        count = int(pc.sum(infinite).as_py() or 0)
        if count:
            row = int(pc.index(infinite, True).as_py())
            raise InputError(
                f"{name}: {count:,} of {table.num_rows:,} rows hold infinite values in column {column!r}, the first is "
                f"row {row}; drop or fill them first"
            )
    return table.replace_schema_metadata(None)


def _stack(parts: list[npt.NDArray[Any]], name: str) -> npt.NDArray[Any]:
    """The parts as one array, each freed once it's copied."""
    start = 0
    for part in parts:
        if part.shape[1:] != parts[0].shape[1:]:
            raise InputError(
                f"{name}: row {start} has shape {part.shape[1:]} and row 0 {parts[0].shape[1:]}; make all rows one size"
            )
        start += len(part)
    if len(parts) == 1:
        return parts[0]
    whole = np.empty((start, *parts[0].shape[1:]), dtype=np.result_type(*{part.dtype for part in parts}))
    end = start
    while parts:
        part = parts.pop()
        whole[end - len(part) : end] = part
        end -= len(part)
    return whole
