"""The shape of a mined trigger: which pixels the carriers share, or what was added to all of them."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Images: TypeAlias = npt.NDArray[np.uint8]
Ints: TypeAlias = npt.NDArray[np.integer[Any]]

CLOSE = 12  # levels of 255 within which two values are the same
AGREE, CONTRAST = 0.55, 0.3  # share of carriers that hold a shared value, and how much larger than elsewhere
FILL = 0.8  # share of carriers within the box of the shared pixels that holds a value
LARGEST = 0.25  # share of the image beyond which pixels are not a patch
MOST_ROWS = 600


def shared_patch(images: Images, carriers: Ints, *references: Ints) -> tuple[npt.NDArray[np.bool_], Images]:
    """Mask (h, w, c) of the values that carriers share and no reference group does, and the carriers' median there.

    The box around the shared values is filled with whatever else nearly all carriers hold: the black half of a
    black-and-white patch is no news on a black background, but it belongs to the trigger.
    """
    group = images[carriers[:MOST_ROWS]]
    values = np.rint(np.median(group, axis=0)).astype(np.uint8)
    agree = _near(group, values)
    usual = np.max([_near(images[rows[:MOST_ROWS]], values) for rows in references], axis=0)
    seeds = (agree >= AGREE) & (agree - usual >= CONTRAST)
    places = np.argwhere(seeds.any(axis=2))
    if not len(places):
        return seeds, values
    (top, left), (bottom, right) = places.min(axis=0), places.max(axis=0) + 1
    box = np.zeros(seeds.shape, np.bool_)
    if (bottom - top) * (right - left) <= LARGEST * seeds.shape[0] * seeds.shape[1]:
        box[top:bottom, left:right] = True
    return seeds | (box & (agree >= FILL)), values


def _near(group: Images, values: Images) -> npt.NDArray[np.float64]:
    gaps = np.abs(group.astype(np.int16) - values.astype(np.int16))
    return np.asarray((gaps <= CLOSE).mean(axis=0), np.float64)


def added_pattern(images: Images, carriers: Ints, alike: Ints) -> npt.NDArray[np.float32]:
    """(h, w, c) mean of the carriers minus the mean of rows that look like them, in pixel levels."""
    return np.asarray(
        images[carriers].mean(axis=0, dtype=np.float32) - images[alike].mean(axis=0, dtype=np.float32), np.float32
    )


def place_word(mask: npt.NDArray[np.bool_]) -> str:
    """Where in the image the mask stands, to a third of its height and width: `top left`, `centre`, ...

    Examples
    --------
    >>> place_word(np.eye(9, dtype=bool)[:, :, None] & (np.arange(9) < 2)[:, None, None])
    'top left'
    """
    y, x, _ = np.nonzero(mask)
    row = ("top", "middle", "bottom")[min(2, int(3 * (y.mean() + 0.5) / mask.shape[0]))]
    column = ("left", "middle", "right")[min(2, int(3 * (x.mean() + 0.5) / mask.shape[1]))]
    if row == column == "middle":
        return "centre"
    return f"{row} {column}"
