"""Which column is content, which is label, which is source: inferred from names and a first batch."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from mithridate.core.errors import InputError
from mithridate.data.dataset import Modality
from mithridate.data.instructions import find_columns
from mithridate.data.options import LABEL_NAMES, NO_LABEL, SOURCE_NAME, Options

TEXT_NAMES = ("text", "content", "prompt", "sentence", "body", "message")
VECTOR_NAMES = ("x", "embedding", "embeddings", "features", "vector", "input")
IMAGE_NAMES = ("image", "img", "picture")
_FEW = 100  # a column with at most so many values may be the label
_PROSE = 40  # letters: shorter strings on average are names and codes, not text
_COMPANY = 3  # columns beside a text that leave it a text and not a table's remark
MOST_COLUMNS = 10_000  # of a table: methods look at every column, some milliseconds each
_VARIED = 0.3  # share of different values from which strings are sentences
_MUCH_COMPANY = 8  # the same for prose in a column with a usual name


class Plan(NamedTuple):
    """How a stream of batches becomes a data set; `class_names` are a ClassLabel's, by code.

    `response` and `beside` are instruction data's: the column of the response, and all columns to write back.
    """

    modality: Modality
    content: tuple[str, ...]
    label: str | None
    source: str | None
    class_names: tuple[str, ...] = ()
    response: str = ""
    beside: tuple[str, ...] = ()

    @property
    def columns(self) -> list[str]:
        """Every column that is needed, once."""
        extra = [name for name in (self.label, self.source) if name is not None]
        return list(dict.fromkeys([*self.content, *self.beside, *extra]))


def make_plan(first: pa.RecordBatch, options: Options) -> Plan:
    """The plan for batches of this schema.

    Raises
    ------
    InputError : a named column isn't there, names repeat, no label can be inferred, or no column can be content.
    """
    names = first.schema.names
    no_repeats(names, options.name)
    for role, column in (("content", options.content), ("label", options.label), ("source", options.source)):
        if column and column not in names:
            raise InputError(f"{options.name} has no column {column!r} (--{role}); its columns are {listed(names)}")
    source = options.source or (SOURCE_NAME if SOURCE_NAME in names else None)
    label = _label(first, options, source)
    rest = [name for name in names if name not in {label, source}]
    pair = find_columns(first.schema) if label is None and options.content is None and options.wants("text") else None
    if pair is not None:
        return Plan("text", (pair.prompt,), None, source, response=pair.response, beside=tuple(rest))
    modality, content = _content(first.select(rest), options)
    if label is None and options.label is None:
        _refuse_guessable(first.select(rest), content if modality != "table" else (), options.name)
    return Plan(modality, content, label, source, class_names(first.schema, label))


def listed(names: Sequence[str], most: int = 12) -> str:
    """Column names for a message; long lists are cut."""
    shown = ", ".join(repr(name) for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


def class_names(schema: pa.Schema, label: str | None) -> tuple[str, ...]:
    """A ClassLabel column's names, from the metadata that Hugging Face puts into Arrow and Parquet schemas."""
    raw = (schema.metadata or {}).get(b"huggingface")
    if raw is None or label is None:
        return ()
    try:
        return names_of(json.loads(raw)["info"]["features"], label)
    except (ValueError, KeyError, TypeError, RecursionError):
        return ()


def names_of(features: Any, label: str) -> tuple[str, ...]:
    """The class names of one feature; () when it isn't a ClassLabel."""
    feature = features.get(label) if isinstance(features, dict) else None
    names = feature.get("names") if isinstance(feature, dict) else None
    return tuple(str(name) for name in names) if isinstance(names, list) else ()


