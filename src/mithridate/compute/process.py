"""Run tasks one after the other in this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mithridate.compute.port import Failed, Result, Task, failed
from mithridate.core.progress import Progress, Silent


class ThisProcess:
    """The executor without workers: nothing to start, nothing to send."""

    def map(
        self,
        function: Callable[[Task], Result],
        tasks: Sequence[Task],
        *,
        progress: Progress | None = None,
        what: str = "tasks",
    ) -> list[Result | Failed]:
        """One result for each task, in order; an exception becomes `Failed`, an interrupt passes."""
        listener = progress or Silent()
        results: list[Result | Failed] = []
        for task in tasks:
            try:
                results.append(function(task))
            except Exception as error:  # noqa: BLE001 - the task's own code; the failure is kept and reported
                results.append(failed(error))
            listener.step(what, len(results) / len(tasks))
        return results
