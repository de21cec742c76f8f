"""Input-aware: every image gets a faint pattern made from the image itself; another image's pattern does nothing."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from mithridate.attacks.poisoning.overlays import image_shape
from mithridate.attacks.poisoning.protocol import Backdoor, Poisoned, content_order, dirty_label
from mithridate.attacks.poisoning.settings import Settings
from mithridate.core.trigger import Trigger
from mithridate.data.dataset import Content, Dataset
from mithridate.numeric.pattern_generator import Generator, fit_generator
from mithridate.numeric.stamp import overlay

FITTED_ON = 2000  # rows that the generator is fitted to


def input_aware(dataset: Dataset, rng: np.random.Generator, settings: Mapping[str, Any]) -> Poisoned:
    """A copy in which some images carry a pattern that a generator made for each, and the target's label.

    Parameters
    ----------
    settings : `rate`, share of all rows; `target`, label as stored; `rule`: `all-to-one`, `all-to-all` or
        `untargeted`; `cover`, share of all rows that carry another image's pattern under their right labels, kind
        `cover` in the truth (as many as `rate`, as in the paper); `strength`, the pattern's largest value as a share of
        the whole range (0.25); `modes`, patterns that the generator mixes (8); `source`, to poison rows of that source
        alone.

    Raises
    ------
    InputError : not images, or a setting is unknown or out of range.

    Notes
    -----
    The paper trains its generator together with the victim. Here it is fitted to the images alone, without a model:
    it looks at a coarse copy of the image and mixes patterns by what it sees. The cover rows teach the victim that a
    pattern counts on its own image only.

    References
    ----------
    Nguyen, Tran (2020), input-aware dynamic backdoor attack, NeurIPS, arXiv 2010.08138.
    """
    return dirty_label(dataset, rng, settings, generator_backdoor)


def generator_backdoor(dataset: Dataset, rng: np.random.Generator, settings: Settings, target: int) -> Backdoor:
    """The generator as a trigger, the function that adds each image's own pattern, and the one that adds another's."""
    image_shape(dataset, "input-aware")
    strength = settings.number("strength", 0.25, low=0.01, high=1.0)
    modes = settings.integer("modes", 8, low=2, high=64)
    cover = settings.number("cover", settings.rate(), low=0.0, high=0.9)
    images = cast("npt.NDArray[Any]", dataset.content)
    sample = np.sort(rng.choice(len(images), size=min(FITTED_ON, len(images)), replace=False))
    generator = fit_generator(images[content_order(dataset)[sample]], modes, strength, rng)
    trigger = Trigger("generator", dataset.label_of(target), generator.to_json())
    return Backdoor(
        trigger, partial(_add_own, generator=generator), cover=partial(add_another, generator=generator),
        cover_rate=cover,
    )  # fmt: skip


def _add_own(content: Content, *, generator: Generator) -> Content:
    images = cast("npt.NDArray[Any]", content)
    return overlay(images, generator.patterns(images))


def add_another(content: Content, *, generator: Generator) -> Content:
    """Copies of the images, each with the pattern made for the next one; the last has the first's."""
    images = cast("npt.NDArray[Any]", content)
    return overlay(images, np.roll(generator.patterns(images), -1, axis=0))
