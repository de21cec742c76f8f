"""A table's columns as small integer codes, and a model of the label that can be made blind to any of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from scipy.special import log_softmax
from scipy.stats import binom
from sklearn.linear_model import LogisticRegression

from mithridate.core.errors import InputError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]

N_BINS = 16
N_SPANS = 60
POOL_SHARE = 0.03
MAX_FIT_ROWS = 16_000
LEAK = 1 / 3
MAX_LP = 300.0
LEAK_ROOM = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One column of n rows in three resolutions.

    codes : (n,) which exact value; -1 where the value is too rare to be shared by a group.
    spans : (n,) which narrow range (about 1/60 of the rows each), or None where exact values say it all.
    bins : (n,) which coarse group, at least 3 % of the rows each, so that a small group can't own one.
    floats : (n,) the number, NaN where missing; None for a column of names.
    """

    codes: Ints
    spans: Ints | None
    bins: Ints
    floats: Floats | None


class Tail(NamedTuple):
    """Counts in a group and how surprising they are: `lp` is -log10 of the tail probability."""

    observed: Floats
    expected: Floats
    lp: Floats


def number_column(values: Floats, *, min_count: int) -> Column:
    """The column of numbers `values` (n,); NaN counts as one value. Values rarer than `min_count` get code -1."""
    missing = np.isnan(values)
    distinct, inverse = np.unique(values, return_inverse=True, equal_nan=True)
    codes = _drop_rare(inverse.astype(np.int32), min_count)
    present = values[~missing]
    if len(present) == 0:
        return Column(codes, None, np.zeros(len(values), np.int32), values)
    spans = None
    if len(distinct) > N_SPANS:
        spans = _ranges(values, present, N_SPANS)
        spans[missing] = -1
    bins = _ranges(values, present, N_BINS)
    bins[missing] = bins.max() + 1
    return Column(codes, spans, _pool(bins), values)


def name_column(inverse: Ints, *, min_count: int) -> Column:
    """The column of names given as value numbers `inverse` (n,), -1 where missing."""
    shifted = (inverse + 1).astype(np.int32)
    return Column(_drop_rare(shifted, min_count), None, _pool(shifted), None)


def _ranges(values: Floats, present: Floats, count: int) -> Ints:
    cuts = np.unique(np.quantile(present, np.linspace(0, 1, count + 1)[1:-1]))
    return np.searchsorted(cuts, values, side="right").astype(np.int32)


def _drop_rare(codes: Ints, min_count: int) -> Ints:
    counts = np.bincount(codes)
    keep = counts >= min_count
    renumbered = np.where(keep, np.cumsum(keep) - 1, -1).astype(np.int32)
    return renumbered[codes]


def _pool(codes: Ints) -> Ints:
    """Values of less than 3 % of the rows share one bin, so that a small group has no bin of its own."""
    counts = np.bincount(codes)
    common = counts >= POOL_SHARE * len(codes)
    pooled = np.where(common, np.cumsum(common), 0).astype(np.int32)[codes]
    rare = int((pooled == 0).sum())
    if 0 < rare < POOL_SHARE * len(codes) and common.any():
        pooled[pooled == 0] = 1 + int(np.argmax(counts[common]))
    return pooled - int(pooled.min())


@dataclass(frozen=True, slots=True, eq=False)
class Blind:
    """Out-of-fold additive logits (n, k) and each column's share in them, so that columns can be left out.

    `weights[f]` holds fold f's coefficients (total bins, k); `starts` says where each column's bins begin; `trusted`
    (n,) which rows have labels that surprise nobody.
    """

    logits: Floats
    folds: npt.NDArray[np.int8]
    weights: tuple[Floats, ...]
    starts: npt.NDArray[np.int64]
    trusted: Mask | None = None

    def log_proba(self, columns: Sequence[Column], left_out: Sequence[int] = ()) -> Floats:
        """(n, k) log probabilities by the other fold's model, with the columns `left_out` set to their average."""
        logits = self.logits
        for position in left_out:
            logits = logits - self.share(columns[position], position)
        return np.asarray(log_softmax(logits, axis=1))

    def share(self, column: Column, position: int) -> Floats:
        """(n, k) what one column adds to the logits, its mean taken off."""
        table = np.stack([w[self.starts[position] : self.starts[position + 1]] for w in self.weights])
        part = table[self.folds, column.bins]
        return np.asarray(part - part.mean(axis=0))


