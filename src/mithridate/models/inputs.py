"""Content in the form each kind of model takes: flat rows, NCHW images, encoded tables, weighted words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mithridate.core.errors import InputError
from mithridate.data.dataset import Dataset

Floats: TypeAlias = npt.NDArray[np.float32]
Prepare: TypeAlias = Callable[[Any], Any]

MAX_WORDS = 100_000
ONE_HOT = 64  # most frequent values of a column of words that get a column each
FEW = 32  # a column of numbers with at most so many distinct values also gets one-hot columns
ORDINAL = 250  # most frequent values of a column of words that trees tell apart


def as_given(x: Any) -> Any:
    """Content as it came."""
    return x


def flat(x: Any) -> Floats:
    """(n, d) float32."""
    rows = np.asarray(x, dtype=np.float32)
    return rows.reshape(len(rows), -1)


def nchw(x: Any) -> Floats:
    """(n, c, h, w) float32 of (n, h, w, c) images; anything else stays as it is."""
    rows = np.asarray(x, dtype=np.float32)
    return np.ascontiguousarray(rows.transpose(0, 3, 1, 2)) if rows.ndim == 4 else rows  # noqa: PLR2004 - n, h, w, c


def numeric_inputs(dataset: Dataset, seed: int = 0, *, sparse: bool = False) -> Prepare:
    """What turns content like this data set's into numbers, fitted on it: (n, d) float32, or sparse words."""
    if dataset.modality == "table":
        return TableEncoder.fit(_table(dataset.content))
    if dataset.modality == "text":
        words = weighted_words(dataset.x)
        return words if sparse else _dense(words, dataset.x, seed)
    return Standard.fit(flat(dataset.x))


def raw(dataset: Dataset) -> Any:
    """Content for a built-in model: as `Dataset.x`, but a table stays in Arrow, so that pandas isn't needed."""
    return dataset.content if dataset.modality == "table" else dataset.x


