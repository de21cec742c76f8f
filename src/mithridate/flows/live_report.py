"""A report as Python and notebooks get it: it can be saved, asserted on, and shown in a cell."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mithridate.core.findings import Severity
from mithridate.core.report import Report


@dataclass(frozen=True)
class LiveReport(Report):
    """A report with what a program does with it; whoever holds more than the report says how that is written."""

    def save(self, *paths: str | Path) -> None:
        """Write the report to each path, format by suffix (.json .html .sarif .xml .md .txt)."""
        for path in paths:
            self._write(path)

    def assert_clean(self, fail_on: str = "high") -> None:
        """Raise `AssertionError` with the claims when a finding reaches `fail_on`, or when a check could not run."""
        bad = [finding.claim for finding in self.findings if finding.severity >= Severity.parse(fail_on)]
        broken = [f"{check.method} {check.status}: {check.reason}" for check in self.checks if check.status == "failed"]
        if bad or broken:
            raise AssertionError("; ".join(bad + broken))

    def _write(self, path: str | Path) -> None:
        raise NotImplementedError

    def _repr_html_(self) -> str:
        from mithridate.reports.notebook import to_notebook

        return to_notebook(self)
