"""Canonical bytes of a record: its values alone, whatever file, type or order of columns carried them.

A cell is a tag byte and a payload that says its own length, so that no two records share their bytes:

0 missing · 1 number as little-endian float64 · 2 signed or 3 unsigned integer that no float64 holds, as 8 bytes ·
4 text or 5 bytes, behind their length in 8 bytes · 6 vector: kind (`B` bytes, `f` float32, `d` float64), count,
values · 7 anything else as text or JSON · 8 several cells, a list: their count, then each · 9 a struct: the number of
its fields that have a value, then each name and cell.

A vector is written in the narrowest kind that holds every bit of the row's values, so that the same values stored wider
are the same record; the sign of a zero and the bits of a NaN count.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mithridate.data.columnar import is_columnar, list_cells, struct_cells
from mithridate.data.nested import text_of
from mithridate.data.tags import BYTES, CELLS, LENGTH, MISSING, NUMBER, OTHER, SIGNED, TEXT, UNSIGNED, VECTOR

Column: TypeAlias = "npt.NDArray[Any] | pa.Array"
Encoded: TypeAlias = list[bytes]

_NANOSECONDS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_FIRST = 8  # values of a row looked at before all of them are


def encode_columns(columns: Sequence[Column]) -> Encoded:
    """One bytes object a row for the content that these columns hold together.

    Numbers alone, in one column or in many, are a vector; a single column of anything else is its cell.
    """
    if all(map(is_numeric, columns)):
        return _numbers(columns)
    if len(columns) == 1:
        return encode_cells(columns[0])
    head = CELLS + LENGTH(len(columns))
    return [head + row for row in encode_row(columns)]


def encode_row(columns: Sequence[Column]) -> Encoded:
    """One bytes object a row: the cells of these columns one after the other; how many they are must be known."""
    cells = [part.cells() if isinstance(part, Together) else encode_cells(part) for part in numbers_together(columns)]
    return cells[0] if len(cells) == 1 else list(map(b"".join, zip(*cells, strict=True)))


class Together(NamedTuple):
    """(n, w) the bytes of number cells of several columns."""

    rows: npt.NDArray[np.uint8]

    def cells(self) -> Encoded:
        """One bytes object a row."""
        items: Encoded = self.rows.view(f"V{self.rows.shape[1]}").ravel().tolist()
        return items


def numbers_together(columns: Sequence[Column]) -> Iterator[Column | Together]:
    """The columns in order; neighbouring numbers without gaps as one block, which saves most of the time."""
    run: list[npt.NDArray[Any]] = []
    for column in columns:
        if isinstance(column, pa.Array) and is_numeric(column) and not column.null_count:
            plain = flat_numbers(column)
            if _held(plain).all():
                run.append(plain[:, 0])
                continue
        if run:
            yield _number_block(run)
            run = []
        yield column
    if run:
        yield _number_block(run)


def _number_block(columns: Sequence[npt.NDArray[Any]]) -> Together:
    """Number cells of several columns."""
    width = len(NUMBER) + 8
    block = np.empty((len(columns[0]), len(columns), width), np.uint8)
    block[:, :, 0] = NUMBER[0]
    for place, values in enumerate(columns):
        block[:, place, 1:] = values.astype("<f8").view(np.uint8).reshape(-1, 8)
    return Together(block.reshape(len(block), len(columns) * width))


def _numbers(columns: Sequence[Column]) -> Encoded:
    """A vector a row; cells instead for rows with a missing value or an integer that no float64 holds."""
    parts = [flat_numbers(column) for column in columns]
    whole = np.logical_and.reduce([_held(part) for part in parts])
    for column in columns:
        if isinstance(column, pa.Array) and column.null_count:
            whole &= np.asarray(column.is_valid().to_numpy(zero_copy_only=False))
    if whole.all():
        return _vectors(_joint(parts))
    rows = np.flatnonzero(~whole)
    cells: list[Encoded] = []
    for column, part in zip(columns, parts, strict=True):
        if isinstance(column, pa.Array):
            cells.append(_number_cells(column.take(pa.array(rows))))
        else:
            cells += [_number_cells(pa.array(values)) for values in part[rows].T]
    return _merged(
        len(whole), [(whole, _vectors(_joint([p[whole] for p in parts]))), (~whole, _joined(cells, len(cells)))]
    )


def _joined(cells: Sequence[Encoded], n_cells: int) -> Encoded:
    head = CELLS + LENGTH(n_cells)
    return [head + b"".join(row) for row in zip(*cells, strict=True)]


def _joint(parts: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """(n, d) all numbers in one type that holds every one of them."""
    if len(parts) == 1:
        return parts[0]
    same = len({part.dtype for part in parts}) == 1
    return np.concatenate(parts if same else [part.astype(np.float64) for part in parts], axis=1)


def _held(values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """(n,) rows whose integers are all exact as float64; true for every other type."""
    if values.dtype.kind not in "iu" or values.dtype.itemsize < 8:  # noqa: PLR2004 - 64-bit integers
        return np.ones(len(values), dtype=bool)
    as_float = values.astype(np.float64)
    fits = as_float < (2.0**63 if values.dtype.kind == "i" else 2.0**64)
    back = np.where(fits, as_float, 0.0).astype(values.dtype)
    return np.asarray((fits & (back == values)).all(axis=1))


def encode_cells(column: Column) -> Encoded:
    """One cell a row."""
    if isinstance(column, np.ndarray):
        return _array_cells(column)
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.dictionary_decode(), kind.value_type
    elif pa.types.is_run_end_encoded(kind):
        column, kind = pc.run_end_decode(column), kind.value_type
    if isinstance(kind, pa.BaseExtensionType):
        return encode_cells(column.storage)
    for fits, encode in _ENCODERS:
        if any(fit(kind) for fit in fits):
            return encode(column)
    return _other_cells(column)


def encode_vectors(rows: npt.NDArray[Any]) -> Encoded:
    """(n, d) numbers, one vector a row, each in its narrowest kind."""
    return _numbers([rows])


def _vectors(rows: npt.NDArray[Any]) -> Encoded:
    if rows.dtype.kind == "b":
        rows = rows.view(np.uint8)
    if rows.dtype == np.uint8:
        return _packed(rows, b"B")
    if rows.dtype.kind == "f" and rows.dtype.itemsize <= 4:  # noqa: PLR2004 - float16 and float32
        return _split(rows.astype("<f4", copy=False), b"f", np.uint32)
    return _split(rows.astype("<f8", copy=False), b"d", np.uint64)


def _split(rows: npt.NDArray[Any], kind: bytes, word: Any) -> Encoded:
    """Rows that a narrower kind holds bit by bit are written in it, the others in `kind`."""
    with np.errstate(all="ignore"):
        small = _same(rows, np.uint8, word)
        parts = [(small, b"B", "u1")]
        if kind == b"d":
            single = ~small
            single[single] = _same(rows[single], np.float32, word)
            parts.append((single, b"f", "<f4"))
            small = small | single
        parts.append((~small, kind, rows.dtype.str))
        fitting = [(mask, _packed(rows[mask].astype(dtype), named)) for mask, named, dtype in parts if mask.any()]
    return _merged(len(rows), fitting)


def _same(rows: npt.NDArray[Any], kind: Any, word: Any) -> npt.NDArray[np.bool_]:
    """(n,) rows of which every value survives the type `kind` with all its bits."""
    found = np.ones(len(rows), dtype=bool)
    for low, high in ((0, _FIRST), (_FIRST, rows.shape[1])):  # most rows that don't fit show it at once
        part = np.ascontiguousarray(rows[found, low:high])
        back = part.astype(kind).astype(part.dtype)
        found[found] = (back.view(word) == part.view(word)).all(axis=1)
        if not found.any():
            break
    return found


def _packed(rows: npt.NDArray[Any], kind: bytes) -> Encoded:
    """(n, d) values as they lie in memory behind one head."""
    head = VECTOR + kind + LENGTH(rows.shape[1])
    if not len(rows):
        return []
    raw = np.ascontiguousarray(rows).reshape(len(rows), -1).view(np.uint8)
    whole = np.empty((len(rows), len(head) + raw.shape[1]), np.uint8)
    whole[:, : len(head)] = np.frombuffer(head, np.uint8)
    whole[:, len(head) :] = raw
    items: Encoded = whole.view(f"V{whole.shape[1]}").ravel().tolist()
    return items


def _merged(n_rows: int, parts: Sequence[tuple[npt.NDArray[np.bool_], Encoded]]) -> Encoded:
    """Each part's items at the rows of its mask; the masks cover every row once."""
    if len(parts) == 1:
        return parts[0][1]
    out: Encoded = [b""] * n_rows
    for mask, items in parts:
        for place, item in zip(np.flatnonzero(mask).tolist(), items, strict=True):
            out[place] = item
    return out


