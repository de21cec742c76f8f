"""From a source to a poisoned copy on disk, with the truth beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from mithridate.attacks.poisoning import attack
from mithridate.core.errors import InputError
from mithridate.core.files import atomic
from mithridate.data.dataset import Dataset
from mithridate.data.read import read
from mithridate.data.write import write_changed
from mithridate.flows.audit import Columns


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: how many rows, how many poisoned, how many cover rows, and where the truth lies."""

    n_rows: int
    n_poisoned: int
    n_cover: int
    truth: Path


def attack_file(
    name: str,
    source: str | Path,
    output: str | Path,
    *,
    rate: float,
    target: Any = None,
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
    columns: Columns | None = None,
) -> Written:
    """Poison a copy of `source` and write it to `output`, the truth to `output.truth.parquet`.

    The truth's `row` is the position in which `output` is read. Where both are folders of images that is not the
    position in `source`: a relabelled image lies in its new class folder.

    Raises
    ------
    InputError : no such attack, bad settings, an unreadable source, or an output that is the source itself.
    """
    final = Path(output)
    if final.exists() and Path(source).exists() and final.samefile(source):
        raise InputError(f"{output} is the source itself; an attack never overwrites its input, give another -o")
    original = read(source, **(columns or Columns()))
    poisoned = attack(name, original, rate=rate, target=target, seed=seed, **(settings or {}))
    truth = final.with_name(final.name + ".truth.parquet")
    places = write_changed(source, original, poisoned.dataset, final)
    with atomic(truth) as temporary:
        pq.write_table(in_reading_order(poisoned.truth, poisoned.dataset, places), temporary)
    n_poisoned = len(poisoned.rows)
    return Written(len(poisoned.dataset), n_poisoned, poisoned.truth.num_rows - n_poisoned, truth)


def in_reading_order(truth: pa.Table, dataset: Dataset, places: npt.NDArray[np.int64]) -> pa.Table:
    """The truth with each `row` as the position that it has in what was written, ascending.

    Parameters
    ----------
    truth : `row` is a position in the order that the source was read in (`dataset.ids`).
    places : (n,) the position of each row of `dataset` in what was written.
    """
    order = np.argsort(dataset.ids, kind="stable")
    found = order[np.searchsorted(dataset.ids[order], truth["row"].to_numpy())]
    column = truth.schema.get_field_index("row")
    return truth.set_column(column, "row", pa.array(places[found], pa.int64())).sort_by("row")
