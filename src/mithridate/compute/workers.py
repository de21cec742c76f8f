"""Run tasks in worker processes: one thread each, and one that dies costs its own task only."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import Any, cast

from mithridate.compute.port import Failed, Result, Task, failed
from mithridate.compute.threads import VARIABLES
from mithridate.core.progress import Progress, Silent

ATTEMPTS = 2  # a task whose worker died is tried once more, in a fresh worker


class Workers:
    """An executor of `jobs` processes, started for each map and gone after it.

    Notes
    -----
    A worker is a fresh interpreter, not a fork, and never loads the user's main script: no lock is inherited, and a
    script needs no `__main__` guard. Functions and tasks are sent whole, so they must be picklable and defined in a
    module. A worker costs some 0.1 s to start, plus what the function imports.
    """

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs

    def map(
        self,
        function: Callable[[Task], Result],
        tasks: Sequence[Task],
        *,
        progress: Progress | None = None,
        what: str = "tasks",
    ) -> list[Result | Failed]:
        """One result for each task, in order; an interrupt ends every worker and passes."""
        run = _Run(function, tasks, progress or Silent(), what)
        try:
            run.loop(min(self.jobs, len(tasks)))
        finally:
            run.end()
        return cast("list[Result | Failed]", [run.results[index] for index in range(len(tasks))])


@dataclass(slots=True, eq=False)
class _Worker:
    process: subprocess.Popen[bytes]
    connection: Connection
    task: int | None = None


@dataclass(slots=True, eq=False)
class _Run:
    """One map: what waits, who works on what, what came back."""

    function: Callable[[Any], Any]
    tasks: Sequence[Any]
    progress: Progress
    what: str
    results: dict[int, Any] = field(default_factory=dict)
    attempts: dict[int, int] = field(default_factory=dict)
    workers: list[_Worker] = field(default_factory=list)
    waiting: deque[int] = field(default_factory=deque)

    def loop(self, jobs: int) -> None:
        """Keep every worker busy until each task has a result."""
        self.waiting.extend(range(len(self.tasks)))
        while len(self.results) < len(self.tasks):
            while self.waiting and len(self.workers) < jobs:
                self.workers.append(_start())
            for worker in [idle for idle in self.workers if idle.task is None]:
                self._give(worker)
            busy = [worker for worker in self.workers if worker.task is not None]
            ready = set(wait([worker.connection for worker in busy])) if busy else set()
            for worker in [worker for worker in busy if worker.connection in ready]:
                self._take(worker)

    def _give(self, worker: _Worker) -> None:
        if not self.waiting:
            return
        worker.task = self.waiting.popleft()
        self.attempts[worker.task] = self.attempts.get(worker.task, 0) + 1
        try:
            worker.connection.send((self.function, self.tasks[worker.task]))
        except OSError:
            self._lost(worker)
        except Exception as error:  # noqa: BLE001 - pickling runs any class's own code; nothing was sent yet
            index, worker.task = worker.task, None
            self._done(index, failed(error))

    def _take(self, worker: _Worker) -> None:
        index = cast("int", worker.task)
        try:
            result = worker.connection.recv()
        except (EOFError, OSError):
            self._lost(worker)
            return
        except Exception as error:  # noqa: BLE001 - unpickling runs any class's own code; the stream is whole
            result = failed(error)
        worker.task = None
        self._done(index, result)

    def _lost(self, worker: _Worker) -> None:
        index = cast("int", worker.task)
        self.workers.remove(worker)
        code = _stop(worker)
        if self.attempts[index] < ATTEMPTS:
            self.waiting.appendleft(index)
            return
        self._done(
            index, Failed(f"the worker died ({_words(code)}), {ATTEMPTS} times; more memory or fewer jobs may help")
        )

    def _done(self, index: int, result: Any) -> None:
        self.results[index] = result
        self.progress.step(self.what, len(self.results) / len(self.tasks))

    def end(self) -> None:
        """Stop every worker at once."""
        for worker in self.workers:
            worker.process.kill()
        for worker in self.workers:
            _stop(worker)
        self.workers.clear()


def _start() -> _Worker:
    ours, theirs = Pipe()
    environment = {
        **os.environ,
        **VARIABLES,
        "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path),
    }
    # -P: the current folder is importable only if it is here; a group of its own: an interrupt reaches the parent alone
    command = [sys.executable, "-P", "-m", "mithridate.compute.worker", str(theirs.fileno())]
    try:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own module
            command, env=environment, pass_fds=(theirs.fileno(),), stdin=subprocess.DEVNULL, process_group=0
        )
    finally:
        theirs.close()  # the worker holds the only other end: when it dies, ours is at its end
    return _Worker(process, ours)


def _stop(worker: _Worker) -> int:
    """Kill the worker if it still lives, wait for it, and give its exit code."""
    with contextlib.suppress(OSError):
        worker.connection.close()
    code = worker.process.poll()
    if code is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = worker.process.wait(timeout=1)
    if code is None:
        worker.process.kill()
        code = worker.process.wait()
    return code


def _words(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    with contextlib.suppress(ValueError):
        return f"signal {signal.Signals(-code).name}"
    return f"signal {-code}"
