"""Peers that make the same poison as one of our attacks: how long each takes for the same rows, model and iterations.

Crafted poison: 5 of 500 images, 20 iterations, one convolutional network that both are given. ART's `FeatureCollision`
crafts image by image, the others batch by batch, as ours do; its `GradientMatching` reads its batches in a process of
its own, whose time counts. Label noise: 5 % of 10,000 labels by cleanlab's `generate_noisy_labels`.
"""

from __future__ import annotations

import contextlib
import copy
import io
import resource
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

import mithridate
from common import MissingSetError, Result
from mithridate.data.dataset import Dataset
from mithridate.models.inputs import nchw

IMAGES, POISONS, STEPS = 500, 5, 20
EPSILON = 16 / 255
REPEATS, FAST = 5, 25  # of a timing of seconds, or of milliseconds; the least counts
NOISE = 0.05
TARGET, FROM = 0, 1


@dataclass(frozen=True)
class Craft:
    """What a peer crafts with: images (n, c, h, w) in [0, 1], one-hot labels, ART's classifier, the feature layer."""

    x: npt.NDArray[np.float32]
    y: npt.NDArray[np.float32]
    classifier: Any
    layer: int

    @property
    def bases(self) -> npt.NDArray[np.float32]:
        """Images of the target class to poison."""
        return self.x[np.flatnonzero(self.y[:, TARGET])[:POISONS]]

    @property
    def victim(self) -> npt.NDArray[np.float32]:
        """(1, c, h, w) an image of another class."""
        return self.x[np.flatnonzero(self.y[:, FROM])[:1]]

    @property
    def share(self) -> float:
        """Share of the target class that is as many rows as the others poison."""
        return (POISONS + 0.5) / float(self.y[:, TARGET].sum())

    def code(self, code: int) -> npt.NDArray[np.float32]:
        """(c,) one-hot."""
        return np.eye(self.y.shape[1], dtype=np.float32)[code]


def noise(dataset: Dataset) -> Result:
    """Seconds of a random label flip and of cleanlab's."""
    try:
        from cleanlab.benchmarking.noise_generation import generate_noisy_labels
    except ImportError as error:
        raise MissingSetError("cleanlab is missing: pip install cleanlab") from error
    count = dataset.n_classes
    matrix = np.full((count, count), NOISE / (count - 1))
    np.fill_diagonal(matrix, 1 - NOISE)
    flip, known = partial(mithridate.attack, "label-flip", rate=NOISE), replace(dataset)
    ours, again = least(lambda: flip(replace(dataset)), FAST), least(lambda: flip(known), FAST)
    theirs = least(lambda: generate_noisy_labels(dataset.y, matrix), FAST)
    return {
        "rows": len(dataset), "peer": "generate_noisy_labels", "ours": ours, "again": again, "theirs": theirs,
        "ratio": ours / theirs, "again ratio": again / theirs,
    }  # fmt: skip


def crafted(name: str, dataset: Dataset, module: Any) -> Result:
    """Seconds a poison and iteration of our attack and of ART's, the network trained beforehand."""
    rate = POISONS / len(dataset)
    settings: dict[str, Any] = {"eps": EPSILON, "steps": STEPS, "models": 1, "target": dataset.label_of(TARGET)}
    settings |= {} if name == "label-consistent" else {"from": dataset.label_of(FROM)}
    given = copy.deepcopy(module)

    def recipe(_dataset: Dataset, _seed: int) -> Any:
        return given

    ours = least(lambda: mithridate.attack(name, replace(dataset), rate=rate, recipe=recipe, **settings))
    theirs = least(partial(PEERS[name], art_craft(dataset, copy.deepcopy(module))))
    each = POISONS * STEPS
    return {
        "rows": len(dataset), "poisons": POISONS, "iterations": STEPS,
        "peer": (PEERS[name].__doc__ or name).strip("`."),
        "ours": ours / each, "theirs": theirs / each, "ratio": ours / theirs,
    }  # fmt: skip


