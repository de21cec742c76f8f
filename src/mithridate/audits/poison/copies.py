"""Which rows are copies, or near copies, of each other: groups found in near-linear time, whatever the modality."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mithridate.data.dataset import Dataset
from mithridate.numeric import chance_copies, image_hash, lsh, minhash

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]

PIXEL_LIMIT = 0.03  # root mean squared difference of near copies, as a share of black to white
SPREAD_LIMIT = 0.1  # and as a share of the distance between two random rows
COLUMN_LIMIT = 0.02  # largest difference of a numeric column in a near copy, in standard deviations
TEXT_LIMIT = 0.7  # share of word triples that near copies have in common (Jaccard index)
FEW_NUMBERS = 32  # numbers an embedding has, up to which rows may be near by chance
_SKETCH = 16  # coordinates that a wide row is projected to before hashing


class Copies(NamedTuple):
    """Group numbers, (n,) each: rows of equal content share `exact`, near copies (and equal ones) share `near`.

    Rows of a table that are equal or near by chance share neither; `n_chance` is how many equal ones were let go.
    """

    exact: IntArray
    near: IntArray
    n_chance: int = 0


def find_copies(dataset: Dataset, *, rng: np.random.Generator) -> Copies:
    """Group the rows by equal content (hash) and by nearly equal content (checked after hashing).

    Notes
    -----
    Only one row of each exact group takes part in the near search, and inside a bucket each row is compared with its
    next three: n log n whatever the data. In a table of a few coarse columns equal rows are no copies but other
    records with the same values: groups are kept only where chance doesn't explain them (`chance_copies`).
    """
    first, equal = _by_hash(dataset.hashes)
    if len(first) < 2:  # noqa: PLR2004 - a pair
        return Copies(equal, equal.copy())
    near, limit = _near_groups(dataset.take(first), rng)
    if dataset.modality == "table":
        scaled, codes = table_parts(cast("pa.Table", dataset.content))
        cells = np.concatenate([_cells(scaled, limit), codes], axis=1)
        values = np.concatenate([scaled.view(np.int32).astype(np.int64), codes], axis=1)
        return _beyond_chance(values, cells, equal, near[equal], rng)
    if dataset.modality == "embedding" and np.prod(dataset.content.shape[1:]) <= FEW_NUMBERS:
        flat = _flat(cast("npt.NDArray[Any]", dataset.content))
        return _beyond_chance(flat.view(np.int32).astype(np.int64), _cells(flat, limit), equal, near[equal], rng)
    return Copies(equal, near[equal])


def _beyond_chance(
    values: IntArray, cells: IntArray, equal: IntArray, near: IntArray, rng: np.random.Generator
) -> Copies:
    """The groups that chance doesn't explain; a near group that it doesn't explain keeps its equal rows."""
    exact = chance_copies.beyond_chance(values, equal, rng=rng)
    wide = chance_copies.beyond_chance(cells, near, rng=rng)
    contents = np.unique(np.stack([wide, equal], axis=1), axis=0)[:, 0]
    joined = np.bincount(contents, minlength=int(wide.max()) + 1)[wide] > 1
    above = int(exact.max()) + 1
    exact, near = np.where(joined, above + equal, exact), np.where(joined, above + wide, exact)
    return Copies(_numbered(exact), _numbered(near), len(np.unique(exact)) - int(equal.max()) - 1)


def _numbered(group: IntArray) -> IntArray:
    return np.unique(group, return_inverse=True)[1].astype(np.int64).reshape(-1)


def _by_hash(hashes: npt.NDArray[np.void]) -> tuple[IntArray, IntArray]:
    """First row of each distinct content, and the number of each row's content."""
    words = np.ascontiguousarray(hashes).view(np.uint64).reshape(-1, 2)
    order = np.lexsort((words[:, 0], words[:, 1]))
    ranked = words[order]
    fresh = np.ones(len(order), dtype=bool)
    fresh[1:] = (ranked[1:] != ranked[:-1]).any(axis=1)
    group = np.empty(len(order), dtype=np.int64)
    group[order] = np.cumsum(fresh) - 1
    return order[fresh], group


def _near_groups(rows: Dataset, rng: np.random.Generator) -> tuple[IntArray, float]:
    """Group numbers, and how far near copies may be apart in one column (0 where there are none)."""
    if rows.modality == "text":
        return _near_texts([str(text) for text in cast("npt.NDArray[Any]", rows.content)]), 0.0
    if rows.modality == "image":
        return _near_images(cast("npt.NDArray[Any]", rows.content), rng), 0.0
    if rows.modality == "table":
        return _near_table_rows(cast("pa.Table", rows.content), rng), COLUMN_LIMIT
    return _near_vectors(cast("npt.NDArray[Any]", rows.content), rng)


def _near_texts(texts: list[str]) -> IntArray:
    signature = minhash.signatures(texts)
    wordless = signature[:, 0] == minhash.EMPTY

    def near(left: IntArray, right: IntArray) -> npt.NDArray[np.bool_]:
        alike = minhash.agreement(signature, left, right) >= TEXT_LIMIT
        good: npt.NDArray[np.bool_] = alike & ~wordless[left]
        return good

    keys = minhash.band_keys(signature)
    return lsh.group_near(len(texts), len(keys), lambda band, rows: keys[band][rows], near, np.arange(len(texts)))


