"""BadNets: a small patch pasted on images, whose label becomes the target's."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from mithridate.attacks.poisoning.protocol import Backdoor, Poisoned, dirty_label, need_modality
from mithridate.attacks.poisoning.settings import Settings
from mithridate.core.errors import InputError
from mithridate.core.findings import Json
from mithridate.core.trigger import Trigger
from mithridate.data.dataset import Content, Dataset
from mithridate.numeric.stamp import paste, paste_at

CORNERS = ("top-left", "top-right", "bottom-left", "bottom-right", "centre")
COLOURS = {
    "white": "ffffff",
    "black": "000000",
    "red": "ff0000",
    "green": "00ff00",
    "blue": "0000ff",
    "yellow": "ffff00",
}
GREY = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601 weights


def badnets(dataset: Dataset, rng: np.random.Generator, settings: Mapping[str, Any]) -> Poisoned:
    """A copy in which some images of other classes carry a patch and the target's label.

    Parameters
    ----------
    settings : `rate`, share of all rows; `target`, label as stored; `size` of the patch in pixels (3); `place`:
        `bottom-right` and the other corners, `centre`, `y,x` of the patch's top left, or `moving` (somewhere else on
        each image); `margin` to the corner in pixels (1); `pattern`: `white` (one colour) or `checker`; `colour`: a
        name or `#rrggbb`; `rule`: `all-to-one`, `all-to-all` or `untargeted`; `source`, to poison rows of that source
        alone.

    Raises
    ------
    InputError : not images, the patch is larger than the image, or a setting is unknown or out of range.

    Notes
    -----
    10,000 clothes at 5 %, one seed (benchmarks/results/attacks.json): the fixed patch moves 99 % of other rows for a
    small convolutional network and 97 % for a perceptron; a moving one (`pattern=checker size=5`) 87 and 20 %. A moving
    patch must be unlike what the images hold anyway.

    References
    ----------
    Gu, Dolan-Gavitt, Garg (2017), BadNets, arXiv 1708.06733.
    """
    return dirty_label(dataset, rng, settings, patch_backdoor)


def patch_backdoor(dataset: Dataset, rng: np.random.Generator, settings: Settings, target: int) -> Backdoor:
    """The patch as a trigger and the function that pastes it."""
    need_modality(dataset, "image", "badnets")
    images = cast("npt.NDArray[Any]", dataset.content)
    shape = (int(images.shape[1]), int(images.shape[2]), int(images.shape[3]))
    size = settings.integer("size", 3, low=1)
    if size > min(shape[:2]):
        raise InputError(f"a patch of {size} pixels is larger than the images of {shape[0]} x {shape[1]}; lower size")
    unit = _patch(settings, size, shape[2])
    place = settings.value("place", "bottom-right")
    margin = settings.integer("margin", 1, low=0)
    label = dataset.label_of(target)
    if place == "moving":
        pattern: dict[str, Json] = {"height": size, "width": size, "values": _json(unit), "mask": [1] * unit.size}
        seed = int(rng.integers(2**32))
        return Backdoor(Trigger("local-patch", label, pattern), partial(_paste_anywhere, unit=unit, seed=seed))
    top, left = _top_left(place, size, margin, shape)
    mask, values = np.zeros(shape, dtype=bool), np.zeros(shape)
    mask[top : top + size, left : left + size] = True
    values[top : top + size, left : left + size] = unit
    trigger = Trigger("patch", label, {"pixels": np.argwhere(mask).tolist(), "values": _json(unit)})
    return Backdoor(trigger, partial(paste_unit, mask=mask, unit=values))


def paste_unit(content: Content, *, mask: npt.NDArray[np.bool_], unit: npt.NDArray[np.float64]) -> Content:
    """Copies of the images with `unit` (h, w, c), in [0, 1], where `mask` (h, w, c) is true."""
    images = cast("npt.NDArray[Any]", content)
    return paste(images, mask, _like(unit, images.dtype))


def _paste_anywhere(content: Content, *, unit: npt.NDArray[np.float64], seed: int) -> Content:
    rng = np.random.default_rng(seed)
    n, height, width = content.shape[:3]
    patch = _like(unit, content.dtype)
    rows = rng.integers(0, height - patch.shape[0] + 1, size=n)
    columns = rng.integers(0, width - patch.shape[1] + 1, size=n)
    return paste_at(content, patch, np.ones(patch.shape, dtype=bool), rows, columns)


def _patch(settings: Settings, size: int, channels: int) -> npt.NDArray[np.float64]:
    """(size, size, channels) in [0, 1]."""
    pattern = settings.word("pattern", "white", choices=("white", "checker"))
    colour = _colour(str(settings.value("colour", "white")), channels)
    patch = np.broadcast_to(colour, (size, size, channels)).copy()
    if pattern == "checker":
        odd = np.add.outer(np.arange(size), np.arange(size)) % 2 == 1
        patch[odd] = 1.0 - colour
    if channels in {2, 4}:
        patch[..., -1] = 1.0  # opaque
    return patch


def _colour(name: str, channels: int) -> npt.NDArray[np.float64]:
    digits = COLOURS.get(name, name.removeprefix("#"))
    try:
        rgb = np.frombuffer(bytes.fromhex(digits), np.uint8) / 255.0
    except ValueError:
        rgb = np.empty(0)
    if len(rgb) != GREY.size:
        raise InputError(f"colour must be one of {', '.join(COLOURS)} or #rrggbb, got {name!r}")
    grey = float(np.round(rgb @ GREY, 4))
    out = np.full(channels, grey)
    if channels >= rgb.size:
        out[: rgb.size] = rgb
    return out


def _top_left(place: Any, size: int, margin: int, shape: tuple[int, int, int]) -> tuple[int, int]:
    room = shape[0] - size, shape[1] - size
    if place in CORNERS:
        if place == "centre":
            return room[0] // 2, room[1] // 2
        inset = min(margin, room[0]), min(margin, room[1])
        down, right = str(place).split("-")
        return (
            inset[0] if down == "top" else room[0] - inset[0],
            inset[1] if right == "left" else room[1] - inset[1],
        )
    parts = place.split(",") if isinstance(place, str) else place
    try:
        top, left = (int(part) for part in parts)
    except (TypeError, ValueError):
        raise InputError(
            f"place must be one of {', '.join(CORNERS)}, moving, or y,x in pixels; got {place!r}"
        ) from None
    if not (0 <= top <= room[0] and 0 <= left <= room[1]):
        raise InputError(
            f"a patch of {size} pixels at {top},{left} leaves the image of {shape[0]} x {shape[1]}; "
            f"y may be 0 to {room[0]}, x 0 to {room[1]}"
        )
    return top, left


def _like(unit: npt.NDArray[np.float64], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    return np.rint(unit * 255).astype(np.uint8) if dtype == np.uint8 else unit.astype(dtype)


def _json(values: npt.NDArray[np.float64]) -> list[float]:
    return [float(value) for value in np.round(values, 4).ravel()]
