"""Chance makes equal rows in coarse tables, and only there."""

import numpy as np
import pytest

from mithridate.numeric.chance_copies import beyond_chance, expected_copies


def equal_rows(cells: np.ndarray) -> np.ndarray:
    return np.unique(cells, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


@pytest.mark.parametrize("values", [2, 3, 5])
def test_the_expected_number_of_copies_is_the_number_there_is(values: int) -> None:
    for seed in range(5):
        rng = np.random.default_rng(seed)
        cells = rng.integers(0, values, (2000, 5))
        group = equal_rows(cells)
        there = np.bincount(group)[group] - 1
        guess = expected_copies(cells, group, rng=rng)
        assert there.mean() <= guess.mean() <= 3 * there.mean() + 0.5
        assert np.bincount(beyond_chance(cells, group, rng=rng)).max() == 1


def test_planted_copies_in_a_table_of_many_values_are_kept_all() -> None:
    rng = np.random.default_rng(0)
    cells = rng.integers(0, 1000, (1000, 4))
    cells = np.concatenate([cells, cells[:30]])
    kept = beyond_chance(cells, equal_rows(cells), rng=rng)
    assert (np.bincount(kept) == 2).sum() == 30
    assert (kept[:30] == kept[1000:]).all()


@pytest.mark.parametrize("shape", [(0, 3), (1, 3), (5, 1), (5, 0)])
def test_tables_with_next_to_nothing_in_them_break_nothing(shape: tuple[int, int]) -> None:
    cells = np.zeros(shape, np.int64)
    kept = beyond_chance(cells, np.zeros(shape[0], np.int64), rng=np.random.default_rng(0))
    assert kept.shape == (shape[0],)
