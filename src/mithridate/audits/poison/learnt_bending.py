"""Whether the suspects of a label are images bent by one warp, and which of the label's rows are."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mithridate.audits.poison.context import Context
from mithridate.audits.poison.learnt_content import Flags, Opinions
from mithridate.audits.poison.triggers.image import as_bytes, shrink
from mithridate.numeric.bending import Bending, find_bending, pair_of
from mithridate.numeric.bent_rows import bent_scores

LEAST_LOOKS, LEAST_ROWS = 4, 10  # kinds of content that a field is looked for in, and suspects of each
EXPLAINED = 0.25  # share of what tells suspects of other looks from honest rows; natural suspects have about 0 or less
FOUND, TIMES = 0.5, 5.0  # share of the suspects that must look bent, and how many times as many as of honest rows
ROUNDS = 3  # the first field is that of suspects; the next ones that of the rows found
MOST_SIDE = 32  # larger images are judged at a smaller size
MOST_HONEST = 10_000
FOLDS = 5


class Bent(NamedTuple):
    """The field with how far it is to be trusted, (n,) how bent each row looks, and (n,) the rows it can be held
    against: honest ones of other labels that were judged by models without them.
    """  # noqa: D205 - a field list reads better in one piece

    bending: Bending
    score: npt.NDArray[np.float64]
    honest: Flags


def find_bent(context: Context, found: Opinions, code: int) -> Bent | None:
    """The rows of a confirmed label that one warp explains; None where it is no image, no warp, or a doubtful one.

    Notes
    -----
    The field comes from mean images alone: suspects of each look against honest rows of that label. The model that
    judges the rows learns from honest rows of other labels, as they are and bent, so that neither the number of
    poisoned rows nor any of them need be known. The field is then found anew from the rows that look bent.
    """
    data = context.dataset
    if data.modality != "image":
        return None
    images = as_bytes(np.asarray(data.content))
    images = shrink(images, max(1, -(-max(images.shape[1:3]) // MOST_SIDE)))
    mine, codes = data.y == code, data.y
    rng = context.rng(f"learnt-bending-{code}")
    honest = _some((codes >= 0) & ~mine, rng)
    group, own, bent = mine & found.suspect, mine & found.trusted, None
    for _ in range(ROUNDS):
        bending = _bending(images, codes, found.look, honest & (found.look == codes), group)
        if bending is None or bending.explained < EXPLAINED:
            break
        asked = np.flatnonzero(mine | honest)
        score = np.zeros(len(codes))
        score[asked] = bent_scores(images[asked], (honest | own)[asked], bending.flow, data.folds(FOLDS)[asked], rng)
        bent = Bent(bending, score, honest)
        group, own = mine & (score > 0), mine & (score < 0)
    return bent if bent is not None and _trusted(bent, mine & found.suspect) else None


def _some(rows: Flags, rng: np.random.Generator) -> Flags:
    out = np.zeros(len(rows), dtype=bool)
    out[rng.permutation(np.flatnonzero(rows))[:MOST_HONEST]] = True
    return out


def _bending(
    images: npt.NDArray[Any], codes: npt.NDArray[Any], look: npt.NDArray[Any], honest: Flags, group: Flags
) -> Bending | None:
    pairs = []
    for kind in np.unique(look[group]):
        same, odd = np.flatnonzero(honest & (codes == kind)), np.flatnonzero(group & (look == kind))
        if min(len(same), len(odd)) >= LEAST_ROWS:
            pairs.append((len(odd), pair_of(images[same], images[odd])))
    pairs.sort(key=lambda sized: -sized[0])
    return find_bending([pair for _, pair in pairs]) if len(pairs) >= LEAST_LOOKS else None


def _trusted(bent: Bent, suspects: Flags) -> bool:
    found, usual = float((bent.score[suspects] > 0).mean()), float((bent.score[bent.honest] > 0).mean())
    return found >= FOUND and found >= TIMES * usual