def is_numeric(column: Column) -> bool:
    """Whether it holds numbers or truth values, one or several a row."""
    if isinstance(column, np.ndarray):
        return column.dtype.kind in "biuf"
    kind = column.type
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def flat_numbers(column: Column) -> npt.NDArray[Any]:
    """(n, d) native numbers; a missing one is 0."""
    if isinstance(column, pa.Array):
        plain = pc.cast(column, pa.uint8()) if pa.types.is_boolean(column.type) else column
        array = np.asarray((plain.fill_null(0) if plain.null_count else plain).to_numpy(zero_copy_only=False))
    else:
        array = column.astype(column.dtype.newbyteorder("="), copy=False)
    return array.reshape(len(array), int(np.prod(array.shape[1:], dtype=np.int64)))


def _array_cells(array: npt.NDArray[Any]) -> Encoded:
    if array.ndim > 1:
        return encode_vectors(array.reshape(len(array), -1)) if array.dtype.kind in "biuf" else _json(array.tolist())
    if array.dtype.kind in "biuf":
        return _number_cells(pa.array(array.astype(array.dtype.newbyteorder("="), copy=False)))
    if array.dtype.kind == "S":
        return _sized(array.tolist(), TEXT)
    if array.dtype.kind in "UO":
        items = [None if item is None else str(item).encode("utf-8", "surrogatepass") for item in array.tolist()]
        return _sized(items, TEXT)
    return encode_cells(pa.array(array))


