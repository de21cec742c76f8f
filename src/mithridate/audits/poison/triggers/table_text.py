"""What the table and the text miner share: the causal test's verdict, the finding, the scores of the rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mithridate.audits.poison.context import Context
from mithridate.core.findings import Evidence, Finding, Severity, Subject, number
from mithridate.core.method import Outcome, RowScores
from mithridate.core.trigger import Trigger
from mithridate.numeric.rates import wilson

METHOD = "PSN103"
FLIP_FLOOR = 0.10
FLIP_PLAIN = 0.25
CRITICAL_FLIP = 0.5
MAX_ODDS = 6.0
UNSEEN = -6.0
SUSPECT_ODDS = 1.0
SUSPECT_LP = 20.0
FALSE_SHARE = 0.00025  # of all rows that a group's flags may take wrongly by its own odds, which err up to fourfold ...
FALSE_ROWS = 0.5  # ... or half a row, where that is more

Floats = npt.NDArray[np.float64]
RANKED = -1.0  # most log10 odds of a row that no group holds: what the miner only wonders at is no label error


class Flips(NamedTuple):
    """Shares of `moved` transplanted rows that go to the target.

    flip : with the trigger, by the probe fitted on the data; relabelled : by the probe fitted with the group's labels
    set back; control : the same places filled with ordinary content of the target class; user : by the user's model;
    dose : how many times the trigger is put into a text (1 in tables).
    """

    flip: float
    relabelled: float
    control: float
    moved: int
    user: float | None = None
    dose: int = 1

    @property
    def confirmed(self) -> bool:
        """The trigger moves a model, ordinary content doesn't, and the group is what taught it."""
        strong = max(self.flip, self.user or 0.0)
        plain = strong >= FLIP_PLAIN and strong >= self.control + 0.15
        faint = strong >= FLIP_FLOOR and strong >= 3 * self.control
        return self.relabelled <= self.flip / 2 and (plain or faint)

    @property
    def rate(self) -> float:
        """The flip rate to report: the user's model where there is one."""
        return self.flip if self.user is None else self.user


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """A mined trigger with its rows.

    target : class code that it forces; None where labels go everywhere, which makes its rows those of any label.
    rows, odds : array positions of the target-labelled carriers and their raw log10 odds of being stamped.
    audited : how many rows the carriers were found among.
    lp : -log10 of the tail of the surprise; carriers, labelled : rows that carry it, and those of them labelled target.
    expected : share of carriers that should have the label, by a model that can't see the trigger.
    whole : the odds are the group's, not each row's, so that its flags stand or fall together.
    """

    trigger: Trigger
    target: int | None
    rows: npt.NDArray[np.int64]
    odds: Floats
    audited: int
    lp: float
    carriers: int
    expected: float
    flips: Flips
    confirmed: bool
    what: str
    place: str
    whole: bool = False

    @property
    def score(self) -> Floats:
        """Log10 odds with the group's own: a confirmed group's rows rise, an unconfirmed one's are held back."""
        if self.confirmed:
            return np.clip(self.odds + np.where(self.odds > 0, min(self.lp / 10, 2.0), 0.0), UNSEEN, MAX_ODDS)
        return np.clip(self.odds, UNSEEN, min(self.lp / 20 - 1.5, SUSPECT_ODDS))

    @property
    def stamped(self) -> npt.NDArray[np.int64]:
        """Array positions of the rows that are more likely stamped than not."""
        return self.rows[self.odds > 0]

    @property
    def flagged(self) -> npt.NDArray[np.int64]:
        """Those of `stamped` with the best odds, as many as keep the expected number of natural rows among them small.

        Where nature carries the trigger too, even odds would accuse many honest rows.
        """
        if self.whole:
            return self.stamped
        natural = 1 / (1 + 10.0**self.odds)
        order = np.argsort(natural, kind="stable")
        within = np.cumsum(natural[order]) <= max(FALSE_SHARE * self.audited, FALSE_ROWS)
        return self.rows[np.sort(order[within & (self.odds[order] > 0)])]

    @property
    def reported(self) -> bool:
        """Confirmed, or so surprising that the reader should look at it."""
        return len(self.flagged) > 0 and (self.confirmed or self.lp >= SUSPECT_LP)


def user_flip(context: Context, content: Any, target: int) -> float | None:
    """The share of these rows that the user's model gives the target label; None without a model."""
    if context.predict is None or len(content) == 0:
        return None
    moved = replace(context.dataset, content=content, codes=None, source_codes=None, row_ids=None)
    scores = np.asarray(context.predict(moved.x))
    return float((scores.argmax(axis=1) == target).mean()) if target < scores.shape[1] else 0.0


