from __future__ import annotations

import numpy as np
import pytest

from mithridate.attacks.poisoning.controls import CLEAN_LABEL, FAMILIES, every_family, plant
from mithridate.core.errors import InputError
from mithridate.data.dataset import Dataset


@pytest.mark.parametrize("fixture", ["images", "table", "texts", "embedding"])
def test_every_family_gets_its_own_rows(request: pytest.FixtureRequest, fixture: str) -> None:
    data: Dataset = request.getfixturevalue(fixture)
    digest = data.digest
    planted = plant(data, np.random.default_rng(0), per_family=20)
    assert planted.families == FAMILIES[data.modality]
    assert np.bincount(planted.truth + 1).tolist() == [len(data) - 20 * len(planted.families)] + [20] * len(
        planted.families
    )
    hit = planted.truth >= 0
    assert (planted.dataset.y[hit] != data.y[hit]).all()
    assert (planted.dataset.y[~hit] == data.y[~hit]).all()
    assert (planted.dataset.hashes[~hit] == data.hashes[~hit]).all()
    backdoors = [target for target in planted.targets if target >= 0]
    assert len(set(backdoors)) == len(backdoors)
    for index, target in enumerate(planted.targets):
        if target >= 0:
            assert set(planted.dataset.y[planted.truth == index]) == {target}
    assert data.take(np.arange(len(data))).digest == digest


def test_canonical_order_keeps_rows_and_truth_together(images: Dataset) -> None:
    planted = plant(images.canonical(), np.random.default_rng(1), per_family=10)
    moved = planted.canonical()
    assert (moved.dataset.ids == planted.dataset.canonical().ids).all()
    assert dict(zip(moved.dataset.ids, moved.truth, strict=True)) == dict(
        zip(planted.dataset.ids, planted.truth, strict=True)
    )


def test_two_classes_share_targets_when_families_outnumber_them() -> None:
    images = np.random.default_rng(0).integers(0, 256, size=(80, 6, 6, 1)).astype(np.uint8)
    data = Dataset("two", "image", images, codes=(np.arange(80) % 2).astype(np.int32), classes=("a", "b"))
    planted = plant(data, np.random.default_rng(0), per_family=5)
    assert planted.targets == (-1, 0, 1)


def test_planting_more_than_there_is_or_what_does_not_fit_is_a_clear_error(images: Dataset, table: Dataset) -> None:
    with pytest.raises(InputError, match="lower per_family"):
        plant(images, np.random.default_rng(0), per_family=1000)
    with pytest.raises(InputError, match="can't be planted in table data"):
        plant(table, np.random.default_rng(0), ["badnets"], 5)
    with pytest.raises(InputError, match="at least 1"):
        plant(table, np.random.default_rng(0), per_family=0)


def test_the_subtle_families_are_planted_as_their_attacks_plant_them(images: Dataset) -> None:
    families = every_family("image")
    planted = plant(images, np.random.default_rng(0), families, per_family=20)
    for index, (family, target) in enumerate(zip(families, planted.targets, strict=True)):
        rows = planted.truth == index
        assert rows.sum() == 20
        kept = (planted.dataset.y[rows] == images.y[rows]).all()
        assert kept == (family in CLEAN_LABEL)
        if family != "label-flip":
            assert set(planted.dataset.y[rows]) == {target}
            assert (planted.dataset.hashes[rows] != images.hashes[rows]).all()
