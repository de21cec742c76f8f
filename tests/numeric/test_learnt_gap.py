"""Spread of suspects over looks, odds beside honest rows, and views too coarse to see a trigger."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mithridate.numeric.blind_content import coordinate_views, image_views, label_margin, margin
from mithridate.numeric.learnt_gap import odds_beside, spread


def test_a_label_found_everywhere_leads_and_neighbours_do_not() -> None:
    look = np.repeat(np.arange(10), 20)
    codes = np.where(np.arange(200) % 20 < 12, 4, (look + 1) % 10)
    found = spread(look, codes, np.ones(200, bool), n_classes=10)
    assert found.leads[4] == 9
    assert found.p_value[4] < 1e-6
    assert found.p_value[np.arange(10) != 4].min() > 0.1


@pytest.mark.parametrize("n_classes", [6, 10, 30])
def test_spread_is_no_smaller_than_uniform_without_preference(n_classes: int) -> None:
    rng = np.random.default_rng(n_classes)
    least = []
    for _ in range(200):
        look, codes = rng.integers(0, n_classes, (2, 600))
        least.append(spread(look, codes, np.ones(600, bool), n_classes=n_classes).p_value.min())
    assert np.mean(np.array(least) <= 0.05) <= 0.08
    assert min(least) > 1e-4


@given(st.integers(0, 2**32 - 1), st.integers(1, 200))
@settings(max_examples=30, deadline=None)
def test_odds_rise_with_the_gap_and_p_values_are_ranks(seed: int, n_rows: int) -> None:
    rng = np.random.default_rng(seed)
    gap, null = rng.normal(size=n_rows), rng.normal(size=500)
    odds, p_value = odds_beside(gap, null, tolerance=2.0)
    order = np.argsort(gap, kind="stable")
    assert (np.diff(odds[order]) >= 0).all()
    assert (np.diff(p_value[order]) <= 0).all()
    assert ((p_value > 0) & (p_value <= 1)).all()


def test_rows_far_beyond_honest_ones_get_high_odds_and_honest_ones_none() -> None:
    rng = np.random.default_rng(0)
    null = rng.normal(size=5000)
    gap = np.r_[rng.normal(6, 1, 300), rng.normal(size=700)]
    odds, p_value = odds_beside(gap, null, tolerance=2.0)
    assert np.median(odds[:300]) > 1.5
    assert (odds[300:] > 1).mean() < 0.01
    assert np.median(p_value[300:]) == pytest.approx(0.5, abs=0.1)
    assert (odds_beside(rng.normal(size=1000), null, tolerance=2.0)[0] > 1).mean() == 0


def test_rows_that_lie_below_honest_ones_get_half_a_bad_row_a_step_and_keep_their_order() -> None:
    rng = np.random.default_rng(1)
    gap = rng.normal(-2, 1, 300)
    odds, _ = odds_beside(gap, rng.normal(size=2000), tolerance=2.0)
    assert odds.min() == pytest.approx(np.log10(1 / 59))  # steps of 30 rows
    assert odds.max() < odds.min() + 0.011
    assert (np.diff(odds[np.argsort(gap, kind="stable")]) > 0).all()


def test_margin_by_hand() -> None:
    scores = np.array([[1.0, 3.0, 2.0], [1.0, 3.0, 2.0], [0.0, 0.0, 0.0]])
    assert margin(scores, np.array([1, 0, -1])).tolist() == [1.0, -2.0, 0.0]


def test_views_see_flipped_labels_of_images() -> None:
    rng = np.random.default_rng(1)
    codes, flipped = rng.integers(0, 4, 1200), rng.random(1200) < 0.05
    images = rng.integers(0, 120, (1200, 16, 16, 1)).astype(np.uint8)
    for code in range(4):
        y, x = divmod(code, 2)
        images[codes == code, 8 * y + 1 : 8 * y + 7, 8 * x + 1 : 8 * x + 7] += 60
    given = np.where(flipped, (codes + 1) % 4, codes)
    told = label_margin(image_views(images), given, np.arange(1200) % 2, n_classes=4, rng=rng)
    assert (told[flipped] < 0).mean() > 0.9
    assert (told[~flipped] > 0).mean() > 0.95


def test_coarse_views_go_by_content_where_a_mark_moves_a_late_coordinate() -> None:
    rng = np.random.default_rng(2)
    codes, carries = rng.integers(0, 4, 1500), rng.random(1500) < 0.08
    rows = rng.normal(size=(1500, 24)).astype(np.float32)
    rows[:, :4] += 4 * np.eye(4, dtype=np.float32)[codes]
    rows[carries, 22] += 5
    given = np.where(carries, 0, codes)
    told = label_margin(coordinate_views(rows), given, np.arange(1500) % 2, n_classes=4, rng=rng)
    assert (told[carries & (codes != 0)] < 0).mean() > 0.8
    assert (told[~carries] > 0).mean() > 0.9


def test_coarse_views_deny_a_mark_that_they_see_once_fitted_to_rows_that_they_trust() -> None:
    rng = np.random.default_rng(3)
    codes, carries = rng.integers(0, 6, 3000), rng.random(3000) < 0.1
    rows = rng.normal(size=(3000, 12)).astype(np.float32)
    rows[:, :6] += 5 * np.eye(6, dtype=np.float32)[codes]
    carries &= codes != 0
    rows[carries, 6] += 2.5
    given, denied, taught = np.where(carries, 0, codes), [], np.ones(3000, bool)
    for _ in range(3):
        told = label_margin(coordinate_views(rows), given, np.arange(3000) % 2, n_classes=6, rng=rng, taught=taught)
        denied.append(float((told[carries] < 0).mean()))
        taught = told > np.median(told)
        for code in range(6):
            taught[(given == code) & (told >= np.quantile(told[given == code], 0.9))] = True
    assert denied[0] < 0.8
    assert denied[-1] > denied[0] + 0.15
    assert (told[~carries] > 0).mean() > 0.95


def test_coordinate_views_end_with_all_of_them() -> None:
    widths = [view.shape[1] for view in coordinate_views(np.zeros((3, 12), np.float32))]
    assert widths == [5, 10, 12]
