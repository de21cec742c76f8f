"""Two opinions of each row: what its content says, by a model of trusted rows, and what a model of all rows learnt."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mithridate.audits.poison import embedding
from mithridate.audits.poison.context import Context
from mithridate.audits.poison.triggers.image import as_bytes
from mithridate.core.errors import Skip
from mithridate.models.evaluate import probabilities
from mithridate.models.protocol import Fitted, Recipe
from mithridate.numeric.blind_content import coordinate_views, image_views, label_margin, margin

TRUSTED = 0.5  # share of all rows that is trusted: those whose content speaks most clearly for their label
LEAST_TRUSTED = 0.1  # of each label
FLOOR = 1e-3  # chances below this say no more
LEAST_SIDE = 4

Flags = npt.NDArray[np.bool_]
Doubles = npt.NDArray[np.float64]


class Opinions(NamedTuple):
    """(n,) each. `trusted` rows taught the content model; `look` is its label for the row; `suspect` rows it denies
    their label while models of all rows, out of fold, insist on it; `gap` is how far the two are apart (log odds).
    """  # noqa: D205 - a field list reads better in one piece

    trusted: Flags
    look: npt.NDArray[np.int64]
    suspect: Flags
    gap: Doubles


def opinions(context: Context) -> Opinions:
    """The content model, trained here on the trusted half of the rows, against the out-of-fold models of all rows.

    Raises
    ------
    Skip : no recipe, no labels, or too few rows.
    """
    if context.recipe is None or context.probabilities is None:
        raise Skip("no recipe to train models with; name one with --recipe (Python: recipe=...)")
    return context.once("learnt-opinions", lambda: _opinions(context))


def _opinions(context: Context) -> Opinions:
    codes = embedding.labelled(context)
    trusted = trusted_rows(codes, _content_margin(context, codes))
    content = answers(train(context, trusted, "content"), context)
    learnt = np.asarray(context.probabilities, dtype=np.float64)
    denies = margin(content, codes) < 0
    every, place = np.arange(len(codes)), np.maximum(codes, 0)
    gap = np.log(learnt[every, place] + FLOOR) - np.log(content[every, place] + FLOOR)
    suspect = denies & ~trusted & (codes >= 0) & (learnt.argmax(axis=1) == codes)
    return Opinions(trusted, content.argmax(axis=1), suspect, gap)


def _content_margin(context: Context, codes: npt.NDArray[np.int32]) -> Doubles:
    data, rng, folds = context.dataset, context.rng("learnt-views"), context.dataset.folds(2)
    features = np.asarray(embedding.features(context), np.float32)
    total = label_margin(coordinate_views(features), codes, folds, n_classes=data.n_classes, rng=rng)
    if data.modality == "image" and min(np.shape(data.content)[1:3]) >= LEAST_SIDE:
        views = image_views(as_bytes(np.asarray(data.content)))
        total += label_margin(views, codes, folds, n_classes=data.n_classes, rng=rng)
    return total


def trusted_rows(codes: npt.NDArray[np.int32], margins: Doubles) -> Flags:
    """(n,) the half of the rows with the largest margin, and at least a tenth of each label's."""
    known = codes >= 0
    trusted = known & (margins > np.quantile(margins[known], 1 - TRUSTED))
    for code in np.unique(codes[known]):
        rows = np.flatnonzero(codes == code)
        trusted[rows[np.argsort(-margins[rows], kind="stable")[: int(np.ceil(LEAST_TRUSTED * len(rows)))]]] = True
    return np.asarray(trusted, dtype=bool)


def train(context: Context, rows: Flags, purpose: str) -> Fitted:
    """A model by the context's recipe on these rows, its seed from the purpose."""
    recipe: Recipe | None = context.recipe
    if recipe is None:
        raise Skip("no recipe to train models with; name one with --recipe (Python: recipe=...)")
    context.progress.step(f"training without suspects: {purpose}", 0.0)
    seed = int(context.rng(f"learnt-{purpose}").integers(2**31))
    return recipe(context.dataset.take(np.flatnonzero(rows)), seed)


def answers(model: Fitted, context: Context) -> npt.NDArray[Any]:
    """(n, c) float64 chances of all rows by a model."""
    return np.asarray(probabilities(model, context.dataset), dtype=np.float64)
