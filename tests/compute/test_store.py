from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from mithridate.compute import Failed, ThisProcess
from mithridate.compute.store import Kept, Keyed, Result, Stored, key_of, run_kept


def triple(times: int, task: int) -> Result:
    if task == 13:
        raise ValueError("thirteen")
    return Result({"x": np.arange(3) * task * times, "words": np.array(["a", "b"])}, {"task": task})


def tasks(numbers: list[int]) -> list[Keyed[int]]:
    return [Keyed(number, key_of("triple", number)) for number in numbers]


def test_only_what_is_not_stored_is_computed(tmp_path: Path) -> None:
    first = run_kept(ThisProcess(), partial(triple, 2), tasks([1, 2]), tmp_path)
    second = run_kept(ThisProcess(), partial(triple, 2), tasks([1, 2, 3]), tmp_path)
    assert [result.fresh for result in first if isinstance(result, Stored)] == [True, True]
    assert [result.fresh for result in second if isinstance(result, Stored)] == [False, False, True]
    last = second[1]
    assert isinstance(last, Stored)
    assert last.facts == {"task": 2}
    assert last.array("x").tolist() == [0, 4, 8]
    assert last.array("words").tolist() == ["a", "b"]
    assert set(last.names()) == {"x", "words"}


def test_a_failure_is_not_kept_and_costs_its_own_task_only(tmp_path: Path) -> None:
    done = run_kept(ThisProcess(), partial(triple, 1), tasks([1, 13, 2]), tmp_path)
    assert isinstance(done[1], Failed)
    assert "thirteen" in done[1].reason
    assert [isinstance(result, Stored) for result in done] == [True, False, True]
    assert len(list(tmp_path.rglob("*.npz"))) == 2


def test_a_result_that_was_cut_short_is_computed_again(tmp_path: Path) -> None:
    function = partial(triple, 1)
    run_kept(ThisProcess(), function, tasks([4]), tmp_path)
    path = Kept(function, str(tmp_path)).place(key_of("triple", 4))
    path.write_bytes(path.read_bytes()[:50])
    again = run_kept(ThisProcess(), function, tasks([4]), tmp_path)[0]
    assert isinstance(again, Stored)
    assert again.fresh
    assert again.array("x").tolist() == [0, 4, 8]