def outcome_of(context: Context, groups: Sequence[Group], ranking: Callable[[], Floats]) -> Outcome:
    """Findings, row scores and numbers of the mined groups; `ranking` gives the (n,) order of the rows beyond them."""
    found = [group for group in groups if group.reported]
    n = len(context.dataset)
    score = np.minimum(ranking(), RANKED)
    flagged = np.zeros(n, dtype=bool)
    for group in groups:
        score[group.rows] = np.maximum(score[group.rows], group.score)
        if group.reported:
            flagged[group.flagged] = True
    best = max((group for group in found if group.confirmed), key=lambda g: g.flips.rate, default=None)
    numbers = (
        (_flip_number(best.flips, targeted=best.target is not None),)
        if best
        else (number("flip_rate", 0.0, unit="share"),)
    )
    scores = RowScores("trigger", score.astype(np.float32), _p_values(score, flagged).astype(np.float32), flagged)
    return Outcome(tuple(_finding(context, group) for group in found), scores, numbers)


def _p_values(score: Floats, flagged: npt.NDArray[np.bool_]) -> Floats:
    """Ranks among the rows that aren't flagged; a flagged row has one over its odds."""
    p = np.empty(len(score))
    order = np.argsort(-score, kind="stable")
    p[order] = (np.arange(len(score)) + 1) / max(len(score), 1)
    p[flagged] = np.minimum(p[flagged], 1 / (1 + 10.0 ** score[flagged]))
    return p


def _flip_number(flips: Flips, *, targeted: bool = True) -> Evidence:
    low, high = wilson(flips.rate * flips.moved, flips.moved)
    who = "the user's model" if flips.user is not None else "a probe model"
    gives = "gives the target label" if targeted else "expects a label that doesn't fit for"
    often = f", {flips.dose} times in each" if flips.dose > 1 else ""
    note = f"share that {who} {gives}; interval resamples the {flips.moved} rows it was put on{often}"
    return number("flip_rate", flips.rate, low=low, high=high, unit="share", note=note)


def _finding(context: Context, group: Group) -> Finding:
    dataset = context.dataset
    severity = Severity.MEDIUM
    if group.confirmed:
        severity = Severity.CRITICAL if group.flips.rate >= CRITICAL_FLIP else Severity.HIGH
    rows = np.sort(dataset.ids[group.flagged])
    subject = Subject(
        "rows",
        tuple(int(row) for row in rows),
        None if group.target is None else dataset.label_of(group.target),
        dataset.source_counts(group.flagged),
    )
    return Finding(
        method=METHOD,
        slug="shared-trigger" if group.confirmed else "suspected-trigger",
        severity=severity,
        confidence=_confidence(group),
        claim=_claim(context, group),
        subject=subject,
        evidence=_evidence(group),
        remedy="Remove these rows, or give them back their true labels, and train again.",
        standards=("AML.T0020", "ML02:2023", "NISTAML.023"),
        place=group.place,
    )


def _confidence(group: Group) -> float:
    sure = 1 - 10.0 ** -min(max(group.lp, 0.3), 4)
    return float(sure if group.confirmed else min(sure, 0.8) * 0.75)


def _claim(context: Context, group: Group) -> str:
    if group.target is None:
        start = f"{len(group.flagged)} rows have labels that go everywhere and don't fit, and share {group.what}"
        rate = f"{group.flips.rate:.0%}".replace("%", " %")
        moved = f"putting it on other rows makes a model expect a label that doesn't fit for {rate} of them"
        return f"{start}; {moved if group.confirmed else 'a model is not clearly moved by it'}"
    label = context.dataset.label_of(group.target)
    start = f"{len(group.flagged)} rows labelled {label} share {group.what}"
    if group.confirmed:
        return f"{start}; putting it on other rows moves {group.flips.rate:.0%} of them to {label}".replace("%", " %")
    return f"{start}, and their labels don't fit the rest of the row; a model isn't clearly moved by it"


def _evidence(group: Group) -> tuple[Evidence, ...]:
    flips = group.flips
    low, high = wilson(flips.relabelled * flips.moved, flips.moved)
    labelled = len(group.rows) / max(group.carriers, 1)
    return (
        group.trigger.as_evidence(),
        _flip_number(flips, targeted=group.target is not None),
        number(
            "flip_rate:relabelled",
            flips.relabelled,
            low=low,
            high=high,
            unit="share",
            note="the same rows and trigger, by a probe fitted with the group's labels set back",
        ),
        number("flip_rate:control", flips.control, unit="share", note="ordinary content of the target class instead"),
        number(
            "label_surprise", group.lp, unit="-log10 p", note="target labels among rows that look like other classes"
        ),
        number("label_rate", labelled, unit="share", note="carriers of the trigger that have the target label"),
        number("label_rate:expected", group.expected, unit="share", note="by a model that can't see the trigger"),
    )
