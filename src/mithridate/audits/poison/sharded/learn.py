"""What is learned from the sample and sent to every shard: the model, the columns' codes, what an ordinary row is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mithridate.audits.poison.sharded.columns import MAX_WORDS, N_SPANS, ColumnCode, is_numeric, model_rows, numbers
from mithridate.compute.store import Stored
from mithridate.core.errors import Skip
from mithridate.data.columns import Plan
from mithridate.data.dataset import Dataset
from mithridate.numeric.outliers import column_tails, robust_distance, wild_tail, wild_values
from mithridate.numeric.shard_model import ShardModel, fit_shard_model
from mithridate.numeric.tails import heavy_tail

LEAST_ROWS = 25  # rows, for a value to be a token, and for a group to be looked for
SHARED = 4e5  # rows of which one group shares a value at the least: 25 of 1e7
MOST_TOKENS = 20_000  # a column
TAIL_ROWS = 5_000  # rows that columns' tails and bulks are taken from
MIN_SAMPLE = 200
MAX_MASK = 62  # classes up to which a row's likeness to each fits one number

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Learnt:
    """What a shard needs to judge its rows.

    levels : (c,) log probabilities of each class above which a row of another class looks like it.
    bulk, held : rows of the sample that ordinary is measured by: the first gives the shape, the second the tails.
    label_places, source_places : the stored labels and sources, sorted; their codes are the positions.
    reference : share of the ordinary rows that values are compared with.
    """

    plan: Plan
    columns: tuple[ColumnCode, ...]
    model: ShardModel
    levels: npt.NDArray[np.float32]
    bulk: FloatArray
    held: FloatArray
    labels: tuple[Any, ...]
    sources: tuple[str, ...]
    reference: float

    @property
    def numeric(self) -> npt.NDArray[np.int64]:
        """Positions of the columns of numbers."""
        return np.flatnonzero([column.numeric for column in self.columns])


def learn(
    sample: Dataset, table: pa.Table, folds: npt.NDArray[np.int64], censuses: Sequence[Stored], plan: Plan,
    labels: tuple[Any, ...], sources: tuple[str, ...], *, n_rows: int, reference: float, rng: np.random.Generator,
) -> Learnt:  # fmt: skip
    """Fit the model and the codes.

    Parameters
    ----------
    sample, table : the same rows in the same order, as a data set and as Arrow.
    folds : (m,) fold of each.
    n_rows : rows of the whole.

    Raises
    ------
    Skip : fewer than 200 rows in the sample, or one class.
    """
    if len(sample) < MIN_SAMPLE:
        raise Skip(f"{len(sample)} rows in the sample; at least {MIN_SAMPLE} are needed to fit a model")
    is_table = plan.modality == "table"
    columns = _codes(table, censuses, plan, least=max(LEAST_ROWS, int(n_rows / SHARED))) if is_table else ()
    batch = table.combine_chunks().to_batches()[0]
    rows = model_rows(batch, plan, columns)
    codes = sample.y
    model = fit_shard_model(rows, codes, folds, n_classes=len(labels), trees=is_table, rng=rng)
    logs = model.log_probabilities(rows, folds)
    levels = np.array([_level(logs[:, t], codes, t) for t in range(len(labels))], np.float32)
    return Learnt(
        plan, columns, model, levels, rows[:TAIL_ROWS], _ordinary(rows, columns), labels, sources, reference
    )


def _level(logs: FloatArray, codes: npt.NDArray[np.int32], t: int) -> float:
    others = logs[(codes >= 0) & (codes != t)]
    return float(np.quantile(others, 0.75)) if len(others) else np.inf


def _codes(table: pa.Table, censuses: Sequence[Stored], plan: Plan, *, least: int) -> tuple[ColumnCode, ...]:
    names: dict[str, Counter[str]] = {}
    values: dict[str, list[npt.NDArray[np.float64]]] = {}
    for stored in censuses:
        for name, counts in stored.facts["names"].items():
            names.setdefault(name, Counter()).update(dict(map(tuple, counts)))
        for place, name in enumerate(plan.content):
            if name not in stored.facts["names"]:
                part = np.stack([stored.array(f"value:{place}"), stored.array(f"count:{place}")])
                values.setdefault(name, []).append(part)
    return tuple(
        _number_code(table, name, values[name], least) if name in values else _name_code(name, names[name], least)
        for name in plan.content
    )


def _number_code(table: pa.Table, name: str, parts: list[npt.NDArray[np.float64]], least: int) -> ColumnCode:
    distinct, place = np.unique(np.concatenate([part[0] for part in parts]), return_inverse=True)
    counts = np.bincount(place.ravel(), weights=np.concatenate([part[1] for part in parts]), minlength=len(distinct))
    kept = np.flatnonzero(counts >= least)
    kept = np.sort(kept[np.argsort(-counts[kept], kind="stable")][:MOST_TOKENS])
    seen = numbers(table.column(name).combine_chunks(), name)
    seen = seen[~np.isnan(seen)]
    rare = ~np.isin(seen, distinct[kept])
    cuts = np.unique(np.quantile(seen, np.linspace(0, 1, N_SPANS + 1)[1:-1])) if rare.any() else np.zeros(0)
    return ColumnCode(name, numeric=True, values=distinct[kept], cuts=cuts)


def _name_code(name: str, counts: Mapping[str, int], least: int) -> ColumnCode:
    ordered = sorted(counts, key=lambda word: (-counts[word], word))
    common = sorted(word for word in ordered[:MOST_TOKENS] if counts[word] >= least)
    return ColumnCode(name, numeric=False, words=tuple(ordered[:MAX_WORDS]), values=tuple(common))


def oddness(rows: FloatArray, bulk: FloatArray, held: FloatArray, numeric: npt.NDArray[np.int64] | None) -> npt.NDArray[np.float64]:
    """(tests, n) p-values of rows against ordinary ones.

    Parameters
    ----------
    bulk, held : ordinary rows: shapes are taken from the first, tails from the second.
    numeric : columns of numbers of a table; None for an embedding.
    """
    if numeric is None:
        there, here = robust_distance(held, fit=bulk), robust_distance(rows, fit=bulk)
        return heavy_tail(here, honest=there)[None]
    if not len(numeric) or not len(rows):
        return np.ones((1, len(rows)))
    parts = [part[:, numeric].astype(np.float64) for part in (rows, bulk, held)]
    tails = heavy_tail(column_tails(parts[0], fit=parts[1]), honest=column_tails(parts[2], fit=parts[1]))
    wild = wild_tail(wild_values(parts[0], fit=parts[1]), honest=wild_values(parts[2], fit=parts[1]))
    return np.stack([tails, wild])


def tests_of(plan: Plan) -> tuple[str, ...]:
    """What `oddness` tests, in its order."""
    return ("rare values", "wild value") if plan.modality == "table" else ("far from all rows",)


def _ordinary(rows: FloatArray, columns: tuple[ColumnCode, ...]) -> FloatArray:
    """The sample's later rows without those that its own tails call odd."""
    numeric = np.flatnonzero([column.numeric for column in columns]) if columns else None
    held = rows[TAIL_ROWS:] if len(rows) > 2 * TAIL_ROWS else rows
    p_value = oddness(held, rows[:TAIL_ROWS], held, numeric).min(axis=0)
    return held[p_value * len(held) >= 0.5]  # noqa: PLR2004 - not even one such row was expected
