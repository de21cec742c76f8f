"""Shared triggers: a token that rows of one label share, whose labels surprise a model that can't see it."""

from __future__ import annotations

import importlib

from mithridate.audits.poison.context import AuditSettings, Context
from mithridate.core.errors import Skip
from mithridate.core.method import Outcome

_MINERS = {"image": "mine_image_triggers", "table": "mine_table_triggers", "text": "mine_text_triggers"}


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
    return outcome
