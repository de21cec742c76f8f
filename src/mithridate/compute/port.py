"""The port: a function over tasks, results in order, wherever the work is done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from mithridate.core.errors import Error, InputError, Skip
from mithridate.core.progress import Progress

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Failed:
    """A task that gave no result: why, and the exception if there was one."""

    reason: str
    error: Exception | None = None


class TaskFailed(Error):
    """A task gave no result; the message is the reason."""


class Executor(Protocol):
    """Runs a function over tasks."""

    def map(
        self,
        function: Callable[[Task], Result],
        tasks: Sequence[Task],
        *,
        progress: Progress = ...,
        what: str = ...,
    ) -> list[Result | Failed]:
        """One result for each task, in order; a task that fails gives `Failed` and the others go on."""


def failed(error: Exception) -> Failed:
    """The failure that an exception is: its own message when it is ours, else with its type."""
    return Failed(str(error) if isinstance(error, Error) else f"{type(error).__name__}: {error}", error)


def portable(failure: Failed) -> Failed:
    """The failure as it can be sent to another process: the kind of our own exceptions, the words of all.

    An exception is rebuilt from its message alone; one that takes other arguments would fail on arrival.
    """
    for kind in (InputError, Skip, Error):
        if isinstance(failure.error, kind):
            return Failed(failure.reason, kind(failure.reason))
    return Failed(failure.reason)


def first_failure(results: Sequence[Any]) -> None:
    """Raise what made the first failed task fail; nothing when every task gave a result.

    Raises
    ------
    Error : the task's own, when it was one of ours; else `TaskFailed`.
    """
    for result in results:
        if isinstance(result, Failed):
            if isinstance(result.error, Error):
                raise result.error
            raise TaskFailed(result.reason) from result.error
