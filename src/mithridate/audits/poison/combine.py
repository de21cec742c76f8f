"""Joins the methods' calibrated opinions into one order of the rows, and the findings into one list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from mithridate.audits.poison.context import Context
from mithridate.core.findings import Evidence, number
from mithridate.core.method import Combined, Outcome, RowScores

Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RowTable:
    """One entry a row in reading order: what `--scores` writes and `report.rows()` gives.

    `score` is the highest log10 odds that any method gives the row; `p_value` the smallest of the methods', times
    their number; `kind` the kind of the strongest flag, empty without one; `by_method` each method's own score;
    `false_chance` the chance that a flagged row's flag is false, by the method surest of it (1 where not flagged).
    """

    row: npt.NDArray[np.int64]
    flagged: npt.NDArray[np.bool_]
    kind: npt.NDArray[np.str_]
    score: Floats
    p_value: Floats
    false_chance: Floats
    by_method: Mapping[str, Floats]

    def columns(self) -> dict[str, npt.NDArray[Any]]:
        """Name -> array, in the order of the contract."""
        fixed = {
            "row": self.row,
            "flagged": self.flagged,
            "kind": self.kind,
            "score": self.score,
            "p_value": self.p_value,
        }
        return {**fixed, **self.by_method}


def combine(context: Context, outcomes: Mapping[str, Outcome]) -> Combined:
    """One table over all rows, the expected number of false flags in it, and the findings, worst first."""
    opinions = {name: outcome.row_scores for name, outcome in outcomes.items() if outcome.row_scores is not None}
    table = row_table(context, opinions)
    findings = [finding for outcome in outcomes.values() for finding in outcome.findings]
    findings.sort(key=lambda f: (-f.severity, -f.confidence, f.method, f.fingerprint))
    return Combined(tuple(findings), (expected_false_flags(table),), table)


def row_table(context: Context, opinions: Mapping[str, RowScores]) -> RowTable:
    """Join the methods' opinions row by row; without any method every row has score -inf and p-value 1."""
    n_rows = len(context.dataset)
    score, p_value = np.full(n_rows, -np.inf), np.ones(n_rows)
    kind, best_flag = np.full(n_rows, "", dtype="<U12"), np.full(n_rows, -np.inf)
    false_chance = np.ones(n_rows)
    for opinion in opinions.values():
        own = np.asarray(opinion.score, dtype=np.float64)
        score = np.maximum(score, own)
        p_value = np.minimum(p_value, np.asarray(opinion.p_value, dtype=np.float64))
        stronger = np.asarray(opinion.flagged, dtype=bool) & ((own > best_flag) | (kind == ""))
        kind[stronger] = opinion.kind
        best_flag[stronger] = own[stronger]
        flagged = np.asarray(opinion.flagged, dtype=bool)
        false_chance[flagged] = np.minimum(false_chance, _false_chance(opinion, own))[flagged]
    order = np.argsort(context.dataset.ids, kind="stable")
    return RowTable(
        row=context.dataset.ids[order],
        flagged=(kind != "")[order],
        kind=kind[order],
        score=score[order],
        p_value=np.minimum(1.0, p_value * max(1, len(opinions)))[order],
        false_chance=false_chance[order],
        by_method={name: np.asarray(opinion.score, dtype=np.float64)[order] for name, opinion in opinions.items()},
    )


def _false_chance(opinion: RowScores, own: Floats) -> Floats:
    """(n,) chance that a flag of this method is false: its posterior odds, or the share that it states instead."""
    if opinion.false_share is not None:
        return np.full(len(own), opinion.false_share)
    return np.asarray(1.0 / (1.0 + 10.0 ** np.clip(own, -300, 300)))


def expected_false_flags(table: RowTable) -> Evidence:
    """How many flags are expected to be false: the sum of their chances, with a Poisson-binomial interval."""
    chances = table.false_chance[table.flagged]
    mean, spread = float(chances.sum()), float(np.sqrt((chances * (1 - chances)).sum()))
    n_flagged = int(table.flagged.sum())
    note = f"sum over the {n_flagged:,} flagged rows of the chance that each is good; +- 1.96 sd"
    return number(
        "expected_false_flags",
        mean,
        low=max(0.0, mean - 1.96 * spread),
        high=mean + 1.96 * spread,
        unit="rows",
        note=note if n_flagged else "no row is flagged",
    )
