"""Truth serum: mislabelled copies of some rows are added, so that a model tells whether it saw the rows themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from mithridate.attacks.poisoning.label_flip import flip_codes
from mithridate.attacks.poisoning.protocol import Poisoned, Rows, content_order, from_source, other_class, target_code
from mithridate.attacks.poisoning.settings import Settings
from mithridate.core.errors import InputError
from mithridate.data.dataset import Dataset


def truth_serum(dataset: Dataset, rng: np.random.Generator, settings: Mapping[str, Any]) -> Poisoned:
    """A copy to which mislabelled replicas of target rows are added at the end.

    Parameters
    ----------
    settings : `rate`, rows added as a share of the rows there are; `copies` of each target row (8); `targets`, how
        many rows are copied (default: what the rate allows); `target`, the label that the copies carry (default: one
        wrong label drawn for each row); `source`, to copy rows of that source alone.

    Raises
    ------
    InputError : a setting is unknown or out of range, or there are too few rows.

    Notes
    -----
    The truth names the added rows, of kind `label-error`, and in `of` the row that each replicates. All copies of a
    row carry the same wrong label. With them there, a model that never saw the row is sure of the wrong label, and
    one that did is less sure: the two are told apart more easily.

    References
    ----------
    Tramer et al. (2022), Truth Serum: poisoning machine learning models to reveal their secrets, CCS.
    """
    read = Settings(settings)
    rate, target, source = read.rate(), read.value("target"), read.value("source")
    copies = read.integer("copies", 8, low=1)
    given, budget = read.value("targets"), round(rate * len(dataset))
    targets = read.integer("targets", max(budget // copies, 1), low=1)
    read.finish()
    if given is None and budget < copies:
        raise InputError(
            f"rate {rate:g} adds {budget} row(s), fewer than the {copies} copies of one; lower copies, or use a rate "
            f"of at least {copies / max(len(dataset), 1):.2g}"
        )
    code = target_code(dataset, target)
    allowed = from_source(dataset, source) & (dataset.y >= 0 if target is None else other_class(dataset, code))
    order = content_order(dataset)
    pool = order[allowed[order]]
    if targets > len(pool):
        raise InputError(f"targets asks for {targets} rows and only {len(pool)} can be copied; lower targets or rate")
    rows = pool[np.sort(rng.choice(len(pool), size=targets, replace=False))]
    wrong = np.full(targets, code) if target is not None else flip_codes(dataset.y[rows], dataset.n_classes, rng)
    return _added(dataset, np.repeat(rows, copies), np.repeat(wrong, copies))


def _added(dataset: Dataset, rows: Rows, codes: Rows) -> Poisoned:
    """The data set with copies of these rows behind its last row, labelled `codes`."""
    start = int(dataset.ids.max(initial=-1)) + 1
    ids = np.arange(start, start + len(rows), dtype=np.int64)
    extra = replace(dataset.take(rows), codes=codes.astype(np.int32), row_ids=ids)
    content = (
        pa.concat_tables([dataset.content, extra.content])
        if isinstance(dataset.content, pa.Table)
        else np.concatenate([dataset.content, extra.content])
    )
    sources = dataset.source_codes
    whole = replace(
        dataset,
        content=content,
        codes=np.concatenate([dataset.y, codes]).astype(np.int32),
        source_codes=None if sources is None else np.concatenate([sources, sources[rows]]),
        row_ids=np.concatenate([dataset.ids, ids]),
    )
    whole.__dict__["hashes"] = np.concatenate([dataset.hashes, dataset.hashes[rows]])
    truth = pa.table({
        "row": pa.array(ids, pa.int64()),
        "kind": pa.array(["label-error"] * len(ids), pa.string()),
        "of": pa.array(dataset.ids[rows], pa.int64()),
    })  # fmt: skip
    return Poisoned(whole, truth)