@dataclass(frozen=True, slots=True, eq=False)
class Standard:
    """Subtract each column's mean, divide by the spread of all columns together (pixels share one scale)."""

    mean: Floats
    scale: Floats

    @classmethod
    def fit(cls, rows: Floats) -> Standard:
        """Means and spreads of (n, d) rows; a column that doesn't vary is left alone."""
        deviation = rows.std(axis=0)
        floor = 0.1 * float(np.sqrt(np.mean(deviation**2))) or 1.0  # a pixel that hardly varies must not be blown up
        return cls(rows.mean(axis=0), np.maximum(deviation, np.float32(floor)))

    def __call__(self, x: Any) -> Floats:
        """(n, d) float32, clipped to 20 spreads."""
        scaled = flat(x) - self.mean
        scaled /= self.scale
        return np.clip(scaled, -20, 20, out=scaled)


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One table column as it was at fitting: `values` get a column or a number each, most frequent first."""

    name: str
    numeric: bool
    mean: float
    scale: float
    values: pa.Array


@dataclass(frozen=True, slots=True, eq=False)
class TableEncoder:
    """A table as (n, d) float32: one-hot words and standardised numbers, or one ordinal number a column for trees."""

    columns: tuple[Column, ...]
    ordinal: bool = False

    @classmethod
    def fit(cls, table: pa.Table, *, ordinal: bool = False) -> TableEncoder:
        """Means, spreads and values of every column."""
        return cls(tuple(_fit_column(table, name, ordinal=ordinal) for name in table.column_names), ordinal)

    @property
    def categorical(self) -> list[bool]:
        """Which of the ordinal columns are words."""
        return [not column.numeric for column in self.columns]

    def __call__(self, x: Any) -> Floats:
        """(n, d) float32; a missing number is the mean (NaN for trees), an unknown word none of the known."""
        table = _table(x)
        missing = [column.name for column in self.columns if column.name not in table.column_names]
        if missing:
            raise InputError(f"the model was trained with column {missing[0]!r}, which these rows lack")
        parts = [self._encode(column, table.column(column.name)) for column in self.columns]
        return np.concatenate(parts, axis=1) if parts else np.zeros((table.num_rows, 1), np.float32)

    def _encode(self, column: Column, cells: pa.ChunkedArray) -> Floats:
        if column.numeric:
            numbers = _numbers(cells)
            if self.ordinal:
                return numbers[:, None].astype(np.float32)
            scaled = np.clip((np.nan_to_num(numbers, nan=column.mean) - column.mean) / column.scale, -20, 20)
            hot = _one_hot(pa.chunked_array([pa.array(numbers, from_pandas=True)]), column.values)
            return np.concatenate([scaled[:, None].astype(np.float32), hot], axis=1)
        if not self.ordinal:
            return _one_hot(_words(cells), column.values)
        return _positions(_words(cells), column.values).astype(np.float32)[:, None]


def _fit_column(table: pa.Table, name: str, *, ordinal: bool) -> Column:
    cells = table.column(name)
    if not _is_number(cells.type):
        return Column(
            name, numeric=False, mean=0.0, scale=1.0, values=_common(_words(cells), ORDINAL if ordinal else ONE_HOT)
        )
    numbers = _numbers(cells)
    finite = numbers[np.isfinite(numbers)]
    mean, scale = (float(finite.mean()), float(finite.std())) if len(finite) else (0.0, 1.0)
    few = _common(pa.chunked_array([pa.array(finite)]), FEW + 1)
    values = few if len(few) <= FEW else few[:0]
    return Column(name, numeric=True, mean=mean, scale=scale or 1.0, values=values)


def _table(x: Any) -> pa.Table:
    return x if isinstance(x, pa.Table) else pa.Table.from_pandas(x, preserve_index=False)


def _is_number(kind: pa.DataType) -> bool:
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal, pa.types.is_temporal)
    return any(test(kind) for test in tests)


def _numbers(cells: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    if pa.types.is_boolean(cells.type):
        cells = pc.cast(cells, pa.uint8())
    elif pa.types.is_temporal(cells.type):
        narrow = pa.int32() if cells.type.bit_width == 32 else pa.int64()  # noqa: PLR2004 - Arrow's two widths of time
        cells = pc.cast(cells, narrow)
    numbers = np.array(pc.cast(cells, pa.float64(), safe=False).to_numpy(), dtype=np.float64)
    numbers[~np.isfinite(numbers)] = np.nan
    return numbers


def _words(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_dictionary(cells.type):
        cells = pc.cast(cells, cells.type.value_type)
    try:
        return pc.cast(cells, pa.large_string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.chunked_array([pa.array([None if cell is None else repr(cell) for cell in cells.to_pylist()])])


def _common(cells: pa.ChunkedArray, most: int) -> pa.Array:
    """The most frequent values, at most so many; ties by value, so that row order changes nothing."""
    counted = pc.value_counts(pc.drop_null(cells))
    values, counts = counted.field("values"), counted.field("counts")
    table = pa.table({"value": values, "count": counts})
    order = pc.sort_indices(table, sort_keys=[("count", "descending"), ("value", "ascending")])
    return values.take(order[:most])


def _positions(cells: pa.ChunkedArray, values: pa.Array) -> npt.NDArray[np.float64]:
    """(n,) position of each cell in `values`; NaN where it isn't one of them."""
    found = pc.index_in(cells, value_set=pc.cast(values, cells.type))
    return np.asarray(pc.cast(found, pa.float64()).to_numpy(), dtype=np.float64)


def _one_hot(cells: pa.ChunkedArray, values: pa.Array) -> Floats:
    hot = np.zeros((len(cells), len(values)), np.float32)
    if len(values):
        positions = _positions(cells, values)
        known = np.flatnonzero(~np.isnan(positions))
        hot[known, positions[known].astype(np.int64)] = 1.0
    return hot


def weighted_words(texts: list[str]) -> Prepare:
    """TF-IDF of the words of these texts (of their letters when there are no words): sparse (n, d) float32.

    Raises
    ------
    InputError : every text is empty.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    for analyzer in ("word", "char"):
        vectorizer = TfidfVectorizer(
            analyzer=analyzer,
            token_pattern=r"(?u)\b\w+\b" if analyzer == "word" else None,
            sublinear_tf=True,
            max_features=MAX_WORDS,
            dtype=np.float32,
        )
        try:
            vectorizer.fit(texts)
        except ValueError:  # an empty vocabulary
            continue
        transform: Prepare = vectorizer.transform
        return transform
    msg = "every text is empty; a model needs words to learn from"
    raise InputError(msg)


def _dense(words: Prepare, texts: list[str], seed: int) -> Prepare:
    from sklearn.decomposition import TruncatedSVD

    weights = words(texts)
    rank = max(1, min(256, min(weights.shape) - 1))
    svd = TruncatedSVD(rank, random_state=seed).fit(weights)
    return _Chain(words, svd.transform)


@dataclass(frozen=True, slots=True, eq=False)
class _Chain:
    first: Prepare
    second: Prepare

    def __call__(self, x: Any) -> Floats:
        return np.asarray(self.second(self.first(x)), dtype=np.float32)
