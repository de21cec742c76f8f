"""Hidden trigger: target-class images with the features of patched images of another class; no patch is ever shown."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from mithridate.attacks.poisoning.badnets import patch_backdoor
from mithridate.attacks.poisoning.crafted import Design, Plan, craft_backdoor
from mithridate.attacks.poisoning.protocol import Backdoor, Poisoned, Rows, content_order, need_modality, target_code
from mithridate.attacks.poisoning.settings import Settings
from mithridate.attacks.poisoning.surrogate import BATCH, Surrogate, Tensor, images_of, signed_adam, tensor_of
from mithridate.core.errors import InputError
from mithridate.data.dataset import Dataset
from mithridate.models.engine import load_torch

ROUNDS = 4  # times that poisons and patched images are paired anew


def hidden_trigger(dataset: Dataset, rng: np.random.Generator, settings: Mapping[str, Any]) -> Poisoned:
    """A copy in which target-class images lie, for a network, where patched images of other classes do.

    Parameters
    ----------
    settings : `rate`, share of all rows; `target`, label as stored; `from`, class whose patched images are imitated
        (all other classes); `eps`, largest change of a pixel (32/255); `steps` (200); `models`, networks (1);
        `recipe` of them (`cnn`); the patch's `size` (a quarter of the image), `place`, `margin`, `pattern` and
        `colour` as for badnets; `source`, to poison rows of that source alone.

    Raises
    ------
    InputError : not images, fewer rows of the target class than the rate asks for, or a setting is unknown or out of
        range.
    MissingExtra : torch isn't installed.

    Notes
    -----
    Made for transfer, where features are frozen and only the last layer is learnt; from scratch it isn't expected to
    work. Each image is paired with the patched one nearest in features, all at once and one to one, and paired anew
    four times. It doesn't work across small networks.

    References
    ----------
    Saha, Subramanya, Pirsiavash (2020), Hidden trigger backdoor attacks, AAAI.
    """
    need_modality(dataset, "image", "hidden-trigger")
    side = min(cast("npt.NDArray[Any]", dataset.content).shape[1:3])
    return craft_backdoor(
        dataset,
        rng,
        {"size": max(1, side // 4), **settings},
        name="hidden-trigger",
        prepare=partial(_prepare, dataset, rng),
        epsilon="32/255",
        steps=200,
    )


def _prepare(dataset: Dataset, rng: np.random.Generator, read: Settings, target: int) -> Design:
    own = read.value("from")
    shown = (dataset.y >= 0) & (dataset.y != target)
    if own is not None:
        shown &= dataset.y == target_code(dataset, own)
    if not shown.any():
        raise InputError(f"{dataset.name} has no row of another class than the target whose patched image to imitate")
    backdoor = patch_backdoor(dataset, rng, read, target)
    order = content_order(dataset)
    pool = order[shown[order]]

    def design(plan: Plan, rng: np.random.Generator) -> tuple[npt.NDArray[Any], Backdoor]:
        images = [
            _imitate(dataset, part, pool[rng.integers(len(pool), size=len(part) * 2)], plan, backdoor)
            for part in np.array_split(plan.rows, -(-len(plan.rows) // BATCH))
        ]
        return np.concatenate(images), backdoor

    return design


def _imitate(dataset: Dataset, rows: Rows, others: Rows, plan: Plan, backdoor: Backdoor) -> npt.NDArray[Any]:
    """Images of `rows` moved within epsilon to the features of the nearest patched `others`, each taken once."""
    torch = load_torch()
    patched = np.asarray(backdoor.apply(cast("npt.NDArray[Any]", dataset.content)[others]))
    shown = tensor_of(_with(dataset, patched), np.arange(len(patched)))
    start = tensor_of(dataset, rows)
    with torch.no_grad():
        goals = [net.features(shown) for net in plan.networks]
    now = start
    for _ in range(ROUNDS):
        pairs = _pair(plan.networks[0], now, goals[0])

        def distance(x: Tensor, pairs: Tensor = pairs) -> Tensor:
            return sum(
                ((net.features(x) - goal[pairs]) ** 2).sum() for net, goal in zip(plan.networks, goals, strict=True)
            )

        steps = max(1, plan.steps // ROUNDS)
        now = signed_adam(start, distance, epsilon=plan.epsilon, steps=steps, delta=now - start)[0]
    return images_of(now, dataset)


def _with(dataset: Dataset, images: npt.NDArray[Any]) -> Dataset:
    return Dataset(dataset.name, "image", images)


def _pair(net: Surrogate, images: Tensor, goals: Tensor) -> Tensor:
    """(b,) index of the goal given to each image: the cheapest one-to-one assignment."""
    from scipy.optimize import linear_sum_assignment

    torch = load_torch()
    with torch.no_grad():
        cost = torch.cdist(net.features(images), goals).numpy()
    return torch.from_numpy(linear_sum_assignment(cost)[1])
