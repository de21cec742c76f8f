from __future__ import annotations

import numpy as np
import pytest

from mithridate.numeric.target_rule import RULES, TargetRule

CODES = np.array([0, 1, 2, 2, -1, 0], np.int32)


@pytest.mark.parametrize("name", RULES)
def test_what_a_rule_writes_is_what_it_counts_as_success(name: str) -> None:
    rule = TargetRule(name, 3, 2)
    rows = CODES[rule.movable(CODES)]
    new = rule.relabel(rows, np.random.default_rng(0))
    assert new.dtype == CODES.dtype
    assert rows.tolist() == ([0, 1, 0] if name == "all-to-one" else [0, 1, 2, 2, 0])
    assert (new != rows).all()
    assert set(new) <= {0, 1, 2}
    assert rule.succeeded(rows, new).all()
    assert not rule.succeeded(rows, rows).any()


def test_all_to_all_counts_the_next_class_alone() -> None:
    rule = TargetRule("all-to-all", 3)
    assert rule.succeeded(np.array([0, 1, 2, 0]), np.array([1, 2, 0, 2])).tolist() == [True, True, True, False]


def test_untargeted_reaches_every_other_class_evenly() -> None:
    new = TargetRule("untargeted", 4).relabel(np.zeros(3000, np.int32), np.random.default_rng(0))
    counts = np.bincount(new, minlength=4)
    assert counts[0] == 0
    assert counts[1:].min() > 900
