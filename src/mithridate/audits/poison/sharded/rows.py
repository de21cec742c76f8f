"""Rows chosen in many shards: how many, whose, and how a finding names them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mithridate.audits.poison.sharded.context import ShardContext
from mithridate.audits.poison.sharded.score import codes_of
from mithridate.core.findings import Json, Subject

MOST_NAMED = 1_000_000  # rows that a finding names; all of them stand in the row table


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """Place of a shard -> positions of the chosen rows in it, ascending."""

    rows: Mapping[int, npt.NDArray[np.int64]]

    @property
    def count(self) -> int:
        """How many rows."""
        return sum(map(len, self.rows.values()))


def subject_of(
    context: ShardContext, chosen: Chosen, label: Json = None, extra: Mapping[str, Json] | None = None
) -> Subject:
    """The rows as a finding's subject: positions in reading order, the first million of them, and counts by source."""
    named: list[int] = []
    counts = np.zeros(len(context.sources), np.int64)
    for place, rows in sorted(chosen.rows.items()):
        part = context.scores[place][0]
        named += (rows[: max(MOST_NAMED - len(named), 0)] + part.shard.start).tolist()
        if context.sources and len(rows):
            counts += np.bincount(codes_of(part.census, context.sources, "source")[rows], minlength=len(counts))
    more = {"n_rows": chosen.count} if chosen.count > len(named) else {}
    return Subject("rows", tuple(named), label, _by_name(context, counts), {**(extra or {}), **more})


def _by_name(context: ShardContext, counts: npt.NDArray[np.int64]) -> dict[str, int]:
    order = np.argsort(-counts, kind="stable")
    return {context.sources[i]: int(counts[i]) for i in order if counts[i]}


def explained(context: ShardContext, place: int) -> npt.NDArray[np.bool_]:
    """(n,) rows of a shard that a confirmed trigger explains: they are no label errors besides."""
    out = np.zeros(context.scores[place][0].shard.n_rows, dtype=bool)
    for found in context.triggers:
        if found.confirmed and place in found.rows:
            own = found.rows[place]
            out[own.rows[own.flagged]] = True
    return out
