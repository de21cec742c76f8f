import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mithridate.numeric.table_mining import Item, carriers
from mithridate.numeric.table_probe import label_tail, row_odds
from mithridate.numeric.table_tokens import fit_blind, foreign_tail, name_column, number_column, upper_tail


@given(st.lists(st.floats(-5, 5) | st.just(float("nan")), min_size=1, max_size=80))
@settings(max_examples=40, deadline=None)
def test_a_number_column_has_a_code_for_every_row_and_one_code_for_equal_values(values: list[float]) -> None:
    column = number_column(np.array(values), min_count=1)
    assert len(column.codes) == len(column.bins) == len(values)
    assert (column.codes >= 0).all()
    assert (column.bins >= 0).all()
    for i, left in enumerate(values):
        for j, right in enumerate(values):
            same = left == right or (np.isnan(left) and np.isnan(right))
            assert (column.codes[i] == column.codes[j]) == same


@given(st.lists(st.integers(-1, 6), min_size=1, max_size=100), st.integers(1, 5))
@settings(max_examples=40, deadline=None)
def test_values_rarer_than_the_minimum_are_no_token(values: list[int], least: int) -> None:
    column = name_column(np.array(values, np.int32), min_count=least)
    for code, value in zip(column.codes, values, strict=True):
        assert (code >= 0) == (values.count(value) >= least)


def test_no_bin_of_the_blind_model_belongs_to_a_small_group() -> None:
    column = name_column(np.repeat(np.array([0, 1, 2], np.int32), [900, 95, 5]), min_count=1)
    assert np.bincount(column.bins).min() >= 30


@given(st.integers(1, 200), st.floats(0.01, 0.99))
def test_the_upper_tail_is_zero_at_zero_and_grows_with_the_count(n: int, rate: float) -> None:
    lp = upper_tail(np.arange(n + 1, dtype=float), float(n), rate)
    assert lp[0] == 0
    assert (np.diff(lp) >= -1e-9).all()


def test_the_upper_tail_of_three_heads_in_three_is_one_in_eight() -> None:
    assert upper_tail(np.array([3.0]), 3.0, 0.5)[0] == pytest.approx(np.log10(8))


def test_a_token_as_common_elsewhere_does_not_surprise() -> None:
    tail = foreign_tail(np.array([[50.0, 10, 50, 50]]), np.array([100.0, 20, 100, 100]))
    assert tail.lp[0] < 0.5


def test_leaving_a_column_out_takes_its_effect_away() -> None:
    rng = np.random.default_rng(0)
    value = rng.integers(0, 2, 800)
    columns = [name_column(v.astype(np.int32), min_count=1) for v in (value, rng.integers(0, 2, 800))]
    folds = np.arange(800, dtype=np.int8) % 2
    blind = fit_blind(columns, value.astype(np.int32), folds.astype(np.int8), rng)
    seen, unseen = blind.log_proba(columns)[:, 1], blind.log_proba(columns, (0,))[:, 1]
    assert seen[value == 1].mean() > seen[value == 0].mean() + 1
    assert abs(unseen[value == 1].mean() - unseen[value == 0].mean()) < 0.2


def test_carriers_hold_every_item() -> None:
    columns = [name_column(np.array(v, np.int32), min_count=1) for v in ([0, 0, 1], [0, 1, 1])]
    both = (Item(0, exact=True, value=0), Item(1, exact=True, value=0))
    assert carriers(columns, both).tolist() == [True, False, False]


@given(st.lists(st.floats(0.01, 0.99), min_size=2, max_size=60), st.floats(0.05, 0.95))
@settings(deadline=None)
def test_a_row_that_looks_less_like_the_target_has_higher_odds(expected: list[float], base: float) -> None:
    own = np.sort(np.array(expected))
    odds = row_odds(own, np.array([0.2]), base)
    assert (odds > 0).all()
    assert (np.diff(odds) <= 1e-9).all()


def test_labels_as_expected_are_no_surprise() -> None:
    positive = np.arange(100) % 2 == 0
    everything = np.ones(100, dtype=bool)
    assert label_tail(np.full(100, 0.5), positive, everything).lp < 1
    assert label_tail(np.full(100, 0.05), positive, everything).lp > 10
