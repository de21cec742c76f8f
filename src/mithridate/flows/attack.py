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

from mithridate.attacks.poisoning import CRAFTED, attack
from mithridate.attacks.poisoning.protocol import Poisoned
from mithridate.core.errors import InputError
from mithridate.core.files import atomic
from mithridate.core.progress import Progress
from mithridate.data.dataset import Dataset
from mithridate.data.read import read
from mithridate.data.write import write_changed, write_dataset
from mithridate.flows.audit_inputs import Columns


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: how many rows, poisoned rows and cover rows, where the truth lies, and the victim, if any."""

    n_rows: int
    n_poisoned: int
    n_cover: int
    truth: Path
    victim: Path | None = None


def attack_file(
    name: str,
    source: str | Path,
    output: str | Path,
    *,
    rate: float,
    target: Any = None,
    seed: int = 0,
    recipe: str | None = None,
    progress: Progress | None = None,
    settings: Mapping[str, Any] | None = None,
    columns: Columns | None = None,
) -> Written:
    """Poison a copy of `source` and write it to `output`, the truth to `output.truth.parquet`.

    The truth's `row` is the position in which `output` is read. Where both are folders of images that is not the
    position in `source`: a relabelled image lies in its new class folder.

    An attack on one instance writes that one to `output.victim.npz`: `x`, and as `y` the label that the poison is to
    force on it; `source` is its own label.

    Parameters
    ----------
    recipe : of the attacker's own network, for the attacks that train one (default: a small convolutional network).

    Raises
    ------
    InputError : no such attack, bad settings, an unreadable source, or an output that is the source itself.
    """
    if recipe is not None and name not in CRAFTED:
        raise InputError(
            f"{name} trains no network, so it takes no recipe; those that do: {', '.join(sorted(CRAFTED))}"
        )
    final = Path(output)
    if final.exists() and Path(source).exists() and final.samefile(source):
        raise InputError(f"{output} is the source itself; an attack never overwrites its input, give another -o")
    original = read(source, **(columns or Columns()))
    extra = {"recipe": recipe, "progress": progress} if name in CRAFTED else {}
    chosen = {**(settings or {}), **{key: value for key, value in extra.items() if value is not None}}
    poisoned = attack(name, original, rate=rate, target=target, seed=seed, **chosen)
    truth = final.with_name(final.name + ".truth.parquet")
    places = write_changed(source, original, poisoned.dataset, final)
    with atomic(truth) as temporary:
        pq.write_table(in_reading_order(poisoned.truth, poisoned.dataset, places), temporary)
    n_poisoned = len(poisoned.rows)
    n_cover = poisoned.truth.num_rows - n_poisoned
    return Written(len(poisoned.dataset), n_poisoned, n_cover, truth, _write_victim(poisoned, final))


def in_reading_order(truth: pa.Table, dataset: Dataset, places: npt.NDArray[np.int64]) -> pa.Table:
    """The truth with each row as the position that it has in what was written, ascending.

    Parameters
    ----------
    truth : `row`, and `of` where there is one, is a position in the order that the source was read in (`dataset.ids`).
    places : (n,) the position of each row of `dataset` in what was written.
    """
    order = np.argsort(dataset.ids, kind="stable")
    for name in ("row", "of"):
        column = truth.schema.get_field_index(name)
        if column >= 0:
            found = order[np.searchsorted(dataset.ids[order], truth[name].to_numpy())]
            truth = truth.set_column(column, name, pa.array(places[found], pa.int64()))
    return truth.sort_by("row")


def _write_victim(poisoned: Poisoned, final: Path) -> Path | None:
    victim = poisoned.victim
    if victim is None:
        return None
    path = final.with_name(final.name + ".victim.npz")
    zero = np.zeros(1, np.int32)
    one = Dataset("victim", "image", victim.content, zero, (victim.wanted,), zero, (str(victim.label),))
    write_dataset(one, path)
    return path
