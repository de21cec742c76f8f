"""Content hashes: one 16-byte BLAKE2b a row, the same whatever file or order the row came in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

SIZE = 16
CHUNK = 8_192  # rows a block at most
_BLOCK = 1 << 21  # bytes a block at most, so that its encoded rows stay in the processor's cache
_NEAR = 1 << 18  # bytes whose shifted copy stays in the processor's cache
_MISSING, _NUMBER, _INTEGER, _TEXT = 0, 1, 2, 3
_EXACT = 2**53  # integers up to here are the same number as float64


class _Cells(NamedTuple):
    """One column of a block: a (n,) kind for each cell and its (n, width) bytes."""

    kind: npt.NDArray[np.uint8]
    value: npt.NDArray[np.uint8]


def hash_rows(content: npt.NDArray[Any] | pa.Table) -> npt.NDArray[np.void]:
    """(n,) array of 16-byte digests, dtype `V16`, one a row.

    Notes
    -----
    Arrays are hashed with their dtype and the shape of a row, tables with their column names. A table's cell is
    hashed as its value: the number 3 is the same as int8, int64 or 3.0, a dictionary's string the same as a plain
    one, so the file's layout leaves no trace. A missing value (null or NaN) differs from an empty string.
    60,000 rows of 784 bytes take 0.1 s, 1,000,000 rows of 30 cells 2 to 3 s.
    """
    rows = _table_rows(content) if isinstance(content, pa.Table) else _array_rows(content)
    digests = b"".join([blake2b(row, digest_size=SIZE).digest() for row in rows])  # a loop: hashlib has no batch call
    return np.frombuffer(digests, dtype=f"V{SIZE}")


def fingerprint(content: npt.NDArray[Any], codes: npt.NDArray[np.int32]) -> npt.NDArray[np.uint64]:
    """(n,) 64-bit sums of each row's words by fixed odd weights: an order that only content and label decide.

    Parameters
    ----------
    content : (n, ...) numbers. codes : (n,) class codes, part of the sum.

    Notes
    -----
    Multilinear hashing (Lemire, Kaser 2014, arXiv 1202.4961). Collisions by chance are rare, and one only leaves two
    rows in reading order. No protection from somebody who seeks collisions: `hash_rows` is for that.
    """
    if not len(content):
        return np.zeros(0, np.uint64)
    rows = np.ascontiguousarray(content).reshape(len(content), -1).view(np.uint8)
    n_bytes = rows.shape[1]
    n_words, n_digits = n_bytes // 8, n_bytes // 4
    weights = _weights(1 + n_digits + n_bytes % 4)
    total: npt.NDArray[np.uint64] = codes.astype(np.uint64) * weights[0]
    _add_words(total, _columns(rows, 0, 8 * n_words, np.uint64), weights[1 : 1 + 2 * n_words])
    digits = ((8 * n_words, 4 * n_digits, np.uint32, 2 * n_words), (4 * n_digits, n_bytes, np.uint8, n_digits))
    for start, end, dtype, n_before in digits:  # what doesn't fill a word: at most one digit of 32 bits, three of 8
        part = _columns(rows, start, end, dtype).astype(np.uint64)
        total += part @ weights[1 + n_before : 1 + n_before + part.shape[1]]
    return total


def stable_order(keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """(n,) positions by ascending key, equal keys as they came; a quarter of a stable sort's time if no two are equal.

    Examples
    --------
    >>> stable_order(np.array([2, 1, 2], np.uint64)).tolist()
    [1, 0, 2]
    """
    order = np.argsort(keys)
    ranked = keys[order]
    if (ranked[1:] == ranked[:-1]).any():
        order = np.argsort(keys, kind="stable")
    return order.astype(np.int64, copy=False)


@lru_cache(maxsize=4)
def _weights(count: int) -> npt.NDArray[np.uint64]:
    weights = np.random.default_rng(0).integers(0, 2**64, size=count, dtype=np.uint64)
    weights.flags.writeable = False
    return weights


def _columns(rows: npt.NDArray[np.uint8], start: int, end: int, dtype: Any) -> npt.NDArray[Any]:
    """(n, (end - start) / item size) these bytes of each row as numbers of that type."""
    return np.ascontiguousarray(rows[:, start:end]).view(dtype)


def _add_words(total: npt.NDArray[np.uint64], words: npt.NDArray[np.uint64], weights: npt.NDArray[np.uint64]) -> None:
    """Add each row's 32-bit digits, two a word, by their weights; a digit has half the sum's bits: all of it counts.

    low * a + high * b = word * a + high * (b - 2^32 * a) modulo 2^64, so only the high digits need room of their own.
    """
    half = np.uint64(32)
    first = np.ascontiguousarray(weights[0::2])
    second = weights[1::2] - (first << half)
    n_rows = max(1, _NEAR // max(1, words[:1].nbytes))
    for start in range(0, len(words), n_rows):
        block = words[start : start + n_rows]
        total[start : start + n_rows] += np.einsum("ij,j->i", block, first)  # half the time of @ for integers
        total[start : start + n_rows] += np.einsum("ij,j->i", block >> half, second)


def _array_rows(content: npt.NDArray[Any]) -> Iterator[bytes]:
    if content.dtype.kind in "OUS":
        yield from (str(item).encode("utf-8", "surrogatepass") for item in content)
        return
    head = f"{content.dtype.kind}{content.dtype.itemsize}{content.shape[1:]}".encode()
    n_rows = min(CHUNK, max(1, _BLOCK // max(1, content[:1].nbytes)))
    for start in range(0, len(content), n_rows):
        block = np.ascontiguousarray(content[start : start + n_rows])
        yield from _split(head, [block.reshape(len(block), -1).view(np.uint8)], len(block))


def _table_rows(content: pa.Table) -> Iterator[bytes]:
    head = "\x1f".join(content.column_names).encode("utf-8", "surrogatepass") + b"\x1e"
    for batch in content.to_batches(max_chunksize=CHUNK):
        columns = [_cells(column) for column in batch.columns]
        kinds = np.stack([cells.kind for cells in columns], axis=1) if columns else np.zeros((batch.num_rows, 0))
        yield from _split(head, [kinds.astype(np.uint8), *(cells.value for cells in columns)], batch.num_rows)


def _split(head: bytes, parts: Iterable[npt.NDArray[np.uint8]], n_rows: int) -> Iterator[bytes]:
    """The head and each row's parts as one bytes object a row."""
    prefix = np.broadcast_to(np.frombuffer(head, np.uint8), (n_rows, len(head)))
    encoded = np.concatenate([prefix, *parts], axis=1)
    width = encoded.shape[1]
    yield from encoded.view(f"V{width}").ravel().tolist() if width else [b""] * n_rows


