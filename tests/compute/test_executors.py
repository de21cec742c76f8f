from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import textwrap
import time
from functools import partial
from pathlib import Path

import pytest

from mithridate.compute import Failed, TaskFailed, ThisProcess, Workers, executor, first_failure
from mithridate.core.errors import InputError

BOTH = pytest.mark.parametrize("runner", [ThisProcess(), Workers(2)], ids=["process", "workers"])


class Heard:
    def __init__(self) -> None:
        self.steps: list[tuple[str, float]] = []

    def step(self, what: str, done: float) -> None:
        self.steps.append((what, done))


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    body = """
        import os, sys, time
        from mithridate.core.errors import MissingExtra

        def die_once(mark):
            if not os.path.exists(mark):
                open(mark, "w").close()
                os._exit(9)
            return "alive"

        def die_on_two(task):
            if task == 2:
                os._exit(9)
            return task * 10

        def lack(task):
            raise MissingExtra("torch", "torch", "this")

        def wait_here(folder):
            open(os.path.join(folder, str(os.getpid())), "w").close()
            time.sleep(60)
    """
    (tmp_path / "worker_tasks.py").write_text(textwrap.dedent(body))
    monkeypatch.syspath_prepend(tmp_path)
    return "worker_tasks"


def load(name: str) -> object:
    return __import__(name)


@BOTH
def test_results_come_in_the_order_of_the_tasks(runner: ThisProcess | Workers) -> None:
    heard = Heard()
    assert runner.map(math.sqrt, [0, 1, 4, 9, 16], progress=heard, what="roots") == [0, 1, 2, 3, 4]
    assert [round(done, 3) for _, done in heard.steps] == [0.2, 0.4, 0.6, 0.8, 1.0]
    assert runner.map(math.sqrt, []) == []


@BOTH
def test_a_task_that_raises_fails_alone(runner: ThisProcess | Workers) -> None:
    results = runner.map(math.sqrt, [4, -1, 9])
    assert results[0] == 2
    assert results[2] == 3
    assert isinstance(results[1], Failed)
    assert "ValueError" in results[1].reason
    with pytest.raises(TaskFailed, match="ValueError"):
        first_failure(results)


def test_our_own_errors_cross_the_process_border(module: str) -> None:
    results = Workers(1).map(load(module).lack, [1])  # type: ignore[attr-defined]
    assert "pip install" in results[0].reason
    with pytest.raises(Exception, match="this needs torch"):
        first_failure(results)


def test_a_dead_worker_costs_its_task_only(module: str) -> None:
    results = Workers(2).map(load(module).die_on_two, [0, 1, 2, 3, 4])  # type: ignore[attr-defined]
    assert [result for result in results if not isinstance(result, Failed)] == [0, 10, 30, 40]
    assert isinstance(results[2], Failed)
    assert "exit code 9" in results[2].reason


def test_a_task_whose_worker_died_once_is_tried_again(module: str, tmp_path: Path) -> None:
    results = Workers(1).map(load(module).die_once, [str(tmp_path / "mark")])  # type: ignore[attr-defined]
    assert results == ["alive"]


def test_what_cannot_be_sent_is_a_failed_task() -> None:
    assert "pickle" in Workers(1).map(lambda task: task, [1])[0].reason.lower()
    assert "can't be sent back" in Workers(1).map(open, [os.devnull])[0].reason


def test_workers_have_one_thread_each() -> None:
    assert Workers(2).map(os.getenv, ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"]) == ["1", "1"]


def test_an_interrupt_ends_every_worker(module: str, tmp_path: Path) -> None:
    here = tmp_path / "pids"
    here.mkdir()
    script = tmp_path / "script.py"  # no __main__ guard: workers never load the main script
    script.write_text(
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        f"from {module} import wait_here\nfrom mithridate.compute import Workers\n"
        f"Workers(2).map(wait_here, [{str(here)!r}] * 4)\n"
    )
    process = subprocess.Popen([sys.executable, str(script)], stderr=subprocess.PIPE, text=True)
    for _ in range(200):
        if len(list(here.iterdir())) == 2:
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=10)
    assert errors.strip().endswith("KeyboardInterrupt")
    for child in here.iterdir():
        with pytest.raises(ProcessLookupError):
            os.kill(int(child.name), 0)


def test_jobs_choose_the_executor() -> None:
    assert isinstance(executor(1), ThisProcess)
    assert isinstance(executor(3), Workers)
    with pytest.raises(InputError, match="at least 1"):
        executor(0)


def test_bound_arguments_travel_with_the_function() -> None:
    assert Workers(2).map(partial(pow, 2), [1, 2, 3]) == [2, 4, 8]


def test_the_ports_load_nothing_heavy() -> None:
    code = "import sys, mithridate.compute; print([m for m in ('numpy', 'torch', 'sklearn') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
