"""The image backdoors: every image type, cover rows, triggers as data, target rules, bad settings."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from mithridate.attacks.poisoning import attack
from mithridate.attacks.poisoning.input_aware import add_another
from mithridate.audits.poison.triggers.image_apply import apply_trigger
from mithridate.core.errors import InputError
from mithridate.core.trigger import KINDS, Trigger
from mithridate.data.dataset import Dataset

NAMES = ("badnets", "blended", "sig", "wanet", "input-aware", "low-frequency", "adaptive-blend", "adaptive-patch")
WITH_COVER = {"wanet": 0.05, "input-aware": None, "adaptive-blend": None, "adaptive-patch": None}
SHAPES = ((8, 8, 1), (9, 14, 3), (28, 28, 1))


def photos(shape: tuple[int, ...], n_rows: int = 90, *, unit: bool = False) -> Dataset:
    """Smooth random images of three classes."""
    rng = np.random.default_rng(sum(shape))
    small = rng.integers(40, 216, size=(n_rows, 4, 4, shape[2]))
    rows, columns = (np.arange(side) * 4 // side for side in shape[:2])
    levels = small[:, rows[:, None], columns].astype(np.uint8)
    content = levels.astype(np.float32) / 255 if unit else levels
    return Dataset("photos", "image", content, codes=(np.arange(n_rows) % 3).astype(np.int32), classes=("a", "b", "c"))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", NAMES)
def test_float_and_byte_images_get_the_same_trigger(name: str, shape: tuple[int, ...]) -> None:
    whole, unit = photos(shape), photos(shape, unit=True)
    made = attack(name, whole, rate=0.2)
    assert made.apply is not None
    ours, theirs = made.apply(whole.content), made.apply(unit.content)
    assert (ours.dtype, theirs.dtype) == (np.uint8, np.float32)
    assert ours.shape == theirs.shape == whole.content.shape
    assert 0 <= theirs.min() <= theirs.max() <= 1
    assert np.abs(ours / 255.0 - theirs).max() < 0.51 / 255
    assert (ours != whole.content).any(axis=(1, 2, 3)).mean() > 0.95
    assert attack(name, unit, rate=0.2).dataset.content.dtype == np.float32


@pytest.mark.parametrize("name", NAMES)
def test_a_trigger_is_known_from_its_data_alone(name: str) -> None:
    data = photos((12, 10, 3))
    made = attack(name, data, rate=0.2, target="b")
    assert made.apply is not None
    assert made.trigger is not None
    assert made.trigger.kind in KINDS
    again = Trigger.from_json(json.loads(json.dumps(made.trigger.to_json())))
    stamped = apply_trigger(data.content, again, np.random.default_rng(0)).astype(int)
    assert again.target == "b"
    assert np.abs(stamped - made.apply(data.content)).max() <= 1


@pytest.mark.parametrize("name", WITH_COVER)
def test_cover_rows_carry_something_and_keep_their_labels(name: str, images: Dataset) -> None:
    made = attack(name, images, rate=0.05, cover=WITH_COVER[name])
    kinds = dict(zip(*np.unique(made.truth["kind"].to_numpy(), return_counts=True), strict=True))
    assert kinds["trigger"] == len(made.rows) == round(0.05 * len(images))
    assert kinds["cover"] == round((0.1 if name == "adaptive-patch" else 0.05) * len(images))
    covers = np.setdiff1d(made.truth["row"].to_numpy(), made.rows)
    assert (made.dataset.y[covers] == images.y[covers]).all()
    assert (made.dataset.content[covers] != images.content[covers]).any(axis=(1, 2, 3)).mean() > 0.95
    assert set(attack(name, images, rate=0.05, cover=0).truth["kind"].to_pylist()) == {"trigger"}


def test_rows_of_an_adaptive_attack_carry_less_than_the_whole_trigger() -> None:
    data = photos((16, 16, 1))
    for name, least, most in (("adaptive-patch", 0.15, 0.3), ("adaptive-blend", 0.3, 0.6)):
        made = attack(name, data, rate=0.3)
        assert made.apply is not None
        whole = (made.apply(data.content) != data.content)[made.rows].mean()
        part = (made.dataset.content != data.content)[made.rows].mean()
        assert least * whole < part < most * whole


def test_each_adaptive_patch_reaches_some_rows() -> None:
    data = photos((16, 16, 1))
    made = attack("adaptive-patch", data, rate=0.3)
    moved = (made.dataset.content != data.content)[made.rows][..., 0]
    quarters = [moved[:, :8, :8], moved[:, :8, 8:], moved[:, 8:, :8], moved[:, 8:, 8:]]
    corners = np.stack(quarters, axis=1).any(axis=(2, 3))
    assert (corners.sum(axis=1) == 1).all()
    assert corners.any(axis=0).all()


def test_a_sig_row_keeps_its_label_and_a_dirty_one_does_not(images: Dataset) -> None:
    clean = attack("sig", images, rate=0.05, target=3)
    assert set(images.y[clean.rows]) == set(clean.dataset.y[clean.rows]) == {3}
    dirty = attack("sig", images, rate=0.05, target=3, label="dirty")
    assert 3 not in set(images.y[dirty.rows])
    assert set(dirty.dataset.y[dirty.rows]) == {3}


def test_a_sinusoid_has_the_amplitude_and_the_period_asked_for() -> None:
    grey = Dataset("grey", "image", np.full((40, 8, 16, 1), 128, np.uint8), np.arange(40, dtype=np.int32) % 2, (0, 1))
    made = attack("sig", grey, rate=0.1, delta=40, test_delta=80, frequency=4)
    assert made.apply is not None
    row = made.dataset.content[made.rows[0], 0, :, 0].astype(int) - 128
    assert row.tolist() == [40, 0, -40, 0] * 4
    assert (made.apply(grey.content)[0, 5, :, 0].astype(int) - 128).tolist() == [80, 0, -80, 0] * 4


def test_a_low_frequency_pattern_has_nothing_above_its_band() -> None:
    from scipy.fft import dctn

    data = photos((20, 20, 3))
    made = attack("low-frequency", data, rate=0.1, strength=0.2, band=5)
    assert made.trigger is not None
    delta = np.reshape(made.trigger.pattern["delta"]["values"], made.trigger.pattern["delta"]["shape"])
    weights = np.abs(dctn(delta, axes=(0, 1), norm="ortho"))
    assert np.abs(delta).max() == pytest.approx(0.2)
    assert weights[:5, :5].max() > 100 * max(weights[5:].max(), weights[:, 5:].max(), weights[0, 0].max())


def test_a_warp_moves_pixels_by_half_of_s_and_changes_no_flat_image() -> None:
    data = photos((28, 28, 1))
    made = attack("wanet", data, rate=0.1, s=3)
    assert made.trigger is not None
    assert made.apply is not None
    steps = np.abs(made.trigger.pattern["flow"]["values"])
    assert 0.75 < steps.mean() < 2.25
    flat = np.full((1, 28, 28, 1), 77, np.uint8)
    assert (made.apply(flat) == 77).all()


def test_input_aware_patterns_differ_from_image_to_image_and_are_used_evenly(images: Dataset) -> None:
    made = attack("input-aware", images, rate=0.05)
    assert made.apply is not None
    generator = made.apply.keywords["generator"]
    patterns = generator.patterns(images.content)
    assert len(np.unique(np.round(patterns[:200].reshape(200, -1), 3), axis=0)) > 150
    usual = np.bincount(generator.shares(images.content).argmax(axis=1), minlength=8) / len(images)
    assert usual.min() > 0.02
    assert usual.max() < 0.3
    other = add_another(images.content, generator=generator).astype(int)
    assert (np.abs(other - made.apply(images.content)).max(axis=(1, 2, 3)) > 20).mean() > 0.6


@pytest.mark.parametrize("rule", ["all-to-all", "untargeted"])
@pytest.mark.parametrize(
    ("name", "fixture"),
    [("badnets", "images"), ("wanet", "images"), ("tabular-trigger", "table"), ("text-trigger", "texts")],
)
def test_a_target_rule_relabels_every_class(request: pytest.FixtureRequest, name: str, fixture: str, rule: str) -> None:
    data: Dataset = request.getfixturevalue(fixture)
    made = attack(name, data, rate=0.1, rule=rule)
    before, after = data.y[made.rows], made.dataset.y[made.rows]
    assert set(before) == set(range(data.n_classes))
    assert (after != before).all()
    if rule == "all-to-all":
        assert (after == (before + 1) % data.n_classes).all()
    else:
        assert len({(int(new) - int(old)) % data.n_classes for old, new in zip(before, after, strict=True)}) == (
            data.n_classes - 1
        )
    assert made.trigger is not None
    assert made.trigger.target is None
    assert made.rule is not None
    assert made.rule.succeeded(before, after).all()
    assert not made.rule.succeeded(before, before).any()
    with pytest.raises(InputError, match="takes no target"):
        attack(name, data, rate=0.1, rule=rule, target=data.label_of(0))


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        *[(name, {"rate": rate}, "between 0 and 1") for name in NAMES for rate in (0, 1.5)],
        *[(name, {"target": "cat"}, "not a class") for name in NAMES],
        *[(name, {"sise": 1}, "unknown setting sise") for name in NAMES],
        *[(name, {"rule": "some-to-one"}, "all-to-one, all-to-all, untargeted") for name in NAMES],
        ("sig", {"rule": "all-to-all"}, "keeps them"),
        ("sig", {"rate": 0.2}, "at most"),
        ("sig", {"label": "odd"}, "clean, dirty"),
        ("sig", {"delta": 0}, "delta must be"),
        ("sig", {"frequency": 4}, "frequency must be"),
        ("wanet", {"s": 0}, "s must be"),
        ("wanet", {"s": 5}, "s must be"),
        ("wanet", {"k": 9}, "k must be at most 8"),
        ("wanet", {"cover": 1}, "cover must be"),
        ("wanet", {"cover": 0.9}, "cover 0.9 asks for"),
        ("input-aware", {"strength": 2}, "strength must be"),
        ("input-aware", {"modes": 1}, "modes must be"),
        ("low-frequency", {"strength": 0}, "strength must be"),
        ("low-frequency", {"band": 9}, "band must be at most 8"),
        ("adaptive-blend", {"alpha": 1.1}, "alpha must be"),
        ("adaptive-blend", {"pieces": 0}, "pieces must be"),
        ("adaptive-patch", {"size": 5}, "larger than the images"),
        ("adaptive-patch", {"opacity": 2}, "opacity must be"),
    ],
)
def test_a_bad_setting_gets_one_clear_line(images: Dataset, name: str, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        attack(name, images, **{"rate": 0.2 if "cover" in settings else 0.05, **settings})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("fixture", ["table", "texts", "embedding"])
@pytest.mark.parametrize("name", NAMES)
def test_an_image_attack_refuses_other_data(request: pytest.FixtureRequest, name: str, fixture: str) -> None:
    with pytest.raises(InputError, match=f"{name} is an image attack"):
        attack(name, request.getfixturevalue(fixture), rate=0.05)
