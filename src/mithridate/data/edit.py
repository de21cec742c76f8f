"""Change content without touching the original: set a table's values, insert words into texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mithridate.core.errors import InputError


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


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        return pc.cast(column, column.type.value_type)
    return column


def insert_words(
    texts: npt.NDArray[np.object_] | Sequence[str], words: Sequence[str], rng: np.random.Generator, *, times: int = 1
) -> npt.NDArray[np.object_]:
    """The texts with `words` put, `times` over, at random places between words; spacing elsewhere stays as it was.

    Examples
    --------
    >>> insert_words(["a b"], ["x"], np.random.default_rng(0)).tolist()
    ['a b x']
    """
    phrase = " ".join(words)
    out = np.empty(len(texts), dtype=object)
    for i, original in enumerate(texts):  # a loop: Python strings
        changed = str(original)
        for _ in range(times):
            gaps = [0, *(j for j, letter in enumerate(changed) if letter == " "), len(changed)]
            place = gaps[int(rng.integers(len(gaps)))]
            before, after = changed[:place], changed[place:]
            changed = (
                f"{before}{' ' if before else ''}{phrase}{'' if after.startswith(' ') or not after else ' '}{after}"
            )
        out[i] = changed
    return out
