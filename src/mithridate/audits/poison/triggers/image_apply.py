"""Put a mined image trigger on images: the same stamp for the causal test, a repair and a picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from mithridate.core.errors import InputError
from mithridate.core.trigger import Trigger
from mithridate.numeric.pattern_generator import generator_from_json
from mithridate.numeric.stamp import overlay, paste, paste_at, shift
from mithridate.numeric.warp import warp

Images: TypeAlias = npt.NDArray[np.uint8]

KINDS = ("patch", "blend", "local-patch", "warp", "generator")


def patch_trigger(mask: npt.NDArray[np.bool_], values: Images, target: Any) -> Trigger:
    """The `patch` trigger that sets `values` (h, w, c) where `mask` (h, w, c) is true."""
    pixels = [[int(v) for v in place] for place in np.argwhere(mask)]
    return Trigger("patch", target, {"pixels": pixels, "values": [round(float(v) / 255, 4) for v in values[mask]]})


def blend_trigger(delta: npt.NDArray[np.float32], target: Any) -> Trigger:
    """The `blend` trigger that adds `delta` (h, w, c), in pixel levels, to every image."""
    values = [round(float(v) / 255, 3) for v in delta.ravel()]
    return Trigger("blend", target, {"delta": {"shape": list(delta.shape), "values": values}})


def local_trigger(mask: npt.NDArray[np.bool_], values: Images, target: Any) -> Trigger:
    """The `local-patch` trigger: `values` (h, w, c) where `mask` is true, at any place of the image."""
    pattern = {
        "height": values.shape[0],
        "width": values.shape[1],
        "values": [round(float(v) / 255, 4) for v in values.ravel()],
        "mask": [int(m) for m in mask.ravel()],
    }
    return Trigger("local-patch", target, pattern)


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
            delta = _array(pattern["delta"])
            stretched = _stretched(delta, images.shape[1:3]) * np.float32(255)
            return shift(images, stretched, keep=float(pattern.get("keep", 1.0)))
        if trigger.kind == "warp":
            return np.asarray(warp(images, _array(pattern["flow"])), np.uint8)
        if trigger.kind == "generator":
            return np.asarray(overlay(images, generator_from_json(pattern).patterns(images)), np.uint8)
        if trigger.kind == "local-patch":
            return _local(images, pattern, rng)
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"the {trigger.kind} trigger doesn't fit images of shape {images.shape[1:]}") from error
    raise InputError(f"a {trigger.kind} trigger can't be put on images; {', '.join(KINDS)} can")


def enlarge(trigger: Trigger, factor: int, shape: tuple[int, ...]) -> Trigger:
    """A patch mined at a size `factor` times smaller, made for images of `shape` (h, w, c); overlays just stretch."""
    pattern = cast("Mapping[str, Any]", trigger.pattern)
    if factor == 1 or trigger.kind == "blend":
        return trigger
    if trigger.kind == "patch":
        mask, values = np.zeros(shape, np.bool_), np.zeros(shape, np.uint8)
        for (y, x, channel), value in zip(pattern["pixels"], pattern["values"], strict=True):
            block = np.s_[y * factor : (y + 1) * factor, x * factor : (x + 1) * factor, channel]
            mask[block], values[block] = True, round(value * 255)
        return patch_trigger(mask, values, trigger.target)
    small = int(pattern["height"]), int(pattern["width"]), shape[2]
    big_mask, big_values = (
        np.asarray(pattern[key], np.float64).reshape(small).repeat(factor, axis=0).repeat(factor, axis=1)
        for key in ("mask", "values")
    )
    return local_trigger(big_mask > 0, np.rint(big_values * 255).astype(np.uint8), trigger.target)


def _array(raw: Mapping[str, Any]) -> npt.NDArray[np.float32]:
    return np.asarray(raw["values"], np.float32).reshape(raw["shape"])


def _stretched(delta: npt.NDArray[np.float32], size: tuple[int, ...]) -> npt.NDArray[np.float32]:
    rows, columns = (np.arange(side) * have // side for side, have in zip(size, delta.shape[:2], strict=True))
    return np.asarray(delta[rows[:, None], columns[None, :]], np.float32)


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
