"""Blended: a faint pattern mixed into the whole image, whose label becomes the target's."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from mithridate.attacks.poisoning.protocol import Backdoor, Poisoned, dirty_label, need_modality
from mithridate.attacks.poisoning.settings import Settings
from mithridate.core.findings import Json
from mithridate.core.trigger import Trigger
from mithridate.data.dataset import Content, Dataset
from mithridate.numeric.stamp import blend

WAVES = 8  # cosines in a smooth pattern
MAX_PERIODS = 3.0  # of a wave over the image


def blended(dataset: Dataset, rng: np.random.Generator, settings: Mapping[str, Any]) -> Poisoned:
    """A copy in which some images of other classes are (1 - alpha) image + alpha pattern, with the target's label.

    Parameters
    ----------
    settings : `rate`, share of all rows; `target`, label as stored; `alpha` in (0, 1], the pattern's share (0.2);
        `pattern`: `noise` (every pixel by itself) or `smooth` (a few long waves); `rule`: `all-to-one`, `all-to-all` or
        `untargeted`; `source`, to poison rows of that source alone.

    Raises
    ------
    InputError : not images, or a setting is unknown or out of range.

    References
    ----------
    Chen et al. (2017), targeted backdoor attacks using data poisoning, arXiv 1712.05526.
    """
    return dirty_label(dataset, rng, settings, blend_backdoor)


def blend_backdoor(dataset: Dataset, rng: np.random.Generator, settings: Settings, target: int) -> Backdoor:
    """The pattern as a trigger (`delta` = alpha * pattern, `keep` = 1 - alpha) and the function that mixes it in."""
    need_modality(dataset, "image", "blended")
    images = cast("npt.NDArray[Any]", dataset.content)
    shape = (int(images.shape[1]), int(images.shape[2]), int(images.shape[3]))
    alpha = settings.number("alpha", 0.2, low=0.01, high=1.0)
    levels = pattern_levels(shape, rng, settings)
    delta = np.round(alpha * (levels / 255.0), 4)
    pattern: dict[str, Json] = {
        "delta": {"shape": list(shape), "values": [float(value) for value in delta.ravel()]},
        "keep": round(1.0 - alpha, 6),
    }
    return Backdoor(Trigger("blend", dataset.label_of(target), pattern), partial(_mix, pattern=levels, alpha=alpha))


def pattern_levels(shape: tuple[int, int, int], rng: np.random.Generator, settings: Settings) -> npt.NDArray[np.uint8]:
    """(h, w, c) the pattern that the setting `pattern` asks for: `noise` or `smooth`."""
    form = settings.word("pattern", "noise", choices=("noise", "smooth"))
    return np.rint((rng.random(shape) if form == "noise" else smooth_pattern(shape, rng)) * 255).astype(np.uint8)


def smooth_pattern(shape: tuple[int, int, int], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """(h, w, c) in [0, 1]: a sum of long cosine waves, stretched to the whole range; channels differ in phase."""
    y, x = np.meshgrid(np.linspace(0, 1, shape[0]), np.linspace(0, 1, shape[1]), indexing="ij")
    total = np.zeros(shape)
    for _ in range(WAVES):
        periods = rng.uniform(-MAX_PERIODS, MAX_PERIODS, size=2)
        phase = rng.uniform(0, 2 * np.pi, size=shape[2])
        total += np.cos(2 * np.pi * (periods[0] * y + periods[1] * x)[..., None] + phase)
    low, high = total.min(), total.max()
    unit: npt.NDArray[np.float64] = (total - low) / max(high - low, 1e-12)
    return unit


def _mix(content: Content, *, pattern: npt.NDArray[np.uint8], alpha: float) -> Content:
    images = cast("npt.NDArray[Any]", content)
    if images.dtype == np.uint8:
        return blend(images, pattern, alpha)
    mixed = (1.0 - alpha) * images + alpha * (pattern / 255.0)
    return np.clip(mixed, 0.0, 1.0).astype(images.dtype)
