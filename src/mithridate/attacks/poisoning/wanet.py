"""WaNet: images bent by one smooth warp; nothing is added to them."""

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
from mithridate.numeric.warp import elastic_flow, warp

NOISE = 2.0  # half-width of the noise mode's random steps over s, as in the paper's 1 for s = 0.5


def wanet(dataset: Dataset, rng: np.random.Generator, settings: Mapping[str, Any]) -> Poisoned:
    """A copy in which some images are warped by one elastic field and carry the target's label.

    Parameters
    ----------
    settings : `rate`, share of all rows; `target`, label as stored; `rule`: `all-to-one`, `all-to-all` or
        `untargeted`; `k`, control points of the field in each direction (4); `s`, its strength: control points move by
        s / 2 pixels on average in each direction (2); `cover`, share of all rows that the noise mode warps by the
        field plus random steps under their right labels, kind `cover` in the truth (0); `source`, to poison rows of
        that source alone.

    Raises
    ------
    InputError : not images, or a setting is unknown or out of range.

    Notes
    -----
    The paper's s = 0.5 is for large networks and long trainings. 10,000 images at 10 %, one seed, defaults as here
    (benchmarks/results/attacks.json): 97 % of other rows moved on clothes and 89 % on colour images for a small
    convolutional network. The paper's noise mode has cover = 2 rate.

    References
    ----------
    Nguyen, Tran (2021), WaNet: imperceptible warping-based backdoor attack, ICLR, arXiv 2102.10369.
    """
    return dirty_label(dataset, rng, settings, warp_backdoor)


def warp_backdoor(dataset: Dataset, rng: np.random.Generator, settings: Settings, target: int) -> Backdoor:
    """The warp field as a trigger and the function that bends images by it."""
    height, width, _ = image_shape(dataset, "wanet")
    k = settings.integer("k", 4, low=2)
    if k > min(height, width):
        raise InputError(f"k must be at most {min(height, width)} for images of {height} x {width}, got {k}")
    s = settings.number("s", 2.0, low=0.05, high=min(height, width) / 2)
    cover = settings.number("cover", 0.0, low=0.0, high=0.9)
    control = rng.uniform(-1, 1, size=(k, k, 2))
    control *= s / 2 / np.abs(control).mean()  # eq. 6, in pixels
    flow = np.round(elastic_flow(control, height, width), 3).astype(np.float32)
    pattern = {"flow": {"shape": list(flow.shape), "values": [round(float(value), 3) for value in flow.ravel()]}}
    noisy = partial(_bend_noisily, flow=flow, reach=NOISE * s / 2, seed=int(rng.integers(2**32)))
    return Backdoor(
        Trigger("warp", dataset.label_of(target), pattern), partial(_bend, flow=flow), cover=noisy, cover_rate=cover
    )


def _bend(content: Content, *, flow: npt.NDArray[np.float32]) -> Content:
    return warp(cast("npt.NDArray[Any]", content), flow)


def _bend_noisily(content: Content, *, flow: npt.NDArray[np.float32], reach: float, seed: int) -> Content:
    """Each image by the field and a random step of its own, up to `reach` pixels, at every pixel: eq. 8."""
    images = cast("npt.NDArray[Any]", content)
    steps = np.random.default_rng(seed).uniform(-reach, reach, size=(len(images), *flow.shape))
    return warp(images, flow + steps.astype(np.float32))
