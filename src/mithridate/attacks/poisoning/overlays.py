"""What the attacks that add a pattern to whole images share."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import numpy.typing as npt

from mithridate.attacks.poisoning.protocol import need_modality
from mithridate.core.trigger import Trigger
from mithridate.data.dataset import Content, Dataset
from mithridate.numeric.stamp import overlay

Floats = npt.NDArray[np.floating[Any]]


def image_shape(dataset: Dataset, attack: str) -> tuple[int, int, int]:
    """(h, w, c) of the images; `InputError` when the data set holds something else."""
    need_modality(dataset, "image", attack)
    height, width, channels = cast("npt.NDArray[Any]", dataset.content).shape[1:]
    return int(height), int(width), int(channels)


def overlay_trigger(delta: Floats, label: Any, keep: float = 1.0) -> Trigger:
    """`keep` * image + `delta` (h, w, c) in units of the whole range, as a `blend` trigger."""
    values = [float(value) for value in np.round(delta, 4).ravel()]
    return Trigger("blend", label, {"delta": {"shape": list(delta.shape), "values": values}, "keep": round(keep, 6)})


def overlaid(content: Content, *, delta: Floats, keep: float = 1.0) -> Content:
    """Copies of the images with the pattern added."""
    return overlay(cast("npt.NDArray[Any]", content), delta, keep=keep)
