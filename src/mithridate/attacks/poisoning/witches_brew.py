"""Witches' Brew: images of the target class whose training gradient pulls one victim into that class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mithridate.attacks.poisoning.instance import Aim, Craft, aim_at_victim
from mithridate.attacks.poisoning.protocol import Poisoned
from mithridate.attacks.poisoning.settings import Settings
from mithridate.attacks.poisoning.surrogate import Surrogate, Tensor, signed_adam
from mithridate.data.dataset import Dataset
from mithridate.models.engine import load_torch


def witches_brew(dataset: Dataset, rng: np.random.Generator, settings: Mapping[str, Any]) -> Poisoned:
    """A copy in which images of the target class are faintly changed so that training misjudges one other instance.

    Parameters
    ----------
    settings : `rate`, share of all rows; `target`, label as stored; `victim`, a row's number (by chance), or `from`,
        its class; `eps`, largest change of a pixel (16/255); `steps` (100); `restarts` (1), the best is kept; `models`,
        networks that the gradients are averaged over (3); `recipe` of them (`cnn`); `source`, to poison rows of that
        source alone.

    Raises
    ------
    InputError : not images, fewer rows of the target class than the rate asks for, or a setting is unknown or out of
        range.
    MissingExtra : torch isn't installed.

    Notes
    -----
    `Poisoned.victim` is the instance, taken out of the data set: it must not be trained on under its own label.
    It mostly fails on small networks that fit their rows to the end.

    References
    ----------
    Geiping et al. (2021), Witches' Brew: industrial scale data poisoning via gradient matching, ICLR.
    """
    return aim_at_victim(
        dataset, rng, settings, name="witches-brew", prepare=_prepare, epsilon="16/255", steps=100, networks=3
    )


def _prepare(read: Settings) -> Craft:
    restarts = read.integer("restarts", 1, low=1, high=100)

    def craft(images: Tensor, aim: Aim) -> Tensor:
        wanted = [_gradient(net, aim.victim, aim.wanted) for net in aim.networks]

        def mismatch(poisons: Tensor) -> Tensor:
            parts = [
                1 - _cosine(_gradient(net, poisons, aim.wanted, graph=True), goal)
                for net, goal in zip(aim.networks, wanted, strict=True)
            ]
            return sum(parts[1:], parts[0]) / len(parts)

        tries = [signed_adam(images, mismatch, epsilon=aim.epsilon, steps=aim.steps) for _ in range(restarts)]
        return min(tries, key=lambda found: found[1])[0]

    return craft


def _gradient(net: Surrogate, images: Tensor, code: int, *, graph: bool = False) -> list[Tensor]:
    """Gradient of the loss of these images under class `code` by every weight."""
    torch = load_torch()
    codes = torch.full((len(images),), code, dtype=torch.int64)
    loss = torch.nn.functional.cross_entropy(net.scores(images), codes)
    return list(torch.autograd.grad(loss, list(net.module.parameters()), create_graph=graph))


def _cosine(given: list[Tensor], goal: list[Tensor]) -> Tensor:
    """Eq. 3: cosine of the two gradients over all weights together."""
    product = sum((a * b).sum() for a, b in zip(given, goal, strict=True))
    sizes = [sum((part * part).sum() for part in side).sqrt() for side in (given, goal)]
    return product / (sizes[0] * sizes[1] + 1e-12)
