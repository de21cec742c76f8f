"""Trees that judge a mined group: a model that never saw its rows says what labels they should have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier

from mithridate.numeric.table_tokens import Column, Floats, Mask, upper_tail

MAX_ROWS = 10_000
MAX_REFERENCE = 6_000
N_NULL = 50
N_BINS = 8
LOOKS_FOREIGN = 0.75
LEAN = 0.25


class Rows(NamedTuple):
    """A model matrix (n, d), which of its columns are categories (d,), and who may be used (n,)."""

    matrix: npt.NDArray[np.float32]
    is_name: Mask
    usable: Mask


class Verdict(NamedTuple):
    """The labels of a group against a model that never saw the group.

    lp : -log10 tail of the target's count among carriers that look foreign, at twice the expected odds.
    observed, looked : how many of the `looked` foreign-looking carriers have the target label.
    """

    lp: float
    observed: int
    looked: int


class Likeness(NamedTuple):
    """How far the group's other columns are from those of other classes' rows that look alike.

    distance : chi-square over its mean under random draws; 1 means like random rows. `effect` is (distance - 1) / rows.
    """

    distance: float
    effect: float


def fit_trees(
    rows: Rows, positive: Mask, chosen: npt.NDArray[np.int64], *, seed: int
) -> HistGradientBoostingClassifier:
    """Boosted trees for `positive` against the rest on the `chosen` rows, fitted closely enough to learn 50 rows."""
    model = HistGradientBoostingClassifier(
        max_iter=60,
        learning_rate=0.15,
        min_samples_leaf=5,
        early_stopping=False,
        categorical_features=rows.is_name if rows.is_name.any() else None,
        random_state=seed,
    )
    return model.fit(rows.matrix[chosen], positive[chosen])


def sample(mask: Mask, limit: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Positions where `mask` is true, at most `limit` of them, ascending."""
    rows = np.flatnonzero(mask)
    return np.sort(rng.choice(rows, limit, replace=False)) if len(rows) > limit else rows


def judge_group(rows: Rows, positive: Mask, group: Mask, rng: np.random.Generator, *, odds: float = 2.0) -> Verdict:
    """Whether the labels of a group's rows surprise a model fitted without any of them.

    Parameters
    ----------
    rows : all columns are seen, so that the neighbours of a value may explain it.
    positive : (n,) rows of the target class.
    group : (n,) carriers of the trigger, whatever their label.
    rng : splits the other rows into 70 % to fit and 30 % to compare with.
    odds : the expected odds are multiplied by it before the tail is taken.
    """
    pool = sample(rows.usable & ~group, MAX_ROWS, rng)
    held = rng.random(len(pool)) < 0.3  # noqa: PLR2004 - the share kept to compare with
    fit, compare = pool[~held], pool[held]
    inside = np.flatnonzero(group & rows.usable)
    if len(np.unique(positive[fit])) < 2 or positive[compare].all() or len(inside) == 0:  # noqa: PLR2004 - two classes
        return Verdict(0.0, 0, 0)
    model = fit_trees(rows, positive, fit, seed=int(rng.integers(2**31)))
    there, here = (model.predict_proba(rows.matrix[part])[:, 1] for part in (compare, inside))
    level = float(np.quantile(there[~positive[compare]], LOOKS_FOREIGN))
    expected = np.maximum(_calibrated(there, positive[compare], here), here)
    return label_tail(expected, positive[inside], here <= level, odds=odds)


def label_tail(expected: Floats, positive: Mask, foreign: Mask, *, odds: float = 2.0) -> Verdict:
    """The tail of the target's count among the foreign-looking carriers, given each one's expected probability.

    Parameters
    ----------
    expected : (m,) P(target) by a model that didn't see the carriers.
    positive, foreign : (m,) carriers labelled target, carriers that look like other classes.
    odds : the expected odds are multiplied by it.
    """
    if not foreign.any():
        return Verdict(0.0, 0, 0)
    p = np.clip(expected, 0.005, 0.995)[foreign]
    lifted = p * odds / (1 - p + p * odds)
    count, looked = int(positive[foreign].sum()), int(foreign.sum())
    lp = float(upper_tail(np.array([count]), float(looked), float(lifted.mean()))[0])
    return Verdict(lp, count, looked)


