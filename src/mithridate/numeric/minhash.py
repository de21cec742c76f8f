"""Find texts that share most of their word triples without comparing every pair: MinHash."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

WordArray = npt.NDArray[np.uint64]
IntArray = npt.NDArray[np.int64]

EMPTY = np.uint32(0xFFFFFFFF)  # a slot that no triple fell into
_ASCII_END = 128
_IDEOGRAPHS = (0xE3, 0xED)  # first bytes, in UTF-8, of Chinese, Japanese and Korean signs
_RANDOM_TRIES = 16
_CHUNK_BYTES = 1 << 17  # hashed at once: a few arrays of 1 MB that stay in the cache, whatever the corpus
_MULTIPLIER = 0x9E3779B97F4A7C15
_INVERSE = pow(_MULTIPLIER, -1, 1 << 64)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)  # splitmix64


def mix(words: WordArray) -> WordArray:
    """Scrambled copies of 64-bit words: near inputs, unrelated outputs (the finaliser of splitmix64)."""
    out = words ^ (words >> np.uint64(30))
    out *= _FIRST
    out ^= out >> np.uint64(27)
    out *= _SECOND
    out ^= out >> np.uint64(31)
    return out


def _tables() -> tuple[WordArray, npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """For each byte: its code (capitals as small letters), is it part of a word, does it start one by itself."""
    folded = np.arange(256, dtype=np.uint64)
    folded[65:91] += np.uint64(32)
    byte = np.arange(256)
    letter = (
        ((byte >= ord("0")) & (byte <= ord("9")))
        | ((byte | 32) >= ord("a")) & ((byte | 32) <= ord("z"))
        | (byte >= _ASCII_END)
    )
    ideograph = (byte >= _IDEOGRAPHS[0]) & (byte <= _IDEOGRAPHS[1])  # scripts without spaces: one sign, one word
    return mix(folded + np.uint64(1)), letter, ideograph


def shingles(texts: Sequence[str]) -> Iterator[tuple[IntArray, WordArray]]:
    """Hashes of every three consecutive words, in chunks: (text number, hash), both (m,).

    Case and punctuation don't count. A text of one or two words is one shingle, a text without words none.
    """
    chunk: list[bytes] = []
    first, size = 0, 0
    for i, text in enumerate(texts):  # a loop: Python strings
        chunk.append(str(text).encode("utf-8", "surrogatepass"))
        size += len(chunk[-1]) + 1
        if size >= _CHUNK_BYTES or i == len(texts) - 1:
            owners, hashes = _chunk_shingles(chunk)
            yield owners + first, hashes
            first, size, chunk = i + 1, 0, []


def _chunk_shingles(chunk: list[bytes]) -> tuple[IntArray, WordArray]:
    joined = np.frombuffer(b" ".join(chunk) + b" ", dtype=np.uint8)
    ends_at = np.cumsum(np.fromiter(map(len, chunk), dtype=np.int64, count=len(chunk)) + 1)
    starts, words = _word_hashes(joined)
    owners = np.searchsorted(ends_at, starts, side="right")
    counts = np.bincount(owners, minlength=len(chunk))
    second, third = np.zeros_like(words), np.zeros_like(words)
    same = owners[:-1] == owners[1:]
    second[:-1][same] = words[1:][same]
    same = owners[:-2] == owners[2:]
    third[:-2][same] = words[2:][same]
    place = np.arange(len(words)) - (np.cumsum(counts) - counts)[owners]
    keep = (place <= counts[owners] - 3) | (place == 0)
    triple = mix(words) + _FIRST * mix(second + np.uint64(1)) + _SECOND * mix(third + np.uint64(2))
    return owners[keep], mix(triple[keep])


def _word_hashes(joined: npt.NDArray[np.uint8]) -> tuple[IntArray, WordArray]:
    """Start and polynomial hash modulo 2**64 of each word, from prefix sums."""
    codes, letter, ideograph = _tables()
    inside = letter[joined]
    opens = inside.copy()
    opens[1:] &= ~inside[:-1] | ideograph[joined[1:]]
    starts = np.flatnonzero(opens)
    closes = np.flatnonzero(~inside)
    ends = closes[np.searchsorted(closes, starts)]
    ends[:-1] = np.minimum(ends[:-1], starts[1:])
    powers, inverses = _powers(_MULTIPLIER, len(joined)), _powers(_INVERSE, len(joined))
    prefix = np.zeros(len(joined) + 1, dtype=np.uint64)
    np.cumsum(codes[joined] * powers, out=prefix[1:])
    return starts, (prefix[ends] - prefix[starts]) * inverses[starts]


def _powers(base: int, count: int) -> WordArray:
    factors = np.full(count, base, dtype=np.uint64)
    factors[0] = 1
    out: WordArray = np.cumprod(factors)
    return out


def signatures(texts: Sequence[str], *, slots: int = 64) -> npt.NDArray[np.uint32]:
    """A short fingerprint of each text: the share of equal slots of two estimates the Jaccard index of their triples.

    Parameters
    ----------
    texts : n strings.
    slots : numbers a text, a power of two; the estimate's standard error is at most 0.5 / sqrt(slots).

    Returns
    -------
    (n, slots) uint32; all `EMPTY` for a text without words.

    Notes
    -----
    One pass over the bytes, one hash a triple: each falls into one slot, which keeps its smallest; a slot that stays
    empty borrows from another one, the same for every text.

    References
    ----------
    Li, Owen and Zhang (2012), one permutation hashing, NeurIPS; Shrivastava (2017), optimal densification, ICML.

    Examples
    --------
    >>> a, b = signatures(["the cat sat on the mat", "The cat sat, on the mat!"])
    >>> bool((a == b).all())
    True
    """
    out = np.full(len(texts) * slots, EMPTY, dtype=np.uint32)
    for owners, hashes in shingles(texts):
        slot = (hashes >> np.uint64(32)).astype(np.int64) & (slots - 1)
        value = np.minimum((hashes & np.uint64(0xFFFFFFFF)).astype(np.uint32), EMPTY - np.uint32(1))
        np.minimum.at(out, owners * slots + slot, value)
    return _densify(out.reshape(len(texts), slots))


def _densify(signature: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """Fill each text's empty slots from other ones, tried in an order that depends on the slot alone."""
    slots = signature.shape[1]
    filled = signature != EMPTY
    out = signature.copy()
    rows, columns = np.nonzero(~filled & filled.any(axis=1)[:, None])
    attempt = 0
    while rows.size:
        attempt += 1
        seeds = columns.astype(np.uint64) * np.uint64(1 << 20) + np.uint64(attempt)
        tried = (mix(seeds) & np.uint64(slots - 1)).astype(np.int64)
        if attempt > _RANDOM_TRIES:  # few slots are filled: now each in turn, in steps that differ from slot to slot
            steps = mix(columns.astype(np.uint64) + np.uint64(1))
            turned = (steps >> np.uint64(32)) + np.uint64(attempt) * (steps | np.uint64(1))
            tried = (turned & np.uint64(slots - 1)).astype(np.int64)
        found = filled[rows, tried]
        out[rows[found], columns[found]] = signature[rows[found], tried[found]]
        rows, columns = rows[~found], columns[~found]
    return out


def band_keys(signature: npt.NDArray[np.uint32], *, rows_per_band: int = 4) -> WordArray:
    """(bands, n) keys: two texts are candidates where any band's keys agree.

    With 16 bands of 4, texts of Jaccard index 0.8 meet with probability 0.9998, of 0.3 with 0.12.
    """
    n_rows, slots = signature.shape
    bands = signature.reshape(n_rows, slots // rows_per_band, rows_per_band).astype(np.uint64)
    keys = np.zeros((slots // rows_per_band, n_rows), dtype=np.uint64)
    for part in range(rows_per_band):
        keys = mix(keys * np.uint64(_MULTIPLIER) + bands[:, :, part].T + np.uint64(part + 1))
    return keys


def agreement(signature: npt.NDArray[np.uint32], left: IntArray, right: IntArray) -> npt.NDArray[np.float32]:
    """(m,) estimated Jaccard index of each pair of rows, in [0, 1]."""
    out = np.empty(len(left), dtype=np.float32)
    for start in range(0, len(left), 65_536):  # in blocks: two gathered blocks of signatures at a time
        part = slice(start, start + 65_536)
        out[part] = (signature[left[part]] == signature[right[part]]).mean(axis=1)
    return out
