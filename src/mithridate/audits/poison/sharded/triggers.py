"""PSN103 over shards: rare values are found by counting all rows, tested on a model with the rows that carry them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mithridate.audits.poison.context import AuditSettings, Context
from mithridate.audits.poison.sharded.census import read_stream
from mithridate.audits.poison.sharded.context import ShardContext, in_memory
from mithridate.audits.poison.sharded.gather import Patterns, Search, Wanted, gather, match
from mithridate.audits.poison.sharded.pairs import (
    Candidate,
    Gathered,
    chosen,
    collect_column,
    collect_rows,
    count_pairs,
)
from mithridate.audits.poison.sharded.rows import Chosen, subject_of
from mithridate.audits.poison.sharded.score import codes_of
from mithridate.audits.poison.shared_trigger import shared_trigger
from mithridate.core.errors import Skip
from mithridate.core.findings import Evidence, Finding, Severity, number
from mithridate.core.method import Outcome
from mithridate.core.trigger import Trigger
from mithridate.numeric.noise_table import BINS, MIDDLE
from mithridate.numeric.table_probe import row_odds

MOST_CANDIDATES = 12
MOST_CARRIERS = 300  # of one candidate, that are mined with the sample: few enough to be rare there as well
MINED_ROWS = 12_000  # of the sample: as many as a probe model is fitted to, so that it sees every carrier
UNSEEN, MAX_ODDS = -6.0, 6.0


class Carriers(NamedTuple):
    """Rows of one shard that carry a trigger and its label: positions, log10 odds of being stamped, whether flagged."""

    rows: npt.NDArray[np.int64]
    odds: npt.NDArray[np.float64]
    flagged: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class FoundTrigger:
    """A finding about all rows, whether a model confirmed it, and its carriers by the shard's place."""

    finding: Finding
    confirmed: bool
    rows: Mapping[int, Carriers]


def sharded_triggers(context: ShardContext, settings: AuditSettings) -> Outcome:
    """Shared triggers among any number of rows.

    Values and pairs of values are counted over all rows that don't look like their label, so that a few hundred
    poisoned rows among millions stand out; the rows that carry the most surprising ones are gathered, laid beside
    12,000 rows of the sample and mined by the ordinary method, whose causal test confirms or drops them. So the flip
    rate is that of a model which sees all carriers among few other rows. A trigger is then looked for in every row.

    Raises
    ------
    Skip : no table, or more than 62 classes.
    """
    if context.source.plan.modality != "table":
        raise Skip(f"no trigger miner for {context.source.plan.modality} data yet")
    candidates = _candidates(context)
    enriched = _enriched(context, candidates)
    outcome = shared_trigger(enriched, settings)
    found = _everywhere(context, outcome.findings)
    context.triggers.extend(found)
    counted = number(
        "candidates", float(len(candidates)), unit="values or pairs",
        note="more frequent among rows that don't look like their label than chance allows, before the causal test",
    )  # fmt: skip
    return Outcome(tuple(item.finding for item in found), None, (*outcome.numbers, counted))


def _candidates(context: ShardContext) -> list[Candidate]:
    scores = [stored for _, stored in context.scores]
    if "kind" not in scores[0].names():
        return []
    tokens = [f"token:{j}" for j in range(len(context.learnt.columns))]
    columns = context.over_all(partial(collect_column, scores), tokens, "columns", "shards: columns")
    rows = context.over_all(partial(collect_rows, scores), ["rows"], "rows", "shards: rows")[0]
    gathered = Gathered(rows, tuple(columns), len(context.labels), context.learnt.reference)
    counted = context.over_all(partial(count_pairs, gathered), range(len(columns)), "pairs", "shards: pairs")
    return chosen([stored.facts["found"] for stored in counted], MOST_CANDIDATES)


def _enriched(context: ShardContext, candidates: Sequence[Candidate]) -> Context:
    """A part of the sample and the carriers of the candidates, each row once."""
    sample = context.sample.dataset.take(np.arange(min(MINED_ROWS, len(context.sample.dataset))))
    if not candidates:
        return Context(dataset=sample.canonical(), settings=context.settings, progress=context.progress)
    wanted = tuple(Wanted(c.items, min(1.0, MOST_CARRIERS / max(c.carriers, 1))) for c in candidates)
    search = Search(context.source.plan, context.learnt.columns, wanted)
    stored = context.over_parts(partial(gather, search), f"gather {wanted}", "shards: carriers")
    parts = [(part.shard.start, result) for part, result in zip(context.parts, stored, strict=True)]
    ids = np.concatenate([sample.ids, *(result.array("place") + start for start, result in parts)])
    tables = [context.drawn.table.slice(0, len(sample)), *(read_stream(result.array("rows")) for _, result in parts)]
    rows = in_memory(context, tables, ids)
    _, first = np.unique(ids, return_index=True)
    return Context(dataset=rows.take(first).canonical(), settings=context.settings, progress=context.progress)