def _cells(column: pa.Array) -> _Cells:
    kind = column.type
    if pa.types.is_dictionary(kind):
        words = _cells(column.dictionary)
        index = column.indices.fill_null(0).to_numpy(zero_copy_only=False)
        gone = _gone(column)
        if not len(words.kind):
            return _missing(len(column), words.value.shape[1])
        return _Cells(np.where(gone, _MISSING, words.kind[index]), np.where(gone[:, None], 0, words.value[index]))
    if pa.types.is_integer(kind):
        return _integers(column)
    if pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        return _numbers(pc.cast(column, pa.float64()) if pa.types.is_floating(kind) else _plain(column), _gone(column))
    return _missing(len(column)) if pa.types.is_null(kind) else _texts(column)


def _gone(column: pa.Array) -> npt.NDArray[np.bool_]:
    if not column.null_count:
        return np.zeros(len(column), dtype=bool)
    return np.asarray(column.is_null().to_numpy(zero_copy_only=False))


def _missing(n_rows: int, width: int = 8) -> _Cells:
    return _Cells(np.zeros(n_rows, np.uint8), np.zeros((n_rows, width), np.uint8))


def _plain(column: pa.Array) -> pa.Array:
    return pc.cast(pc.cast(column, pa.uint8()), pa.float64())


def _numbers(column: pa.Array, gone: npt.NDArray[np.bool_]) -> _Cells:
    with np.errstate(invalid="ignore"):  # damaged files hold NaNs of any bits
        values = np.where(gone, 0.0, column.fill_null(0.0).to_numpy(zero_copy_only=False)) + 0.0  # -0.0 becomes 0.0
    gone = gone | np.isnan(values)
    values[gone] = 0.0
    return _Cells(np.where(gone, _MISSING, _NUMBER).astype(np.uint8), values.view(np.uint8).reshape(-1, 8))


def _integers(column: pa.Array) -> _Cells:
    values = np.asarray(column.fill_null(0).to_numpy(zero_copy_only=False))
    gone = _gone(column)
    large = values > _EXACT
    if values.dtype.kind == "i":
        large |= values < -_EXACT
    words = values.astype(np.float64).view(np.uint64)
    if large.any():
        words = np.where(large, values.astype(np.uint64, casting="unsafe"), words)
    kind = np.where(gone, _MISSING, np.where(large, _INTEGER, _NUMBER)).astype(np.uint8)
    return _Cells(kind, np.ascontiguousarray(words).view(np.uint8).reshape(-1, 8))


def _texts(column: pa.Array) -> _Cells:
    """A string's own 16-byte digest, made once for each distinct string of the block."""
    encoded = _as_text(column).dictionary_encode()
    words = [
        blake2b(item.encode("utf-8", "surrogatepass"), digest_size=SIZE).digest()
        for item in encoded.dictionary.to_pylist()
    ]
    gone = _gone(column)
    if not words:
        return _missing(len(column), SIZE)
    table = np.frombuffer(b"".join(words), np.uint8).reshape(-1, SIZE)
    value = table[encoded.indices.fill_null(0).to_numpy(zero_copy_only=False)]
    if gone.any():
        value[gone] = 0
    return _Cells(np.where(gone, _MISSING, _TEXT).astype(np.uint8), value)


def _as_text(column: pa.Array) -> pa.Array:
    try:
        if pa.types.is_timestamp(column.type):  # one text for every unit a file may use
            column = pc.cast(column, pa.timestamp("ns", column.type.tz))
        return pc.cast(column, pa.large_string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.array([None if item is None else repr(item) for item in column.to_pylist()], pa.large_string())
