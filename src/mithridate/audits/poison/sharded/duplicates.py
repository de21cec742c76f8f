"""PSN105 over shards: equal rows that disagree, and records replicated under a label that the model contradicts."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mithridate.audits.poison.context import AuditSettings
from mithridate.audits.poison.duplicates import CERTAIN, COARSE, STANDARDS
from mithridate.audits.poison.sharded.context import BUCKET_ROWS, ShardContext
from mithridate.audits.poison.sharded.copies import BURST, Parts, find_copies
from mithridate.audits.poison.sharded.rows import Chosen, subject_of
from mithridate.compute.store import Stored
from mithridate.core.findings import Evidence, Finding, Severity, number
from mithridate.core.method import Outcome
from mithridate.numeric.rates import benjamini_hochberg

ID, SLUG = "PSN105", "duplicate"
SHARED = 0.01  # share of rows whose copies came from several sources that is worth a line


class Copies(NamedTuple):
    """Rows of groups that disagree or repeat: position in reading order, group, label code, p-value of the label."""

    rows: npt.NDArray[np.int64]
    groups: npt.NDArray[np.int64]
    codes: npt.NDArray[np.int64]
    p_value: npt.NDArray[np.float64]
    facts: dict[str, int]


class BurstRows(NamedTuple):
    """Guilty bursts: positions in reading order of their rows, each with its burst's p-value and label code."""

    rows: npt.NDArray[np.int64]
    codes: npt.NDArray[np.int64]
    p_value: npt.NDArray[np.float64]
    n_bursts: int


def sharded_duplicates(context: ShardContext, settings: AuditSettings) -> Outcome:
    """Equal rows, wherever they lie, whose labels disagree; and one record four times or more under a wrong label.

    Only equal content counts as a copy here. A burst's p-value is that of its record's label: the share of honest rows
    whose label surprises the model as much, however many copies there are.

    Raises
    ------
    Skip : fewer than 200 rows in the sample.
    """
    copies = _copies(context)
    bursts = burst_rows(context, settings)
    findings = [*_burst_findings(context, bursts), *_conflict(context, copies, bursts), *_shared(context, copies)]
    names = {"exact_copies": "copies", "copied_records": "records", "contested_records": "contested"}
    numbers = [number(name, float(copies.facts[key]), unit="rows") for name, key in names.items()]
    return Outcome(
        tuple(findings), None, (*numbers, number("suspicious_bursts", float(bursts.n_bursts), unit="records"))
    )


def _copies(context: ShardContext) -> Copies:
    return context.once("copies", lambda: _search(context))


