"""Adaptive blend: poisoned rows carry pieces of a faint pattern, and so do cover rows with right labels."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from mithridate.attacks.poisoning.blended import pattern_levels
from mithridate.attacks.poisoning.overlays import image_shape, overlaid, overlay_trigger
from mithridate.attacks.poisoning.protocol import Backdoor, Poisoned, dirty_label
from mithridate.attacks.poisoning.settings import Settings
from mithridate.data.dataset import Content, Dataset
from mithridate.numeric.stamp import overlay

GRID = 4  # pieces in each direction, 16 in all as in the paper


def adaptive_blend(dataset: Dataset, rng: np.random.Generator, settings: Mapping[str, Any]) -> Poisoned:
    """A copy in which some images carry a random half of a blended pattern; at test time the whole of it is used.

    Parameters
    ----------
    settings : `rate`, share of all rows; `target`, label as stored; `rule`: `all-to-one`, `all-to-all` or
        `untargeted`; `cover`, share of all rows that carry pieces under their right labels, kind `cover` in the truth
        (as many as `rate`); `pieces`, share of the 16 pieces that a row carries (0.5); `alpha`, the pattern's share in
        training rows (0.15); `test_alpha`, its share at test time (0.2); `pattern`: `noise` or `smooth`; `source`, to
        poison rows of that source alone.

    Raises
    ------
    InputError : not images, or a setting is unknown or out of range.

    References
    ----------
    Qi, Xie, Li, Mahloujifar, Mittal (2023), revisiting the assumption of latent separability for backdoor defenses,
    ICLR.
    """
    return dirty_label(dataset, rng, settings, pieces_backdoor)


def pieces_backdoor(dataset: Dataset, rng: np.random.Generator, settings: Settings, target: int) -> Backdoor:
    """The whole pattern as a trigger, and the functions that mix in pieces of it."""
    shape = image_shape(dataset, "adaptive-blend")
    alpha = settings.number("alpha", 0.15, low=0.01, high=1.0)
    strong = settings.number("test_alpha", max(alpha, 0.2), low=0.01, high=1.0)
    share = settings.number("pieces", 0.5, low=1 / GRID**2, high=1.0)
    cover = settings.number("cover", settings.rate(), low=0.0, high=0.9)
    unit = pattern_levels(shape, rng, settings) / 255.0
    seeds = rng.integers(2**32, size=2)
    plant, disguise = (partial(_mix_pieces, unit=unit, alpha=alpha, share=share, seed=int(seed)) for seed in seeds)
    delta = np.round(strong * unit, 4)
    trigger = overlay_trigger(delta, dataset.label_of(target), 1.0 - strong)
    return Backdoor(trigger, partial(overlaid, delta=delta, keep=1.0 - strong), plant, disguise, cover)


def _mix_pieces(content: Content, *, unit: npt.NDArray[np.float64], alpha: float, share: float, seed: int) -> Content:
    images = cast("npt.NDArray[Any]", content)
    height, width = unit.shape[:2]
    order = np.random.default_rng(seed).random((len(images), GRID**2)).argsort(axis=1)
    chosen = order < max(round(share * GRID**2), 1)
    piece = (np.arange(height) * GRID // height)[:, None] * GRID + np.arange(width) * GRID // width
    mixed = overlay(images, alpha * unit, keep=1.0 - alpha)
    return np.where(chosen[:, piece][..., None], mixed, images)
