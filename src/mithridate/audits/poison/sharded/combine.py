"""The row table of any number of rows, shard by shard, and the findings of the sharded methods as one list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mithridate.audits.poison.changed_since_manifest import SURE, bad_rows
from mithridate.audits.poison.combine import RowTable
from mithridate.audits.poison.outliers import CAP, EXTREME
from mithridate.audits.poison.sharded.context import ShardContext
from mithridate.audits.poison.sharded.duplicates import burst_rows
from mithridate.audits.poison.sharded.label_errors import label_flags
from mithridate.audits.poison.sharded.outliers import odd_limit
from mithridate.audits.poison.sharded.rows import explained
from mithridate.audits.poison.sharded.score import codes_of
from mithridate.core.findings import number
from mithridate.core.method import Combined, Outcome

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Opinion:
    """One method's opinion of a shard's rows."""

    kind: str
    score: Floats
    p_value: Floats
    flagged: npt.NDArray[np.bool_]
    false_chance: Floats


@dataclass(frozen=True, slots=True, eq=False)
class ShardRows:
    """The row table, made one shard at a time; `methods` are the ids of those that ran."""

    context: ShardContext
    methods: tuple[str, ...]

    def tables(self) -> Iterator[RowTable]:
        """The table of each shard that was read, in reading order."""
        for place in range(len(self.context.scores)):
            yield self._table(place)

    @property
    def row(self) -> npt.NDArray[np.int64]:
        """(n,) positions in reading order, those of lost shards too."""
        return np.arange(self.context.source.n_rows)

    @property
    def flagged(self) -> npt.NDArray[np.bool_]:
        """(n,) flags of all rows in reading order; rows of a lost shard are not flagged."""
        out = np.zeros(self.context.source.n_rows, dtype=bool)
        for table in self.tables():
            out[table.row] = table.flagged
        return out

    def _table(self, place: int) -> RowTable:
        part = self.context.scores[place][0]
        opinions = {name: _OPINIONS[name](self.context, place) for name in self.methods if name in _OPINIONS}
        n = part.shard.n_rows
        score, p_value, best = np.full(n, -np.inf), np.ones(n), np.full(n, -np.inf)
        kind, false = np.full(n, "", dtype="<U12"), np.ones(n)
        for opinion in opinions.values():
            score, p_value = np.maximum(score, opinion.score), np.minimum(p_value, opinion.p_value)
            stronger = opinion.flagged & ((opinion.score > best) | (kind == ""))
            kind[stronger], best[stronger] = opinion.kind, opinion.score[stronger]
            false[opinion.flagged] = np.minimum(false, opinion.false_chance)[opinion.flagged]
        return RowTable(
            row=part.shard.start + np.arange(n), flagged=kind != "", kind=kind, score=score,
            p_value=np.minimum(1.0, p_value * max(1, len(opinions))), false_chance=false,
            by_method={name: opinion.score for name, opinion in opinions.items()},
        )  # fmt: skip


def _label_opinion(context: ShardContext, place: int) -> _Opinion:
    flags = label_flags(context, context.settings)
    cell = context.scores[place][1].array("cell")
    known = cell >= 0
    odds = np.where(known, flags.odds[cell], 0.0)
    with np.errstate(divide="ignore"):
        score = np.log10(odds)
    flagged = known & flags.flagged[cell] & ~explained(context, place)
    return _Opinion("label-error", score, np.where(known, flags.p_value[cell], 1.0), flagged, 1 / (1 + odds))


def _trigger_opinion(context: ShardContext, place: int) -> _Opinion:
    n = context.scores[place][0].shard.n_rows
    score, flagged = np.full(n, -6.0), np.zeros(n, dtype=bool)
    for found in context.triggers:
        own = found.rows.get(place)
        if own is not None:
            score[own.rows] = np.maximum(score[own.rows], own.odds)
            flagged[own.rows[own.flagged]] = True
    chance = 1 / (1 + 10.0**score)
    return _Opinion("trigger", score, np.where(flagged, chance, 1.0), flagged, chance)


def _outlier_opinion(context: ShardContext, place: int) -> _Opinion:
    odd = context.scores[place][1].array("odd").astype(np.float64)
    expected = 10.0**-odd * context.n_rows
    score = np.minimum(-np.log10(expected) - 2, np.where(expected < EXTREME, 0.0, CAP))
    flagged = odd >= odd_limit(context, context.settings)
    return _Opinion("outlier", score, 10.0**-odd, flagged, np.full(len(odd), context.settings.fdr))


def _copy_opinion(context: ShardContext, place: int) -> _Opinion:
    shard = context.scores[place][0].shard
    bursts = burst_rows(context, context.settings)
    score, p_value = np.full(shard.n_rows, -np.inf), np.ones(shard.n_rows)
    mine = (bursts.rows >= shard.start) & (bursts.rows < shard.start + shard.n_rows)
    rows = bursts.rows[mine] - shard.start
    score[rows] = np.clip(-np.log10(np.maximum(bursts.p_value[mine], 1e-12)) - 1, 0.5, 3.0)
    p_value[rows] = bursts.p_value[mine]
    return _Opinion("duplicate", score, p_value, np.isfinite(score), 1 / (1 + 10.0**score))


def _source_opinion(context: ShardContext, place: int) -> _Opinion:
    part = context.scores[place][0]
    n = part.shard.n_rows
    score, p_value = np.full(n, -np.inf), np.ones(n)
    for guilty in context.guilty:
        own = codes_of(part.census, context.sources, "source") == guilty.code
        score[own], p_value[own] = guilty.score, guilty.p_value
    return _Opinion("source", score, p_value, np.zeros(n, dtype=bool), np.ones(n))


def _manifest_opinion(context: ShardContext, place: int) -> _Opinion:
    shard = context.scores[place][0].shard
    flagged = np.zeros(shard.n_rows, dtype=bool)
    if context.manifest is not None:
        rows = bad_rows(context.manifest.changes) - shard.start
        flagged[rows[(rows >= 0) & (rows < shard.n_rows)]] = True
    score, p_value = np.where(flagged, SURE, -np.inf), np.where(flagged, 10.0**-SURE, 1.0)
    return _Opinion("edited", score, p_value, flagged, np.zeros(shard.n_rows))


_OPINIONS = {
    "PSN103": _trigger_opinion, "PSN101": _label_opinion, "PSN104": _outlier_opinion, "PSN105": _copy_opinion,
    "PSN106": _source_opinion, "PSN114": _manifest_opinion,
}  # fmt: skip


def combine(context: ShardContext, outcomes: Mapping[str, Outcome]) -> Combined:
    """The findings, worst first, the expected number of false flags among all rows, and the row table to come."""
    rows = ShardRows(context, tuple(outcomes))
    n_flagged, mean, variance = 0, 0.0, 0.0
    for table in rows.tables() if any(name in _OPINIONS for name in outcomes) else ():
        chances = table.false_chance[table.flagged]
        n_flagged += len(chances)
        mean, variance = mean + float(chances.sum()), variance + float((chances * (1 - chances)).sum())
    findings = [finding for outcome in outcomes.values() for finding in outcome.findings]
    findings.sort(key=lambda f: (-f.severity, -f.confidence, f.method, f.fingerprint))
    spread = 1.96 * np.sqrt(variance)
    note = f"sum over the {n_flagged:,} flagged rows of the chance that each is good; +- 1.96 sd"
    note = note if n_flagged else "no row is flagged"
    false = number(
        "expected_false_flags", mean, low=max(0.0, mean - spread), high=mean + spread, unit="rows", note=note
    )
    return Combined(tuple(findings), (false,), rows)
