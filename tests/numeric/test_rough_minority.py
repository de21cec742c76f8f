"""A rough part of one class is told from classes that differ in texture."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from mithridate.numeric.rough_minority import odds, rough_minority, unexplained

CLASSES = 8


def textures(seed: int, *, n: int = 4_000) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Roughness whose mean, spread and tail differ by class."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, CLASSES, n)
    mean, spread = rng.normal(0, 0.25, CLASSES), rng.uniform(0.8, 1.2, CLASSES)
    return mean[codes] + spread[codes] * rng.standard_t(8, n), codes


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
@pytest.mark.parametrize("seed", range(4))
def test_a_rough_part_of_one_class_is_found_and_ranked_first(seed: int, share: float) -> None:
    rough, codes = textures(seed)
    added = np.flatnonzero(codes == 3)[: round(share * (codes == 3).sum())]
    rough[added] += 5
    (found,) = rough_minority(rough, codes, n_classes=CLASSES)
    assert found.code == 3
    assert found.p_value < 1e-3
    first = np.argsort(-odds(rough, codes, found), kind="stable")[: len(added)]
    assert np.isin(first, added).mean() > 0.85
    flagged = np.flatnonzero((codes == 3) & (rough >= found.edge))
    assert np.isin(flagged, added).mean() > 0.85


@pytest.mark.parametrize("seed", range(40))
def test_classes_of_unlike_texture_are_no_finding(seed: int) -> None:
    assert rough_minority(*textures(seed), n_classes=CLASSES) == []


def test_two_classes_say_nothing_of_how_classes_differ() -> None:
    rough, codes = textures(0)
    rough[codes == 0] += 5
    assert rough_minority(rough, codes % 2, n_classes=2) == []


def test_what_content_explains_is_taken_out() -> None:
    rng = np.random.default_rng(0)
    content = rng.normal(size=(2_000, 5)).astype(np.float32)
    marks = (content[:, :1] * 2 + rng.normal(0, 0.1, (2_000, 18))).astype(np.float32)
    left = unexplained(marks, content, np.arange(2_000) % 2)
    assert abs(np.corrcoef(left, content[:, 0])[0, 1]) < 0.1