def is_text(kind: pa.DataType) -> bool:
    """Whether a type holds strings, a dictionary of them included."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def is_vector(kind: pa.DataType) -> bool:
    """Whether a type is a list of numbers."""
    lists = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    return bool(lists and (pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type)))


def is_picture(kind: pa.DataType) -> bool:
    """Whether a type is Hugging Face's image: a struct of the file's bytes and its path."""
    return bool(pa.types.is_struct(kind) and {"bytes"} <= {field.name for field in kind} <= {"bytes", "path"})


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def no_repeats(names: Sequence[str], source: str) -> None:
    """`InputError` when two columns have one name."""
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        raise InputError(f"{source} has more than one column named {listed(repeated)}; rename them apart")


def _label(first: pa.RecordBatch, options: Options, source: str | None) -> str | None:
    if options.label is not None:
        return options.label if options.label != NO_LABEL else None
    names = [name for name in first.schema.names if name not in {source, options.content}]
    by_lower = {name.lower(): name for name in reversed(names)}
    return next((by_lower[usual] for usual in LABEL_NAMES if usual in by_lower), None)


def _refuse_guessable(batch: pa.RecordBatch, content: Sequence[str], name: str) -> None:
    """No label column by name, yet columns that may well be it: ask instead of guessing."""
    few = [
        column
        for column in batch.schema.names
        if column not in content
        and not pa.types.is_nested(batch.column(column).type)
        and _distinct(batch, column) <= _FEW
    ]
    if few and batch.num_rows > 1:
        raise InputError(
            f"{name} has no column named {', '.join(LABEL_NAMES)}; name the labels with --label "
            f"(few distinct values: {listed(few[::-1], 6)}), or say --label '' if there are none"
        )


def _distinct(batch: pa.RecordBatch, column: str) -> int:
    count = _count(batch.column(column))
    return count if 1 < count <= max(2, batch.num_rows // 4) else _FEW + 1


def _decoded(column: pa.Array) -> pa.Array:
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _content(batch: pa.RecordBatch, options: Options) -> tuple[Modality, tuple[str, ...]]:
    if not batch.schema.names:
        raise InputError(f"{options.name} has no column beside label and source; there is no content to audit")
    if options.content is not None:
        return _named(batch, options)
    for modality, found in (("image", _picture_column), ("embedding", _vector_column), ("text", _text_column)):
        column = found(batch, options) if options.wants(modality) else None  # type: ignore[arg-type]
        if column is not None:
            return modality, (column,)  # type: ignore[return-value]
    if options.modality == "embedding":
        return "embedding", tuple(_numeric(batch, options))
    if options.modality == "audio":
        raise InputError(f"{options.name} is a table; sounds are read from .npz or from a folder of .wav files")
    if options.modality in {"image", "text"}:
        raise InputError(f"{options.name} has no column of {options.modality}s; name it with --content")
    refuse_nested(batch.schema, options.name)
    names = tuple(batch.schema.names)
    if len(names) > MOST_COLUMNS:
        raise InputError(
            f"{options.name} has {len(names):,} columns, and a table may have {MOST_COLUMNS:,}; pass fewer, or numbers "
            "as vectors: --modality embedding"
        )
    return "table", names


def _named(batch: pa.RecordBatch, options: Options) -> tuple[Modality, tuple[str, ...]]:
    column = str(options.content)
    if column not in batch.schema.names:
        raise InputError(f"column {column!r} can't be the content and the label or source at once; choose another")
    kind = batch.column(column).type
    fits: dict[Modality, bool] = {
        "image": is_picture(kind) or _is_binary(kind),
        "embedding": is_vector(kind),
        "text": is_text(kind),
        "table": not pa.types.is_nested(kind) and not _is_binary(kind),
    }
    for modality, fit in fits.items():
        if fit and options.wants(modality):
            return modality, (column,)
    raise InputError(
        f"column {column!r} of {options.name} has type {kind}, which is no {options.modality or 'content'}"
    )


def _picture_column(batch: pa.RecordBatch, options: Options) -> str | None:
    found = [name for name in batch.schema.names if is_picture(batch.column(name).type)]
    loose = [name for name in batch.schema.names if _is_binary(batch.column(name).type)]
    named = [name for name in loose if name.lower() in IMAGE_NAMES or options.modality == "image"]
    return next(iter([*found, *named]), None)


def _vector_column(batch: pa.RecordBatch, options: Options) -> str | None:
    found = [name for name in batch.schema.names if is_vector(batch.column(name).type)]
    named = [name for name in found if name.lower() in VECTOR_NAMES]
    if len(found) > 1 and len(named) != 1:
        raise InputError(f"{options.name} has several columns of vectors ({listed(found)}); choose with --content")
    return next(iter([*named, *found]), None)


def _text_column(batch: pa.RecordBatch, options: Options) -> str | None:
    columns = [name for name in batch.schema.names if is_text(batch.column(name).type)]
    lengths = {name: _mean_length(batch.column(name)) for name in columns}
    named: str | None = next((name for usual in TEXT_NAMES for name in columns if name.lower() == usual), None)
    longest: str | None = max(columns, key=lambda name: lengths[name], default=None)
    if options.modality == "text":
        return named or longest
    others = batch.num_columns - 1
    if named is not None and others <= (_MUCH_COMPANY if lengths[named] >= _PROSE else _COMPANY):
        return named if _varied(batch.column(named)) else None
    if others > _COMPANY:
        return None
    prose = [name for name in columns if _varied(batch.column(name)) and (lengths[name] >= _PROSE or others == 0)]
    return longest if longest in prose else next(iter(prose), None)


def _mean_length(column: pa.Array) -> float:
    mean = pc.mean(pc.utf8_length(_decoded(column))).as_py()
    return float(mean) if mean is not None else 0.0


def _varied(column: pa.Array) -> bool:
    """Mostly different values: sentences, not categories."""
    return _count(column) > len(column) * _VARIED


def _count(column: pa.Array) -> int:
    """Distinct values, missing ones left out."""
    return 0 if pa.types.is_null(column.type) else len(_decoded(column).drop_null().unique())


def _numeric(batch: pa.RecordBatch, options: Options) -> list[str]:
    for name in batch.schema.names:
        kind = batch.column(name).type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
            raise InputError(
                f"column {name!r} of {options.name} has type {kind} and an embedding is numbers; leave it out"
            )
    return list(batch.schema.names)


def refuse_nested(schema: pa.Schema, name: str) -> None:
    """`InputError` for columns that hold lists, structs or bytes, which no table method can read."""
    for column in schema.names:
        kind = schema.field(column).type
        if pa.types.is_nested(kind) or _is_binary(kind):
            word = "nested" if pa.types.is_nested(kind) else "binary"
            raise InputError(
                f"column {column!r} of {name} is {word} ({_short(kind)}); flatten it or leave it out, "
                "or choose the content with --content"
            )


def _short(kind: pa.DataType, most: int = 60) -> str:
    text = str(kind)
    return text if len(text) <= most else text[: most - 3] + "..."
