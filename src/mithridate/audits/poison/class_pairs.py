"""PSN102: labels moved from one class to another, whatever the content: targeted label flips."""

from __future__ import annotations

from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt

from mithridate.audits.poison.context import AuditSettings, Context
from mithridate.audits.poison.embedding import labelled, opinions
from mithridate.audits.poison.trusted import joint, judges, trusted_note
from mithridate.core.findings import Evidence, Finding, Severity, Subject, bars, number
from mithridate.core.method import Outcome, RowScores
from mithridate.data.dataset import Dataset
from mithridate.numeric.class_flow import Leak, Trusted, leak_odds, leaks
from mithridate.numeric.tails import benjamini_hochberg, conformal, flag_by_odds, poisson_interval

STRICT = 0.01  # pairs are confirmed at least this strictly: a high finding accuses


class Confirmed(NamedTuple):
    """A leak that passed, the odds of each row (n,) and its flagged rows as array positions."""

    leak: Leak
    odds: npt.NDArray[np.float64]
    rows: npt.NDArray[np.int64]


def class_pairs(context: Context, settings: AuditSettings) -> Outcome:
    """Pairs of classes between which labels were moved one way: class 6 to 0 more than 0 to 6, and not at the border.

    Parameters
    ----------
    context : its out-of-fold class probabilities are made here if no method asked before.
    settings : `fdr` bounds the share of false rows among the flagged; pairs are confirmed at 1 % or stricter.

    Returns
    -------
    One high finding for each confirmed pair, and the odds of its rows.

    Raises
    ------
    Skip : fewer than 30 labelled rows, one class, or fewer than 4 rows a class.

    Notes
    -----
    Needs at least 40 rows in both classes. Look-alike classes are confused both ways and at their border; a class
    whose content lies wholly inside another's isn't told from a leak by content alone, and is spared when its other
    neighbours share the confusion. With a reference, the models learn from the trusted rows as well. If at least 50 of
    those have a known label and aren't audited too, their own confusion is what counts as natural: then leaks both ways
    are found, and look-alikes are spared however one-sided they are.

    References
    ----------
    Patrini et al. (2017), making deep neural networks robust to label noise, CVPR.
    """
    codes = labelled(context)
    logs = opinions(context).log_probabilities
    judging = judges(context) if context.probabilities is None else np.zeros(0, np.int64)
    tested = leaks(logs, codes, trusted=_trusted(context, judging))
    passed = benjamini_hochberg(np.array([leak.p_value for leak in tested]), min(settings.fdr, STRICT))
    confirmed = tuple(
        _confirm(logs, codes, leak, settings.fdr) for leak, ok in zip(tested, passed, strict=True) if ok and leak.flat
    )
    odds, flagged = np.zeros(len(codes)), np.zeros(len(codes), dtype=bool)
    for pair in confirmed:
        odds = np.maximum(odds, pair.odds)
        flagged[pair.rows] = True
    with np.errstate(divide="ignore"):
        score = np.log10(odds)
    p_value = _p_values(logs, codes, confirmed)
    false = float(np.sum(1 / (1 + odds[flagged])))
    low, high = poisson_interval(false)
    note = "sum of the flagged rows' chances of being right; 95 % Poisson interval, nothing was resampled"
    numbers = (
        number("expected_false_flags:PSN102", round(false, 2), low=low, high=high, unit="rows", note=note),
        *trusted_note(context, judging),
    )
    findings = tuple(_finding(context.dataset, pair) for pair in confirmed)
    return Outcome(findings, RowScores("label-error", score, p_value, flagged), numbers)


def _trusted(context: Context, rows: npt.NDArray[np.int64]) -> Trusted | None:
    """The trusted rows that may judge, and what models that never saw them say of them."""
    if not len(rows):
        return None
    both = cast("Context", joint(context))
    return Trusted(opinions(both).log_probabilities[rows], both.dataset.y[rows])


def _p_values(
    logs: npt.NDArray[np.float32],
    codes: npt.NDArray[np.int32],
    confirmed: tuple[Confirmed, ...],
) -> npt.NDArray[np.float64]:
    """Rank among rows of labels outside the pair, by how much more a row looks like the source than like its label.

    1 where no pair was confirmed. With two classes, source rows are ranked among, by how much more they look like the
    target.
    For rows of several confirmed pairs the smallest rank, times their number.
    """
    p_value, labels = np.ones(len(codes)), logs[np.arange(len(codes)), np.maximum(codes, 0)]
    for leak, own, _ in confirmed:  # a loop: every pair has other honest rows
        likeness, rows = logs[:, leak.source] - labels, np.flatnonzero(own > 0)
        honest = (codes >= 0) & ~np.isin(codes, (leak.source, leak.target))
        if not honest.any():  # two classes: the other direction stands in
            honest = codes == leak.source
            likeness[honest] = logs[honest, leak.target] - labels[honest]
        ranked = conformal(likeness[rows], likeness[honest]) * len(confirmed)
        p_value[rows] = np.minimum(p_value[rows], ranked)
    return p_value


def _confirm(logs: npt.NDArray[np.float32], codes: npt.NDArray[np.int32], leak: Leak, fdr: float) -> Confirmed:
    odds = leak_odds(logs, codes, leak)
    return Confirmed(leak, odds, np.flatnonzero(flag_by_odds(odds, fdr) & (odds > 0)))


def _finding(dataset: Dataset, pair: Confirmed) -> Finding:
    leak, rows = pair.leak, pair.rows
    source, target = str(dataset.label_of(leak.source)), str(dataset.label_of(leak.target))
    share = leak.moved / leak.total
    usual = f"{leak.back:.1%} the other way" if leak.trusted is None else f"{leak.trusted:.1%} among trusted rows"
    named = rows if len(rows) else np.flatnonzero(pair.odds > 1)
    return Finding(
        method="PSN102",
        slug="class-pair-flip",
        severity=Severity.HIGH,
        confidence=round(1 - max(leak.p_value, 1e-4), 4),
        claim=(
            f"Labels were moved from {source} to {target}: {share:.0%} of the rows that look most like {source} are "
            f"labelled {target}, against {usual}; {len(named):,} rows are named"
        ),
        subject=Subject(
            "rows",
            tuple(sorted(int(i) for i in dataset.ids[named])),
            label=dataset.label_of(leak.target),
            sources=dataset.source_counts(named),
            extra={"from_label": source, "to_label": target},
        ),
        evidence=(_bars(leak, source, target), number("moved_share", share, unit="share")),
        remedy=f"Check who labelled these rows, and relabel those that show {source}.",
        standards=("AML.T0020", "ML02:2023"),
        place=f"{source} -> {target}",
    )


def _bars(leak: Leak, source: str, target: str) -> Evidence:
    moved = f"{source} labelled {target}"
    names, shares = [moved, f"{target} labelled {source}"], [leak.moved / leak.total, leak.back]
    if leak.trusted is not None:
        names, shares = [*names, f"{moved}, trusted rows"], [*shares, leak.trusted]
    return bars(
        "confusion both ways",
        names,
        [round(100 * share, 2) for share in shares],
        caption="Share of the most typical rows of each class that carry the other label",
        unit="%",
        marked=[moved],
    )
