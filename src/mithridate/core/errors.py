"""Everything Mithridate raises on purpose; catch `Error` and you have caught it all.

Error
├── InputError      the user's data, model or setting can't be used as given
├── MissingExtra    an optional dependency isn't installed
├── Skip            a check does not apply here (becomes a `skipped` result)
├── Refused         what was to be shown does not hold: a seal, a rule, a log
└── InternalError   a promise inside Mithridate was broken
"""

from __future__ import annotations


class Error(Exception):
    """Root of the tree. The message has the fact, the limit and the next step."""


class InputError(Error, ValueError):
    """The input can't be used: says what is wrong, where, and what to do next."""


class MissingExtra(Error):
    """An optional dependency is needed: names the extra that brings it, or the `install` line where no extra does."""

    def __init__(self, package: str, extra: str, what_for: str, *, install: str = "") -> None:
        line = install or f"pip install 'mithridate[{extra}]'"
        super().__init__(f"{what_for} needs {package}; install it with: {line}")


class Skip(Error):
    """Raised by a method that does not apply to this target; the message is the reason."""


class Refused(Error):
    """A seal, a rule or a log does not hold: says what, and never more of the content; exit code 1."""


class InternalError(Error):
    """A contract between two rooms was broken: a bug to report, never the user's fault."""
