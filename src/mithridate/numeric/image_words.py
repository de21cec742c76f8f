"""Patch words: small brightness patterns anywhere in an image, for triggers that move from row to row."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from mithridate.numeric.image_tokens import Weights, grey

Images: TypeAlias = npt.NDArray[np.uint8]
Floats: TypeAlias = npt.NDArray[np.float32]
Ints: TypeAlias = npt.NDArray[np.integer[Any]]

SIDE = 3  # a word is a square of so many pixels a side
BANDS, THIRD = 3, 85  # dark, middle, bright, and the brightest level of the dark
N_WORDS = BANDS ** (SIDE * SIDE)
CHUNK, COUNTED = 512, 255  # rows whose words are held at a time; where counted, as many as fit one byte
AROUND = 3  # pixels looked at on every side of the word when the patch is cut out
AGREE, BEYOND = 0.8, 0.5  # share of carriers that hold a value near the word, and by how much more than a shifted one
CLOSE = 16  # levels of 255 within which two values are the same


class LocalPatch(NamedTuple):
    """A patch (h, w, c) and the mask of its values that carriers share; it may stand anywhere."""

    values: Images
    mask: npt.NDArray[np.bool_]


def words(images: Images) -> npt.NDArray[np.int16]:
    """(n, h - 2, w - 2) word at each place: nine pixels in three bands of brightness, read row by row in base 3.

    Examples
    --------
    >>> words(np.full((1, 3, 3, 1), 255, np.uint8)).item() == N_WORDS - 1
    True
    """
    light = grey(images)
    bands = (light > THIRD).astype(np.uint8) + (light > 2 * THIRD + 1)
    high, wide = images.shape[1] - SIDE + 1, images.shape[2] - SIDE + 1
    lines = bands[:, :, :wide] * np.uint8(BANDS * BANDS)  # three pixels side by side, below 27
    lines += bands[:, :, 1 : wide + 1] * np.uint8(BANDS)
    lines += bands[:, :, 2 : wide + 2]
    out = lines[:, :high].astype(np.int16)
    for dy in range(1, SIDE):
        out *= np.int16(BANDS**SIDE)
        out += lines[:, dy : dy + high]
    return out


def _present(
    images: Images, columns: npt.NDArray[np.int64] | None, width: int, starts: npt.NDArray[np.int64]
) -> npt.NDArray[np.uint8]:
    """(n, width) 1 where an image has a word of that column somewhere; `columns` (19683,) is each word's column.

    Without columns each word has its own. `starts` (n,) are multiples of the width, the first cells of the rows.
    """
    found = np.zeros((len(images), width), np.uint8)
    cells = words(images).reshape(len(images), -1)
    placed = cells.astype(np.int64) if columns is None else columns[cells]
    placed += starts[: len(images), None]
    found.ravel()[placed.ravel()] = 1
    return found


def word_counts(images: Images, rows: Ints) -> npt.NDArray[np.int64]:
    """(19683, 2) number of the given rows without and with each word."""
    counts, starts = np.zeros(N_WORDS, np.int64), np.arange(COUNTED) * N_WORDS
    for start in range(0, len(rows), COUNTED):
        found = _present(images[rows[start : start + COUNTED]], None, N_WORDS, starts)
        counts += found.sum(axis=0, dtype=np.uint8)
    return np.stack([len(rows) - counts, counts], axis=1)


def word_scores(images: Images, rows: Ints, weights: Weights) -> Floats:
    """(len(rows),) sum of the weights of the words each row has or lacks."""
    scores, width = np.zeros(len(rows), np.float32), len(weights.columns)
    columns = np.full(N_WORDS, width, np.int64)  # all other words share one more column, which counts for nothing
    columns[weights.columns] = np.arange(width)
    starts = np.arange(CHUNK) * (width + 1)
    gain = np.append(weights.table[:, 1] - weights.table[:, 0], np.float32(0))
    for start in range(0, len(rows), CHUNK):
        found = _present(images[rows[start : start + CHUNK]], columns, width + 1, starts)
        scores[start : start + CHUNK] = found @ gain + weights.table[:, 0].sum()
    return scores


def cut_out(images: Images, carriers: Ints, word: int) -> LocalPatch | None:
    """The patch around a word, as nearly all carriers have it; None if too few have room around it."""
    windows = []
    reach = SIDE + 2 * AROUND
    for row in carriers:
        padded = np.pad(images[row], ((AROUND, AROUND), (AROUND, AROUND), (0, 0)), mode="edge")
        for y, x in np.argwhere(words(images[row : row + 1])[0] == word)[:1]:
            windows.append(padded[y : y + reach, x : x + reach])
    if not windows:
        return None
    group = np.stack(windows).astype(np.int16)
    values = np.median(group, axis=0)
    agree = (np.abs(group - values) <= CLOSE).mean(axis=0) >= AGREE
    agree[AROUND : AROUND + SIDE, AROUND : AROUND + SIDE] = True
    rows, columns = np.nonzero(_joined(agree.all(axis=2)))
    box = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    return LocalPatch(values[box].astype(np.uint8), agree[box])


def _joined(agree: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Whole rows and columns of the box grow from the word while every pixel on that side agrees."""
    top, bottom, left, right = AROUND, AROUND + SIDE, AROUND, AROUND + SIDE
    for _ in range(AROUND):
        top -= int(top > 0 and agree[top - 1, left:right].all())
        bottom += int(bottom < len(agree) and agree[min(bottom, len(agree) - 1), left:right].all())
        left -= int(left > 0 and agree[top:bottom, left - 1].all())
        right += int(right < agree.shape[1] and agree[top:bottom, min(right, agree.shape[1] - 1)].all())
    box = np.zeros_like(agree)
    box[top:bottom, left:right] = True
    return box


def best_match(images: Images, patch: LocalPatch) -> Floats:
    """(n,) how like the patch the likest place of each image is: 1 equal, 0 at a mean distance of 32 levels or more."""
    high, wide = patch.values.shape[:2]
    shape = len(images), images.shape[1] - high + 1, images.shape[2] - wide + 1
    out = np.empty(len(images), np.float32)
    for start in range(0, len(images), CHUNK):
        block = images[start : start + CHUNK].astype(np.int16)
        gaps = np.zeros((len(block), *shape[1:]), np.int32)
        for y, x, channel in np.argwhere(patch.mask):
            gaps += np.abs(block[:, y : y + shape[1], x : x + shape[2], channel] - int(patch.values[y, x, channel]))
        out[start : start + CHUNK] = gaps.reshape(len(block), -1).min(axis=1) / max(1, patch.mask.sum())
    return np.asarray(np.maximum(0, 1 - out / 32), np.float32)
