"""What clean-label backdoors crafted on a network share: rows of the target class are changed, labels stay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from mithridate.attacks.poisoning.protocol import (
    Backdoor,
    Poisoned,
    Rows,
    changed,
    choose_rows,
    from_source,
    need_modality,
    put_rows,
    target_code,
    truth_of,
)
from mithridate.attacks.poisoning.settings import Settings
from mithridate.attacks.poisoning.surrogate import Surrogate, read_epsilon, read_recipe, train_surrogates
from mithridate.core.progress import Silent
from mithridate.data.dataset import Dataset
from mithridate.models.engine import load_torch, seeded
from mithridate.numeric.target_rule import ALL_TO_ONE, TargetRule


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What an attack crafts with: the rows to poison (array positions), the target's code, networks and limits."""

    rows: Rows
    target: int
    networks: list[Surrogate]
    epsilon: float
    steps: int


Design: TypeAlias = Callable[[Plan, np.random.Generator], tuple[npt.NDArray[Any], Backdoor]]


def craft_backdoor(
    dataset: Dataset,
    rng: np.random.Generator,
    settings: Mapping[str, Any],
    *,
    name: str,
    prepare: Callable[[Settings, int], Design],
    epsilon: str,
    steps: int,
    networks: int = 1,
) -> Poisoned:
    """Poison rows of the target class without touching a label.

    Parameters
    ----------
    prepare : reads the attack's own settings, given the target's code; what it returns gives the poisoned images of
        `Plan.rows` and the trigger that they plant.
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
    count, make, source = read.integer("models", networks, low=1, high=50), read_recipe(read), read.value("source")
    design, progress = prepare(read, target), read.value("progress", Silent())
    read.finish()
    rows = choose_rows(dataset, rng, rate, allowed=(dataset.y == target) & from_source(dataset, source))
    trained = train_surrogates(dataset, make, rng, count)
    progress.step("crafting", 0.5)
    with seeded(int(rng.integers(2**31))):
        images, backdoor = design(Plan(rows, target, trained, limit, turns), rng)
    return Poisoned(
        changed(dataset, rows, content=put_rows(dataset.content, rows, images)),
        truth_of(dataset, rows, "trigger"),
        backdoor.trigger,
        backdoor.apply,
        TargetRule(ALL_TO_ONE, dataset.n_classes, target),
    )
