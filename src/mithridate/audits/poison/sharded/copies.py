"""Equal rows over all shards: hashes are parted into buckets, and each bucket is searched by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mithridate.audits.poison.sharded.score import Part, codes_of
from mithridate.compute.store import Result

BURST = 4  # copies under one label
MOST = 200_000  # rows of groups that a bucket tells of


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """All shards with their censuses, and the whole's labels and sources."""

    parts: tuple[Part, ...]
    labels: tuple[Any, ...]
    sources: tuple[str, ...]


def find_copies(whole: Parts, bucket: int) -> Result:
    """Groups of equal rows in one bucket.

    Returns
    -------
    arrays : `row` (k,) position in reading order, `group` (k,), `code` (k,), `source` (k,) of rows in groups whose
        labels differ or that hold four copies of one label. facts : `copies` beyond the first of each record, `records`
        that have copies, `contested` of them with several labels, `shared` rows of groups from several sources.
    """
    hashes, rows, codes, sources = _read(whole, bucket)
    order = np.argsort(hashes, kind="stable")
    fresh = np.ones(len(order), dtype=bool)
    fresh[1:] = hashes[order][1:] != hashes[order][:-1]
    group = np.cumsum(fresh) - 1
    size = np.bincount(group, minlength=1)
    copied = size[group] > 1
    order, group = order[copied], group[copied]
    differ, several = _differ(group, codes[order]), _differ(group, sources[order])
    key = group * (int(codes.max(initial=0)) + 2) + codes[order] + 1
    _, back, counts = np.unique(key, return_inverse=True, return_counts=True)
    told = np.flatnonzero(differ | ((counts[back.ravel()] >= BURST) & (codes[order] >= 0)))[:MOST]
    facts = {
        "copies": int((size - 1).sum()), "records": int((size > 1).sum()), "shared": int(several.sum()),
        "contested": len(np.unique(group[differ])), "contested_rows": int(differ.sum()),
    }  # fmt: skip
    arrays = {
        "row": rows[order][told],
        "group": group[told],
        "code": codes[order][told],
        "source": sources[order][told],
    }
    return Result(arrays, facts)


def _read(whole: Parts, bucket: int) -> Sequence[npt.NDArray[Any]]:
    hashes, rows, codes, sources = [], [], [], []
    for part in whole.parts:
        own = part.census.array(f"row:{bucket}")
        hashes.append(part.census.array(f"hash:{bucket}"))
        rows.append(own.astype(np.int64) + part.shard.start)
        codes.append(codes_of(part.census, whole.labels, "label", f":{bucket}"))
        given = codes_of(part.census, whole.sources, "source", f":{bucket}") if whole.sources else None
        sources.append(np.full(len(own), -1) if given is None else given)
    return [np.concatenate(found) for found in (hashes, rows, codes, sources)]


def _differ(group: npt.NDArray[np.int64], codes: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.bool_]:
    """(n,) whether the row's group holds two known codes."""
    if not len(group):
        return np.zeros(0, dtype=bool)
    low = np.full(int(group.max()) + 1, np.iinfo(np.int64).max)
    high = np.full(len(low), -1)
    known = codes >= 0
    np.minimum.at(low, group[known], codes[known])
    np.maximum.at(high, group[known], codes[known])
    return np.asarray((low < high)[group])
