"""PSN106 over shards: sources worse than the rest, from counts by source, label and noise cell."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mithridate.audits.poison.context import AuditSettings
from mithridate.audits.poison.sharded.context import ShardContext
from mithridate.audits.poison.sharded.duplicates import burst_rows, chosen_of
from mithridate.audits.poison.sharded.label_errors import label_flags
from mithridate.audits.poison.sharded.rows import Chosen, subject_of
from mithridate.audits.poison.sharded.score import codes_of
from mithridate.audits.poison.sources import ID, SHARES, SLUG, STANDARDS, STRICTER, Sign, Verdict, peel, shown
from mithridate.core.errors import Skip
from mithridate.core.findings import Finding, Severity, number
from mithridate.core.method import Outcome
from mithridate.numeric.rates import rate_interval

IntArray = npt.NDArray[np.int64]
NO_ROWS = np.zeros(0, dtype=bool)  # signs are counted here, never listed
_DEEDS = {
    "trigger": "carries a trigger",
    "label-error": "has sloppy or manipulated labels",
    "duplicate": "delivers copies that contradict other rows",
}


class Guilty(NamedTuple):
    """A named source: its code, and log10 odds and p-value for each of its rows."""

    code: int
    score: float
    p_value: float


def sharded_sources(context: ShardContext, settings: AuditSettings) -> Outcome:
    """The sources whose rows are suspect more often than the rest's, label by label, among any number of rows.

    Rests on counts of what the other methods said, source by source and label by label, at several thresholds. What is
    compared, and how sources are named one after the other, is as for rows in memory.

    Raises
    ------
    Skip : fewer than two sources.
    """
    counts = _counts(context)
    rows = _table(context, counts, np.ones(len(counts), dtype=bool))
    if (rows.sum(axis=1) > 0).sum() < 2:  # noqa: PLR2004 - one has no rest
        raise Skip("fewer than two sources; name their column with --source (Python: sources=...)")
    signs = [*_label_signs(context, settings, counts), *_row_signs(context, settings)]
    if not signs:
        raise Skip("no other method suspects any row; a source is judged by what they find")
    codes, verdict = peel(signs, rows, level=STRICTER * settings.fdr)
    context.guilty.extend(_guilty(code, verdict) for code in codes)
    findings = tuple(_finding(context, settings, code, verdict) for code in codes)
    numbers = (
        number("sources", float((rows.sum(axis=1) > 0).sum()), unit="sources"),
        number("bad_sources", float(len(codes)), unit="sources"),
    )
    return Outcome(findings, None, numbers)


def _counts(context: ShardContext) -> IntArray:
    """(k, 4) source, label, noise cell, rows of all shards."""
    every = np.concatenate([stored.array("by_source") for _, stored in context.scores])
    order = np.lexsort((every[:, 2], every[:, 1], every[:, 0]))
    every = every[order]
    fresh = np.ones(len(every), dtype=bool)
    fresh[1:] = (every[1:, :3] != every[:-1, :3]).any(axis=1)
    out = every[fresh]
    out[:, 3] = np.add.reduceat(every[:, 3], np.flatnonzero(fresh))
    return out


def _table(context: ShardContext, counts: IntArray, chosen: npt.NDArray[np.bool_]) -> IntArray:
    """(g, c + 1) chosen rows of each source and label, the last column for rows without a label."""
    out = np.zeros((len(context.sources), len(context.labels) + 1), np.int64)
    part = counts[chosen]
    np.add.at(out, (part[:, 0], part[:, 1]), part[:, 3])  # label -1 is the last column
    return out


def _label_signs(context: ShardContext, settings: AuditSettings, counts: IntArray) -> list[Sign]:
    flags = label_flags(context, settings)
    known = counts[:, 2] >= 0
    chosen = [known & flags.flagged[counts[:, 2]]]
    odds = np.where(known, flags.odds[counts[:, 2]], -1.0)
    order = np.argsort(-odds, kind="stable")
    reached = np.cumsum(counts[order, 3])
    for share in SHARES:
        place = int(np.searchsorted(reached, share * reached[-1]))
        chosen.append(known & (odds >= odds[order[min(place, len(order) - 1)]]))
    return [Sign("label-error", NO_ROWS, _table(context, counts, rows)) for rows in chosen if rows.any()]


def _row_signs(context: ShardContext, settings: AuditSettings) -> list[Sign]:
    out = []
    for kind, chosen in _lists(context, settings).items():
        hits = np.zeros((len(context.sources), len(context.labels) + 1), np.int64)
        for place, rows in chosen.rows.items():
            census = context.scores[place][0].census
            codes = codes_of(census, context.labels, "label")[rows]
            np.add.at(hits, (codes_of(census, context.sources, "source")[rows], codes), 1)
        if hits.any():
            out.append(Sign(kind, NO_ROWS, hits))
    return out


def _lists(context: ShardContext, settings: AuditSettings) -> dict[str, Chosen]:
    rows: dict[int, IntArray] = {}
    for found in context.triggers:
        for place, own in found.rows.items():
            rows[place] = np.union1d(rows.get(place, np.zeros(0, np.int64)), own.rows[own.flagged])
    return {"trigger": Chosen(rows), "duplicate": chosen_of(context, burst_rows(context, settings).rows)}


def _guilty(code: int, verdict: Verdict) -> Guilty:
    share = max((float((e.hits[code] - e.expected[code]) / max(e.rows[code], 1)) for e in verdict.excess), default=0)
    share = float(np.clip(share, 1e-3, 1 / 3))
    least = min(float(p[code]) for p in verdict.p_value.values())
    return Guilty(code, float(np.log10(share / (1 - share))), min(1.0, len(verdict.p_value) * least))


def _finding(context: ShardContext, settings: AuditSettings, code: int, verdict: Verdict) -> Finding:
    strong = [kind for kind, p in verdict.p_value.items() if p[code] <= 0.001]  # noqa: PLR2004 - on its own convincing
    kind = strong[0] if strong else min(verdict.p_value, key=lambda name: float(verdict.p_value[name][code]))
    excess = verdict.excess[int(verdict.best[kind][code])]
    own = rate_interval(excess.hits[code], excess.rows[code])
    rest = float(excess.expected[code] / max(excess.rows[code], 1))
    name = context.sources[code]
    return Finding(
        ID, SLUG, Severity.HIGH, float(np.clip(1 - verdict.q_value[code], 0, 0.999)),
        f"Source '{shown(name)}' {_DEEDS[kind]}: {100 * own.value:.1f} % of its rows on the labels it shares, "
        f"{100 * rest:.1f} % expected from the other sources",
        subject_of(context, _suspects(context, settings, code, kind), extra={"deed": kind}),
        (
            number("bad_share", own.value, low=own.low, high=own.high, unit="share",
                   note="resampled: its rows (Jeffreys, 95 %)"),
            number("expected_share", rest, unit="share", note="the other sources' rates, for its labels"),
            number("p_value", float(verdict.p_value[kind][code])),
        ),
        "Quarantine what this source delivered until it is explained, look at the rows, and train without it.",
        STANDARDS, place=name,
    )  # fmt: skip


def _suspects(context: ShardContext, settings: AuditSettings, code: int, kind: str) -> Chosen:
    """The source's rows that look bad in this way."""
    listed = _lists(context, settings).get(kind)
    flags = label_flags(context, settings)
    out = {}
    for place, (part, stored) in enumerate(context.scores):
        cell = stored.array("cell")
        rows = np.flatnonzero(flags.flagged[cell] & (cell >= 0))
        if listed is not None:
            rows = listed.rows.get(place, rows[:0])
        out[place] = rows[codes_of(part.census, context.sources, "source")[rows] == code]
    return Chosen(out)
