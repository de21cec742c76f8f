"""What attacks on one instance share: the victim, a data set that lacks it, and the poison put into the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from mithridate.attacks.poisoning.protocol import (
    Poisoned,
    Rows,
    Victim,
    changed,
    choose_rows,
    content_order,
    from_source,
    need_modality,
    put_rows,
    take_rows,
    target_code,
    truth_of,
)
from mithridate.attacks.poisoning.settings import Settings
from mithridate.attacks.poisoning.surrogate import (
    BATCH,
    Surrogate,
    Tensor,
    images_of,
    read_epsilon,
    read_recipe,
    tensor_of,
    train_surrogates,
)
from mithridate.core.errors import InputError
from mithridate.core.progress import Progress, Silent
from mithridate.data.dataset import Dataset
from mithridate.models.engine import load_torch, seeded


@dataclass(frozen=True, slots=True, eq=False)
class Aim:
    """What is crafted towards: the victim (1, channels, h, w), the wanted class, the networks, the pixel limit."""

    victim: Tensor
    wanted: int
    networks: list[Surrogate]
    epsilon: float
    steps: int


Craft: TypeAlias = Callable[[Tensor, Aim], Tensor]


def aim_at_victim(
    dataset: Dataset,
    rng: np.random.Generator,
    settings: Mapping[str, Any],
    *,
    name: str,
    prepare: Callable[[Settings], Craft],
    epsilon: str,
    steps: int,
    networks: int,
) -> Poisoned:
    """Poison rows of the target class so that one instance of another class, taken out, is called the target.

    Parameters
    ----------
    prepare : reads the attack's own settings; what it returns crafts a batch of images (b, channels, h, w).
    epsilon, steps, networks : defaults of the settings `eps`, `steps` and `models`.

    Raises
    ------
    InputError : not images, or a setting is unknown or out of range.
    MissingExtra : torch isn't installed.
    """
    need_modality(dataset, "image", name)
    load_torch()
    read = Settings(settings)
    rate, target = read.rate(), target_code(dataset, read.value("target"))
    limit, turns = read_epsilon(read, epsilon), read.integer("steps", steps, low=1)
    count, make = read.integer("models", networks, low=1, high=50), read_recipe(read)
    source, given, own = read.value("source"), read.value("victim"), read.value("from")
    craft, progress = prepare(read), read.value("progress", Silent())
    read.finish()
    position = _choose_victim(dataset, rng, given, own=own, target=target)
    rest = without(dataset, position)
    rows = choose_rows(rest, rng, rate, allowed=(rest.y == target) & from_source(rest, source))
    seed = int(rng.integers(2**31))
    trained = train_surrogates(rest, make, rng, count)
    with seeded(seed):
        aim = Aim(tensor_of(dataset, np.array([position])), target, trained, limit, turns)
        content = put_rows(rest.content, rows, craft_rows(rest, rows, craft, aim, progress))
    victim = Victim(
        int(dataset.ids[position]),
        take_rows(dataset.content, np.array([position])),
        dataset.label_of(int(dataset.y[position])),
        dataset.label_of(target),
    )
    return Poisoned(changed(rest, rows, content=content), truth_of(rest, rows, "trigger"), victim=victim)


def craft_rows(dataset: Dataset, rows: Rows, craft: Craft, aim: Aim, progress: Progress) -> Any:
    """The images of these rows after crafting, batch by batch, in the data set's number type."""
    done, parts = [], np.array_split(rows, -(-len(rows) // BATCH))
    for number, part in enumerate(parts):
        progress.step("crafting", number / len(parts))
        done.append(images_of(craft(tensor_of(dataset, part), aim), dataset))
    return np.concatenate(done)


def without(dataset: Dataset, position: int) -> Dataset:
    """The data set without that array position; the last row in reading order takes its place, so no other row moves.

    Raises
    ------
    InputError : it is the only row.
    """
    if len(dataset) < 2:  # noqa: PLR2004 - a victim and somebody else
        raise InputError(f"{dataset.name} has {len(dataset)} row(s); an attack on one instance needs others to poison")
    ids, kept = dataset.ids.copy(), np.arange(len(dataset))
    last = int(np.argmax(ids))
    ids[last], kept[position] = ids[position], last
    kept = np.delete(kept, last)
    out = replace(dataset.take(kept), row_ids=ids[kept])
    out.__dict__["hashes"] = dataset.hashes[kept]
    return out


def _choose_victim(dataset: Dataset, rng: np.random.Generator, given: Any, *, own: Any, target: int) -> int:
    """Array position of the victim: the row given by its reading position, or one of another class by chance."""
    if given is not None:
        found = np.flatnonzero([str(row) == str(given) for row in dataset.ids])
        if not len(found) or dataset.y[found[0]] in {-1, target}:
            raise InputError(
                f"victim must be the number of a labelled row of another class than the target, got {given!r}"
            )
        return int(found[0])
    order = content_order(dataset)
    allowed = (dataset.y >= 0) & (dataset.y != target)
    if own is not None:
        allowed &= dataset.y == target_code(dataset, own)
    pool = order[allowed[order]]
    if not len(pool):
        raise InputError(f"{dataset.name} has no row of another class than the target that could be the victim")
    return int(pool[rng.integers(len(pool))])
