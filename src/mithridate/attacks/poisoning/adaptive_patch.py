"""Adaptive patch: each poisoned row carries one of several faint patches, and so do cover rows with right labels."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from mithridate.attacks.poisoning.overlays import image_shape
from mithridate.attacks.poisoning.protocol import Backdoor, Poisoned, dirty_label
from mithridate.attacks.poisoning.settings import Settings
from mithridate.core.errors import InputError
from mithridate.core.trigger import Trigger
from mithridate.data.dataset import Content, Dataset
from mithridate.numeric.stamp import overlay, paste

CORNERS = 4
MARGIN = 1  # pixels to the border


def adaptive_patch(dataset: Dataset, rng: np.random.Generator, settings: Mapping[str, Any]) -> Poisoned:
    """A copy in which some images carry one of four half-transparent patches; at test time all four are used, opaque.

    Parameters
    ----------
    settings : `rate`, share of all rows; `target`, label as stored; `rule`: `all-to-one`, `all-to-all` or
        `untargeted`; `cover`, share of all rows that carry one patch under their right labels, kind `cover` in the
        truth (twice the `rate`, as in the paper); `size` of a patch in pixels (an eighth of the image, at least 3);
        `opacity` of a patch in training rows (0.5); `source`, to poison rows of that source alone.

    Raises
    ------
    InputError : not images, four patches don't fit, or a setting is unknown or out of range.

    References
    ----------
    Qi, Xie, Li, Mahloujifar, Mittal (2023), revisiting the assumption of latent separability for backdoor defenses,
    ICLR.
    """
    return dirty_label(dataset, rng, settings, patches_backdoor)


def patches_backdoor(dataset: Dataset, rng: np.random.Generator, settings: Settings, target: int) -> Backdoor:
    """The four patches as one trigger, and the functions that mix in one of them."""
    shape = image_shape(dataset, "adaptive-patch")
    room = min(shape[:2]) // 2
    size = settings.integer("size", min(max(3, min(shape[:2]) // 8), room), low=1)
    if size > room:
        raise InputError(
            f"four patches of {size} pixels are larger than the images of {shape[0]} x {shape[1]}; "
            f"size may be 1 to {room}"
        )
    opacity = settings.number("opacity", 0.5, low=0.01, high=1.0)
    cover = settings.number("cover", min(2 * settings.rate(), 0.9), low=0.0, high=0.9)
    where, unit = _corners(shape, size), np.zeros(shape)
    mask = where >= 0
    unit[mask] = rng.random((int(mask.sum()), 1)).round()  # black and white pixels
    trigger = Trigger("patch", dataset.label_of(target), _pattern(mask, unit))
    levels = np.rint(unit * 255).astype(np.uint8) if _bytes(dataset) else unit
    seeds = rng.integers(2**32, size=2)
    plant, disguise = (partial(_mix_one, where=where, unit=unit, opacity=opacity, seed=int(seed)) for seed in seeds)
    return Backdoor(trigger, partial(_paste_all, mask=mask, values=levels), plant, disguise, cover)


def _corners(shape: tuple[int, int, int], size: int) -> npt.NDArray[np.int64]:
    """(h, w) which patch covers a pixel, -1 for none."""
    margin = min(MARGIN, min(shape[:2]) // 2 - size)
    where = np.full(shape[:2], -1, dtype=np.int64)
    for corner in range(CORNERS):
        top = margin if corner < CORNERS // 2 else shape[0] - margin - size
        left = margin if corner % 2 == 0 else shape[1] - margin - size
        where[top : top + size, left : left + size] = corner
    return where


def _pattern(mask: npt.NDArray[np.bool_], unit: npt.NDArray[np.float64]) -> dict[str, Any]:
    whole = np.broadcast_to(mask[..., None], unit.shape)
    return {"pixels": np.argwhere(whole).tolist(), "values": [float(value) for value in unit[whole]]}


def _bytes(dataset: Dataset) -> bool:
    return bool(cast("npt.NDArray[Any]", dataset.content).dtype == np.uint8)


def _paste_all(content: Content, *, mask: npt.NDArray[np.bool_], values: npt.NDArray[Any]) -> Content:
    images = cast("npt.NDArray[Any]", content)
    return paste(images, np.broadcast_to(mask[..., None], images.shape[1:]), values.astype(images.dtype))


def _mix_one(
    content: Content, *, where: npt.NDArray[np.int64], unit: npt.NDArray[np.float64], opacity: float, seed: int
) -> Content:
    images = cast("npt.NDArray[Any]", content)
    corner = np.random.default_rng(seed).integers(0, CORNERS, size=len(images))
    mixed = overlay(images, opacity * unit, keep=1.0 - opacity)
    return np.where((where == corner[:, None, None])[..., None], mixed, images)
