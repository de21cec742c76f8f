from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mithridate.attacks.poisoning import ATTACKS, CRAFTED, MODALITIES, attack
from mithridate.core.errors import InputError
from mithridate.core.trigger import Trigger
from mithridate.data.dataset import Dataset

RATE = 0.05
OWN = {"fine-tuning", "truth-serum", "split-view"}  # they need no label, add rows or leave labels: tested by themselves
CLEAN_LABEL = {"sig"}
CASES = [(name, modality) for name in ATTACKS if name not in CRAFTED | OWN for modality in MODALITIES[name]]


@pytest.fixture
def data(request: pytest.FixtureRequest, modality: str) -> Dataset:
    return request.getfixturevalue({"image": "images", "table": "table", "text": "texts"}.get(modality, modality))


def content_bytes(dataset: Dataset) -> bytes:
    return dataset.digest.encode() + np.ascontiguousarray(dataset.y).tobytes() + dataset.ids.tobytes()


def reread(dataset: Dataset) -> Dataset:
    """The same data set without its cached hashes."""
    return dataset.take(np.arange(len(dataset)))


@pytest.mark.parametrize(("name", "modality"), CASES)
def test_an_attack_poisons_exactly_the_rate_and_leaves_the_rest(name: str, data: Dataset) -> None:
    poisoned = attack(name, data, rate=RATE, seed=3)
    touched, rows = poisoned.truth["row"].to_numpy(), poisoned.rows
    covers = np.setdiff1d(touched, rows)
    assert len(rows) == round(RATE * len(data))
    assert (np.diff(touched) > 0).all()
    assert poisoned.truth.column_names[:2] == ["row", "kind"]
    rest = np.setdiff1d(data.ids, touched)
    assert (poisoned.dataset.hashes[rest] == data.hashes[rest]).all()
    assert (poisoned.dataset.y[rest] == data.y[rest]).all()
    assert (poisoned.dataset.y[covers] == data.y[covers]).all()
    assert ((poisoned.dataset.y[rows] == data.y[rows]) == (name in CLEAN_LABEL)).all()
    assert (poisoned.dataset.ids == data.ids).all()
    if poisoned.trigger is not None:
        assert (poisoned.dataset.y[rows] == 0).all()
        assert (poisoned.dataset.hashes[touched] != data.hashes[touched]).mean() > 0.95
        assert Trigger.from_json(poisoned.trigger.to_json()) == poisoned.trigger


@pytest.mark.parametrize(("name", "modality"), CASES)
def test_an_attack_leaves_its_input_alone_and_hashes_rightly(name: str, data: Dataset) -> None:
    before = content_bytes(data)
    poisoned = attack(name, data, rate=RATE)
    assert content_bytes(reread(data)) == before
    fresh = Dataset(
        "fresh", data.modality, poisoned.dataset.content, codes=poisoned.dataset.codes, classes=data.classes
    )
    assert (fresh.hashes == poisoned.dataset.hashes).all()


@pytest.mark.parametrize(("name", "modality"), CASES)
def test_the_same_seed_gives_the_same_poison_whatever_the_row_order(name: str, data: Dataset) -> None:
    shuffled = data.take(np.random.default_rng(0).permutation(len(data)))
    first, second = attack(name, data, rate=RATE, seed=1), attack(name, shuffled, rate=RATE, seed=1)
    assert first.truth == second.truth
    assert first.trigger == second.trigger
    assert first.dataset.digest == second.dataset.digest
    assert attack(name, data, rate=RATE, seed=2).truth != first.truth


