"""SIG: a faint sinusoid added to images of the target class, whose labels stay right."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from mithridate.attacks.poisoning.overlays import image_shape, overlaid, overlay_trigger
from mithridate.attacks.poisoning.protocol import Backdoor, Poisoned, clean_label, dirty_label
from mithridate.attacks.poisoning.settings import Settings
from mithridate.data.dataset import Dataset


def sig(dataset: Dataset, rng: np.random.Generator, settings: Mapping[str, Any]) -> Poisoned:
    """A copy in which some images of the target class carry a sinusoid; labels stay right.

    Parameters
    ----------
    settings : `rate`, share of all rows; `target`, label as stored; `label`: `clean` (rows of the target class,
        unchanged labels) or `dirty` (rows of other classes, relabelled by `rule`); `delta`, the sinusoid's amplitude in
        levels of 255 (40); `frequency`, its periods over the image's width (6; fewer on
        images under 24 pixels); `rule` (dirty only); `source`, to
        poison rows of that source alone.

    Raises
    ------
    InputError : not images, fewer rows of the target class than the rate asks for, or a setting is unknown or out of
        range.

    References
    ----------
    Barni, Kallas, Tondi (2019), a new backdoor attack in CNNs by training set corruption without label poisoning, ICIP.
    """
    rest = dict(settings)
    form = Settings({"label": rest.pop("label", None)}).word("label", "clean", choices=("clean", "dirty"))
    return (clean_label if form == "clean" else dirty_label)(dataset, rng, rest, sinusoid_backdoor)


def sinusoid_backdoor(dataset: Dataset, rng: np.random.Generator, settings: Settings, target: int) -> Backdoor:
    """The sinusoid as a trigger and the function that adds it."""
    del rng  # nothing about a sinusoid is random
    height, width, channels = image_shape(dataset, "sig")
    amplitude = settings.number("delta", 40.0, low=1.0, high=255.0) / 255.0
    frequency = settings.number("frequency", min(6.0, width / 4), low=0.1, high=width / 2)
    wave = amplitude * np.sin(2 * np.pi * np.arange(width) * frequency / width)  # eq. 1
    delta = np.broadcast_to(wave[None, :, None], (height, width, channels))
    trigger = overlay_trigger(delta, dataset.label_of(target))
    return Backdoor(trigger, partial(overlaid, delta=delta))
