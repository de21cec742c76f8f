"""How well a score or a set of flags finds the poison, ties and small counts handled as they should be."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import norm, rankdata

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def recall_at_count(score: Floats, truth: Bools) -> float:
    """Share of the poison among as many top-scored rows as there is poison; ties count as drawn at random."""
    count = int(truth.sum())
    ranked = np.nan_to_num(score, nan=-np.inf, posinf=np.inf, neginf=-np.inf)
    cut = np.sort(ranked)[-count]
    above, tied = ranked > cut, ranked == cut
    share = (count - int(above.sum())) / int(tied.sum())
    return float((truth[above].sum() + share * truth[tied].sum()) / count)


def auroc(score: Floats, truth: Bools) -> float:
    """Chance that a poisoned row outranks a clean one; a tie counts half."""
    ranks = rankdata(np.nan_to_num(score, nan=-np.inf, posinf=np.inf, neginf=-np.inf))
    n_bad, n_good = int(truth.sum()), int((~truth).sum())
    return float((ranks[truth].sum() - n_bad * (n_bad + 1) / 2) / (n_bad * n_good))


def flag_rates(flagged: Bools, truth: Bools) -> dict[str, float]:
    """Flags, share of the poison flagged, share of the clean rows flagged, share of the flags that are false."""
    hits, false = int((flagged & truth).sum()), int((flagged & ~truth).sum())
    return {
        "flags": hits + false,
        "tpr": hits / max(1, int(truth.sum())),
        "fpr": false / max(1, int((~truth).sum())),
        "false_share": false / max(1, hits + false),
    }


class Interval(NamedTuple):
    """Lower and upper end."""

    low: float
    high: float


def wilson(count: int, total: int, level: float = 0.95) -> Interval:
    """Wilson's interval of a share (Wilson 1927)."""
    if total == 0:
        return Interval(0.0, 1.0)
    z, share = float(norm.ppf(0.5 + level / 2)), count / total
    centre, half = share + z * z / (2 * total), z * np.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    return Interval(max(0.0, float((centre - half) / scale)), min(1.0, float((centre + half) / scale)))


def mean_interval(values: list[float], rng: np.random.Generator, level: float = 0.95) -> Interval:
    """Bootstrap interval of a mean over runs (percentiles of 2,000 resamples)."""
    if not values:
        return Interval(0.0, 1.0)
    means = rng.choice(np.asarray(values), size=(2000, len(values))).mean(axis=1)
    low, high = np.quantile(means, [0.5 - level / 2, 0.5 + level / 2])
    return Interval(float(low), float(high))


def judged(score: Floats, flagged: Bools | None, truth: Bools, rows: Bools | None = None) -> dict[str, Any]:
    """All of the above for one detector on one poisoned set; `rows` (n,) those that count, all without it."""
    if rows is not None:
        score, truth, flagged = score[rows], truth[rows], None if flagged is None else flagged[rows]
    found: dict[str, Any] = {"recall": recall_at_count(score, truth), "auroc": auroc(score, truth)}
    return {**found, **({} if flagged is None else flag_rates(flagged, truth))}
