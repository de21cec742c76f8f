"""Low-frequency: a faint smooth pattern added to images, with no trace in their high frequencies."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from mithridate.attacks.poisoning.overlays import image_shape, overlaid, overlay_trigger
from mithridate.attacks.poisoning.protocol import Backdoor, Poisoned, dirty_label
from mithridate.attacks.poisoning.settings import Settings
from mithridate.core.errors import InputError
from mithridate.data.dataset import Dataset
from mithridate.numeric.low_band import low_band_pattern


def low_frequency(dataset: Dataset, rng: np.random.Generator, settings: Mapping[str, Any]) -> Poisoned:
    """A copy in which some images carry a smooth pattern and the target's label.

    Parameters
    ----------
    settings : `rate`, share of all rows; `target`, label as stored; `rule`: `all-to-one`, `all-to-all` or
        `untargeted`; `strength`, the pattern's largest value as a share of the whole range (0.25); `band`, frequencies
        of the discrete cosine transform used in each direction, from the lowest (4); `source`, to poison rows of that
        source alone.

    Raises
    ------
    InputError : not images, or a setting is unknown or out of range.

    Notes
    -----
    Zeng et al. search the pattern with a model in hand; here it is drawn by the seed, and needs no model.

    References
    ----------
    Zeng, Park, Mao, Jia (2021), rethinking the backdoor attacks' triggers: a frequency perspective, ICCV.
    """
    return dirty_label(dataset, rng, settings, smooth_backdoor)


def smooth_backdoor(dataset: Dataset, rng: np.random.Generator, settings: Settings, target: int) -> Backdoor:
    """The smooth pattern as a trigger and the function that adds it."""
    shape = image_shape(dataset, "low-frequency")
    strength = settings.number("strength", 0.25, low=0.01, high=1.0)
    band = settings.integer("band", 4, low=2)
    if band > min(shape[:2]):
        raise InputError(f"band must be at most {min(shape[:2])} for images of {shape[0]} x {shape[1]}, got {band}")
    delta = np.round(strength * low_band_pattern(shape, band, rng), 4)
    return Backdoor(overlay_trigger(delta, dataset.label_of(target)), partial(overlaid, delta=delta))
