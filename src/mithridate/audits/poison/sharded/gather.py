"""The rows of all shards that carry chosen values: to be mined with the sample, or to be flagged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mithridate.audits.poison.sharded.census import write_stream
from mithridate.audits.poison.sharded.columns import ColumnCode, model_rows, tokens
from mithridate.audits.poison.sharded.score import Part
from mithridate.compute.store import Result
from mithridate.data.columns import Plan
from mithridate.data.shards import batches


@dataclass(frozen=True, slots=True)
class Wanted:
    """`items` of tokens (column position, token), all of which a row must carry; of its carriers a `share`, by hash."""

    items: tuple[tuple[int, int], ...]
    share: float


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """What to look for: groups of tokens."""

    plan: Plan
    columns: tuple[ColumnCode, ...]
    wanted: tuple[Wanted, ...]


def gather(search: Search, part: Part) -> Result:
    """The shard's rows that carry any group of tokens: `rows` an Arrow stream, `place` positions in the shard."""
    words = part.census.array("word")
    taken, places, start = [], [], 0
    for batch in batches(part.shard, search.plan.columns):
        own = words[start : start + batch.num_rows]
        found = np.zeros(batch.num_rows, dtype=bool)
        seen: dict[int, npt.NDArray[np.int32]] = {}
        for wanted in search.wanted:
            mask = (own >> np.uint64(1)) <= np.uint64(min(int(wanted.share * 2**63), 2**63 - 1))
            for column, token in wanted.items:
                if column not in seen:
                    code = search.columns[column]
                    seen[column] = tokens(batch.column(code.name), code)
                mask &= seen[column] == token
            found |= mask
        rows = np.flatnonzero(found)
        taken.append(batch.take(pa.array(rows)))
        places.append(rows + start)
        start += batch.num_rows
    return Result({"rows": write_stream(taken), "place": np.concatenate(places)})


@dataclass(frozen=True, slots=True, eq=False)
class Patterns:
    """Triggers: column values that a row carries, all of them; and how a model reads the columns."""

    plan: Plan
    columns: tuple[ColumnCode, ...]
    values: tuple[tuple[tuple[str, Any], ...], ...]


def match(patterns: Patterns, part: Part) -> Result:
    """Each pattern's carriers: `place:i` their positions in the shard, `rows:i` what a model sees of them."""
    places: list[list[npt.NDArray[np.int64]]] = [[] for _ in patterns.values]
    rows: list[list[npt.NDArray[np.float32]]] = [[] for _ in patterns.values]
    start = 0
    for batch in batches(part.shard, patterns.plan.content):
        for number, pattern in enumerate(patterns.values):
            found = np.flatnonzero(_carry(batch, pattern))
            places[number].append(found + start)
            rows[number].append(model_rows(batch.take(pa.array(found)), patterns.plan, patterns.columns))
        start += batch.num_rows
    out = {f"place:{number}": np.concatenate(parts) for number, parts in enumerate(places)}
    return Result(out | {f"rows:{number}": np.concatenate(parts) for number, parts in enumerate(rows)})


def _carry(batch: pa.RecordBatch, pattern: tuple[tuple[str, Any], ...]) -> npt.NDArray[np.bool_]:
    mask = np.ones(batch.num_rows, dtype=bool)
    for name, value in pattern:
        column = batch.column(name)
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        same = column.is_null() if value is None else pc.equal(column, pa.scalar(value, column.type))
        mask &= pc.fill_null(same, False).to_numpy(zero_copy_only=False)
    return mask
