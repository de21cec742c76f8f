"""Feature collision: target-class images that a network can't tell from the victim."""

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


def feature_collision(dataset: Dataset, rng: np.random.Generator, settings: Mapping[str, Any]) -> Poisoned:
    """A copy in which target-class images have the features of one instance of another class.

    Parameters
    ----------
    settings : `rate`, share of all rows; `target`, label as stored; `victim`, a row's number (by chance), or `from`,
        its class; `eps`, largest change of a pixel (32/255); `beta` >= 0, weight of the squared change of the image
        (0.05); `opacity` in [0, 1), the victim's share in a watermark mixed in first (0); `steps` (100); `models`,
        networks (1); `recipe` of them (`cnn`); `source`, to poison rows of that source alone.

    Raises
    ------
    InputError : not images, fewer rows of the target class than the rate asks for, or a setting is unknown or out of
        range.
    MissingExtra : torch isn't installed.

    Notes
    -----
    `Poisoned.victim` is the instance, taken out of the data set: it must not be trained on under its own label.
    Made for transfer, where the attacker's own features are frozen and only the last layer is learnt. On features of
    another network, and from scratch, it isn't expected to work.

    References
    ----------
    Shafahi et al. (2018), Poison frogs! Targeted clean-label poisoning attacks on neural networks, NeurIPS.
    """
    return aim_at_victim(
        dataset, rng, settings, name="feature-collision", prepare=_prepare, epsilon="32/255", steps=100, networks=1
    )


def _prepare(read: Settings) -> Craft:
    beta = read.number("beta", 0.05, low=0.0, high=1000.0)
    opacity = read.number("opacity", 0.0, low=0.0, high=0.99)

    def craft(images: Tensor, aim: Aim) -> Tensor:
        torch = load_torch()
        base = (1 - opacity) * images + opacity * aim.victim
        with torch.no_grad():
            goals = [net.features(aim.victim) for net in aim.networks]

        def collision(poisons: Tensor) -> Tensor:
            """Eq. 1, features by their length so that beta means the same for every network."""
            total = beta * ((poisons - base) ** 2).sum()
            for net, goal in zip(aim.networks, goals, strict=True):
                total = total + ((net.features(poisons) - goal) ** 2).sum() / (goal**2).sum().clamp_min(1e-12)
            return total

        return signed_adam(base, collision, epsilon=aim.epsilon, steps=aim.steps)[0]

    return craft
