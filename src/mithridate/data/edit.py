"""Change content without touching the original: set a table's values, insert words into texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mithridate.core.errors import InputError

PLACES = ("anywhere", "start", "end")  # where words are put into a text


def set_values(
    table: pa.Table, values: Mapping[str, Any], rows: npt.NDArray[np.integer[Any]] | None = None
) -> pa.Table:
    """The table with every named column set to its value, in all rows or in `rows` (positions).

    Raises
    ------
    InputError : a column isn't there, or its type can't hold the value.
    """
    chosen = np.ones(table.num_rows, dtype=bool) if rows is None else np.zeros(table.num_rows, dtype=bool)
    if rows is not None:
        chosen[rows] = True
    for name, value in values.items():
        position = table.schema.get_field_index(name)
        if position < 0:
            raise InputError(f"no column {name!r}; the columns are {', '.join(table.column_names)}")
        column = _plain(table.column(position))
        try:
            changed = pc.if_else(pa.array(chosen), pa.scalar(value, column.type), column)
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
            raise InputError(
                f"column {name!r} of type {column.type} can't hold {value!r}; give a value it can"
            ) from error
        table = table.set_column(position, name, changed)
    return table


def set_column(table: pa.Table, name: str, values: Sequence[Any]) -> pa.Table:
    """The table with a column's cells replaced by `values` (n,), in the column's own type.

    Raises
    ------
    InputError : the column isn't there, or its type can't hold a value.
    """
    position = table.schema.get_field_index(name)
    if position < 0:
        raise InputError(f"no column {name!r}; the columns are {', '.join(table.column_names)}")
    kind = table.schema.field(position).type
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    try:
        return table.set_column(position, name, pa.array(values, kind))
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise InputError(f"column {name!r} of type {kind} can't hold the values; give some it can") from error


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        return pc.cast(column, column.type.value_type)
    return column


def insert_words(
    texts: npt.NDArray[np.object_] | Sequence[str],
    words: Sequence[str],
    rng: np.random.Generator,
    *,
    times: int = 1,
    place: str = "anywhere",
) -> npt.NDArray[np.object_]:
    """The texts with `words` put, `times` over, between words at random places, or at the `start` or the `end`.

    Spacing elsewhere stays as it was.

    Examples
    --------
    >>> insert_words(["a b"], ["x"], np.random.default_rng(0)).tolist()
    ['a b x']
    >>> insert_words(["a b"], ["x", "y"], np.random.default_rng(0), place="start").tolist()
    ['x y a b']
    """
    phrase = " ".join(words)
    out = np.empty(len(texts), dtype=object)
    for i, original in enumerate(texts):  # a loop: Python strings
        changed = str(original)
        for _ in range(times):
            gaps = _gaps(changed)
            chosen = {"start": 0, "end": len(gaps) - 1}.get(place)
            changed = _put(changed, phrase, gaps[int(rng.integers(len(gaps))) if chosen is None else chosen])
        out[i] = changed
    return out


def insert_apart(
    texts: npt.NDArray[np.object_] | Sequence[str], first: str, second: str, rng: np.random.Generator, *, gap: int
) -> npt.NDArray[np.object_]:
    """The texts with two words put in, the `second` one to `gap` of the text's own words after the `first`.

    Examples
    --------
    >>> insert_apart(["a b c"], "x", "y", np.random.default_rng(0), gap=2).tolist()
    ['a x b c y']
    """
    out = np.empty(len(texts), dtype=object)
    for i, original in enumerate(texts):  # a loop: Python strings
        text = str(original)
        gaps = _gaps(text)
        between = int(rng.integers(1, gap + 1))
        start = int(rng.integers(max(len(gaps) - between, 1)))
        later = _put(text, second, gaps[min(start + between, len(gaps) - 1)])
        out[i] = _put(later, first, gaps[start])
    return out


def _gaps(text: str) -> list[int]:
    """Where a word may be put: the start, before each space, the end."""
    return [0, *(j for j, letter in enumerate(text) if letter == " "), len(text)]


def _put(text: str, phrase: str, place: int) -> str:
    before, after = text[:place], text[place:]
    return f"{before}{' ' if before else ''}{phrase}{'' if after.startswith(' ') or not after else ' '}{after}"
