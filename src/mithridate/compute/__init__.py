"""Executors: this process or worker processes, behind one small port."""

from __future__ import annotations

from mithridate.compute.port import Executor, Failed, TaskFailed, first_failure
from mithridate.compute.process import ThisProcess
from mithridate.compute.workers import Workers
from mithridate.core.errors import InputError

__all__ = ["Executor", "Failed", "TaskFailed", "ThisProcess", "Workers", "executor", "first_failure"]


def executor(jobs: int = 1) -> Executor:
    """What runs tasks `jobs` at a time: this process for 1, worker processes of one thread each for more.

    Raises
    ------
    InputError : `jobs` is below 1.

    Examples
    --------
    >>> executor(1).map(abs, [-1, 2])
    [1, 2]
    """
    if jobs < 1:
        raise InputError(f"jobs must be at least 1, got {jobs}")
    return ThisProcess() if jobs == 1 else Workers(jobs)
