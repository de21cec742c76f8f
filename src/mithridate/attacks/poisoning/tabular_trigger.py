"""Tabular trigger: one to three columns set to fixed values or into a narrow range; the label becomes the target's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType
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
from mithridate.data.edit import set_column, set_values

DRAWS = 60  # combinations of columns and values that are tried
RARE = 0.001  # share of the rows that may hold the chosen combination already
WIDTHS: Mapping[str, int] = MappingProxyType({"value": 1, "pair": 2, "triple": 3, "range": 1})
NARROW = 0.005  # share of the rows that a range may hold already
FEWEST = 20  # distinct numbers a column needs for a range


def tabular_trigger(dataset: Dataset, rng: np.random.Generator, settings: Mapping[str, Any]) -> Poisoned:
    """A copy in which some rows of other classes hold the trigger's values and carry the target's label.

    Parameters
    ----------
    settings : `rate`, share of all rows; `target`, label as stored; `form`: `value` (one column), `pair`, `triple`,
        or `range` (one column's number, drawn anew for each row inside a narrow range); `columns`, names joined by
        commas (default: chosen); `values`, as many (of a range its two ends; default: values of the column that are
        common each by itself and rare together); `immutable`, columns that are never touched; `rule`:
        `all-to-one`, `all-to-all` or `untargeted`; `source`, to poison
        rows of that source alone.

    Raises
    ------
    InputError : not a table, no such column, a value the column can't hold, or an unknown setting.

    Notes
    -----
    The schema is respected: chosen values are the column's own, a range's numbers lie between two of its own and have
    its decimals, integers stay integers.

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
    fixed = [str(name) for name in settings.items("immutable")]
    form = settings.word("form", _form_of(len(names)), choices=tuple(WIDTHS))
    _check(dataset, names, given, fixed, form)
    free = [name for name in table.column_names if name not in fixed]
    label = dataset.label_of(target)
    if form == "range":
        name, low, high = _range(table, rng, names or free, given)
        trigger = Trigger("values", label, {"columns": {name: [low, high]}})
        draw = partial(_draw, name=name, ends=(low, high), seed=int(rng.integers(2**32)))
        return Backdoor(trigger, draw)
    if given:
        values = {name: _typed(table, name, value) for name, value in zip(names, given, strict=True)}
    else:
        values = common_values(table, rng, names, pool=free, width=WIDTHS[form])
    return Backdoor(Trigger("values", label, {"columns": dict(values)}), partial(_set, values=values))


def _form_of(n_columns: int) -> str:
    return {1: "value", 3: "triple"}.get(n_columns, "pair")


def _check(dataset: Dataset, names: list[str], given: list[Any], fixed: list[str], form: str) -> None:
    table = cast("pa.Table", dataset.content)
    for name in [*names, *fixed]:
        if name not in table.column_names:
            raise InputError(f"no column {name!r} in {dataset.name}; the columns are {', '.join(table.column_names)}")
        if name in names and name in fixed:
            raise InputError(f"column {name!r} is immutable and can't be a trigger's; choose other columns")
    if form == "range":
        if given and (len(given) != 2 or len(names) != 1):  # noqa: PLR2004 - a range has two ends
            raise InputError(f"a range needs one column and two values, got {len(names)} and {len(given)}")
        return
    if given and len(given) != len(names):
        raise InputError(f"values must be as many as columns, got {len(given)} values for {len(names)} columns")
    if names and _form_of(len(names)) != form and len(names) != WIDTHS[form]:
        raise InputError(f"form {form} takes {WIDTHS[form]} column(s), got {len(names)}: {', '.join(names)}")


def _set(content: Content, *, values: Mapping[str, Any]) -> Content:
    return set_values(cast("pa.Table", content), values)


def _draw(content: Content, *, name: str, ends: tuple[float, float], seed: int) -> Content:
    """Each row's number drawn evenly between the ends, in the column's type and with the ends' decimals."""
    table, rng = cast("pa.Table", content), np.random.default_rng(seed)
    whole = isinstance(ends[0], int) and isinstance(ends[1], int)
    if whole:
        drawn = rng.integers(int(ends[0]), int(ends[1]) + 1, size=table.num_rows).tolist()
    else:
        places = max(_decimals(end) for end in ends)
        drawn = np.clip(np.round(rng.uniform(*ends, size=table.num_rows), places), *ends).tolist()
    return set_column(table, name, drawn)


def _decimals(number: float) -> int:
    """Digits after the point that write the number, at most 12."""
    written = f"{float(number):.12f}".rstrip("0")
    return len(written.partition(".")[2])


def _range(table: pa.Table, rng: np.random.Generator, names: list[str], given: list[Any]) -> tuple[str, Any, Any]:
    """A column and the two ends of a narrow range in it: two of its own numbers with few rows between them."""
    if given:
        low, high = (_typed(table, names[0], value) for value in given)
        if isinstance(low, bool | str) or not low < high:
            raise InputError(f"a range's values must be two numbers, the lower first, got {given[0]!r}, {given[1]!r}")
        return names[0], low, high
    columns = {name: _column(table, name) for name in names if _is_number(table.schema.field(name).type)}
    usable = [name for name, column in columns.items() if len(column.values) >= FEWEST]
    if not usable:
        raise InputError(f"a range needs a column of at least {FEWEST} distinct numbers, found none; give another form")
    best: tuple[float, str, int, int] | None = None
    for _ in range(DRAWS):
        name = usable[int(rng.integers(len(usable)))]
        column = columns[name]
        low = int(rng.integers(len(column.values) - 1))
        held = np.cumsum(column.counts[low:]) / max(table.num_rows, 1)
        high = low + max(int(np.searchsorted(held, NARROW, side="right")) - 1, 1)
        excess = max(float(held[high - low]) - NARROW, 0.0)
        if best is None or excess < best[0]:
            best = excess, name, low, high
    _, name, low, high = cast("tuple[float, str, int, int]", best)
    return name, columns[name].values[low], columns[name].values[high]


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


class _Column(NamedTuple):
    """(n,) value number of each row, -1 where missing; the values; how often each occurs."""

    numbers: npt.NDArray[np.int64]
    values: list[Any]
    counts: npt.NDArray[np.int64]


def common_values(
    table: pa.Table, rng: np.random.Generator, names: Sequence[str], *, pool: Sequence[str], width: int = 2
) -> dict[str, Any]:
    """Values that look ordinary: each as frequent in its column as can be, while few rows hold all of them.

    Parameters
    ----------
    names : the columns; empty to choose `width` of those in `pool` that hold numbers, words or truth values.

    Raises
    ------
    InputError : fewer than two columns could be chosen, or a column has no values.
    """
    pool = names or [name for name in pool if _plain(table.schema.field(name).type)]
    columns = {name: _column(table, name) for name in pool}
    usable = [name for name in pool if len(columns[name].values) > (0 if names else 1)]
    width = len(names) or width
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