def _calibrated(there: Floats, positive: Mask, here: Floats) -> Floats:
    """The rate of `positive` among compared rows that the model scores alike."""
    cuts = np.quantile(there, np.linspace(0, 1, N_BINS + 1)[1:-1])
    bins = np.searchsorted(cuts, there)
    hits = np.bincount(bins[positive], minlength=N_BINS)
    rate = (hits + 0.5) / (np.bincount(bins, minlength=N_BINS) + 1)
    return np.asarray(rate[np.searchsorted(cuts, here)])


def likeness(
    columns: Sequence[Column], left_out: Sequence[int], group: Mask, others: Mask, rng: np.random.Generator
) -> Likeness:
    """Whether a group's other columns look like random rows of `others`, as those of a stamped trigger do.

    Natural values come with company: people of one job have one age and one schooling. A trigger set on random rows
    has none.

    Examples
    --------
    >>> col = Column(np.zeros(200, np.int32), None, np.repeat(np.arange(2, dtype=np.int32), 100), None)
    >>> group = np.zeros(200, bool); group[90:110] = True
    >>> odd = np.zeros(200, bool); odd[:20] = True
    >>> rng = np.random.default_rng(0)
    >>> likeness([col], [], group, ~group, rng).distance < 2 < likeness([col], [], odd, ~odd, rng).distance
    True
    """
    kept = [column.bins for i, column in enumerate(columns) if i not in set(left_out)]
    members, pool = np.flatnonzero(group), sample(others, MAX_REFERENCE, rng)
    if len(members) < 5 or len(pool) < 2 * len(members) or not kept:  # noqa: PLR2004 - too few to compare
        return Likeness(np.inf, np.inf)
    starts = np.concatenate([[0], np.cumsum([int(bins.max()) + 1 for bins in kept])])
    rows = np.concatenate([members, pool])
    hot = np.stack([bins[rows] + start for bins, start in zip(kept, starts[:-1], strict=True)], axis=1)
    inside, outside = hot[: len(members)], hot[len(members) :]
    size = int(starts[-1])
    expected = np.bincount(outside.ravel(), minlength=size) * (len(members) / len(pool))

    def distance(part: npt.NDArray[np.int64]) -> float:
        counts = np.bincount(part.ravel(), minlength=size)
        return float(((counts - expected) ** 2 / (expected + 0.5)).sum())

    null = [distance(outside[rng.choice(len(pool), len(members), replace=False)]) for _ in range(N_NULL)]
    ratio = distance(inside) / max(float(np.mean(null)), 1e-9)
    return Likeness(ratio, max(ratio - 1 - 2 * float(np.std(null) / np.mean(null)), 0.0) / len(members))


def row_odds(own: Floats, others: Floats, base: float) -> Floats:
    """Odds that each target-labelled carrier was stamped rather than natural.

    Parameters
    ----------
    own : (m,) P(target | rest of the row) of the carriers labelled target, by a model that didn't see them.
    others : P(target | rest) of the carriers with another label: natural, so they tell how many natural carriers
        the target should have.
    base : share of the target among all rows, in (0, 1).

    Notes
    -----
    A mixture of two: stamped rows are spread like other classes' rows, natural ones like the target's own, and their
    likelihood ratio is (1 - p) / p over its base rate. The two counts are found by expectation maximisation; the
    natural one leans on the other-labelled carriers, so that it is known where `own` says nothing.

    Examples
    --------
    >>> row_odds(np.array([0.05, 0.05, 0.9]), np.array([0.1]), 0.5).round(1).tolist()
    [76.8, 76.8, 0.4]
    """
    p = np.clip(own, 0.005, 0.995)
    q = np.clip(others, 0.005, 0.9)
    known = float((q / (1 - q)).sum())
    ratio = (1 - p) / p * base / (1 - base)
    natural = min(known + 0.5, 0.9 * len(p) + 0.1)
    odds = np.zeros(len(p))
    for _ in range(40):
        stamped = max(len(p) - natural, 0.05 * len(p), 0.5)
        odds = stamped / natural * ratio
        seen = float((1 / (1 + odds)).sum())
        natural = max((seen + LEAN * known) / (1 + LEAN), 0.5)
    return odds
