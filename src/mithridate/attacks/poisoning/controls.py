"""Planted controls: known poison of several families in one copy, so that an audit's power can be measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from mithridate.attacks.poisoning.adaptive_blend import pieces_backdoor
from mithridate.attacks.poisoning.adaptive_patch import patches_backdoor
from mithridate.attacks.poisoning.badnets import patch_backdoor
from mithridate.attacks.poisoning.blended import blend_backdoor
from mithridate.attacks.poisoning.input_aware import generator_backdoor
from mithridate.attacks.poisoning.label_flip import flip_codes
from mithridate.attacks.poisoning.low_frequency import smooth_backdoor
from mithridate.attacks.poisoning.protocol import MakeBackdoor, Rows, changed, content_order, put_rows, take_rows
from mithridate.attacks.poisoning.settings import Settings
from mithridate.attacks.poisoning.sig import sinusoid_backdoor
from mithridate.attacks.poisoning.tabular_trigger import values_backdoor
from mithridate.attacks.poisoning.text_trigger import word_backdoor
from mithridate.attacks.poisoning.wanet import warp_backdoor
from mithridate.core.errors import InputError
from mithridate.core.trigger import Trigger
from mithridate.data.dataset import Dataset

FLIP = "label-flip"
BACKDOORS: Mapping[str, MakeBackdoor] = MappingProxyType(
    {
        "badnets": patch_backdoor,
        "blended": blend_backdoor,
        "sig": sinusoid_backdoor,
        "low-frequency": smooth_backdoor,
        "adaptive-blend": pieces_backdoor,
        "adaptive-patch": patches_backdoor,
        "wanet": warp_backdoor,
        "input-aware": generator_backdoor,
        "tabular-trigger": values_backdoor,
        "text-trigger": word_backdoor,
    }
)
FAMILIES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "image": (FLIP, "badnets", "blended"),
        "table": (FLIP, "tabular-trigger"),
        "text": (FLIP, "text-trigger"),
        "embedding": (FLIP,),
    }
)
HARDER: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"image": ("sig", "low-frequency", "adaptive-blend", "adaptive-patch", "wanet", "input-aware")}
)
CLEAN_LABEL = frozenset({"sig"})  # planted in rows of the target class, whose labels stay right


@dataclass(frozen=True, slots=True, eq=False)
class Planted:
    """A copy with planted controls, rows in the order they were given.

    truth : (n,) int8, the index in `families` of the poison each row got; -1 for a row left alone.
    targets : the class code each family forces; -1 for label flips, which go to any other class.
    triggers : each family's trigger; None for label flips.
    """

    dataset: Dataset
    truth: npt.NDArray[np.int8]
    families: tuple[str, ...]
    targets: tuple[int, ...]
    triggers: tuple[Trigger | None, ...]

    def canonical(self) -> Planted:
        """The same with rows in content-hash order, as an audit wants them (the content has changed)."""
        marked = replace(self.dataset, row_ids=np.arange(len(self.dataset), dtype=np.int64))
        marked.__dict__["hashes"] = self.dataset.hashes
        order = marked.canonical().ids
        return replace(self, dataset=self.dataset.take(order), truth=self.truth[order])


def every_family(modality: str) -> tuple[str, ...]:
    """All families that can be planted in data of that modality, the simple ones first."""
    return (*FAMILIES.get(modality, ()), *HARDER.get(modality, ()))


def plant(
    dataset: Dataset, rng: np.random.Generator, families: Sequence[str] | None = None, per_family: int = 50
) -> Planted:
    """A copy with `per_family` rows poisoned by each family, all on different rows.

    Parameters
    ----------
    families : attack names; None means the simple ones of the modality. Targets differ as far as there are classes; the
        most frequent classes come first, so that a target has enough rows of its own.
    per_family : rows of each family, at least 1.

    Raises
    ------
    InputError : no labels, fewer than two classes, an attack that doesn't fit, or too few rows.

    Notes
    -----
    O(n) copies of the content and O(per_family) work a family. Rows are drawn by content-hash order.
    """
    chosen = tuple(families if families is not None else FAMILIES[dataset.modality])
    _check(dataset, chosen, per_family)
    pool = rng.permutation(content_order(dataset))
    truth, content, codes = np.full(len(dataset), -1, dtype=np.int8), dataset.content, dataset.y.copy()
    targets = _targets(dataset, chosen)
    triggers: list[Trigger | None] = []
    for index, (family, target) in enumerate(zip(chosen, targets, strict=True)):
        fits = (dataset.y == target) == (family in CLEAN_LABEL)
        free = pool[(truth[pool] < 0) & (dataset.y[pool] >= 0) & fits[pool]]
        rows = np.sort(_first(free, per_family, family))
        truth[rows] = index
        if family == FLIP:
            codes[rows] = flip_codes(codes[rows], dataset.n_classes, rng)
            triggers.append(None)
            continue
        backdoor = BACKDOORS[family](dataset, rng, Settings({"rate": per_family / len(dataset)}), target)
        content = put_rows(content, rows, (backdoor.plant or backdoor.apply)(take_rows(dataset.content, rows)))
        codes[rows] = target
        triggers.append(backdoor.trigger)
    copy = changed(dataset, np.flatnonzero(truth >= 0), content=content, codes=codes)
    return Planted(copy, truth, chosen, targets, tuple(triggers))


def _targets(dataset: Dataset, families: tuple[str, ...]) -> tuple[int, ...]:
    """The most frequent classes in turn for the backdoors, -1 for label flips."""
    counts = np.bincount(dataset.y[dataset.y >= 0], minlength=dataset.n_classes)
    ranking = cycle(int(code) for code in np.argsort(-counts, kind="stable"))
    return tuple(-1 if family == FLIP else next(ranking) for family in families)


def _first(free: Rows, count: int, family: str) -> Rows:
    if len(free) < count:
        raise InputError(f"only {len(free)} rows are left for {family} where {count} are needed; lower per_family")
    return free[:count]


def _check(dataset: Dataset, families: tuple[str, ...], per_family: int) -> None:
    if dataset.codes is None or dataset.n_classes < 2:  # noqa: PLR2004 - a label can only move between two classes
        raise InputError(f"controls need labels of at least 2 classes, {dataset.name} has {dataset.n_classes}")
    fitting = every_family(dataset.modality)
    unfit = [family for family in families if family not in fitting]
    if unfit:
        raise InputError(f"{', '.join(unfit)} can't be planted in {dataset.modality} data; use {', '.join(fitting)}")
    if per_family < 1:
        raise InputError(f"per_family must be at least 1, got {per_family}")
