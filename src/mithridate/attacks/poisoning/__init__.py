"""Poisoning attacks: each makes a poisoned copy of a data set and tells the truth about it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from mithridate.core.errors import InputError

if TYPE_CHECKING:
    from mithridate.attacks.poisoning.protocol import Attack, Poisoned
    from mithridate.data.dataset import Dataset

MODALITIES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {  # attack -> the kinds of data it poisons; its function and its file bear its name
        "label-flip": ("image", "table", "text", "embedding", "audio"),
        "badnets": ("image",),
        "blended": ("image",),
        "label-consistent": ("image",),
        "feature-collision": ("image",),
        "bullseye": ("image",),
        "witches-brew": ("image",),
        "narcissus": ("image",),
        "hidden-trigger": ("image",),
        "unlearnable": ("image",),
        "sig": ("image",),
        "wanet": ("image",),
        "input-aware": ("image",),
        "low-frequency": ("image",),
        "adaptive-blend": ("image",),
        "adaptive-patch": ("image",),
        "tabular-trigger": ("table",),
        "text-trigger": ("text",),
        "fine-tuning": ("text",),
        "truth-serum": ("image", "table", "text", "embedding"),
        "split-view": ("image", "table", "text", "embedding"),
    }
)
CRAFTED = frozenset(  # attacks that train a network of their own; they take the setting `recipe`
    {
        "label-consistent",
        "feature-collision",
        "bullseye",
        "witches-brew",
        "narcissus",
        "hidden-trigger",
        "unlearnable",
    }
)
ATTACKS: Mapping[str, str] = MappingProxyType(
    {name: f"{__name__}.{name.replace('-', '_')}:{name.replace('-', '_')}" for name in MODALITIES}
)


def attack(
    name: str,
    dataset: Dataset,
    /,
    *,
    rate: float,
    target: Any = None,
    seed: int = 0,
    **settings: Any,
) -> Poisoned:
    """A copy of the data set, poisoned by the named attack, and the truth about it.

    Parameters
    ----------
    rate : share of all rows to poison, 0 < rate < 1; exactly round(rate * n) are.
    target : label that the poison forces, as stored; default the first class (label-flip: any other).
    seed : >= 0; the same seed and rows, in whatever order, give the same poison.
    settings : the attack's own, as values or as the strings of `--set k=v`. Every backdoor that relabels takes `rule`:
        `all-to-one` (default), `all-to-all` (class y becomes y + 1, the last the first) or `untargeted` (any other).

    Raises
    ------
    InputError : no such attack, or settings or data that it can't use.
    """
    import numpy as np

    if name not in ATTACKS:
        raise InputError(f"no attack named {name!r}; the attacks are {', '.join(ATTACKS)}")
    if seed < 0:
        raise InputError(f"seed must be a whole number from 0 up, got {seed!r}")
    module, function = ATTACKS[name].split(":")
    run = cast("Attack", getattr(import_module(module), function))
    return run(dataset, np.random.default_rng([seed, *name.encode()]), {"rate": rate, "target": target, **settings})
