"""Does one class leak into another at random? Look where it is most itself, and compare with the way back."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import special

from mithridate.numeric.binomial import upper_tail
from mithridate.numeric.isotonic import isotonic
from mithridate.numeric.order import ascending

FloatArray: TypeAlias = npt.NDArray[np.float64]

ANCHOR = 0.125  # the first 1/8 of a class, in order of how much more it looks like itself than like the other class
BANDS = 3
LEAST_ROWS = 40  # a class with fewer rows has no anchors to speak of
LIKE = 0.3  # probability that a row must give to the two classes together to tell of them
LEAST_SHOWN = 3  # rows that look like the one class and carry the other label
TOLERATED = 0.02  # labels that even well-kept classes lose to a look-alike
TIMES = 5.0  # how much more than the way back, or than into any third class, is still natural
LARGEST = 0.65  # a class that has lost more than this is a part of the other class, or its old name
SLACK = 0.7  # standard errors of benefit to few rows, where a third class vouches
LEAST_TRUSTED = 20  # typical trusted rows of a pair, below which they tell too little of it
FLAT_TWO, FLAT_MANY = 0.7, 0.55  # odds in the first band over odds in the last, below which confusion grows as natural


class Leak(NamedTuple):
    """Rows that look like class `source` but carry label `target`.

    `moved` of the `total` most typical rows of the two classes; `back`: share on the way back; `p_value` of that number
    against the tolerated rate; `flat`: the share doesn't grow towards the boundary, as natural confusion would.
    `trusted`: share among trusted rows as typical, which then is what was tested against; None without.
    """

    source: int
    target: int
    moved: int
    total: int
    back: float
    p_value: float
    flat: bool
    trusted: float | None = None

    @property
    def natural(self) -> float:
        """Share that honest labels are held to account for."""
        return self.back if self.trusted is None else self.trusted


class Trusted(NamedTuple):
    """Rows whose labels are right: `log_probabilities` (m, c) by models that never saw them, and `codes` (m,)."""

    log_probabilities: npt.NDArray[np.floating[Any]]
    codes: npt.NDArray[np.integer[Any]]


class Bands(NamedTuple):
    """Labels `target` and all rows in each band, from the most `source`-like rows on; `reach` (3,): where bands end.

    A row's place is the log probability of the target less that of the source.
    """

    counts: npt.NDArray[np.int64]
    totals: npt.NDArray[np.int64]
    reach: FloatArray

    @property
    def rate(self) -> float:
        """Share in the first two bands."""
        return float(self.counts[:2].sum() / max(self.totals[:2].sum(), 1))


def leaks(
    log_probabilities: npt.NDArray[np.floating[Any]],
    codes: npt.NDArray[np.integer[Any]],
    *,
    trusted: Trusted | None = None,
) -> tuple[Leak, ...]:
    """Every ordered pair of classes, tested for labels that moved from one to the other whatever the content.

    Parameters
    ----------
    log_probabilities : (n, c) out-of-sample.
    codes : (n,) labels, -1 where missing.
    trusted : rows whose confusion is natural, to test against.

    Returns
    -------
    One leak for each ordered pair of classes with at least 40 rows each that some rows confuse.

    Notes
    -----
    Rows of the two classes are ordered by how much more they look like the first. Naturally confused classes mix at
    the boundary and hardly at all where the first class is most typical; flips ignore the content, so their rate is
    the same there. A pair counts as leaking when its rate among the most typical quarter beats 2 %, five times the
    way back and five times the rate into any third class, and when it doesn't fall towards the typical end.

    Where at least 20 trusted rows of a pair are as typical, their confusion is what is natural instead, however large
    and one-sided: the rate among the audited rows must be more than theirs and 2 % allow, by a beta-binomial tail.
    Where fewer are, 20 that look more like the source than like the target do, at twice the p-value.

    References
    ----------
    Patrini et al. (2017), making deep neural networks robust to label noise (anchor points), CVPR.
    """
    counts = np.bincount(codes[codes >= 0], minlength=log_probabilities.shape[1])
    large = counts >= LEAST_ROWS
    top = np.argmax(log_probabilities, axis=1)
    pairs = _candidates(top, codes, large)
    members = {k: np.flatnonzero(codes == k) for k in {k for pair in pairs for k in pair}}
    bands = {(k, j): _bands(log_probabilities, members[k], members[j], (k, j)) for k, j in pairs}
    n_large = int(large.sum())
    many = n_large > 2  # noqa: PLR2004 - without a third class, only flatness tells
    tested = [_leak(pair, found, bands, many=many) for pair, found in sorted(bands.items()) if found.rate > 0]
    if trusted is not None:
        tested = [_beside(leak, bands[leak.source, leak.target], trusted) for leak in tested]
    unseen = n_large * (n_large - 1) / max(len(tested), 1)  # pairs that nobody confuses count as tests too
    return tuple(leak._replace(p_value=min(leak.p_value * unseen, 1.0)) for leak in tested)


def _like(
    logs: npt.NDArray[np.floating[Any]], rows: npt.NDArray[np.int64], pair: tuple[int, int], least: float
) -> npt.NDArray[np.int64]:
    """The rows that look like one of the two classes rather than like a third."""
    together = np.logaddexp(logs[rows, pair[0]], logs[rows, pair[1]])
    return np.asarray(rows[together >= np.log(least)], dtype=np.int64)


def _candidates(
    top: npt.NDArray[np.integer[Any]], codes: npt.NDArray[np.integer[Any]], large: npt.NDArray[np.bool_]
) -> set[tuple[int, int]]:
    """Pairs (looks like, labelled) of large classes that some rows show, and their ways back."""
    odd = (codes >= 0) & (top != codes)
    found, counts = np.unique(np.stack([top[odd], codes[odd]]), axis=1, return_counts=True)
    shown = {(int(k), int(j)) for k, j in found[:, counts >= LEAST_SHOWN].T if large[k] and large[j]}
    return shown | {(j, k) for k, j in shown}


def _bands(
    logs: npt.NDArray[np.floating[Any]],
    own: npt.NDArray[np.int64],
    other: npt.NDArray[np.int64],
    pair: tuple[int, int],
) -> Bands:
    """Bands that each hold an eighth of the rows still labelled `source`."""
    own, other = (_like(logs, rows, pair, LIKE) for rows in (own, other))
    rows = np.concatenate([own, other])
    place = logs[rows, pair[1]] - logs[rows, pair[0]]
    order = ascending(place.astype(np.float32, copy=False))
    leaked = order >= len(own)
    kept = np.cumsum(~leaked)
    ends = [0, *(int(np.searchsorted(kept, q * ANCHOR * len(own))) + 1 for q in range(1, BANDS + 1))]
    counts = [int(leaked[a:b].sum()) for a, b in pairwise(ends)]
    place = place[order]
    reach = np.array([place[min(end, len(place)) - 1] if len(place) else -np.inf for end in ends[1:]])
    return Bands(np.array(counts), np.diff(ends), reach)


def _leak(pair: tuple[int, int], found: Bands, bands: dict[tuple[int, int], Bands], *, many: bool) -> Leak:
    source, target = pair
    back = bands[target, source].rate
    third = max((b.rate for (k, j), b in bands.items() if k == source and j != target), default=0.0)
    tolerated = min(max(TOLERATED, TIMES * back, TIMES * third), 0.99)
    count, total = int(found.counts[:2].sum()), int(found.totals[:2].sum())
    flat = found.rate <= LARGEST and _flat(found, many=many)
    return Leak(source, target, count, total, back, float(upper_tail(count, total, tolerated)), flat)


def _beside(leak: Leak, found: Bands, trusted: Trusted) -> Leak:
    """The leak tested against the trusted rows that look as much like the source; as it was where they are few.

    Where few are as typical but enough lean to the source, those are a second test, the better of the two counting:
    honest rows are confused no less towards the border, so that they understate a leak.
    """
    pair = (leak.source, leak.target)
    rows = _like(trusted.log_probabilities, np.flatnonzero(np.isin(trusted.codes, pair)), pair, LIKE)
    place = trusted.log_probabilities[rows, leak.target] - trusted.log_probabilities[rows, leak.source]
    typical = _against(leak, trusted.codes[rows[place <= found.reach[1]]])
    if typical is not None:
        return typical
    leaning = _against(leak, trusted.codes[rows[place < 0]])
    if leaning is None:
        return leak
    best = leak if leak.flat and leak.p_value <= leaning.p_value else leaning
    return best._replace(p_value=min(2 * best.p_value, 1.0))


def _against(leak: Leak, codes: npt.NDArray[np.integer[Any]]) -> Leak | None:
    """The leak tested against trusted rows with these labels; None where they are few."""
    if len(codes) < LEAST_TRUSTED:
        return None
    moved = int((codes == leak.target).sum())
    allowed, kept = moved + TOLERATED * len(codes) + 0.5, len(codes) - moved + 0.5
    p_value = _beta_binomial_tail(leak.moved, leak.total, allowed, kept)
    return leak._replace(p_value=p_value, flat=True, trusted=moved / len(codes))


def _beta_binomial_tail(count: int, total: int, first: float, second: float) -> float:
    """P(X >= count) of a beta-binomial variable, term by term: `scipy.stats` takes half a second to import."""
    hits = np.arange(count, total + 1)
    choose = -special.betaln(hits + 1, total - hits + 1) - np.log(total + 1)
    logs = choose + special.betaln(hits + first, total - hits + second) - special.betaln(first, second)
    return float(min(np.exp(logs).sum(), 1.0))


def _flat(found: Bands, *, many: bool) -> bool:
    """True when the odds in the first band are at least a fixed part of those in the other two."""
    moved, kept = found.counts + 0.5, found.totals - found.counts + 0.5
    logs, errors = np.log(moved / kept), np.sqrt(1 / moved + 1 / kept)
    slack = SLACK * np.hypot(errors[0], errors[1:]) if many else 0.0
    return bool(np.all(logs[0] - logs[1:] >= np.log(FLAT_MANY if many else FLAT_TWO) - slack))


def leak_odds(
    log_probabilities: npt.NDArray[np.floating[Any]], codes: npt.NDArray[np.integer[Any]], leak: Leak
) -> FloatArray:
    """(n,) odds that a row labelled `leak.target` was moved there from `leak.source`; 0 for all other rows.

    Notes
    -----
    In order of likeness to the source, the share of target labels is fitted as a rising curve. Rows still labelled
    source show how many true source rows there are at each place; a constant share of those leaked.
    """
    both = (leak.source, leak.target)
    pair = _like(log_probabilities, np.flatnonzero(np.isin(codes, both)), both, LIKE / 3)
    likeness = log_probabilities[pair, leak.source] - log_probabilities[pair, leak.target]
    order = pair[np.argsort(-likeness, kind="stable")]
    moved = codes[order] == leak.target
    share = isotonic(moved.astype(np.float64))
    rate = (leak.moved + 0.5) / (leak.total + 1)
    share = np.clip(share, rate, 1 - 1e-6)
    if leak.trusted is not None:
        rate = max(rate - leak.trusted, rate / 10)
    leaked = rate / (1 - rate) * (1 - share)
    odds = np.zeros(len(codes))
    natural = 1.5 * np.maximum(share - leaked, 0.0) + leak.natural + TOLERATED / 10
    odds[order] = np.where(moved, leaked / natural, 0.0)
    return odds
