"""Label-consistent: target-class images made hard to recognise, so that a network learns the patch on them instead."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from mithridate.attacks.poisoning.badnets import patch_backdoor
from mithridate.attacks.poisoning.crafted import Design, Plan, craft_backdoor
from mithridate.attacks.poisoning.protocol import Backdoor, Poisoned
from mithridate.attacks.poisoning.settings import Settings
from mithridate.attacks.poisoning.surrogate import BATCH, Tensor, images_of, signed_adam, tensor_of
from mithridate.data.dataset import Dataset
from mithridate.models.engine import load_torch


def label_consistent(dataset: Dataset, rng: np.random.Generator, settings: Mapping[str, Any]) -> Poisoned:
    """A copy in which rightly labelled target-class images are adversarially perturbed and carry a patch.

    Parameters
    ----------
    settings : `rate`, share of all rows; `target`, label as stored; `eps`, largest change of a pixel (32/255); `steps`
        (40); `models`, networks that the perturbation must fool (2); `recipe` of them (`cnn`); the patch's `size`,
        `place`, `margin`, `pattern` and `colour` as for badnets (a checker of 3); `source`, to poison rows of that
        source alone.

    Raises
    ------
    InputError : not images, fewer rows of the target class than the rate asks for, or a setting is unknown or out of
        range.
    MissingExtra : torch isn't installed.

    Notes
    -----
    Made for networks trained anew; weaker with fewer rows and on small images, and it hardly works where features stay
    frozen at a clean network's.

    References
    ----------
    Turner, Tsipras, Madry (2019), Label-consistent backdoor attacks, arXiv 1912.02771.
    """
    return craft_backdoor(
        dataset,
        rng,
        {"pattern": "checker", **settings},
        name="label-consistent",
        prepare=partial(_prepare, dataset, rng),
        epsilon="32/255",
        steps=40,
        networks=2,
    )


def _prepare(dataset: Dataset, rng: np.random.Generator, read: Settings, target: int) -> Design:
    backdoor = patch_backdoor(dataset, rng, read, target)

    def design(plan: Plan, _: np.random.Generator) -> tuple[npt.NDArray[Any], Backdoor]:
        parts = np.array_split(plan.rows, -(-len(plan.rows) // BATCH))
        images = np.concatenate([images_of(_hardened(tensor_of(dataset, part), plan), dataset) for part in parts])
        return np.asarray(backdoor.apply(images)), backdoor

    return design


def _hardened(images: Tensor, plan: Plan) -> Tensor:
    """The images within epsilon that the networks least take for the target class."""
    torch = load_torch()
    codes = torch.full((len(images),), plan.target, dtype=torch.int64)

    def recognised(x: Tensor) -> Tensor:
        return -sum(torch.nn.functional.cross_entropy(net.scores(x), codes, reduction="sum") for net in plan.networks)

    return signed_adam(images, recognised, epsilon=plan.epsilon, steps=plan.steps)[0]