def _number_cells(column: pa.Array) -> Encoded:
    if pa.types.is_boolean(column.type):
        column = pc.cast(column, pa.uint8())
    gone = np.asarray(column.is_null().to_numpy(zero_copy_only=False)) if column.null_count else None
    values = np.asarray((column.fill_null(0) if column.null_count else column).to_numpy(zero_copy_only=False))
    items = [NUMBER + item for item in values.astype("<f8").view("V8").tolist()]
    for row in np.flatnonzero(~_held(values[:, None])).tolist():
        items[row] = _large(int(values[row]))
    return items if gone is None else [MISSING if no else item for no, item in zip(gone.tolist(), items, strict=True)]


def _large(value: int) -> bytes:
    return SIGNED + struct.pack("<q", value) if value < 2**63 else UNSIGNED + LENGTH(value)


def _sized(items: Sequence[bytes | None], tag: bytes) -> Encoded:
    return [MISSING if item is None else tag + LENGTH(len(item)) + item for item in items]


def is_vectors(column: pa.Array) -> bool:
    """Whether each row is a list of numbers without gaps, or missing."""
    if not is_columnar(column.type) or pa.types.is_struct(column.type):
        return False
    inner = column.type.value_type
    numeric = pa.types.is_integer(inner) or pa.types.is_floating(inner) or pa.types.is_boolean(inner)
    return bool(numeric and not column.flatten().null_count)


def _list_cells(column: pa.Array) -> Encoded:
    """A list of numbers is a vector; of anything else, or with gaps, its cells."""
    if not is_vectors(column):
        return nested_cells(column, _binary_cells).to_pylist()  # type: ignore[no-any-return]
    values = flat_numbers(column.flatten())[:, 0]
    lengths = np.asarray(pc.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False))
    if len(lengths) and not column.null_count and (lengths == lengths[0]).all():
        return encode_vectors(values.reshape(len(lengths), int(lengths[0])))
    items = ragged(values, lengths)
    if not column.null_count:
        return items
    gone = column.is_null().to_numpy(zero_copy_only=False).tolist()
    return [MISSING if no else item for no, item in zip(gone, items, strict=True)]


def nested_cells(column: pa.Array, cells: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """Large binary cells of lists and structs. Rows of numbers without gaps are vectors among lists with gaps too."""
    if pa.types.is_struct(column.type):
        return struct_cells(column, cells)
    inner = column.type.value_type
    if not (pa.types.is_integer(inner) or pa.types.is_floating(inner) or pa.types.is_boolean(inner)):
        return list_cells(column, cells)
    gaps = pc.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False)
    rows = np.repeat(np.arange(len(column)), gaps)[np.asarray(column.flatten().is_null())]
    holed = np.zeros(len(column), dtype=bool)
    holed[rows] = True
    whole = column.filter(pa.array(~holed))
    out = np.empty(len(column), object)
    out[~holed] = _list_cells(whole)
    out[holed] = list_cells(column.filter(pa.array(holed)), cells).to_pylist()
    return pa.array(out.tolist(), pa.large_binary())