def fit_blind(
    columns: Sequence[Column],
    codes: npt.NDArray[np.int32],
    folds: npt.NDArray[np.int8],
    rng: np.random.Generator,
    trusted: Mask | None = None,
) -> Blind:
    """An additive logistic model of the label on each column's coarse bins, fitted on the other folds.

    Parameters
    ----------
    columns : d columns of n rows.
    codes : (n,) class numbers; rows with -1 are scored and never fitted.
    folds : (n,) fold of each row.
    rng : picks the rows when there are more than 16,000 to fit.
    trusted : (n,) rows whose labels are known to be right, kept for those who judge by the model.

    Returns
    -------
    Logits of every class for every row. It can't see pairs of values, and no group of less than 3 % has a bin of its
    own, so that what a small poisoned group shares hardly moves it.

    Raises
    ------
    InputError : fewer than two classes in a fold's complement.
    """
    sizes = [int(column.bins.max()) + 1 for column in columns]
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    n_classes = int(codes.max()) + 1
    logits = np.zeros((len(codes), n_classes))
    weights = []
    for fold in range(int(folds.max()) + 1):
        rows = np.flatnonzero((folds != fold) & (codes >= 0))
        if len(rows) > MAX_FIT_ROWS:
            rows = np.sort(rng.choice(rows, MAX_FIT_ROWS, replace=False))
        table, intercept = _fit_additive(columns, starts, codes, rows, n_classes)
        weights.append(table)
        inside = np.flatnonzero(folds == fold)
        logits[inside] = intercept
        for position, column in enumerate(columns):
            logits[inside] += table[starts[position] : starts[position + 1]][column.bins[inside]]
    return Blind(logits, folds, tuple(weights), starts, trusted)


def _fit_additive(
    columns: Sequence[Column],
    starts: npt.NDArray[np.int64],
    codes: npt.NDArray[np.int32],
    rows: npt.NDArray[np.int64],
    n_classes: int,
) -> tuple[Floats, Floats]:
    if len(np.unique(codes[rows])) < 2:  # noqa: PLR2004 - a model needs two classes
        msg = "a fold holds rows of one class only; give more rows or drop the rare classes"
        raise InputError(msg)
    hot = np.stack([column.bins[rows] + starts[i] for i, column in enumerate(columns)], axis=1)
    shape = (len(rows), int(starts[-1]))
    pointers = np.arange(0, hot.size + 1, len(columns))
    matrix = csr_matrix((np.ones(hot.size), hot.ravel(), pointers), shape=shape)
    model = LogisticRegression(C=1.0, max_iter=60, tol=1e-3).fit(matrix, codes[rows])
    table = np.zeros((shape[1], n_classes))
    intercept = np.full(n_classes, -12.0)
    if len(model.classes_) == 2:  # noqa: PLR2004 - two classes have one coefficient
        table[:, model.classes_[1]] = model.coef_[0]
        intercept[model.classes_] = [0.0, model.intercept_[0]]
    else:
        table[:, model.classes_] = model.coef_.T
        intercept[model.classes_] = model.intercept_
    return table, intercept


def surprise_level(log_p: Floats, target: Mask, labelled: Mask, *, share: float = 0.75) -> float:
    """The `share` quantile of log P(target) over labelled rows of other classes: below it a row looks foreign."""
    others = log_p[labelled & ~target]
    return float(np.quantile(others, share)) if len(others) else -np.inf


def strata(
    log_p: Floats, target: Mask, labelled: Mask, *, share: float = 0.75, trusted: Mask | None = None
) -> npt.NDArray[np.int8]:
    """(n,) 0: other class, looks it; 1: other class, looks like the target; 2: target, looks foreign; 3: target.

    A trusted row of the target is in 3 whatever it looks like: what it carries is natural there.
    """
    level = surprise_level(log_p, target, labelled, share=share)
    out = 2 * target.astype(np.int8) + (log_p > level)
    if trusted is not None:
        out[trusted & target] = 3
    out[~labelled] = -1
    return np.asarray(out, dtype=np.int8)


def foreign_tail(counts: Floats, totals: Floats, *, tolerance: float = 1.5, floor: float = 1.0) -> Tail:
    """How much more often tokens occur in stratum 2 than strata 0 and 3 explain.

    Parameters
    ----------
    counts : (m, 4) carriers of each token by stratum (see `strata`).
    totals : (4,) rows by stratum.
    tolerance : the explained rate is multiplied by it: clean data isn't binomial.
    floor : carriers added to the explained count of each stratum.

    Returns
    -------
    Observed, expected (with tolerance) and -log10 of the binomial tail, each (m,).

    Examples
    --------
    >>> tail = foreign_tail(np.array([[0.0, 0, 20, 0], [10, 0, 1, 10]]), np.array([100.0, 0, 100, 100]))
    >>> bool(tail.lp[0] > 10), bool(tail.lp[1] < 1)
    (True, True)
    """
    outside = (counts[:, 0] + floor) / (totals[0] + 2 * floor)
    # a stamped group leaves a quarter of itself in stratum 3: take that off, as far as the two strata can be told apart
    leak = np.maximum(counts[:, 2] - tolerance * outside * totals[2], 0)
    leak *= min(LEAK, LEAK_ROOM * totals[3] / max(totals[2], 1))
    inside = (np.maximum(counts[:, 3] - leak, 0) + floor) / (totals[3] + 2 * floor)
    rate = np.clip(tolerance * np.maximum(outside, inside), 0, 1)
    observed = counts[:, 2]
    n = totals[2]
    return Tail(observed, rate * n, upper_tail(observed, n, rate))


def upper_tail(observed: Floats, n: Floats | float, rate: Floats | float) -> Floats:
    """-log10 P[Binomial(n, rate) >= observed], elementwise, in [0, 300]."""
    tail = binom.logsf(np.asarray(observed) - 1, n, rate)
    return np.asarray(np.clip(tail / -np.log(10.0), 0.0, MAX_LP))
