"""Stamping mined triggers: exact where they stand, the same after a trip through JSON, clear when they don't fit."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mithridate.audits.poison.triggers.image_apply import (
    apply_trigger,
    blend_trigger,
    enlarge,
    local_trigger,
    patch_trigger,
)
from mithridate.core.errors import InputError
from mithridate.core.trigger import Trigger

RNG_SEED = 0


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 3]))
def test_a_patch_survives_json_and_changes_only_its_pixels(seed: int, channels: int) -> None:
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (3, 6, 7, channels), dtype=np.uint8)
    mask, values = rng.random(images.shape[1:]) < 0.3, rng.integers(0, 256, images.shape[1:], dtype=np.uint8)
    trigger = Trigger.from_json(json.loads(json.dumps(patch_trigger(mask, values, 1).to_json())))
    stamped = apply_trigger(images, trigger, rng)
    assert (stamped[:, mask] == values[mask]).all()
    assert (stamped[:, ~mask] == images[:, ~mask]).all()


def test_an_overlay_is_added_clipped_and_stretched_to_larger_images() -> None:
    delta = np.array([[[51.0], [-51.0]]], np.float32)
    images = np.full((1, 2, 4, 1), 240, np.uint8)
    stamped = apply_trigger(images, blend_trigger(delta, 0), np.random.default_rng(RNG_SEED))
    assert stamped[0, :, :, 0].tolist() == [[255, 255, 189, 189]] * 2


def test_a_local_patch_lands_somewhere_on_every_image() -> None:
    trigger = local_trigger(np.ones((2, 2, 1), bool), np.full((2, 2, 1), 200, np.uint8), "cat")
    stamped = apply_trigger(np.zeros((30, 5, 5, 1), np.uint8), trigger, np.random.default_rng(RNG_SEED))
    assert ((stamped == 200).sum(axis=(1, 2, 3)) == 4).all()
    assert len({image.tobytes() for image in stamped}) > 5


@pytest.mark.parametrize("kind", ["patch", "local-patch"])
def test_a_patch_mined_on_smaller_images_grows_with_them(kind: str) -> None:
    one = np.ones((1, 1, 1), bool)
    if kind == "patch":
        mask = np.zeros((4, 4, 1), bool)
        mask[3, 3] = True
        small = patch_trigger(mask, np.full((4, 4, 1), 255, np.uint8), 0)
    else:
        small = local_trigger(one, np.full((1, 1, 1), 255, np.uint8), 0)
    stamped = apply_trigger(np.zeros((2, 8, 8, 1), np.uint8), enlarge(small, 2, (8, 8, 1)), np.random.default_rng(1))
    assert ((stamped == 255).sum(axis=(1, 2, 3)) == 4).all()


def test_a_trigger_that_does_not_fit_says_so() -> None:
    rng = np.random.default_rng(RNG_SEED)
    images = np.zeros((1, 2, 2, 1), np.uint8)
    with pytest.raises(InputError, match="doesn't fit"):
        apply_trigger(images, Trigger("patch", 0, {"pixels": [[5, 5, 0]], "values": [1.0]}), rng)
    with pytest.raises(InputError, match="can't be put on images"):
        apply_trigger(images, Trigger("words", 0, {"words": ["a"]}), rng)