def _binary_cells(column: pa.Array) -> pa.Array:
    return pa.array(encode_cells(column), pa.large_binary())


def ragged(values: npt.NDArray[Any], lengths: npt.NDArray[Any]) -> Encoded:
    """Vectors of several lengths, end to end in `values`: the bytes that `encode_vectors` makes of each."""
    ends = np.cumsum(lengths)
    starts = ends - lengths
    single = values.dtype.kind == "f" and values.dtype.itemsize <= 4  # noqa: PLR2004 - float16 and float32
    base = values.astype("<f4" if single else "<f8")
    word: Any = np.uint32 if single else np.uint64
    kinds = [(b"B", "u1"), (b"f", "<f4")] + ([] if single else [(b"d", "<f8")])
    with np.errstate(all="ignore"):
        stored = [(kind, base.astype(form), np.dtype(form).itemsize) for kind, form in kinds]
        narrow = [_all_in(stored[i][1].astype(base.dtype).view(word) == base.view(word), starts, ends) for i in (0, 1)]
    choice = np.where(narrow[0], 0, np.where(narrow[1], 1, len(kinds) - 1)).tolist()
    raw = [(VECTOR + kind, part.tobytes(), width) for kind, part, width in stored]
    items = [
        raw[k][0] + LENGTH(e - s) + raw[k][1][s * raw[k][2] : e * raw[k][2]]
        for k, s, e in zip(choice, starts.tolist(), ends.tolist(), strict=True)
    ]
    for row in np.flatnonzero(~_all_in(_held(values[:, None]), starts, ends)).tolist():  # integers no float64 holds
        items[row] = encode_vectors(values[starts[row] : ends[row]].reshape(1, -1))[0]
    return items


def _all_in(fits: npt.NDArray[np.bool_], starts: npt.NDArray[Any], ends: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """(n,) whether all values from start to end fit."""
    misses = np.concatenate([[0], np.cumsum(~fits)])
    return np.asarray(misses[ends] == misses[starts])


def _other_cells(column: pa.Array) -> Encoded:
    """Dates, decimals and times as text, timestamps as nanoseconds whatever their unit; maps as JSON."""
    if pa.types.is_timestamp(column.type):
        return _sized(nanoseconds(column).cast(pa.large_binary()).to_pylist(), OTHER)
    if is_columnar(column.type):
        return nested_cells(column, _binary_cells).to_pylist()  # type: ignore[no-any-return]
    if pa.types.is_nested(column.type):
        return _json(column.to_pylist())
    try:
        return _sized(pc.cast(column, pa.large_string()).cast(pa.large_binary()).to_pylist(), OTHER)
    except pa.ArrowNotImplementedError:
        return _json(column.to_pylist())


def nanoseconds(column: pa.Array) -> pa.Array:
    """Timestamps as text: nanoseconds since 1970 and the zone, whatever their unit."""
    factor, zone = _NANOSECONDS[column.type.unit], column.type.tz or ""
    values = pc.cast(column, pa.int64())
    try:
        numbers = pc.cast(pc.multiply_checked(values, factor), pa.large_string())
    except pa.ArrowInvalid:  # beyond 292 years from 1970, in nanoseconds
        texts = [None if value is None else str(value * factor) for value in values.to_pylist()]
        numbers = pa.array(texts, pa.large_string())
    return pc.binary_join_element_wise(
        numbers, pa.scalar(f" ns {zone}", pa.large_string()), pa.scalar("", pa.large_string())
    )


def _json(items: Sequence[Any]) -> Encoded:
    return _sized([None if item is None else text_of(item).encode() for item in items], OTHER)


def _text_cells(column: pa.Array) -> Encoded:
    return _sized(pc.cast(column, pa.large_string()).cast(pa.large_binary()).to_pylist(), TEXT)


_ENCODERS: tuple[tuple[tuple[Callable[[pa.DataType], bool], ...], Callable[[pa.Array], Encoded]], ...] = (
    ((pa.types.is_null,), lambda column: [MISSING] * len(column)),
    ((pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean), _number_cells),
    ((pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view), _text_cells),
    (
        (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view),
        lambda column: _sized(column.to_pylist(), BYTES),
    ),
    ((pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list), _list_cells),
)
