"""The causal test for triggers without one target: does a model treat stamped images as it treats the carriers."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from mithridate.audits.poison.triggers.image_apply import apply_trigger
from mithridate.audits.poison.triggers.image_gate import TESTED, Verdict, moving_patch, moving_shape, shapes
from mithridate.core.trigger import Trigger
from mithridate.numeric.image_miner import WORDS, Mined, Stage
from mithridate.numeric.image_probe import Probe, fit_probe
from mithridate.numeric.image_views import one_hot, ridge

Floats: TypeAlias = npt.NDArray[np.float32]
Images: TypeAlias = npt.NDArray[np.uint8]

TRAIN_ROWS = 4_000  # ordinary rows that the model learns from
MOST_CARRIERS = 2_000  # carriers it learns from
LAYER = 0.01  # ridge penalty of the second layer


def judge_pooled(stage: Stage, mined: Mined, rng: np.random.Generator) -> Verdict:
    """Put the trigger on rows with fitting labels, and ask a model with a last layer of its own for rows that carry it.

    A deep network can learn to treat carriers apart; a ridge can't, so its class scores go through a second layer that
    was fitted on the carriers alone. `flip` is the share of stamped images that get another label than their own;
    `relabelled` the same once surprising carriers have the labels they look like; `control` the same with a second
    layer that was fitted on as many ordinary rows.
    """
    carriers = rng.permutation(mined.carriers)[:MOST_CARRIERS]
    ordinary = rng.permutation(np.setdiff1d(np.flatnonzero(stage.labels >= 0), mined.carriers))
    train, rest = np.split(ordinary, (min(TRAIN_ROWS, len(ordinary) // 2),))
    first = fit_probe(stage.images[train], (one_hot(stage.labels[train], stage.n_classes),), rng)
    fitting = rest[~stage.surprising[rest]][: 4 * TESTED + len(carriers)]
    few, fitting = fitting[: len(carriers)], fitting[len(carriers) :]
    tested = fitting[first.predict(stage.images[fitting]) == stage.labels[fitting]][:TESTED]
    cured = np.where(stage.surprising[carriers], stage.surprise.look[carriers], stage.labels[carriers])
    trigger, place, size = _shape(stage, mined, tested, rng)
    stamped = _scores(first, apply_trigger(stage.images[tested], trigger, rng))
    asked = (
        (stage.images[carriers], stage.labels[carriers], stamped),
        (stage.images[carriers], cured, stamped),
        (stage.images[few], stage.labels[few], _scores(first, stage.images[tested])),
    )
    flip, relabelled, control = (
        _moved(_scores(first, images), one_hot(labels, stage.n_classes), scores, stage.labels[tested])
        for images, labels, scores in asked
    )
    return Verdict(trigger, place, size, flip, relabelled, control, None, 0.0, len(tested))


def _scores(probe: Probe, images: Images) -> Floats:
    """Class scores with a constant at the end."""
    scores = probe.features(images) @ probe.weights[0]
    return np.concatenate([scores, np.ones((len(scores), 1), np.float32)], axis=1)


def _moved(scores: Floats, targets: Floats, asked: Floats, own: npt.NDArray[Any]) -> float:
    """Share of the asked rows that a layer fitted from scores to targets gives another label than their own."""
    return float(((asked @ ridge(scores, targets, penalty=LAYER)).argmax(axis=1) != own).mean())


def _shape(
    stage: Stage, mined: Mined, tested: npt.NDArray[np.int64], rng: np.random.Generator
) -> tuple[Trigger, str, str]:
    patch = moving_patch(stage, mined, rng) if mined.tokens.name == WORDS.name else None
    honest = rng.choice(tested, TESTED)
    if patch is not None:
        return moving_shape(stage, patch, None, tested=tested, honest=honest, rng=rng)[:3]
    return shapes(stage, mined, None, tested=tested, honest=honest, rng=rng)[0][:3]
