"""Numbers that are far too frequent for an even draw are doubted; all others are left alone."""

import numpy as np

from mithridate.numeric.table_ranges import evenness_odds


def test_a_favourite_of_nature_is_doubted_and_evenly_drawn_numbers_are_not() -> None:
    drawn = np.random.default_rng(0).integers(1400, 1600, 300).astype(float)
    odds = evenness_odds(np.r_[drawn, np.full(25, 1485.0)])
    assert (odds[300:] < -1).all()
    assert (odds[:300][drawn != 1485] == 0).mean() > 0.95


def test_numbers_that_all_differ_say_nothing() -> None:
    assert not evenness_odds(np.random.default_rng(0).normal(size=200)).any()
    assert evenness_odds(np.empty(0)).shape == (0,)
