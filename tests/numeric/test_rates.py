"""Group rates: tails that hold, shrinkage, and no accusation by chance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mithridate.core.errors import InputError
from mithridate.numeric import rates

shares = st.lists(st.floats(0, 1), min_size=1, max_size=40)


@given(shares)
def test_q_values_stay_between_the_p_value_and_one_and_keep_the_order(p_values: list[float]) -> None:
    p = np.array(p_values)
    q = rates.benjamini_hochberg(p)
    assert (q >= p - 1e-12).all()
    assert (q <= 1).all()
    assert (np.diff(q[np.argsort(p, kind="stable")]) >= -1e-12).all()


def test_q_values_equal_those_of_scipy() -> None:
    p = np.random.default_rng(0).uniform(size=200) ** 2
    assert np.allclose(rates.benjamini_hochberg(p), stats.false_discovery_control(p))


def test_no_tests_give_no_q_values() -> None:
    assert rates.benjamini_hochberg(np.array([])).size == 0
    assert rates.null_share(np.array([])) == 1


@given(st.integers(0, 30), st.floats(0.1, 20), st.floats(1.1, 5))
def test_the_tail_is_the_negative_binomial_one(count: int, mean: float, ratio: float) -> None:
    variance = mean * ratio
    ours = rates.excess_tail(np.array(float(count)), np.array(mean), np.array(variance))
    assert float(ours) == pytest.approx(stats.nbinom.sf(count - 1, mean / (ratio - 1), 1 / ratio), rel=1e-6, abs=1e-300)


def test_without_extra_variance_the_tail_is_poisson() -> None:
    assert float(rates.excess_tail(np.array(7.0), np.array(2.5), np.array(1.0))) == pytest.approx(
        stats.poisson.sf(6, 2.5), rel=1e-4
    )


def test_intervals_cover_the_rate() -> None:
    rng = np.random.default_rng(0)
    for interval in (rates.rate_interval, rates.wilson):
        covered = 0
        for hits in rng.binomial(80, 0.1, 400):
            low, high = tuple(interval(int(hits), 80))[-2:]
            covered += low <= 0.1 <= high
        assert covered / 400 > 0.92


def test_impossible_counts_are_refused() -> None:
    with pytest.raises(InputError, match="hits must be"):
        rates.rate_interval(5, 4)


@given(st.lists(st.floats(1e-200, 1), min_size=1, max_size=10))
def test_the_joint_p_value_is_no_smaller_than_the_smallest(p_values: list[float]) -> None:
    joint = float(rates.cauchy_combine(np.array(p_values)))
    assert min(p_values) * 0.999 <= joint <= 1


def simulate(rng: np.random.Generator, n_groups: int, *, guilty: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rows = rng.integers(0, 400, (n_groups, 5))
    rate = np.array([0.01, 0.02, 0.05, 0.1, 0.02]) * rng.lognormal(0, 0.2, (n_groups, 1))
    rate[0] *= guilty
    return rng.binomial(rows, np.minimum(rate, 1)), rows


def test_honest_groups_of_other_sizes_and_classes_are_not_accused() -> None:
    rng = np.random.default_rng(0)
    small = [
        (rates.group_excess(*simulate(rng, n_groups), np.ones(n_groups, bool)).p_value < 0.01).sum()
        for n_groups in (2, 5, 50)
        for _ in range(60)
    ]
    assert sum(small) <= 0.01 * 60 * 57


def test_a_group_four_times_as_bad_stands_out() -> None:
    rng = np.random.default_rng(1)
    found = [rates.group_excess(*simulate(rng, 6, guilty=4.0), np.ones(6, bool)).p_value[0] < 0.01 for _ in range(40)]
    assert np.mean(found) > 0.85


def test_a_class_that_one_group_alone_holds_does_not_count() -> None:
    hits, rows = np.array([[0, 90], [2, 0], [1, 0]]), np.array([[200, 200], [200, 0], [200, 0]])
    excess = rates.group_excess(hits, rows, np.ones(3, bool))
    assert excess.p_value[0] > 0.1
    assert excess.rows[0] == 200


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 12), st.integers(1, 4), st.integers(0, 10_000))
def test_any_counts_give_chances_in_range(n_groups: int, n_classes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, 50, (n_groups, n_classes))
    hits = rng.binomial(rows, rng.uniform())
    excess = rates.group_excess(hits, rows, rng.uniform(size=n_groups) < 0.8)
    for part in (excess.p_value, excess.cell_p):
        assert ((part > 0) & (part <= 1)).all()


def test_thousands_of_groups_are_compared_with_one_expectation() -> None:
    rng = np.random.default_rng(2)
    rows = np.full((5000, 3), 20)
    hits = rng.binomial(rows, 0.02)
    hits[0] = 10
    excess = rates.group_excess(hits, rows, np.ones(5000, bool))
    assert np.argmin(excess.p_value) == 0
    assert excess.p_value[0] < 1e-6
