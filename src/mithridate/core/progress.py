"""The progress port: methods say how far they are, and never know who listens."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Anything that can be told of a step; the command line draws it, the library stays silent."""

    def step(self, what: str, done: float) -> None:
        """Say that `what` is `done` (a share in [0, 1]) finished."""


class Silent:
    """Progress that goes nowhere: the library's default."""

    def step(self, what: str, done: float) -> None:
        """Ignore the step."""
