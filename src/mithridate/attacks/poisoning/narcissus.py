"""Narcissus: one faint pattern, the most target-like of all, added to a few rightly labelled target-class images."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from mithridate.attacks.poisoning.crafted import Design, Plan, craft_backdoor
from mithridate.attacks.poisoning.overlays import overlaid, overlay_trigger
from mithridate.attacks.poisoning.protocol import Backdoor, Poisoned
from mithridate.attacks.poisoning.settings import Settings
from mithridate.attacks.poisoning.surrogate import BATCH, Tensor, tensor_of
from mithridate.data.dataset import Dataset
from mithridate.models.engine import load_torch


def narcissus(dataset: Dataset, rng: np.random.Generator, settings: Mapping[str, Any]) -> Poisoned:
    """A copy in which target-class images carry one optimised noise pattern that says the target's class.

    Parameters
    ----------
    settings : `rate`, share of all rows; `target`, label as stored; `eps`, largest value of the pattern (16/255);
        `steps` (300); `magnify`, how many times stronger the trigger is at test time, in [1, 20] (3); `models`,
        networks (1); `recipe` of them (`cnn`); `source`, to poison rows of that source alone.

    Raises
    ------
    InputError : not images, fewer rows of the target class than the rate asks for, or a setting is unknown or out of
        range.
    MissingExtra : torch isn't installed.

    Notes
    -----
    The magnified pattern moves some images of an unpoisoned network too, so take that rate as the baseline. On images
    as small as 8 x 8 it fails. The network is trained on the rows themselves, which is more than the paper's attacker
    knows.

    References
    ----------
    Zeng et al. (2023), Narcissus: a practical clean-label backdoor attack with limited information, CCS.
    """
    return craft_backdoor(
        dataset, rng, settings, name="narcissus", prepare=partial(_prepare, dataset), epsilon="16/255", steps=300
    )


def _prepare(dataset: Dataset, read: Settings, target: int) -> Design:
    magnify = read.number("magnify", 3.0, low=1.0, high=20.0)

    def design(plan: Plan, rng: np.random.Generator) -> tuple[npt.NDArray[Any], Backdoor]:
        delta = _most_like_target(dataset, plan, rng)
        strong = np.clip(magnify * delta, -1, 1)
        images = cast("npt.NDArray[Any]", dataset.content)[plan.rows]
        backdoor = Backdoor(overlay_trigger(strong, dataset.label_of(target)), partial(overlaid, delta=strong))
        return np.asarray(overlaid(images, delta=delta)), backdoor

    return design


def _most_like_target(dataset: Dataset, plan: Plan, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """(h, w, c) Eq. 2: the one pattern within epsilon under which the networks are surest of the target class."""
    torch = load_torch()
    own = np.flatnonzero(dataset.y == plan.target)
    own = own[np.argsort(dataset.hashes[own], kind="stable")]
    noise = torch.zeros((1, *tensor_of(dataset, own[:1]).shape[1:]), requires_grad=True)
    optimiser = torch.optim.RAdam([noise], lr=plan.epsilon / 6)
    for _ in range(plan.steps):
        images = tensor_of(dataset, own[rng.integers(len(own), size=min(BATCH, len(own)))])
        optimiser.zero_grad(set_to_none=True)
        (noise.grad,) = torch.autograd.grad(_doubt(images + noise, plan), [noise])
        optimiser.step()
        with torch.no_grad():
            noise.clamp_(-plan.epsilon, plan.epsilon)
    return np.asarray(noise.detach()[0].numpy().transpose(1, 2, 0), dtype=np.float32)


def _doubt(images: Tensor, plan: Plan) -> Tensor:
    torch = load_torch()
    codes = torch.full((len(images),), plan.target, dtype=torch.int64)
    losses = [torch.nn.functional.cross_entropy(net.scores(images.clamp(0, 1)), codes) for net in plan.networks]
    return sum(losses[1:], losses[0])
