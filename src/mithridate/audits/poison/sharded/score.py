"""Second look at a shard: each row's noise cell and oddness, and tokens of rows that don't look like their label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mithridate.audits.poison.sharded.columns import model_rows, tokens
from mithridate.audits.poison.sharded.learn import MAX_MASK, Learnt, oddness
from mithridate.compute.store import Result, Stored
from mithridate.data.shards import Shard, batches
from mithridate.numeric.noise_table import count, row_cells

BINS_P = 1600  # of -log10 p, a hundredth each
FOREIGN, REFERENCE = 1, 2


@dataclass(frozen=True, slots=True)
class Part:
    """A shard with its census."""

    shard: Shard
    census: Stored


def codes_of(census: Stored, words: tuple[Any, ...], kind: str, bucket: str = "") -> npt.NDArray[np.int32]:
    """(n,) codes of a shard's (or a bucket's) labels or sources by the whole's words; -1 where missing."""
    place = {word: code for code, word in enumerate(words)}
    lookup = np.array([*(place[word] for word in census.facts[f"{kind}s"]), -1], np.int32)
    return np.asarray(lookup[census.array(kind + bucket)])


def score(learnt: Learnt, part: Part) -> Result:
    """Judge every row of a shard by what the sample taught.

    Returns
    -------
    arrays : `cell` (n,) noise cell, `odd` (n,) -log10 p-value, `why` (n,) which test; sums to add up: `cells`, `filled`
        flattened counts, `odd_counts` by hundredths, `by_source` (k, 4) source, label, cell, rows. Of rows that don't
        look like their label and of the reference: `kept` positions, `kind`, `code`, `looks` (bit t: looks like class
        t), and `token:j` for each column of a table.
    """
    codes = codes_of(part.census, learnt.labels, "label")
    words = part.census.array("word")
    found: list[dict[str, npt.NDArray[Any]]] = []
    start = 0
    for batch in batches(part.shard, learnt.plan.content):
        rows = slice(start, start + batch.num_rows)
        found.append(_judge(learnt, batch, codes[rows], words[rows], start))
        start += batch.num_rows
    sums = {name: sum(part[name] for part in found) for name in ("cells", "filled", "odd_counts")}
    lists = [name for name in found[0] if name not in sums]
    arrays = {name: np.concatenate([part[name] for part in found]) for name in lists}
    if learnt.sources:
        arrays["by_source"] = _by_source(codes_of(part.census, learnt.sources, "source"), codes, arrays["cell"])
    arrays |= {name: np.asarray(total) for name, total in sums.items()}
    return Result(arrays, {"n_rows": start, "labels": np.bincount(codes[codes >= 0], minlength=1).tolist()})


def _judge(
    learnt: Learnt, batch: pa.RecordBatch, codes: npt.NDArray[np.int32], words: npt.NDArray[np.uint64], start: int
) -> dict[str, npt.NDArray[Any]]:
    rows = model_rows(batch, learnt.plan, learnt.columns)
    logs = learnt.model.log_probabilities(rows, folds_of(words))
    cell = row_cells(logs, codes)
    table = learnt.plan.modality == "table"
    p_values = oddness(learnt, rows)
    odd = np.minimum(-np.log10(np.minimum(p_values.min(axis=0) * len(p_values), 1.0)), 15.99)
    counts = count(logs, cell)
    out = {
        "cell": cell, "odd": odd.astype(np.float32), "why": p_values.argmin(axis=0).astype(np.uint8),
        "cells": counts.cells.ravel(), "filled": counts.filled.ravel(),
        "odd_counts": np.bincount((odd * 100).astype(np.int64), minlength=BINS_P),
    }  # fmt: skip
    if not table:
        return out
    odd_rows = _tokens(learnt, batch, logs, codes, words)
    if "kept" in odd_rows:
        odd_rows["kept"] += np.uint32(start)
    return {**out, **odd_rows}


def folds_of(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """(n,) fold of each row: copies of one row share it."""
    return (words & np.uint64(1)).astype(np.int64)


def _tokens(
    learnt: Learnt,
    batch: pa.RecordBatch,
    logs: npt.NDArray[np.float32],
    codes: npt.NDArray[np.int32],
    words: npt.NDArray[np.uint64],
) -> dict[str, npt.NDArray[Any]]:
    """What `score` tells of odd rows and of the reference, positions in the batch."""
    if logs.shape[1] > MAX_MASK:
        return {}
    above = logs > learnt.levels
    looks = (above.astype(np.uint64) << np.arange(logs.shape[1], dtype=np.uint64)).sum(axis=1, dtype=np.uint64)
    known = codes >= 0
    foreign = known & ~above[np.arange(len(codes)), np.where(known, codes, 0)]
    reference = known & ((words >> np.uint64(40)) < np.uint64(learnt.reference * 2**24))
    kept = np.flatnonzero(foreign | reference)
    taken = batch.take(pa.array(kept))
    kind = FOREIGN * foreign[kept] + REFERENCE * reference[kept]
    out = {
        "kept": kept.astype(np.uint32), "kind": kind.astype(np.uint8), "code": codes[kept].astype(np.int8),
        "looks": looks[kept],
    }  # fmt: skip
    return out | {f"token:{j}": tokens(taken.column(code.name), code) for j, code in enumerate(learnt.columns)}


def _by_source(
    sources: npt.NDArray[np.int32], codes: npt.NDArray[np.int32], cells: npt.NDArray[np.int32]
) -> npt.NDArray[np.int64]:
    """(k, 4) source, label, cell, rows."""
    table = np.stack([sources, codes, cells], axis=1).astype(np.int64)
    width = np.array([int(codes.max(initial=0)) + 2, int(cells.max(initial=0)) + 2])
    key = (table[:, 0] * width[0] + table[:, 1] + 1) * width[1] + table[:, 2] + 1
    keys, counts = np.unique(key, return_counts=True)
    rest, cell = np.divmod(keys, width[1])
    source, label = np.divmod(rest, width[0])
    return np.stack([source, label - 1, cell - 1, counts], axis=1)
