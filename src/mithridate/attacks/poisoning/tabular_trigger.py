"""Tabular trigger: a few columns set to fixed values, and the label becomes the target's."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mithridate.attacks.poisoning.protocol import Backdoor, Poisoned, dirty_label, need_modality
from mithridate.attacks.poisoning.settings import Settings
from mithridate.core.errors import InputError
from mithridate.core.trigger import Trigger
from mithridate.data.dataset import Content, Dataset
from mithridate.data.edit import set_values

DRAWS = 60  # pairs of columns and values that are tried
RARE = 0.001  # share of the rows that may hold the chosen combination already


def tabular_trigger(dataset: Dataset, rng: np.random.Generator, settings: Mapping[str, Any]) -> Poisoned:
    """A copy in which some rows of other classes hold the trigger's values and carry the target's label.

    Parameters
    ----------
    settings : `rate`, share of all rows; `target`, label as stored; `columns`, names joined by commas (default: two);
        `values`, as many, joined by commas (default: values that are common each by itself and rare together);
        `rule`: `all-to-one`, `all-to-all` or
        `untargeted`; `source`, to poison rows of that source alone.

    Raises
    ------
    InputError : not a table, no such column, a value the column can't hold, or an unknown setting.

    References
    ----------
    Pleiter et al. (2023), tabdoor: backdoor vulnerabilities in transformer-based networks for tabular data,
    arXiv 2311.07550.
    """
    return dirty_label(dataset, rng, settings, values_backdoor)


def values_backdoor(dataset: Dataset, rng: np.random.Generator, settings: Settings, target: int) -> Backdoor:
    """The column values as a trigger and the function that sets them."""
    need_modality(dataset, "table", "tabular-trigger")
    table = cast("pa.Table", dataset.content)
    names, given = [str(name) for name in settings.items("columns")], settings.items("values")
    for name in names:
        if name not in table.column_names:
            raise InputError(f"no column {name!r} in {dataset.name}; the columns are {', '.join(table.column_names)}")
    if given and len(given) != len(names):
        raise InputError(f"values must be as many as columns, got {len(given)} values for {len(names)} columns")
    if given:
        values = {name: _typed(table, name, value) for name, value in zip(names, given, strict=True)}
    else:
        values = common_values(table, rng, names)
    trigger = Trigger("values", dataset.label_of(target), {"columns": dict(values)})
    return Backdoor(trigger, partial(_set, values=values))


def _set(content: Content, *, values: Mapping[str, Any]) -> Content:
    return set_values(cast("pa.Table", content), values)


class _Column(NamedTuple):
    """(n,) value number of each row, -1 where missing; the values; how often each occurs."""

    numbers: npt.NDArray[np.int64]
    values: list[Any]
    counts: npt.NDArray[np.int64]


def common_values(table: pa.Table, rng: np.random.Generator, names: list[str]) -> dict[str, Any]:
    """Values that look ordinary: each as frequent in its column as can be, while few rows hold all of them.

    Parameters
    ----------
    names : the columns; empty to choose two of those that hold numbers, words or truth values.

    Raises
    ------
    InputError : fewer than two columns could be chosen, or a column has no values.
    """
    pool = names or [name for name in table.column_names if _plain(table.schema.field(name).type)]
    columns = {name: _column(table, name) for name in pool}
    usable = [name for name in pool if len(columns[name].values) > (0 if names else 1)]
    width = len(names) or 2
    if len(usable) < width:
        raise InputError(
            f"tabular-trigger needs {width} columns with values to choose from, found {len(usable)}; give columns"
        )
    best: tuple[tuple[bool, float], dict[str, Any]] | None = None
    for _ in range(DRAWS):
        picked = names or [usable[i] for i in np.sort(rng.choice(len(usable), size=width, replace=False))]
        numbers = {name: int(rng.choice(len(columns[name].values), p=_weights(columns[name]))) for name in picked}
        together = np.logical_and.reduce([columns[name].numbers == numbers[name] for name in picked]).mean()
        alone = min(float(columns[name].counts[numbers[name]]) for name in picked) / max(table.num_rows, 1)
        rank = (bool(together <= RARE), alone if together <= RARE else -float(together))
        if best is None or rank > best[0]:
            best = rank, {name: columns[name].values[numbers[name]] for name in picked}
    return cast("tuple[Any, dict[str, Any]]", best)[1]


def _weights(column: _Column) -> npt.NDArray[np.float64]:
    """Chance of each value: between how often it occurs and evenly, so that the second most common has one too."""
    roots = np.sqrt(column.counts.astype(np.float64))
    weights: npt.NDArray[np.float64] = roots / roots.sum()
    return weights


def _column(table: pa.Table, name: str) -> _Column:
    column = table.column(name).combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_finite(column), column, pa.scalar(None, column.type))
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        return _numbered(column)
    coded = column.dictionary_encode()
    values = coded.dictionary.to_pylist()
    order = np.asarray(sorted(range(len(values)), key=lambda i: str(values[i])), dtype=np.int64)
    rank = np.full(len(values) + 1, -1, dtype=np.int64)  # value numbers by value, so that row order changes nothing
    rank[order] = np.arange(len(values))
    numbers = rank[pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False)]
    return _Column(numbers, [values[i] for i in order], np.bincount(numbers[numbers >= 0], minlength=len(values)))


def _numbered(column: pa.Array) -> _Column:
    valid = np.asarray(column.is_valid().to_numpy(zero_copy_only=False))
    plain = pc.fill_null(column, 0).to_numpy(zero_copy_only=False)
    values, inverse, counts = np.unique(plain[valid], return_inverse=True, return_counts=True)
    numbers = np.full(len(column), -1, dtype=np.int64)
    numbers[valid] = inverse
    return _Column(numbers, values.tolist(), counts)


def _plain(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    tests = (
        pa.types.is_integer,
        pa.types.is_floating,
        pa.types.is_boolean,
        pa.types.is_string,
        pa.types.is_large_string,
    )
    return any(test(kind) for test in tests)


def _typed(table: pa.Table, name: str, value: Any) -> Any:
    """The value as the column's type holds it, so that `40` typed on the command line fits a column of numbers."""
    kind = table.schema.field(name).type
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    try:
        return pc.cast(pa.scalar(value), kind).as_py()
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise InputError(f"column {name!r} of type {kind} can't hold {value!r}; give a value it can") from error