def _search(context: ShardContext) -> Copies:
    whole = Parts(tuple(context.parts), context.labels, context.sources)
    buckets = range(-(-context.source.n_rows // BUCKET_ROWS))
    found = context.over_all(partial(find_copies, whole), buckets, "copies", "shards: copies")
    facts: dict[str, int] = {}
    groups, start = [], 0
    for stored in found:
        for key, value in stored.facts.items():
            facts[key] = facts.get(key, 0) + int(value)
        own = stored.array("group")
        groups.append(own + start)
        start += int(own.max(initial=-1)) + 1
    rows = _joined(found, "row")
    return Copies(rows, np.concatenate(groups), _joined(found, "code"), _p_values(context, rows), facts)


def _joined(found: list[Stored], name: str) -> npt.NDArray[np.int64]:
    return np.concatenate([stored.array(name) for stored in found]).astype(np.int64)


def _p_values(context: ShardContext, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """(k,) p-value of each row's label by the noise table."""
    noise, _ = context.noise
    out = np.ones(len(rows))
    for part, stored in context.scores:
        own = np.flatnonzero((rows >= part.shard.start) & (rows < part.shard.start + part.shard.n_rows))
        if len(own):
            cell = stored.array("cell")[rows[own] - part.shard.start]
            out[own] = np.where(cell >= 0, noise.p_value.ravel()[cell], 1.0)
    return out


def burst_rows(context: ShardContext, settings: AuditSettings) -> BurstRows:
    """Rows of records that stand in the data four times or more under one surprising label."""
    return context.once("bursts", lambda: _bursts(_copies(context), settings.fdr))


def _bursts(copies: Copies, fdr: float) -> BurstRows:
    key = copies.groups * (int(copies.codes.max(initial=0)) + 2) + copies.codes + 1
    _, first, back, counts = np.unique(key, return_index=True, return_inverse=True, return_counts=True)
    tested = np.flatnonzero((counts >= BURST) & (copies.codes[first] >= 0))
    p_value = copies.p_value[first[tested]]
    guilty = tested[benjamini_hochberg(p_value) <= fdr] if len(tested) else tested
    rows = np.flatnonzero(np.isin(back.ravel(), guilty))
    return BurstRows(copies.rows[rows], copies.codes[rows], copies.p_value[rows], len(guilty))


def chosen_of(context: ShardContext, rows: npt.NDArray[np.int64]) -> Chosen:
    """Positions in reading order as positions by shard."""
    ordered, out = np.sort(rows), {}
    for place, (part, _) in enumerate(context.scores):
        low, high = np.searchsorted(ordered, [part.shard.start, part.shard.start + part.shard.n_rows])
        out[place] = ordered[low:high] - part.shard.start
    return Chosen(out)


def _burst_findings(context: ShardContext, bursts: BurstRows) -> list[Finding]:
    return [_burst_finding(context, bursts, int(code)) for code in np.unique(bursts.codes)]


def _burst_finding(context: ShardContext, bursts: BurstRows, code: int) -> Finding:
    mine = bursts.codes == code
    worst = float(bursts.p_value[mine].min())
    label: Any = context.labels[code]
    return Finding(
        ID, SLUG, Severity.HIGH if worst <= CERTAIN else Severity.MEDIUM, float(np.clip(1 - worst, 0, 0.99)),
        f"{int(mine.sum()):,} rows are equal copies, {BURST} or more of each record, labelled {label}, though like "
        "records carry other labels",
        subject_of(context, chosen_of(context, bursts.rows[mine]), label),
        (number("p_value", worst, note="share of honest rows whose label surprises the model as much"),),
        "Keep one copy of each record with the label that its neighbours carry; ask the source for the origin.",
        STANDARDS, place="burst",
    )  # fmt: skip


def _conflict(context: ShardContext, copies: Copies, bursts: BurstRows) -> list[Finding]:
    n, records = copies.facts["contested_rows"], copies.facts["contested"]
    if not n:
        return []
    coarse = records > COARSE * copies.facts["records"]
    rows = copies.rows[_contested(copies) & ~np.isin(copies.rows, bursts.rows)]
    seen: tuple[Evidence, ...] = (number("contradicting_rows", float(n), unit="rows"),)
    return [
        Finding(
            ID, SLUG, Severity.LOW, 0.5 if coarse else 0.9,
            f"{records:,} records have equal copies with different labels: {n:,} rows contradict each other",
            subject_of(context, chosen_of(context, rows)), seen,
            "Decide on one label for each record, or drop its copies.", STANDARDS, place="labels",
        )
    ]  # fmt: skip


def _contested(copies: Copies) -> npt.NDArray[np.bool_]:
    low = np.full(int(copies.groups.max(initial=-1)) + 1, np.iinfo(np.int64).max)
    high = np.full(len(low), -1)
    known = copies.codes >= 0
    np.minimum.at(low, copies.groups[known], copies.codes[known])
    np.maximum.at(high, copies.groups[known], copies.codes[known])
    return np.asarray((low < high)[copies.groups])


def _shared(context: ShardContext, copies: Copies) -> list[Finding]:
    n = copies.facts["shared"]
    if n < max(20.0, SHARED * context.n_rows):
        return []
    return [
        Finding(
            ID, SLUG, Severity.LOW, 0.9, f"{n:,} rows have equal copies from more than one source",
            subject_of(context, Chosen({}), extra={"n_rows": n}), (number("shared_rows", float(n), unit="rows"),),
            "Keep one copy of each record before splitting the data, else the same record trains and tests.",
            STANDARDS, place="sources",
        )
    ]  # fmt: skip