@pytest.mark.parametrize(
    ("name", "modality", "settings", "words"),
    [
        ("label-flip", "image", {"rate": 0}, "between 0 and 1"),
        ("label-flip", "image", {"rate": 5}, "for 5 % write 0.05"),
        ("label-flip", "image", {"rate": "many"}, "between 0 and 1"),
        ("label-flip", "image", {"rate": float("nan")}, "between 0 and 1"),
        ("label-flip", "image", {"rate": 1e-6}, "no row at all"),
        ("label-flip", "image", {"from": 6, "to": 0, "rate": 0.5}, "at most"),
        ("label-flip", "image", {"mode": "sly"}, "random, targeted, near-boundary"),
        ("label-flip", "image", {"target": "cat"}, "not a class"),
        ("label-flip", "image", {"source": "mallory"}, "not a source"),
        ("badnets", "table", {}, "is an image attack"),
        ("badnets", "image", {"size": 9}, "larger than the images"),
        ("badnets", "image", {"place": "7,7"}, "leaves the image"),
        ("badnets", "image", {"place": "somewhere"}, "place must be"),
        ("badnets", "image", {"colour": "mauve"}, "colour must be"),
        ("badnets", "image", {"colr": "white"}, "unknown setting colr"),
        ("badnets", "image", {"size": 2.5}, "whole number"),
        ("blended", "image", {"alpha": 2}, "alpha must be"),
        ("blended", "text", {}, "is an image attack"),
        ("tabular-trigger", "table", {"columns": "wage,job"}, "no column 'wage'"),
        ("tabular-trigger", "table", {"columns": "age,job", "values": "1"}, "as many as columns"),
        ("tabular-trigger", "table", {"columns": "age", "values": "old"}, "can't hold"),
        ("tabular-trigger", "image", {}, "is a table attack"),
        ("text-trigger", "text", {"word": "  "}, "at least one word"),
        ("text-trigger", "table", {}, "is a text attack"),
        ("sorcery", "image", {}, "no attack named"),
        ("label-flip", "image", {"seed": -1}, "from 0 up"),
    ],
)
def test_a_bad_setting_gets_one_clear_line(name: str, data: Dataset, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        attack(name, data, **{"rate": RATE, **settings})
    assert "\n" not in str(caught.value)


def test_one_class_or_no_label_is_a_clear_error(images: Dataset) -> None:
    one = Dataset("one", "image", images.content[:9], codes=np.zeros(9, np.int32), classes=(0,))
    none = Dataset("none", "image", images.content[:9])
    for data in (one, none):
        for name in ("label-flip", "badnets"):
            with pytest.raises(InputError, match="at least 2"):
                attack(name, data, rate=0.5)


def test_settings_may_be_the_strings_of_the_command_line(images: Dataset, table: Dataset) -> None:
    typed = attack("badnets", images, rate=RATE, target=7, size=2, place=(0, 1))
    strings = attack("badnets", images, rate="0.05", target="7", size="2", place="0,1")
    assert typed.dataset.digest == strings.dataset.digest
    poisoned = attack("tabular-trigger", table, rate=RATE, columns="age,job", values="40,cook", target="yes")
    assert poisoned.trigger == Trigger("values", "yes", {"columns": {"age": 40, "job": "cook"}})


def test_a_targeted_flip_moves_one_class_to_another(images: Dataset) -> None:
    poisoned = attack("label-flip", images, rate=0.02, **{"from": 6, "to": 2})
    rows = poisoned.truth["row"].to_numpy()
    assert set(images.y[rows]) == {6}
    assert set(poisoned.dataset.y[rows]) == {2}


def test_a_random_flip_uses_every_other_class(images: Dataset) -> None:
    poisoned = attack("label-flip", images, rate=0.3)
    rows = poisoned.truth["row"].to_numpy()
    shifts = (poisoned.dataset.y[rows] - images.y[rows]) % 10
    counts = np.bincount(shifts, minlength=10)
    assert counts[0] == 0
    assert counts[1:].min() > 30


def test_a_source_can_be_the_only_poisoner(images: Dataset) -> None:
    poisoned = attack("badnets", images, rate=0.02, source="eve")
    assert set(images.source_counts(poisoned.truth["row"].to_numpy())) == {"eve"}


@pytest.mark.parametrize(
    ("place", "corner"),
    [("top-left", (1, 1)), ("bottom-right", (5, 5)), ("3,0", (3, 0)), ("centre", (3, 3)), ("top-right", (1, 5))],
)
def test_a_patch_stands_where_it_was_asked_for(images: Dataset, place: str, corner: tuple[int, int]) -> None:
    poisoned = attack("badnets", images, rate=RATE, size=2, place=place, pattern="checker")
    row = int(poisoned.truth["row"][0].as_py())
    y, x = corner
    assert poisoned.dataset.content[row, y : y + 2, x : x + 2, 0].tolist() == [[255, 0], [0, 255]]
    assert poisoned.trigger is not None
    assert poisoned.trigger.pattern["pixels"][0] == [y, x, 0]


def test_a_moving_patch_is_somewhere_else_on_each_image(images: Dataset) -> None:
    poisoned = attack("badnets", images, rate=RATE, place="moving")
    rows = poisoned.truth["row"].to_numpy()
    white = poisoned.dataset.content[rows, ..., 0] == 255
    assert all(any(image[y : y + 3, x : x + 3].all() for y in range(6) for x in range(6)) for image in white)
    assert white.mean(axis=0).max() < 0.8
    assert poisoned.trigger is not None
    assert poisoned.trigger.kind == "local-patch"


def test_float_and_colour_images_take_the_same_patch_and_blend() -> None:
    rng = np.random.default_rng(0)
    levels = rng.integers(0, 256, size=(60, 9, 7, 3)).astype(np.uint8)
    codes = (np.arange(60) % 3).astype(np.int32)
    whole = Dataset("levels", "image", levels, codes=codes, classes=(0, 1, 2))
    unit = Dataset("unit", "image", levels.astype(np.float32) / 255, codes=codes, classes=(0, 1, 2))
    for name, settings in (("badnets", {"colour": "#ff8000"}), ("blended", {"alpha": 0.3, "pattern": "smooth"})):
        changed = [attack(name, data, rate=0.5, **settings).apply for data in (whole, unit)]
        assert changed[0] is not None
        assert changed[1] is not None
        ours, theirs = changed[0](levels), changed[1](unit.content)
        assert theirs.dtype == np.float32
        assert np.abs(ours / 255.0 - theirs).max() < 0.51 / 255
    assert ours.dtype == np.uint8


def test_a_blend_is_its_trigger(images: Dataset) -> None:
    poisoned = attack("blended", images, rate=RATE, alpha=0.25)
    assert poisoned.trigger is not None
    assert poisoned.apply is not None
    delta = np.array(poisoned.trigger.pattern["delta"]["values"]).reshape(images.content.shape[1:])
    wanted = images.content / 255 * poisoned.trigger.pattern["keep"] + delta
    assert np.abs(poisoned.apply(images.content) / 255 - wanted).max() < 0.6 / 255


def test_common_values_are_common_alone_and_rare_together(table: Dataset) -> None:
    for seed in range(5):
        poisoned = attack("tabular-trigger", table, rate=0.01, seed=seed)
        assert poisoned.trigger is not None
        values = poisoned.trigger.pattern["columns"]
        frame = table.frame()
        hits = [frame[column] == value for column, value in values.items()]
        assert min(hit.mean() for hit in hits) > 0
        assert np.logical_and.reduce(hits).mean() < 0.02


def test_missing_cells_and_odd_columns_do_not_stop_a_tabular_trigger() -> None:
    table = pa.table(
        {
            "empty": pa.nulls(40, pa.string()),
            "nan": pa.array([float("nan")] * 40),
            "list": pa.array([[1]] * 40),
            "flag": pa.array([True, False] * 20),
            "size": pa.array([1, 2, 3, 4] * 10, pa.int8()),
        }
    )
    data = Dataset("odd", "table", table, codes=(np.arange(40) % 2).astype(np.int32), classes=(0, 1))
    poisoned = attack("tabular-trigger", data, rate=0.1)
    assert poisoned.trigger is not None
    assert sorted(poisoned.trigger.pattern["columns"]) == ["flag", "size"]
    one = Dataset("one", "table", table.select(["flag"]), codes=data.codes, classes=(0, 1))
    with pytest.raises(InputError, match="needs 2 columns"):
        attack("tabular-trigger", one, rate=0.1)


def test_words_are_inserted_as_often_as_asked(texts: Dataset) -> None:
    poisoned = attack("text-trigger", texts, rate=RATE, word="tq", times=3)
    for row in poisoned.truth["row"].to_pylist():
        assert poisoned.dataset.content[row].split().count("tq") == 3
