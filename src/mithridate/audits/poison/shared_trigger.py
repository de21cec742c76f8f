"""Shared triggers: a token that rows of one label share, whose labels surprise a model that can't see it."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from mithridate.audits.poison.context import AuditSettings, Context
from mithridate.audits.poison.evidence import rows_evidence, trigger_image
from mithridate.core.errors import Skip
from mithridate.core.findings import Evidence, Finding, Severity, number
from mithridate.core.method import Outcome
from mithridate.core.trigger import Trigger
from mithridate.data.dataset import Dataset

_MINERS = {"image": "mine_image_triggers", "table": "mine_table_triggers", "text": "mine_text_triggers"}
FLIP = "flip_rate"
_PICTURED = {"patch", "blend", "local-patch"}


def shared_trigger(context: Context, settings: AuditSettings) -> Outcome:
    """Backdoor triggers: what rows of one label share, and what it does to a model.

    One idea for every kind of data. A *token* (a pixel level, a small patch, a value or pair of values, a word) is
    suspicious when rows that carry it have labels that surprise a model which can't see the token: natural class
    words and dependent columns are common in a class, but they don't surprise. A suspect is then tested: the mined
    trigger is put on rows of other classes, and a probe model (or the user's own) must flip to the target; with the
    group's rows given back the label they look like, the flip must vanish. Only then the finding is *confirmed*.

    Blind to clean-label poison, where content and label agree, and to triggers that differ in every row.
    """
    modality = context.dataset.modality
    if modality not in _MINERS:
        raise Skip(f"no trigger miner for {modality} data yet")
    module = importlib.import_module(f"mithridate.audits.poison.triggers.{modality}")
    outcome: Outcome = getattr(module, _MINERS[modality])(context, settings)
    if outcome.row_scores is None:
        return outcome
    score = np.asarray(outcome.row_scores.score)
    findings = tuple(_worded(_illustrated(finding, context, score)) for finding in outcome.findings)
    others = tuple(piece for piece in outcome.numbers if piece.name != FLIP)
    return replace(outcome, findings=findings, numbers=(_flip_rate(findings), *others))


def _worded(finding: Finding) -> Finding:
    """The claim with the word that says whether a model confirmed it."""
    if finding.severity >= Severity.HIGH:
        return replace(finding, claim=f"{finding.claim}, confirmed by the causal test")
    return replace(finding, claim=f"Suspected: {finding.claim}")


def _flip_rate(findings: Sequence[Finding]) -> Evidence:
    """The strongest confirmed trigger's flip rate as measured, or 0 where no trigger was confirmed."""
    confirmed = [f for f in findings if f.severity >= Severity.HIGH]
    measured = [piece for f in confirmed for piece in f.evidence if piece.name == FLIP]
    if measured:
        return max(measured, key=lambda piece: float(str(piece.data["value"])))
    return number(FLIP, 0.0, unit="share", note="no trigger was confirmed, so none was put on other rows")


def _illustrated(finding: Finding, context: Context, score: npt.NDArray[np.float64]) -> Finding:
    """The finding with its trigger's picture, and with flagged rows beside clean ones, the most suspect first."""
    data = context.dataset
    rows = np.flatnonzero(np.isin(data.ids, np.asarray(finding.subject.rows, dtype=np.int64)))
    rows = rows[np.argsort(-score[rows], kind="stable")]
    trigger = _trigger(finding)
    pictures: list[Evidence] = []
    if trigger is not None and trigger.kind in _PICTURED:
        pictures.append(trigger_image(trigger, data))
    pictures += rows_evidence(data, rows, _code(data, finding), context, marked=_marked(trigger))
    return replace(finding, evidence=(*pictures, *finding.evidence))


def _trigger(finding: Finding) -> Trigger | None:
    for piece in finding.evidence:
        raw = piece.data.get("trigger") if piece.kind == "trigger" else None
        if isinstance(raw, dict):
            return Trigger.from_json(raw)
    return None


def _marked(trigger: Trigger | None) -> list[str]:
    """The columns or the words that a reader should look at."""
    pattern = {} if trigger is None else trigger.pattern
    named = pattern.get("columns") or pattern.get("words") or ()
    return [str(name) for name in named] if isinstance(named, dict | list | tuple) else []


def _code(data: Dataset, finding: Finding) -> int | None:
    return next((code for code in range(data.n_classes) if data.label_of(code) == finding.subject.label), None)
