"""Bullseye polytope: groups of target-class images whose mean feature is the victim's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mithridate.attacks.poisoning.instance import Aim, Craft, aim_at_victim
from mithridate.attacks.poisoning.protocol import Poisoned
from mithridate.attacks.poisoning.settings import Settings
from mithridate.attacks.poisoning.surrogate import Tensor, signed_adam
from mithridate.data.dataset import Dataset
from mithridate.models.engine import load_torch


def bullseye(dataset: Dataset, rng: np.random.Generator, settings: Mapping[str, Any]) -> Poisoned:
    """A copy in which groups of target-class images surround one instance of another class in feature space.

    Parameters
    ----------
    settings : `rate`, share of all rows; `target`, label as stored; `victim`, a row's number (by chance), or `from`,
        its class; `eps`, largest change of a pixel (16/255); `steps` (200); `group`, images whose mean is put on the
        victim (5); `models`, networks (3); `recipe` of them (`cnn`); `source`, to poison rows of that source alone.

    Raises
    ------
    InputError : not images, fewer rows of the target class than the rate asks for, or a setting is unknown or out of
        range.
    MissingExtra : torch isn't installed.

    Notes
    -----
    `Poisoned.victim` is the instance, taken out of the data set: it must not be trained on under its own label.
    Made for transfer, where features are frozen and only the last layer is learnt; even so it rarely works on small
    networks. From scratch it isn't expected to work.

    References
    ----------
    Aghakhani et al. (2021), Bullseye polytope: a scalable clean-label poisoning attack, EuroS&P.
    """
    return aim_at_victim(
        dataset, rng, settings, name="bullseye", prepare=_prepare, epsilon="16/255", steps=200, networks=3
    )


def _prepare(read: Settings) -> Craft:
    size = read.integer("group", 5, low=1, high=1000)

    def craft(images: Tensor, aim: Aim) -> Tensor:
        torch = load_torch()
        with torch.no_grad():
            goals = [net.features(aim.victim) for net in aim.networks]

        def distance(poisons: Tensor) -> Tensor:
            """Eq. 2, the sum over groups and networks of the squared distance of the mean, in squared lengths."""
            total = torch.zeros(())
            for net, goal in zip(aim.networks, goals, strict=True):
                means = torch.stack([part.mean(0) for part in net.features(poisons).split(size)])
                total = total + ((means - goal) ** 2).sum() / (goal**2).sum().clamp_min(1e-12)
            return total / len(goals)

        return signed_adam(images, distance, epsilon=aim.epsilon, steps=aim.steps)[0]

    return craft
