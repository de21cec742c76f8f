"""Methods that a sample answers: targeted flips between classes, and the measured power."""

from __future__ import annotations

from dataclasses import replace

from mithridate.audits.poison.class_pairs import class_pairs
from mithridate.audits.poison.context import AuditSettings
from mithridate.audits.poison.planted_controls import planted_controls
from mithridate.audits.poison.sharded.context import ShardContext
from mithridate.core.findings import Finding
from mithridate.core.method import Outcome


def sampled_class_pairs(context: ShardContext, settings: AuditSettings) -> Outcome:
    """Pairs of classes between which labels were moved one way, in a sample of the rows drawn by content hash."""
    outcome = class_pairs(context.sample, settings)
    return replace(outcome, row_scores=None, findings=tuple(_said(context, finding) for finding in outcome.findings))


def sampled_controls(context: ShardContext, settings: AuditSettings) -> Outcome:
    """How much planted poison is recovered in a part of the sample, by the methods for rows in memory."""
    return planted_controls(context.sample, settings)


def _said(context: ShardContext, finding: Finding) -> Finding:
    return replace(finding, claim=f"In a sample of {len(context.sample.dataset):,} rows: {finding.claim}")
