"""What fails a run: the threshold, the limits on numbers, and the findings already known."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from mithridate.core.errors import InputError
from mithridate.core.findings import Finding, Severity
from mithridate.core.report import Report

_LIMIT = re.compile(r"^\s*(?P<name>[^<>=\s]+)\s*(?P<sign><=|>=|<|>)\s*(?P<value>[-+0-9.eE]+)\s*$")
_SIGNS: Mapping[str, Callable[[float, float], bool]] = MappingProxyType(
    {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
)

EXIT_CLEAN, EXIT_FINDINGS, EXIT_BROKEN = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Limit:
    """A number that must hold, such as `flip_rate<0.1`."""

    name: str
    sign: str
    value: float

    @classmethod
    def parse(cls, words: str) -> Limit:
        """The limit that `words` spell; `InputError` when they don't."""
        match = _LIMIT.match(words)
        try:
            if match is not None:
                return cls(match["name"], match["sign"], float(match["value"]))
        except ValueError:
            pass
        raise InputError(f"--limit must look like 'name<value' (also <=, >, >=), got {words!r}")

    def holds(self, report: Report) -> bool | None:
        """Whether the report's number keeps the limit; None when it has no such number."""
        piece = report.number(self.name)
        value = None if piece is None else piece.data.get("value")
        if not isinstance(value, (int, float)):
            return None
        return _SIGNS[self.sign](float(value), self.value)


@dataclass(frozen=True, slots=True)
class Policy:
    """`fail_on` None never fails; findings whose fingerprint is in `baseline` are known and don't fail."""

    fail_on: Severity | None = Severity.HIGH
    limits: tuple[Limit, ...] = ()
    baseline: frozenset[str] = field(default_factory=frozenset)

    def new(self, report: Report) -> tuple[Finding, ...]:
        """The findings that aren't in the baseline."""
        return tuple(finding for finding in report.findings if finding.fingerprint not in self.baseline)

    def exit_code(self, report: Report) -> int:
        """1: a new finding reaches the threshold or a limit is broken; else 2: something could not run; else 0."""
        reached = self.fail_on is not None and any(f.severity >= self.fail_on for f in self.new(report))
        kept = [limit.holds(report) for limit in self.limits]
        if reached or False in kept:
            return EXIT_FINDINGS
        return EXIT_BROKEN if report.verdict == "incomplete" or None in kept else EXIT_CLEAN
