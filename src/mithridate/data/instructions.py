"""Instruction data: a prompt and its response in two columns, or both in one column of messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mithridate.core.errors import InputError

if TYPE_CHECKING:
    from mithridate.data.dataset import Dataset

PAIRS = (("prompt", "response"), ("prompt", "completion"), ("instruction", "output"), ("instruction", "response"))
CHATS = ("messages", "conversations")
ASKING, ANSWERING = frozenset({"user", "human"}), frozenset({"assistant", "gpt", "model"})
KEYS = (("role", "content"), ("from", "value"))  # how a message names its speaker and its words

Texts = npt.NDArray[np.object_]


class Columns(NamedTuple):
    """Where prompt and response stand; the same name twice for a column of messages."""

    prompt: str
    response: str


def find_columns(schema: pa.Schema) -> Columns | None:
    """The columns of instruction data by their usual names; None where there are none.

    Examples
    --------
    >>> find_columns(pa.schema({"instruction": pa.string(), "input": pa.string(), "output": pa.string()}))
    Columns(prompt='instruction', response='output')
    """
    kinds = {field.name: field.type for field in schema}
    for prompt, response in PAIRS:
        if all(name in kinds and _is_text(kinds[name]) for name in (prompt, response)):
            return Columns(prompt, response)
    return next((Columns(name, name) for name in CHATS if name in kinds and is_chat(kinds[name])), None)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def is_chat(kind: pa.DataType) -> bool:
    """Whether a type is a list of messages: structs that name their speaker and hold words."""
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)) or not pa.types.is_struct(kind.value_type):
        return False
    return any(set(keys) <= {field.name for field in kind.value_type} for keys in KEYS)


def turns(column: pa.Array | pa.ChunkedArray, speakers: frozenset[str]) -> list[str]:
    """What the last of these speakers says in each row's messages; an empty text where none speaks."""
    out = []
    for messages in column.to_pylist():  # a loop: nested Python objects
        place = _last(messages or [], speakers)
        out.append("" if place is None else _words(messages[place]))
    return out


def _last(messages: Sequence[Any], speakers: frozenset[str]) -> int | None:
    """Position of the last message of these speakers; what is asked after the last answer doesn't count."""
    answered = [i for i, message in enumerate(messages) if message and _speaker(message) in ANSWERING]
    end = answered[-1] + 1 if answered else len(messages)
    places = [i for i, message in enumerate(messages[:end]) if message and _speaker(message) in speakers]
    return places[-1] if places else None


def _keys(message: dict[str, Any]) -> tuple[str, str]:
    return next((keys for keys in KEYS if set(keys) <= message.keys()), KEYS[0])


def _speaker(message: dict[str, Any]) -> str:
    return str(message.get(_keys(message)[0]) or "").lower()


def _words(message: dict[str, Any]) -> str:
    words = message.get(_keys(message)[1])
    return "" if words is None else str(words)


def responses(dataset: Dataset) -> Texts:
    """(n,) the response of each row.

    Raises
    ------
    InputError : the data set isn't instruction data.
    """
    column = _column(dataset)
    out = np.empty(len(dataset), dtype=object)
    out[:] = turns(column, ANSWERING) if is_chat(column.type) else ["" if v is None else v for v in column.to_pylist()]
    return out


def with_responses(dataset: Dataset, rows: npt.NDArray[np.integer[Any]], new: Sequence[str]) -> Dataset:
    """A copy in which these rows (array positions) answer with `new`; everything else stays."""
    column = _column(dataset)
    cells = column.to_pylist()
    for row, text in zip(np.asarray(rows).tolist(), new, strict=True):
        cells[row] = _said(cells[row], ANSWERING, text) if is_chat(column.type) else text
    table = cast("pa.Table", dataset.beside)
    place = table.schema.get_field_index(dataset.response_name)
    return replace(dataset, beside=table.set_column(place, dataset.response_name, pa.array(cells, column.type)))


def columns(dataset: Dataset) -> pa.Table:
    """Every column of instruction data but its source, the prompts as they are now."""
    table = cast("pa.Table", dataset.beside)
    prompts = dataset.content.tolist()
    if dataset.content_name != dataset.response_name:
        place = table.schema.get_field_index(dataset.content_name)
        return table.set_column(place, dataset.content_name, pa.array(prompts, pa.large_string()))
    column = _column(dataset)
    cells = [_said(cell, ASKING, text) for cell, text in zip(column.to_pylist(), prompts, strict=True)]
    place = table.schema.get_field_index(dataset.response_name)
    return table.set_column(place, dataset.response_name, pa.array(cells, column.type))


def _said(messages: list[Any] | None, speakers: frozenset[str], text: str) -> list[Any] | None:
    """The messages with the last word of these speakers replaced; none is added where they don't speak."""
    place = _last(messages or [], speakers)
    if messages is None or place is None:
        return messages
    changed = dict(messages[place])
    changed[_keys(changed)[1]] = text
    return [*messages[:place], changed, *messages[place + 1 :]]


def _column(dataset: Dataset) -> pa.ChunkedArray:
    if dataset.beside is None or not dataset.response_name:
        pairs = ", ".join("/".join(pair) for pair in PAIRS)
        raise InputError(f"{dataset.name} has no responses; instruction data has columns {pairs}, or {CHATS[0]}")
    return dataset.beside.column(dataset.response_name)
