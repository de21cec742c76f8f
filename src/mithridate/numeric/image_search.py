"""Search every class of images for what its odd rows share: pixels, patch words, then faint overlays."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_solve

from mithridate.numeric.binomial import surprise
from mithridate.numeric.image_miner import (
    ASKED,
    CLOSE_P,
    FOREIGN_TRAIN,
    LEAST,
    ROUNDS,
    Mined,
    Stage,
    Tokens,
    mine_class,
    other_rows,
    ranked,
    refit,
)
from mithridate.numeric.image_modes import frequencies
from mithridate.numeric.image_overlay import Directions, class_splits, directions, overlay_room, overlay_scores
from mithridate.numeric.image_tokens import Weights, conformal, level_counts, token_scores
from mithridate.numeric.image_views import fit_ridge, one_hot

Flags: TypeAlias = npt.NDArray[np.bool_]
Rows: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float32]
Doubles: TypeAlias = npt.NDArray[np.float64]

TRIGGERS_A_CLASS = 3  # rounds of search
LOG_P_CLASS = 4.0  # -log10 of the class's tail from which on it is a candidate
TWO_VALUED, AGREEING = 1.75, 0.55  # splits looked at: how two-valued, and how alike in both halves of the class
MIDDLE = 0.5  # score between rows that lack an overlay and rows that have it
ISOLATED, CLOSE_NULL = 0.8, 20  # share of carriers above all but a tenth as many other rows; fewest other rows counted
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
    """Overlays that part of a class shares and hardly any other row has, whether the labels fit or not."""
    room = overlay_room(stage.images, stage.labels, stage.folds, rng)
    seen = [(code, rows, one) for code in codes for rows, ones in [class_splits(room, code, free)] for one in ones]
    seen = [(code, rows, one) for code, rows, one in seen if one.bimodality <= TWO_VALUED]
    if not seen:
        return []
    ready, out = directions(room), {}
    for code, rows, one in sorted(seen, key=lambda item: item[2].bimodality):
        if code not in out and one.agreement >= AGREEING:
            found = _overlay(stage, ready, code, rows[one.scores > MIDDLE], free, rng)
            if found is not None:
                out[code] = found
    return list(out.values())


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


def _overlay(
    stage: Stage, ready: Directions, code: int, core: Rows, free: Flags, rng: np.random.Generator
) -> Mined | None:
    """The overlay that a split of a class showed, learnt against all other rows, if it holds there."""
    own = np.flatnonzero((stage.labels == code) & free)
    others = other_rows(stage, code, rng)
    asked = np.concatenate([own, others])
    features = frequencies(stage.images[asked])
    for _ in range(ROUNDS):
        along = overlay_scores(ready, core, asked, features)
        raw, null = along[: len(own)], along[len(own) :]
        middle = float(np.median(null))
        typical = float(np.median(raw[np.isin(own, core)])) - middle
        scores, p_values = np.asarray((raw - middle) / max(typical, 1e-3), np.float32), conformal(raw, null)
        carriers = own[(scores >= OVERLAY.near) & (p_values <= CLOSE_P)]
        if len(carriers) < LEAST:
            return None
        if set(carriers) == set(core):
            break
        core = carriers
    if not isolated(p_values, len(others)):
        return None
    rate, expected = len(core) / len(own), CLOSE_P
    log_p = float(surprise(len(core), len(own), expected))
    mined = Mined(code, OVERLAY, own, scores, p_values, core, log_p, rate, expected, NO_WEIGHTS)
    mined = _content(stage, ready, mined, rng)
    if mined.out_of_place:
        return mined
    return mined._replace(fits=True) if mined.at_home else None


def _content(stage: Stage, ready: Directions, mined: Mined, rng: np.random.Generator) -> Mined:
    """How foreign the carriers' content is, for a model that never saw one and is blind to the overlay's direction."""
    room, labels = ready.room, stage.labels[ready.room.rows]
    carries = np.isin(room.rows, mined.rows[(mined.p_values <= CLOSE_P) & (mined.scores >= mined.tokens.near / 2)])
    blind = _without(ready, mined.core, room.features)
    place = rng.permutation(len(room.rows))
    mine = labels[place] == mined.code
    held = [place[part][:ASKED] for part in (mine & carries[place], mine & ~carries[place], ~mine)]
    held[1] = held[1][: max(1, int((mine & ~carries[place]).sum()) // 2)]
    if not len(held[0]) or not len(held[1]):
        return mined
    train = np.setdiff1d(place[~carries[place]], np.concatenate(held))[:FOREIGN_TRAIN]
    judge = fit_ridge(blind[train], one_hot(labels[train], stage.n_classes), rng)
    belief = judge(blind[np.concatenate(held)])[:, mined.code]
    return ranked(mined, belief, len(held[0]), len(held[1]))


def _without(ready: Directions, core: Rows, features: Floats) -> Floats:
    """Features without what varies along with the overlay's direction."""
    chosen = np.isin(ready.room.rows, core).astype(np.float32)
    side = ready.sides
    inner = features - features.mean(axis=0)
    weights = cho_solve((side[0].factor, True), inner.T @ (chosen - chosen.mean()))
    along = inner @ weights
    pattern = inner.T @ along / np.float32(along @ along + 1e-9)
    return np.asarray(inner - along[:, None] * pattern, np.float32)
