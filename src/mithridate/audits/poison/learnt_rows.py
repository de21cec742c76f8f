"""Which rows of a confirmed label carry what its suspects share: bent by one warp, or like the suspects otherwise."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mithridate.audits.poison import embedding
from mithridate.audits.poison.context import Context
from mithridate.audits.poison.learnt_content import Flags, Opinions
from mithridate.audits.poison.learnt_detector import detect
from mithridate.audits.poison.triggers.image import as_bytes, shrink
from mithridate.numeric.bending import Bending, find_bending, pair_of
from mithridate.numeric.bent_rows import bent_scores
from mithridate.numeric.learnt_gap import joined
from mithridate.numeric.random_map import random_map
from mithridate.numeric.taught_rows import taught_scores

LEAST_LOOKS, LEAST_ROWS = 4, 10  # kinds of content that a field is looked for in, and suspects of each
EXPLAINED = (
    0.25  # of what tells suspects of other looks from honest rows; few natural ones reach it: what follows decides
)
FOUND, TIMES = 0.5, 5.0  # share of the suspects that must be found, and how many times as many as of honest rows
ROUNDS = 3  # the first field is that of suspects; the next ones that of the rows found
LESSONS = 5  # the same for what suspects teach: each reaches rows whose content the ones before did not have
BEYOND = 0.01  # share of honest rows that may look as odd as those that teach: taught by all that seem odd, it drifts
OUTER = 0.1  # of the label's plain rows, the oddest: some carry what is looked for, and don't teach what is honest
MOST_SIDE = 32  # larger images are judged at a smaller size
MOST_HONEST = 10_000
FOLDS = 5


class _Task(NamedTuple):
    """What is judged: `rows` (n, ...), which are the label's, which are honest rows of others; the suspects and looks;
    (n,) folds; the random stream.
    """  # noqa: D205 - a field list reads better in one piece

    rows: npt.NDArray[Any]
    mine: Flags
    honest: Flags
    found: Opinions
    codes: npt.NDArray[Any]
    folds: npt.NDArray[Any]
    rng: np.random.Generator

    @property
    def plain(self) -> Flags:
        """(n,) rows whose content speaks for their label."""
        return np.asarray(self.found.look == self.codes, dtype=bool)


class Found(NamedTuple):
    """(n,) how much each row carries it, and (n,) rows of other labels that this can be held against, all judged by
    models without them; the warp, where it is one.
    """  # noqa: D205 - a field list reads better in one piece

    score: npt.NDArray[np.float64]
    honest: Flags
    bending: Bending | None = None


def find_rows(context: Context, found: Opinions, code: int) -> Found | None:
    """The rows of a confirmed label by what its suspects share; None where that tells them from honest rows badly.

    Notes
    -----
    Warps: the field comes from mean images alone, suspects of each look against honest rows of that label. The model
    that judges the rows learns from rows of other labels, as they are and bent, so that neither the number of poisoned
    rows nor any of them need be known. The field is then found anew from the rows that look bent. Anything else: a
    model learns to tell suspects from rows of other labels and from the label's plain ones, then from the rows that it
    finds odder than nearly all honest ones, and so on. Rows whose content speaks for the label never teach what is odd:
    what all rows of the label share is no trigger. Either model must find most suspects, and five times as many of them
    as of honest rows.
    """
    codes = context.dataset.y
    mine = codes == code
    rng = context.rng(f"learnt-rows-{code}")
    honest = np.zeros(len(codes), dtype=bool)
    honest[rng.permutation(np.flatnonzero((codes >= 0) & ~mine))[:MOST_HONEST]] = True
    task = _Task(_rows(context), mine, honest, found, codes, context.dataset.folds(FOLDS), rng)
    for way in (_bent, _taught) if context.dataset.modality == "image" else (_taught,):
        judged = way(task)
        if judged is not None and _tells(judged, mine & found.suspect):
            return _sharper(context, judged, code)
    return None


def _sharper(context: Context, judged: Found, code: int) -> Found:
    """The same rows told by a network of the user's own kind, which the rows found teach, where that tells them too."""
    found = (context.dataset.y == code) & (judged.score > 0)
    if context.recipe is None:
        return judged
    try:
        score = detect(context, judged.score, judged.honest, code=code)
    except Exception:  # noqa: BLE001 - the user's own recipe may not learn two labels alone; the rows found stand
        return judged
    if score is None or not _tells(judged._replace(score=score), found):
        return judged
    return judged._replace(score=joined(judged.score, score, judged.honest))


def _rows(context: Context) -> npt.NDArray[Any]:
    """(n, h, w, c) uint8 images, made smaller if they are large; of anything else (n, d) float32 coordinates."""
    if context.dataset.modality != "image":
        return np.asarray(embedding.features(context), np.float32)
    images = as_bytes(np.asarray(context.dataset.content))
    return shrink(images, max(1, -(-max(images.shape[1:3]) // MOST_SIDE)))


def _bent(task: _Task) -> Found | None:
    mine, honest, bent = task.mine, task.honest, None
    group, own = mine & task.found.suspect, mine & task.plain
    asked = np.flatnonzero(mine | honest)
    images, folds = task.rows[asked], task.folds[asked]
    for _ in range(ROUNDS):
        bending = _bending(task, group)
        if bending is None or bending.explained < EXPLAINED:
            break
        score = np.zeros(len(mine))
        score[asked] = bent_scores(images, (honest | own)[asked], bending.flow, folds, task.rng)
        bent = Found(score, honest, bending)
        group, own = mine & (score > 0), mine & (score < 0)
    return bent


def _taught(task: _Task) -> Found | None:
    mine, honest, score = task.mine, task.honest, np.zeros(len(task.mine))
    asked = np.flatnonzero(mine | honest)
    features, folds = random_map(task.rows[honest], task.rng)(task.rows[asked]), task.folds[asked]
    group, own = mine & task.found.suspect, mine & task.plain
    for _ in range(LESSONS):
        if min(group.sum(), own.sum()) < LEAST_ROWS:
            break
        score[asked] = taught_scores(features, group[asked], (honest | own)[asked], folds)
        group = mine & ~task.plain & (score > np.quantile(score[honest], 1 - BEYOND))
        own = mine & task.plain
        own &= score < np.quantile(score[own], 1 - OUTER)
    return Found(score, honest)


def _bending(task: _Task, group: Flags) -> Bending | None:
    look, plain = task.found.look, task.honest & (task.found.look == task.codes)
    pairs = []
    for kind in np.unique(look[group]):
        same, odd = np.flatnonzero(plain & (task.codes == kind)), np.flatnonzero(group & (look == kind))
        if min(len(same), len(odd)) >= LEAST_ROWS:
            pairs.append((len(odd), pair_of(task.rows[same], task.rows[odd])))
    pairs.sort(key=lambda sized: -sized[0])
    return find_bending([pair for _, pair in pairs]) if len(pairs) >= LEAST_LOOKS else None


def _tells(judged: Found, suspects: Flags) -> bool:
    found, usual = float((judged.score[suspects] > 0).mean()), float((judged.score[judged.honest] > 0).mean())
    return found >= FOUND and found >= TIMES * usual
