"""What oddly labelled rows of all classes share: triggers whose labels go everywhere (all-to-all, untargeted)."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from mithridate.numeric.image_miner import (
    ANY,
    BASE_ROWS,
    LEAST,
    LOG_P_CLASS,
    ROUNDS,
    Mined,
    Stage,
    mine_class,
    other_rows,
    refitted,
)

Flags: TypeAlias = npt.NDArray[np.bool_]

WRONG = 0.5  # share of the carriers whose labels don't fit, at least: natural patterns come with right labels
ASTRAY = 0.4  # how far the carriers' labels may be from those of all rows (total variation): far with one target


def mine_pooled(stage: Stage, free: Flags, rng: np.random.Generator) -> Mined | None:
    """A pattern whose carriers, of any class, mostly have labels that don't fit them; None if there is none.

    The null sample is the half of the rows whose labels fit best, since a trigger of this kind is in every class.
    """
    for search in stage.searches:
        mined = mine_class(stage, search, ANY, free=free, rng=rng)
        if mined is None or mined.log_p < LOG_P_CLASS:
            continue
        others = other_rows(stage, ANY, rng)
        base = mined.tokens.tally(stage.images, np.sort(rng.permutation(others)[:BASE_ROWS]))
        mined = mined._replace(rows=np.flatnonzero((stage.labels >= 0) & free))
        for _ in range(ROUNDS):
            mined = refitted(stage, mined, others, base)
            if len(mined.carriers) < LEAST or set(mined.carriers) == set(mined.core):
                break
            mined = mined._replace(core=mined.carriers)
        if _astray(stage, mined):
            return mined
    return None


def _astray(stage: Stage, mined: Mined) -> bool:
    """Whether enough carriers have labels that don't fit, and go to all classes."""
    carriers = mined.carriers
    if len(carriers) < LEAST or stage.surprising[carriers].mean() < WRONG:
        return False
    carriers = carriers[stage.surprising[carriers]]  # carriers with right labels may hide those of one class
    theirs, everyone = (
        np.bincount(stage.labels[rows], minlength=stage.n_classes) / len(rows) for rows in (carriers, mined.rows)
    )
    return bool(np.abs(theirs - everyone).sum() / 2 <= ASTRAY)
