"""The user's own recipe as a detector: taught by the rows that were found, asked about rows that it never saw."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
import numpy.typing as npt

from mithridate.audits.poison.context import Context
from mithridate.audits.poison.learnt_content import Flags
from mithridate.models.evaluate import probabilities
from mithridate.models.protocol import Recipe

ROUNDS = 2  # the second learns from what the first one found; later ones drift
FOLDS = 2
OTHERS = 2  # rows of other labels for each row found: with many more, the middle between the two moves away from honest
LEAST = 40  # rows found, below which nothing is taught
PLAIN = 3  # one in so many rows of the label, those least like the rows found, stand for its honest ones
FLOOR = 1e-9

Doubles = npt.NDArray[np.float64]


def detect(context: Context, before: Doubles, honest: Flags, *, code: int) -> Doubles | None:
    """How much each row is like those found rather than like honest ones; None where too few were found to teach.

    Parameters
    ----------
    context : with a recipe; four models of two labels are trained, each on a part of the rows.
    before : (n,) a score of the label's rows; those above 0 carry what is looked for, most of them.
    honest : (n,) rows of other labels.

    Returns
    -------
    (n,) log odds of two-class models that never saw the row, 0 in the middle; the label's rows and honest ones alone.

    Notes
    -----
    What a network of the user's own kind can learn, it can also point at: rows that were passed over are found by what
    they share with those that weren't, whatever their content. Content must not count, so that the opposite are rows of
    all other labels, and the third of the label's rows that is least like those found.

    References
    ----------
    Elkan and Noto (2008), learning classifiers from only positive and unlabeled data, KDD.
    """
    codes, folds = context.dataset.y, context.dataset.folds(FOLDS)
    mine, rng, score = codes == code, context.rng(f"learnt-detector-{code}"), before
    rows = np.flatnonzero(mine)
    for turn in range(ROUNDS):
        group = mine & (score > 0)
        if group.sum() < LEAST:
            return score if turn else None
        against = np.zeros(len(codes), dtype=bool)
        against[rng.permutation(np.flatnonzero(honest))[: OTHERS * int(group.sum())]] = True
        against[rows[np.argsort(score[rows], kind="stable")[: len(rows) // PLAIN]]] = True
        score = np.zeros(len(codes))
        for fold in range(FOLDS):
            asked, others = np.flatnonzero((mine | honest) & (folds == fold)), folds != fold
            score[asked] = _asked(context, group & others, against & ~group & others, asked, f"{code}-{turn}-{fold}")
    return score


def _asked(context: Context, group: Flags, against: Flags, asked: npt.NDArray[np.int64], purpose: str) -> Doubles:
    """Log odds of the group for the rows asked about, by a model of the two sides under two of the labels."""
    if not group.any() or not against.any():
        return np.zeros(len(asked))
    context.progress.step(f"training a detector of the rows found: {purpose}", 0.0)
    data, taught = context.dataset, np.flatnonzero(group | against)
    sides = replace(data.take(taught), codes=np.where(group[taught], 0, 1).astype(np.int32))
    recipe = cast("Recipe", context.recipe)
    model = recipe(sides, int(context.rng(f"learnt-detector-{purpose}").integers(2**31)))
    chances = np.asarray(probabilities(model, data.take(asked)), np.float64)
    return np.asarray(np.log(chances[:, 0] + FLOOR) - np.log(chances[:, 1] + FLOOR), np.float64)
