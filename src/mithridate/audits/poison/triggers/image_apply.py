"""Put a mined image trigger on images: the same stamp for the causal test, a repair and a picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from mithridate.core.errors import InputError
from mithridate.core.trigger import Trigger
from mithridate.numeric.stamp import paste, paste_at, shift

Images: TypeAlias = npt.NDArray[np.uint8]


def patch_trigger(mask: npt.NDArray[np.bool_], values: Images, target: Any) -> Trigger:
    """The `patch` trigger that sets `values` (h, w, c) where `mask` (h, w, c) is true."""
    pixels = [[int(v) for v in place] for place in np.argwhere(mask)]
    return Trigger("patch", target, {"pixels": pixels, "values": [round(float(v) / 255, 4) for v in values[mask]]})


def blend_trigger(delta: npt.NDArray[np.float32], target: Any) -> Trigger:
    """The `blend` trigger that adds `delta` (h, w, c), in pixel levels, to every image."""
    values = [round(float(v) / 255, 3) for v in delta.ravel()]
    return Trigger("blend", target, {"delta": {"shape": list(delta.shape), "values": values}})


def apply_trigger(images: Images, trigger: Trigger, rng: np.random.Generator) -> Images:
    """Copies of the images (n, h, w, c) that carry the trigger; `rng` chooses the places of one that moves.

    Raises
    ------
    InputError : the trigger isn't of an image kind, or doesn't fit images of this shape.
    """
    pattern = cast("Mapping[str, Any]", trigger.pattern)
    try:
        if trigger.kind == "patch":
            return _patch(images, pattern)
        if trigger.kind == "blend":
            delta = np.asarray(pattern["delta"]["values"], np.float32).reshape(pattern["delta"]["shape"])
            return shift(images, delta * np.float32(255))
        if trigger.kind == "local-patch":
            return _local(images, pattern, rng)
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"the {trigger.kind} trigger doesn't fit images of shape {images.shape[1:]}") from error
    raise InputError(f"a {trigger.kind} trigger can't be put on images; patch, blend and local-patch can")


def _patch(images: Images, pattern: Mapping[str, Any]) -> Images:
    mask, values = np.zeros(images.shape[1:], np.bool_), np.zeros(images.shape[1:], np.uint8)
    if len(pattern["pixels"]):
        y, x, channel = np.asarray(pattern["pixels"], np.int64).T
        mask[y, x, channel] = True
        values[y, x, channel] = np.rint(np.asarray(pattern["values"], np.float64) * 255).astype(np.uint8)
    return paste(images, mask, values)


def _local(images: Images, pattern: Mapping[str, Any], rng: np.random.Generator) -> Images:
    shape = int(pattern["height"]), int(pattern["width"]), images.shape[3]
    values = np.rint(np.asarray(pattern["values"], np.float64) * 255).astype(np.uint8).reshape(shape)
    mask = np.asarray(pattern["mask"], np.int64).astype(np.bool_).reshape(shape)
    rows = rng.integers(0, images.shape[1] - shape[0] + 1, len(images))
    columns = rng.integers(0, images.shape[2] - shape[1] + 1, len(images))
    return paste_at(images, values, mask, rows, columns)
