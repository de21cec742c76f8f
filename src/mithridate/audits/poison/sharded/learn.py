"""What is learned from the sample and sent to every shard: the model, the columns' codes, what an ordinary row is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mithridate.audits.poison.sharded.columns import MAX_WORDS, N_SPANS, ColumnCode, model_rows, numbers
from mithridate.compute.store import Stored
from mithridate.core.errors import Skip
from mithridate.data.columns import Plan
from mithridate.data.dataset import Dataset
from mithridate.numeric.ordinary import NEVER, Ordinary, Tail, fit_ordinary, tail_table
from mithridate.numeric.outliers import robust_distance
from mithridate.numeric.shard_model import ShardModel, fit_shard_model

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
    bulk : rows of the sample that an embedding's shape is taken from; far : the tail of the distance from them.
    ordinary : what an ordinary row of a table is; None for an embedding.
    label_places, source_places : the stored labels and sources, sorted; their codes are the positions.
    reference : share of the ordinary rows that values are compared with.
    """

    plan: Plan
    columns: tuple[ColumnCode, ...]
    model: ShardModel
    levels: npt.NDArray[np.float32]
    bulk: FloatArray
    ordinary: Ordinary | None
    far: Tail
    labels: tuple[Any, ...]
    sources: tuple[str, ...]
    reference: float

    @property
    def numeric(self) -> npt.NDArray[np.int64]:
        """Positions of the columns of numbers."""
        return np.flatnonzero([column.numeric for column in self.columns])


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """The sample: the same rows as a data set and as an Arrow table, and the fold of each."""

    data: Dataset
    table: pa.Table
    folds: npt.NDArray[np.int64]


def learn(
    drawn: Drawn,
    censuses: Sequence[Stored],
    plan: Plan,
    *,
    sources: tuple[str, ...],
    n_rows: int,
    reference: float,
    rng: np.random.Generator,
) -> Learnt:
    """Fit the model and the codes.

    Parameters
    ----------
    drawn : the sample, its classes those of the whole.
    censuses : of all shards.
    n_rows : rows of the whole.
    reference : share of the rows to compare odd ones with.

    Raises
    ------
    Skip : fewer than 200 rows in the sample, or one class.
    """
    sample, labels = drawn.data, drawn.data.classes
    if len(sample) < MIN_SAMPLE:
        raise Skip(f"{len(sample)} rows in the sample; at least {MIN_SAMPLE} are needed to fit a model")
    is_table = plan.modality == "table"
    columns = _codes(drawn.table, censuses, plan, least=max(LEAST_ROWS, int(n_rows / SHARED))) if is_table else ()
    batch = drawn.table.combine_chunks().to_batches()[0]
    rows = model_rows(batch, plan, columns)
    codes = sample.y
    model = fit_shard_model(rows, codes, drawn.folds, n_classes=len(labels), trees=is_table, rng=rng)
    logs = model.log_probabilities(rows, drawn.folds)
    levels = np.array([_level(logs[:, t], codes, t) for t in range(len(labels))], np.float32)
    numeric = np.flatnonzero([column.numeric for column in columns])
    ordinary = _ordinary(rows[:, numeric]) if is_table else None
    far = NEVER if is_table else _far(rows)
    bulk = rows[:0] if is_table else rows[:TAIL_ROWS]
    return Learnt(plan, columns, model, levels, bulk, ordinary, far, labels, sources, reference)


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


def oddness(learnt: Learnt, rows: FloatArray) -> npt.NDArray[np.float64]:
    """(tests, n) p-values of rows (n, d), in the order of `tests_of`."""
    if learnt.ordinary is not None:
        return learnt.ordinary.odd(rows[:, learnt.numeric])
    distances = robust_distance(rows, fit=learnt.bulk) if len(rows) else np.zeros(0)
    return 10.0 ** -np.asarray(learnt.far(distances))[None]


def tests_of(plan: Plan) -> tuple[str, ...]:
    """What `oddness` tests, in its order."""
    return ("rare values", "wild value") if plan.modality == "table" else ("far from all rows",)


def _kept(p_values: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Which of some rows are ordinary by their own tails: where not even half such a row was expected, none is."""
    return np.asarray(p_values.min(axis=0) * p_values.shape[1] >= 0.5)  # noqa: PLR2004 - half a row


def _far(rows: FloatArray) -> Tail:
    """The tail of the distances of a sample's later rows from the bulk of its first ones."""
    held = rows[TAIL_ROWS:] if len(rows) > 2 * TAIL_ROWS else rows
    distances = robust_distance(held, fit=rows[:TAIL_ROWS])
    kept = _kept(10.0 ** -tail_table(distances)(distances)[None])
    return tail_table(distances[kept])


def _ordinary(rows: FloatArray) -> Ordinary:
    """What the sample calls ordinary, without the rows that its own tails call odd."""
    held = rows[TAIL_ROWS:] if len(rows) > 2 * TAIL_ROWS else rows
    first = fit_ordinary(rows[:TAIL_ROWS], held)
    return fit_ordinary(rows[:TAIL_ROWS], held[_kept(first.odd(held))])
