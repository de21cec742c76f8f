"""Run tasks on a Ray cluster: the same functions, and a worker or machine that dies costs its own task only."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Sequence
from typing import Any, cast

from mithridate.compute.port import Failed, Result, Task, failed, portable
from mithridate.compute.threads import VARIABLES
from mithridate.core.errors import InputError, MissingExtra
from mithridate.core.progress import Progress, Silent

KNOCK_S = 10.0  # seconds to wait for an answer at a cluster's address
ATTEMPTS = 2  # a task whose worker died is tried once more, wherever there is room
WAITING = 4  # tasks handed to the cluster for each of its processors


class RayCluster:
    """An executor on a cluster that runs already, or on this machine.

    Parameters
    ----------
    address : `ray://host:port`, `host:port`, or `auto` for the cluster that this machine belongs to.
    jobs : tasks that may run at a time; None for as many as the cluster has processors.

    Raises
    ------
    MissingExtra : Ray isn't installed.
    InputError : no cluster answers there.

    Notes
    -----
    Each task takes one processor and one thread. Functions and tasks are sent whole, so the cluster's machines need
    this package, and they must see the source's files and the store under the same paths.
    """

    def __init__(self, address: str = "auto", *, jobs: int | None = None) -> None:
        self.address = address
        self.jobs = jobs
        self._connect()

    def _connect(self) -> Any:
        try:
            import ray
        except ImportError as error:
            raise MissingExtra("ray", "ray", "a cluster") from error
        if ray.is_initialized():
            return ray
        self._knock()
        try:
            ray.init(address=self.address, logging_level=logging.ERROR, log_to_driver=False, configure_logging=False)
        except Exception as error:
            said = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise InputError(
                f"no Ray cluster answers at {self.address} ({said}); start one with `ray start --head`, or use --jobs"
            ) from error
        return ray

    def _knock(self) -> None:
        """Refuse an address at which nobody listens at once: Ray itself would try for minutes."""
        host, _, port = self.address.removeprefix("ray://").rpartition(":")
        if not host or not port.isdigit():
            return  # `auto`, or a form that only Ray knows
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=KNOCK_S).close()
        except (OSError, OverflowError) as error:
            raise InputError(
                f"no Ray cluster answers at {self.address} ({error}); start one with `ray start --head`, or use --jobs"
            ) from error

    def map(
        self,
        function: Callable[[Task], Result],
        tasks: Sequence[Task],
        *,
        progress: Progress | None = None,
        what: str = "tasks",
    ) -> list[Result | Failed]:
        """One result for each task, in order; an interrupt cancels what still runs and passes."""
        ray = self._connect()
        listener = progress or Silent()
        remote = ray.remote(num_cpus=1, max_retries=ATTEMPTS - 1, runtime_env={"env_vars": dict(VARIABLES)})(_answer)
        shared = ray.put(function)
        room = self.jobs or WAITING * max(int(ray.cluster_resources().get("CPU", 1)), 1)
        results: dict[int, Any] = {}
        running: dict[Any, int] = {}
        waiting = iter(range(len(tasks)))
        try:
            while len(results) < len(tasks):
                while len(running) < room and (index := next(waiting, None)) is not None:
                    running[remote.remote(shared, tasks[index])] = index
                ready, _ = ray.wait(list(running), num_returns=1)
                for reference in ready:
                    results[running.pop(reference)] = _result(ray, reference)
                    listener.step(what, len(results) / len(tasks))
        finally:
            for reference in running:
                ray.cancel(reference, force=True)
        return cast("list[Result | Failed]", [results[index] for index in range(len(tasks))])


def _answer(function: Callable[[Any], Any], task: Any) -> Any:
    """The task's result where it ran; an exception is an answer too."""
    try:
        return function(task)
    except Exception as error:  # noqa: BLE001 - the task's own code; the failure is the answer
        return portable(failed(error))


def _result(ray: Any, reference: Any) -> Any:
    try:
        return ray.get(reference)
    except ray.exceptions.RayError as error:
        said = (str(error).splitlines() or [type(error).__name__])[0][:200]
        return Failed(f"the worker died ({type(error).__name__}: {said}), {ATTEMPTS} times; more memory may help")
