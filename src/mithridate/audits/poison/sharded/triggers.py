"""PSN103 over shards: rare values are found by counting all rows, tested on a model with the rows that carry them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mithridate.audits.poison.context import AuditSettings, Context
from mithridate.audits.poison.sharded.census import read_stream
from mithridate.audits.poison.sharded.columns import model_rows
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
from mithridate.compute.store import Stored
from mithridate.core.errors import Skip
from mithridate.core.findings import Evidence, Finding, Severity, number
from mithridate.core.method import Outcome
from mithridate.core.trigger import Trigger
from mithridate.numeric.table_probe import Rows, fit_trees, row_odds

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
    if not triggers:
        return []
    values = tuple(_values(trigger) for _, trigger in triggers)
    patterns = Patterns(context.source.plan, context.learnt.columns, values)
    matches = context.over_parts(partial(match, patterns), f"match {values}", "shards: triggers")
    kept = {part.census.path: stored for part, stored in zip(context.parts, matches, strict=True)}
    out = []
    for place, (finding, trigger) in enumerate(triggers):
        rows = _rows(context, kept, place, trigger)
        confirmed = finding.severity >= Severity.HIGH
        out.append(FoundTrigger(_reworded(context, finding, trigger, rows), confirmed, rows))
    return out


def _trigger(finding: Finding) -> Trigger:
    return next(Trigger.from_json(piece.data["trigger"]) for piece in finding.evidence if piece.kind == "trigger")  # type: ignore[arg-type]


def _values(trigger: Trigger) -> tuple[tuple[str, Any], ...]:
    return tuple(trigger.pattern["columns"].items())  # type: ignore[union-attr]


def _rows(context: ShardContext, kept: Mapping[str, Stored], which: int, trigger: Trigger) -> dict[int, Carriers]:
    """Carriers labelled as the target, with their odds by what the rest of the row says of the label."""
    code = context.labels.index(trigger.target)
    own, others, places = [], [], []
    for place, (part, _) in enumerate(context.scores):
        stored = kept[part.census.path]
        rows, seen = stored.array(f"place:{which}"), stored.array(f"rows:{which}")
        codes = codes_of(part.census, context.labels, "label")[rows]
        own.append(seen[codes == code])
        others.append(seen[(codes >= 0) & (codes != code)])
        places.append((place, rows[codes == code]))
    ids = np.concatenate([rows + context.scores[place][0].shard.start for place, rows in places])
    expected = _expected(context, trigger, code, ids)
    base = float((context.drawn.data.y == code).sum() / max((context.drawn.data.y >= 0).sum(), 1))
    odds = row_odds(expected(np.concatenate(own)), expected(np.concatenate(others)), base)
    logs = np.clip(np.log10(odds), UNSEEN, MAX_ODDS)
    parts = np.split(logs, np.cumsum([len(rows) for _, rows in places])[:-1])
    return {place: Carriers(rows, part, part > 0) for (place, rows), part in zip(places, parts, strict=True)}


def _expected(
    context: ShardContext, trigger: Trigger, code: int, carriers: npt.NDArray[np.int64]
) -> Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float64]]:
    """P(target | the other columns), by trees that saw neither the trigger's columns nor its carriers."""
    drawn, columns = context.drawn, context.learnt.columns
    used = dict(_values(trigger))
    kept = np.flatnonzero([column.name not in used for column in columns])
    matrix = model_rows(drawn.table.combine_chunks().to_batches()[0], context.source.plan, columns)[:, kept]
    usable = (drawn.data.y >= 0) & ~np.isin(drawn.data.ids, carriers)
    rows = Rows(matrix, np.array([not columns[j].numeric for j in kept], dtype=bool), usable)
    chosen = np.flatnonzero(usable)[:MINED_ROWS]
    model = fit_trees(rows, drawn.data.y == code, chosen, seed=int(context.rng("carriers").integers(2**31)))

    def expected(here: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        if not len(here):
            return np.empty(0)
        return np.asarray(model.predict_proba(here[:, kept])[:, 1], dtype=np.float64)

    return expected


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
