"""From a source to a poisoned copy on disk, with the truth beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from mithridate.attacks.poisoning import attack
from mithridate.core.errors import InputError
from mithridate.core.files import atomic
from mithridate.data.read import read
from mithridate.data.write import write_dataset
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

    Raises
    ------
    InputError : no such attack, bad settings, an unreadable source, or an output that is the source itself.
    """
    final = Path(output)
    if final.exists() and Path(source).exists() and final.samefile(source):
        raise InputError(f"{output} is the source itself; an attack never overwrites its input, give another -o")
    poisoned = attack(
        name, read(source, **(columns or Columns())), rate=rate, target=target, seed=seed, **(settings or {})
    )
    truth = final.with_name(final.name + ".truth.parquet")
    write_dataset(poisoned.dataset, final)
    with atomic(truth) as temporary:
        pq.write_table(poisoned.truth, temporary)
    n_poisoned = len(poisoned.rows)
    return Written(len(poisoned.dataset), n_poisoned, poisoned.truth.num_rows - n_poisoned, truth)
