"""Search every class of images for what its odd rows share: pixels, patch words, then faint overlays."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from mithridate.numeric.image_miner import (
    CLOSE_P,
    LEAST,
    ROUNDS,
    Mined,
    Stage,
    Tokens,
    class_tail,
    mine_class,
    other_rows,
    refit,
    with_foreign,
)
from mithridate.numeric.image_overlay import overlay_scores
from mithridate.numeric.image_tokens import Weights, conformal, level_counts, token_scores

Flags: TypeAlias = npt.NDArray[np.bool_]
Rows: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float32]
Doubles: TypeAlias = npt.NDArray[np.float64]

TRIGGERS_A_CLASS = 3  # rounds of search
LOG_P_CLASS = 4.0  # -log10 of the class's tail from which on it is a candidate
OVERLAY_LOG_P = 10.0  # the same for overlays: odd rows of most honest classes vary alike to some degree
ISOLATED, CLOSE_NULL = 0.8, 20  # share of carriers above all but a tenth as many other rows; fewest other rows counted
MOST_OVERLAYS = 3  # classes whose overlay is looked at closely, the strongest ones
OVERLAY = Tokens(
    "overlay", level_counts, token_scores, 0.5, CLOSE_P / 5
)  # scored by a direction; the tokens aren't used
NO_WEIGHTS = Weights(np.zeros(0, np.int64), np.zeros((0, 16), np.float32), 0.0)


def mine(stage: Stage, rng: np.random.Generator) -> list[Mined]:
    """What classes share, strongest first; a class is searched again without the rows that a find explains."""
    found: list[Mined] = []
    free, codes = np.ones(len(stage.labels), np.bool_), sorted({code for _, code in stage.shares})
    every = codes
    for _ in range(TRIGGERS_A_CLASS):
        new = [best for code in codes if (best := _best(stage, code, free, rng)) is not None]
        for mined in new:
            free[mined.core] = False
        found, codes = found + new, [mined.code for mined in new]
    found += _overlays(stage, every, free, rng)
    return sorted(found, key=lambda m: -m.log_p)


def _best(stage: Stage, code: int, free: Flags, rng: np.random.Generator) -> Mined | None:
    """The first search's find whose carriers don't belong to the class."""
    for search in stage.searches:
        mined = mine_class(stage, search, code, free=free, rng=rng)
        if mined is not None and mined.log_p >= LOG_P_CLASS:
            mined = refit(stage, mined, rng)
            if mined.out_of_place and len(mined.carriers) >= LEAST:
                return mined
    return None


def _overlays(stage: Stage, codes: list[int], free: Flags, rng: np.random.Generator) -> list[Mined]:
    """The overlays of the classes that show one most, if their carriers don't belong there."""
    seen = [mined for code in codes if (mined := mine_overlay(stage, code, free=free, rng=rng)) is not None]
    seen = [mined for mined in seen if mined.log_p >= OVERLAY_LOG_P]
    out = []
    for mined in sorted(seen, key=lambda m: -m.log_p)[:MOST_OVERLAYS]:
        better = refit_overlay(stage, mined, rng)
        if len(better.carriers) < LEAST or not isolated(better.p_values, len(other_rows(stage, mined.code, rng))):
            continue
        better = with_foreign(stage, better, rng)
        if better.out_of_place:
            out.append(better)
    return out


def isolated(p_values: Doubles, n_others: int) -> bool:
    """Whether nearly all rows close to an overlay lie beyond nearly all other rows: added to some, it is not in others.

    What an honest class has more of than others fades out instead: most rows that have it are at the border.

    Examples
    --------
    >>> isolated(np.array([0.0002] * 9 + [0.004, 0.3]), 6000), isolated(np.linspace(0.0002, 1, 4000), 6000)
    (True, False)
    """
    close = max(CLOSE_P, CLOSE_NULL / (n_others + 1))
    return bool((p_values <= close / 10).sum() >= ISOLATED * max(1, (p_values <= close).sum()))


def mine_overlay(stage: Stage, code: int, *, free: Flags, rng: np.random.Generator) -> Mined | None:
    """What tells the rows of one class that only a model which sees everything believes from all other rows.

    Each fold is scored along the direction that the other fold's rows give. None if the class has too few such rows.
    """
    own = np.flatnonzero((stage.labels == code) & free)
    cases = own[stage.gap.cases[own]]
    if len(cases) < LEAST:
        return None
    scores, p_values = _along(stage, code, cases, own, rng)
    is_case = np.isin(own, cases)
    log_p, rate, allowed, cut = class_tail(p_values[is_case])
    core = own[is_case & (p_values <= cut)]
    return Mined(code, OVERLAY, own, scores, p_values, core, log_p, rate, allowed, NO_WEIGHTS)


def _along(stage: Stage, code: int, chosen: Rows, own: Rows, rng: np.random.Generator) -> tuple[Floats, Doubles]:
    """Scores of the class's rows (0: middle of other classes, 1: middle of the chosen), and their p-values."""
    others = other_rows(stage, code, rng)
    null, raw = overlay_scores(stage.room, chosen, others), overlay_scores(stage.room, chosen, own)
    middle = float(np.median(null))
    typical = float(np.median(raw[np.isin(own, chosen)])) - middle
    return np.asarray((raw - middle) / max(typical, 1e-3), np.float32), conformal(raw, null)


def refit_overlay(stage: Stage, mined: Mined, rng: np.random.Generator) -> Mined:
    """The same overlay learnt from the rows that the last direction showed, a few times over."""
    for _ in range(ROUNDS):
        if len(mined.core) < LEAST:
            break
        scores, p_values = _along(stage, mined.code, mined.core, mined.rows, rng)
        mined = mined._replace(scores=scores, p_values=p_values)
        if len(mined.carriers) < LEAST or set(mined.carriers) == set(mined.core):
            break
        mined = mined._replace(core=mined.carriers)
    return mined
