"""Whose words a report speaks: those of its kind of target, where the words for training data would be wrong."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from mithridate.core.findings import Finding
from mithridate.core.report import Report
from mithridate.reports import artefact, project, proof
from mithridate.reports.extent import Figure


class Voice(Protocol):
    """The words of one kind of target; a module is one.

    `TAG` is what SARIF calls the area. `NO_DIGEST` stands where a digest would; empty leaves the line out.
    """

    TAG: str
    NOTHING_TO_DO: str
    NO_DIGEST: str

    def target(self, report: Report) -> str:
        """What was looked at, and how much of it."""

    def headline(self, report: Report) -> str:
        """The verdict in one short sentence."""

    def lead(self, report: Report) -> str:
        """What stands behind the verdict."""

    def caveat(self, report: Report) -> str:
        """What the verdict does not say."""

    def figures(self, report: Report) -> tuple[Figure, Figure]:
        """The two figures between the worst severity and the checks that ran."""

    def file_of(self, finding: Finding, report: Report) -> str:
        """The file that a finding is about; empty where there is none."""


_VOICES: Mapping[str, Voice] = MappingProxyType(
    {"files": artefact, "project": project, "signed": proof, "sealed": proof, "records": proof}
)


def voice(report: Report) -> Voice | None:
    """The words of the report's kind of target; None for training data and whatever else."""
    kind: object = report.target.kind  # a report is read from JSON, and anything can stand there
    return _VOICES.get(kind) if isinstance(kind, str) else None
