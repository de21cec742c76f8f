"""Two opinions of each row: what its content says, by a model of trusted rows, and what a model of all rows learnt."""

from __future__ import annotations

from functools import partial
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
ROUNDS = 2  # coarse models that see a trigger learn it from all rows; from rows that earlier ones vouch for much less
FLOOR = 1e-3  # chances below this say no more
LEAST_SIDE = 4
LEAST_USUAL = 10  # honest rows of a look that show what is typical of it

Flags = npt.NDArray[np.bool_]
Doubles = npt.NDArray[np.float64]


class Opinions(NamedTuple):
    """(n,) each. `trusted` rows taught the content model; `look` is its label for the row; `suspect` rows it denies
    their label while models of all rows, out of fold, insist on it; `gap` is how far the two are apart (log odds).
    `learnt` is the label that those models give; `far` rows that are no nearer to their label than typical honest rows
    of their look.
    """  # noqa: D205 - a field list reads better in one piece

    trusted: Flags
    look: npt.NDArray[np.int64]
    suspect: Flags
    gap: Doubles
    learnt: npt.NDArray[np.int64]
    far: Flags


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
    trusted = _trusted(context, codes)
    content = answers(train(context, trusted, "content"), context)
    learnt = np.asarray(context.probabilities, dtype=np.float64)
    denies = margin(content, codes) < 0
    every, place = np.arange(len(codes)), np.maximum(codes, 0)
    gap = np.log(learnt[every, place] + FLOOR) - np.log(content[every, place] + FLOOR)
    look, says = content.argmax(axis=1), learnt.argmax(axis=1)
    doubted = denies & ~trusted & (codes >= 0)
    far = doubted & far_rows(content, codes, ~trusted & (look == codes))
    return Opinions(trusted, look, doubted & (says == codes), gap, says, far)


def far_rows(content: Doubles, codes: npt.NDArray[np.int32], honest: Flags) -> Flags:
    """(n,) rows whose label gets no more chance from their content (n, c) than half of the honest rows of their look
    get for that label. Where a look has fewer than 10 honest rows, none of its rows counts.
    """  # noqa: D205 - a field list reads better in one piece
    look, far = content.argmax(axis=1), np.zeros(len(codes), dtype=bool)
    for kind in np.unique(look):
        usual = content[honest & (look == kind)]
        rows = np.flatnonzero((look == kind) & (codes >= 0) & (codes != kind))
        if len(usual) >= LEAST_USUAL:
            far[rows] = content[rows, codes[rows]] <= np.median(usual, axis=0)[codes[rows]]
    return far


def _trusted(context: Context, codes: npt.NDArray[np.int32]) -> Flags:
    rng, trusted = context.rng("learnt-views"), codes >= 0
    for _ in range(ROUNDS):
        trusted = trusted_rows(codes, _content_margin(context, codes, trusted, rng))
    return trusted


def _content_margin(context: Context, codes: npt.NDArray[np.int32], taught: Flags, rng: np.random.Generator) -> Doubles:
    data, folds = context.dataset, context.dataset.folds(2)
    margins = partial(label_margin, codes=codes, folds=folds, n_classes=data.n_classes, rng=rng, taught=taught)
    total = margins(coordinate_views(np.asarray(embedding.features(context), np.float32)))
    if data.modality == "image" and min(np.shape(data.content)[1:3]) >= LEAST_SIDE:
        total += margins(image_views(as_bytes(np.asarray(data.content))))
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