def _everywhere(context: ShardContext, findings: Sequence[Finding]) -> list[FoundTrigger]:
    triggers = [(finding, _trigger(finding)) for finding in findings]
    patterns = Patterns(tuple(tuple(trigger.pattern["columns"].items()) for _, trigger in triggers))  # type: ignore[union-attr]
    if not triggers:
        return []
    matches = context.over_parts(partial(match, patterns), f"match {patterns.values}", "shards: triggers")
    stored = dict(zip([part.census.path for part in context.parts], matches, strict=True))
    out = []
    for place, (finding, trigger) in enumerate(triggers):
        rows = _rows(context, {key: result.array(f"carrier:{place}") for key, result in stored.items()}, trigger.target)
        out.append(FoundTrigger(_reworded(context, finding, trigger, rows), finding.severity >= Severity.HIGH, rows))
    return out


def _trigger(finding: Finding) -> Trigger:
    return next(Trigger.from_json(piece.data["trigger"]) for piece in finding.evidence if piece.kind == "trigger")  # type: ignore[arg-type]


def _rows(context: ShardContext, carriers: Mapping[str, npt.NDArray[np.int64]], target: Any) -> dict[int, Carriers]:
    """Carriers labelled `target` with their odds: what the model says of the label tells stamped from natural ones."""
    code = context.labels.index(target)
    own, others, base, total, places = [], [], 0, 0, []
    for place, (part, stored) in enumerate(context.scores):
        rows = carriers[part.census.path]
        codes = codes_of(part.census, context.labels, "label")
        base, total = base + int((codes == code).sum()), total + int((codes >= 0).sum())
        bins = stored.array("cell")[rows] % (BINS + 1)
        chance = np.append(MIDDLE, 0.6)[bins]
        own.append(chance[codes[rows] == code])
        others.append(np.minimum(1 - chance, 0.5)[(codes[rows] >= 0) & (codes[rows] != code)])
        places.append((place, rows[codes[rows] == code]))
    odds = np.clip(np.log10(row_odds(np.concatenate(own), np.concatenate(others) / 2, base / total)), UNSEEN, MAX_ODDS)
    ends = np.cumsum([len(rows) for _, rows in places])
    parts = np.split(odds, ends[:-1])
    return {place: Carriers(rows, part, part > 0) for (place, rows), part in zip(places, parts, strict=True)}


def _reworded(context: ShardContext, finding: Finding, trigger: Trigger, rows: Mapping[int, Carriers]) -> Finding:
    """The finding of the enriched sample, told of all rows."""
    chosen = Chosen({place: own.rows[own.flagged] for place, own in rows.items()})
    shown = " and ".join(f"{name} = {value}" for name, value in trigger.pattern["columns"].items())  # type: ignore[union-attr]
    label = trigger.target
    claim = f"{chosen.count:,} of {context.n_rows:,} rows are labelled {label} and share {shown}"
    if finding.severity >= Severity.HIGH:
        flip = next((piece.data["value"] for piece in finding.evidence if piece.name == "flip_rate"), 0.0)
        claim += f"; putting it on other rows moves {float(flip):.0%} of them to {label}".replace("%", " %")  # type: ignore[arg-type]
        claim += ", confirmed by the causal test"
    else:
        claim = f"Suspected: {claim}, and their labels don't fit the rest of the row"
    seen = number(
        "carriers", float(sum(len(own.rows) for own in rows.values())), unit="rows",
        note="rows of that label in all shards that hold these values",
    )  # fmt: skip
    subject = subject_of(context, chosen, finding.subject.label)
    return replace(finding, claim=claim, subject=subject, evidence=(*finding.evidence, _note(context), seen))


def _note(context: ShardContext) -> Evidence:
    return number(
        "rows_read", float(context.n_rows), unit="rows",
        note="values were counted in all of them; flip rates were measured on part of a sample and on the carriers",
    )  # fmt: skip
