"""Search every class of images for what its odd rows share: pixels, patch words, then faint overlays."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from mithridate.numeric.binomial import surprise
from mithridate.numeric.image_cover import covered
from mithridate.numeric.image_miner import (
    ANY,
    ASKED,
    CLOSE_P,
    FOREIGN_TRAIN,
    LEAST,
    LOG_P_CLASS,
    OVERLAY,
    PIXELS,
    ROUNDS,
    Mined,
    Stage,
    Tokens,
    mine_class,
    other_rows,
    ranked,
    refit,
    with_foreign,
)
from mithridate.numeric.image_modes import frequencies, two_valued
from mithridate.numeric.image_overlay import Directions, class_splits, directions, overlay_room, overlay_scores
from mithridate.numeric.image_pooled import mine_pooled
from mithridate.numeric.image_tokens import Weights, conformal, level_counts, token_places, token_scores
from mithridate.numeric.image_views import fit_ridge, one_hot

Flags: TypeAlias = npt.NDArray[np.bool_]
Rows: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float32]
Doubles: TypeAlias = npt.NDArray[np.float64]

TRIGGERS_A_CLASS = 3  # rounds of search
SPREAD = 0.1  # share of the image from which on the tokens of a pooled find are an overlay rather than a patch
TWO_VALUED, AGREEING = 1.75, 0.55  # splits looked at: how two-valued, and how alike in both halves of the class
TWO_VALUES = 1.5  # the same once a direction was learnt against all other rows
MIDDLE = 0.5  # score between rows that lack an overlay and rows that have it
ISOLATED, CLOSE_NULL = 0.8, 20  # share of carriers above all but a tenth as many other rows; fewest other rows counted
DIRECTION = Tokens(
    OVERLAY, level_counts, token_scores, 0.5, CLOSE_P / 5
)  # scored by a direction; the tokens aren't used
NO_WEIGHTS = Weights(np.zeros(0, np.int64), np.zeros((0, 16), np.float32), 0.0)


def mine(stage: Stage, rng: np.random.Generator) -> list[Mined]:
    """What classes share, strongest first; a class is searched again without the rows that a find explains."""
    found: list[Mined] = []
    free, codes = ~stage.trusted, sorted({code for _, code in stage.shares})
    every, room = codes, overlay_room(stage.images, stage.labels, stage.folds, rng)
    ready = directions(room)
    if (pooled := mine_pooled(stage, free, rng)) is not None:
        found.append(_sharpened(stage, ready, pooled, free, rng))
        free[found[0].carriers] = False
    for mined, cover in covered(stage, ready, free):
        found.append(with_foreign(stage, mined, rng))
        free[mined.core] = free[cover] = False
    for _ in range(TRIGGERS_A_CLASS):
        new = [best for code in codes if (best := _best(stage, code, free, rng)) is not None]
        for mined in new:
            free[mined.core] = False
        found, codes = found + new, [mined.code for mined in new]
    found += _overlays(stage, ready, every, free, rng)
    return sorted(found, key=lambda m: -m.log_p)


def _sharpened(stage: Stage, ready: Directions, mined: Mined, free: Flags, rng: np.random.Generator) -> Mined:
    """The find scored along an overlay's direction if it covers much of the image."""
    if mined.tokens.name != PIXELS.name or token_places(mined.weights.columns, stage.images.shape[1:]).mean() <= SPREAD:
        return mined
    return _along(stage, ready, mined.code, mined.core, free=free, rng=rng) or mined


def _best(stage: Stage, code: int, free: Flags, rng: np.random.Generator) -> Mined | None:
    """The first search's find whose carriers don't belong to the class."""
    for search in stage.searches:
        mined = mine_class(stage, search, code, free=free, rng=rng)
        if mined is not None and mined.log_p >= LOG_P_CLASS:
            mined = refit(stage, mined, rng)
            if mined.out_of_place and len(mined.carriers) >= LEAST:
                return mined
    return None