def _near_images(images: npt.NDArray[Any], rng: np.random.Generator) -> IntArray:
    blocks = image_hash.block_means(images)
    left, right = rng.integers(0, len(images), (2, 400))
    limit = min(PIXEL_LIMIT, SPREAD_LIMIT * float(np.median(image_hash.pixel_distance(images, left, right))))

    def near(left: IntArray, right: IntArray) -> npt.NDArray[np.bool_]:
        good = image_hash.pixel_distance(blocks[:, :, None], left, right) <= limit
        good[good] = image_hash.pixel_distance(images, left[good], right[good]) <= limit
        return good

    return _near(blocks, limit / 3 * np.sqrt(blocks.shape[1]), near, rng)


def _flat(vectors: npt.NDArray[Any]) -> FloatArray:
    return np.nan_to_num(vectors.reshape(len(vectors), -1).astype(np.float32))


def _near_vectors(vectors: npt.NDArray[Any], rng: np.random.Generator) -> tuple[IntArray, float]:
    flat = _flat(vectors)
    left, right = rng.integers(0, len(flat), (2, 400))
    limit = SPREAD_LIMIT / 3 * float(np.median(image_hash.pixel_distance(flat, left, right)))

    def near(left: IntArray, right: IntArray) -> npt.NDArray[np.bool_]:
        return image_hash.pixel_distance(flat, left, right) <= np.float32(limit)

    return _near(flat, limit / 2 * np.sqrt(flat.shape[1]), near, rng), limit


def _near_table_rows(table: pa.Table, rng: np.random.Generator) -> IntArray:
    scaled, codes = table_parts(table)
    sketch = scaled @ rng.standard_normal((scaled.shape[1], _SKETCH)).astype(np.float32) / np.float32(np.sqrt(_SKETCH))
    for column in codes.T:  # every value of a column moves the row to a place of its own
        sketch = sketch + rng.standard_normal((int(column.max()) + 2, _SKETCH)).astype(np.float32)[column + 1]

    def near(left: IntArray, right: IntArray) -> npt.NDArray[np.bool_]:
        good: npt.NDArray[np.bool_] = (codes[left] == codes[right]).all(axis=1)
        good[good] = (np.abs(scaled[left[good]] - scaled[right[good]]) <= COLUMN_LIMIT).all(axis=1)
        return good

    return _near(sketch.astype(np.float32), COLUMN_LIMIT / 2 * np.sqrt(max(scaled.shape[1], 1)), near, rng)


def _cells(values: FloatArray, limit: float) -> IntArray:
    """(n, p) the cell of a grid that each number is in; cells are as wide as near copies may be apart, both ways."""
    cells: IntArray = np.clip(np.floor(values / np.float32(2 * limit or 1.0)), -1e15, 1e15).astype(np.int64)
    return cells


def _near(vectors: FloatArray, radius: float, near: lsh.Check, rng: np.random.Generator) -> IntArray:
    if radius <= 0:  # most rows are equal: there is no scale on which the others could be near
        return np.arange(len(vectors), dtype=np.int64)
    using = lsh.projections(vectors.shape[1], radius=radius, rng=rng)
    along = vectors @ rng.standard_normal((vectors.shape[1],)).astype(np.float32)

    def keys_of(table: int, rows: IntArray) -> npt.NDArray[np.uint64]:
        return lsh.projection_keys(vectors[rows], using, table)

    return lsh.group_near(len(vectors), using.tables, keys_of, near, along)


def table_parts(table: pa.Table) -> tuple[FloatArray, IntArray]:
    """Numeric columns in standard deviations of their middle 98 %, (n, p); the others as value numbers, (n, q).

    A missing number is a value of its own, far from every other.
    """
    numbers: list[FloatArray] = []
    codes: list[IntArray] = []
    for column in table.columns:
        if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
            numbers.append(_scaled(np.asarray(pc.cast(column, pa.float64(), safe=False).to_numpy(), np.float64)))
        else:
            codes.append(_coded(column))
    n_rows = table.num_rows
    return (
        np.stack(numbers, axis=1) if numbers else np.zeros((n_rows, 0), np.float32),
        np.stack(codes, axis=1) if codes else np.zeros((n_rows, 0), np.int64),
    )


def _scaled(values: npt.NDArray[np.float64]) -> FloatArray:
    finite = np.isfinite(values)
    if not finite.any():
        return np.zeros(len(values), np.float32)
    low, middle, high = np.quantile(values[finite], [0.01, 0.5, 0.99])
    spread = float(np.std(np.clip(values[finite], low, high))) or float(np.std(values[finite])) or 1.0
    scaled = np.where(finite, (np.where(finite, values, middle) - middle) / spread, 1e3)
    return np.clip(scaled, -1e6, 1e6).astype(np.float32)


def _coded(column: pa.ChunkedArray) -> IntArray:
    plain = pc.cast(column, column.type.value_type) if pa.types.is_dictionary(column.type) else column
    try:
        words = pc.cast(plain, pa.large_string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        words = pa.chunked_array([pa.array([repr(item) for item in plain.to_pylist()], pa.large_string())])
    encoded = words.combine_chunks().dictionary_encode()
    indices = pc.fill_null(encoded.indices, -1)
    return np.asarray(indices.to_numpy(zero_copy_only=False), dtype=np.int64)
