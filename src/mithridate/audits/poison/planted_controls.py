"""Measured power: plant known poison in a copy of this very data, and see how much of it the audit finds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mithridate.attacks.poisoning.controls import FAMILIES, Planted, every_family, plant
from mithridate.audits.poison.context import AuditSettings, Context
from mithridate.audits.poison.label_errors import label_errors
from mithridate.audits.poison.shared_trigger import shared_trigger
from mithridate.core.errors import Skip
from mithridate.core.findings import Evidence, number
from mithridate.core.method import Outcome
from mithridate.core.progress import Silent
from mithridate.numeric.rates import wilson

CHEAP_ROWS = 2_500  # a copy of this size costs about a second; `--power all` plants in a copy of everything
MIN_ROWS = 400  # below it one planted row is a rate that no method could be asked to find
MIN_CLASSES = 2
PLANT_RATE = 0.02
MOST_PLANTED = 60


def planted_controls(context: Context, settings: AuditSettings) -> Outcome:
    """How much planted poison of each simple family this audit recovers on this very data.

    A copy of the data (for `--power cheap` a part of it, chosen by content hash) gets a few rows of every family that
    fits its kind, each with a target class of its own; shared triggers and label errors are then looked for in the
    copy, by the same settings but without a model, recipe or reference of yours. `power:<attack>` is the share of
    planted rows that were flagged, with a Wilson interval over rows. "Nothing found" means something only beside this
    number. `cheap` plants the simple families together; `all` plants every family, the subtle ones too, each alone in a
    copy of everything. The controls of `cheap` are simple attacks: subtler poison is found less often than they are.
    """
    if settings.power == "off":
        raise Skip("switched off with --power off")
    families = FAMILIES.get(context.dataset.modality, ())
    if not families:
        raise Skip(f"no control attacks for {context.dataset.modality} data yet")
    part = _part(context, settings)
    if len(part) < MIN_ROWS or context.dataset.n_classes < MIN_CLASSES:
        raise Skip(f"needs at least {MIN_ROWS} rows of 2 classes to plant in, got {len(part)} rows")
    numbers = []
    every = every_family(context.dataset.modality)
    for done, batch in enumerate([families] if settings.power == "cheap" else [(family,) for family in every]):
        context.progress.step(f"planting {', '.join(batch)}", done / len(every))
        per_family = max(4, min(MOST_PLANTED, round(PLANT_RATE * len(part))))
        planted = plant(
            context.dataset.take(part), context.rng("planted-controls"), families=batch, per_family=per_family
        )
        numbers += _recovered(planted, _flagged(planted, settings, len(context.dataset)))
    return Outcome(numbers=tuple(numbers))


def _part(context: Context, settings: AuditSettings) -> npt.NDArray[np.int64]:
    """Rows not flagged already; for `cheap` the first ones in content-hash order, which is a random draw."""
    flagged = np.zeros(len(context.dataset), dtype=bool)
    for opinion in context.evidence.values():
        flagged |= np.asarray(opinion.flagged, dtype=bool)
    rows = np.flatnonzero(~flagged & (context.dataset.y >= 0))
    return rows[:CHEAP_ROWS] if settings.power == "cheap" else rows


def _flagged(planted: Planted, settings: AuditSettings, rows: int) -> npt.NDArray[np.bool_]:
    quiet = replace(settings, power="off")
    copy = Context(dataset=planted.dataset, settings=quiet, stands_for=rows, progress=Silent())
    flagged = np.zeros(len(planted.dataset), dtype=bool)
    methods: tuple[Any, ...] = (shared_trigger, label_errors)
    for method in methods:
        try:
            outcome: Outcome = method(copy, copy.settings)
        except Skip:
            continue
        if outcome.row_scores is not None:
            copy.learn(outcome.row_scores.kind, outcome)
            flagged |= np.asarray(outcome.row_scores.flagged, dtype=bool)
    return flagged


def _recovered(planted: Planted, flagged: npt.NDArray[np.bool_]) -> list[Evidence]:
    numbers = []
    for code, family in enumerate(planted.families):
        of_family = planted.truth == code
        total, found = int(of_family.sum()), int((of_family & flagged).sum())
        low, high = wilson(found, total)
        note = f"{found} of {total} planted rows flagged among {len(flagged):,} unsuspected ones; Wilson 95 % over rows"
        numbers.append(number(f"power:{family}", found / max(total, 1), low=low, high=high, unit="share", note=note))
    return numbers