def least(work: Callable[[], Any], repeats: int = REPEATS) -> float:
    """The least processor seconds of a few runs, child processes included."""
    seconds = []
    for _ in range(repeats):
        clock = _spent()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            work()
        seconds.append(_spent() - clock)
    return min(seconds)


def _spent() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def art_craft(dataset: Dataset, module: Any) -> Craft:
    """The network and the images as ART takes them."""
    try:
        from art.estimators.classification import PyTorchClassifier
    except ImportError as error:
        raise MissingSetError("ART is missing: pip install adversarial-robustness-toolbox") from error
    import torch

    x = np.ascontiguousarray(nchw(dataset.x))
    classifier = PyTorchClassifier(
        model=module.eval(), loss=torch.nn.CrossEntropyLoss(), input_shape=x.shape[1:], nb_classes=dataset.n_classes,
        clip_values=(0.0, 1.0), device_type="cpu",
    )  # fmt: skip
    labels = np.eye(dataset.n_classes, dtype=np.float32)[dataset.y]
    return Craft(x, labels, classifier, len(module) - 2)


def feature_collision(craft: Craft) -> Any:
    """`FeatureCollisionAttack`."""
    from art.attacks.poisoning import FeatureCollisionAttack

    made = FeatureCollisionAttack(
        craft.classifier, craft.victim, craft.layer, learning_rate=0.01, max_iter=STEPS, verbose=False
    )
    return made.poison(craft.bases)


def bullseye_polytope(craft: Craft) -> Any:
    """`BullseyePolytopeAttackPyTorch`."""
    from art.attacks.poisoning import BullseyePolytopeAttackPyTorch

    made = BullseyePolytopeAttackPyTorch(
        craft.classifier, craft.victim, [craft.layer], max_iter=STEPS, epsilon=EPSILON, verbose=False
    )
    return made.poison(craft.bases, np.repeat(craft.code(TARGET)[None], POISONS, axis=0))


def gradient_matching(craft: Craft) -> Any:
    """`GradientMatchingAttack`."""
    from art.attacks.poisoning import GradientMatchingAttack

    made = GradientMatchingAttack(
        craft.classifier, (POISONS + 0.5) / len(craft.x), EPSILON, max_trials=1, max_epochs=STEPS, verbose=0
    )
    return made.poison(craft.victim, np.array([TARGET]), craft.x, craft.y.argmax(1))


def hidden_trigger(craft: Craft) -> Any:
    """`HiddenTriggerBackdoorPyTorch`."""
    from art.attacks.poisoning import HiddenTriggerBackdoor

    made = HiddenTriggerBackdoor(
        craft.classifier, craft.code(TARGET), craft.code(FROM), craft.layer, backdoor(), eps=EPSILON, max_iter=STEPS,
        stopping_threshold=-1, poison_percent=craft.share - 0.5 / craft.y[:, TARGET].sum(), verbose=False,
    )  # fmt: skip
    return made.poison(craft.x, craft.y)


def clean_label(craft: Craft) -> Any:
    """`PoisoningAttackCleanLabelBackdoor`."""
    from art.attacks.poisoning import PoisoningAttackCleanLabelBackdoor

    made = PoisoningAttackCleanLabelBackdoor(
        backdoor(), craft.classifier, craft.code(TARGET), craft.share, eps=EPSILON, eps_step=EPSILON / 8, max_iter=STEPS
    )
    return made.poison(craft.x, craft.y)


def backdoor() -> Any:
    """ART's pattern for images with the channels first."""
    from art.attacks.poisoning import PoisoningAttackBackdoor, perturbations

    return PoisoningAttackBackdoor(partial(perturbations.add_pattern_bd, channels_first=True))


PEERS: Mapping[str, Callable[[Craft], Any]] = MappingProxyType(
    {
        "feature-collision": feature_collision,
        "bullseye": bullseye_polytope,
        "witches-brew": gradient_matching,
        "hidden-trigger": hidden_trigger,
        "label-consistent": clean_label,
    }
)