def _overlays(stage: Stage, ready: Directions, codes: list[int], free: Flags, rng: np.random.Generator) -> list[Mined]:
    """Overlays that part of a class shares and hardly any other row has, whether the labels fit or not."""
    split = [(code, *class_splits(ready.room, code, free)) for code in codes]
    seen = [(code, rows, one) for code, rows, ones in split for one in ones]
    seen = [(code, rows, one) for code, rows, one in seen if one.bimodality <= TWO_VALUED]
    out: dict[int, Mined] = {}
    for code, rows, one in sorted(seen, key=lambda item: item[2].bimodality):
        if one.agreement < AGREEING:
            continue
        for core in (rows[one.scores > MIDDLE], rows[one.scores <= MIDDLE]):
            if code not in out and (found := _overlay(stage, ready, code, core, free=free, rng=rng)) is not None:
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
    stage: Stage, ready: Directions, code: int, core: Rows, *, free: Flags, rng: np.random.Generator
) -> Mined | None:
    """The overlay that a split of a class showed, if it holds against all other rows; its carriers' content judged."""
    mined = _along(stage, ready, code, core, free=free, rng=rng)
    if mined is None:
        return None
    mined = _content(ready, mined, stage.n_classes, rng)
    return mined if mined.out_of_place else mined._replace(fits=True)


def _along(
    stage: Stage, ready: Directions, code: int, core: Rows, *, free: Flags, rng: np.random.Generator
) -> Mined | None:
    """Rows of a class (or `ANY`) along the direction that tells the core from all other rows, a few times over."""
    own = np.flatnonzero((stage.labels >= 0 if code == ANY else stage.labels == code) & free)
    others = other_rows(stage, code, rng)
    asked = np.concatenate([own, others])
    features = frequencies(stage.images[asked])
    for _ in range(ROUNDS):
        along = overlay_scores(ready, core, asked, features)
        raw, null = along[: len(own)], along[len(own) :]
        middle = float(np.median(null))
        typical = float(np.median(raw[np.isin(own, core)])) - middle
        scores, p_values = np.asarray((raw - middle) / max(typical, 1e-3), np.float32), conformal(raw, null)
        carriers = own[(scores >= DIRECTION.near) & (p_values <= CLOSE_P)]
        if len(carriers) < LEAST:
            return None
        if set(carriers) == set(core):
            break
        core = carriers
    if code != ANY and not isolated(p_values, len(others)) and two_valued(scores[:, None])[0] > TWO_VALUES:
        return None
    log_p = float(surprise(len(core), len(own), CLOSE_P))
    return Mined(code, DIRECTION, own, scores, p_values, core, log_p, len(core) / len(own), CLOSE_P, NO_WEIGHTS)


def _content(ready: Directions, mined: Mined, n_classes: int, rng: np.random.Generator) -> Mined:
    """How foreign the carriers' content is once the overlay is taken off, for a model that never saw a carrier.

    The overlay is the carriers' mean less the mean of the rest of the class. Where the labels fit, what is left looks
    like the class; rows of other classes still don't.
    """
    room, labels = ready.room, ready.room.labels[ready.room.rows]
    carries = np.isin(room.rows, mined.rows[(mined.p_values <= CLOSE_P) & (mined.scores >= mined.tokens.near / 2)])
    place = rng.permutation(len(room.rows))
    mine = labels[place] == mined.code
    theirs, ours, outside = place[mine & carries[place]], place[mine & ~carries[place]], place[~mine]
    if not len(theirs) or len(ours) < LEAST:
        return mined
    bare = room.features[theirs] - (room.features[theirs].mean(axis=0) - room.features[ours].mean(axis=0))
    held = ours[: min(ASKED, len(ours) // 2)], outside[:ASKED]
    train = np.concatenate([ours[len(held[0]) :], outside[ASKED:]])
    train = rng.permutation(train)[:FOREIGN_TRAIN]
    judge = fit_ridge(room.features[train], one_hot(labels[train], n_classes), rng)
    asked = np.concatenate([bare[:ASKED], room.features[held[0]], room.features[held[1]]])
    return ranked(mined, judge(asked)[:, mined.code], min(ASKED, len(bare)), len(held[0]))
