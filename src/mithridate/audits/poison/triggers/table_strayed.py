"""Triggers in tables that force no single label: values whose carriers, of all classes, have labels that don't fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.special import log_softmax

from mithridate.audits.poison.context import Context
from mithridate.audits.poison.triggers.table_columns import Coded, show_items
from mithridate.audits.poison.triggers.table_gate import Probe, single_flips, transplant
from mithridate.audits.poison.triggers.table_text import MAX_ODDS, UNSEEN, Flips, Group
from mithridate.core.trigger import Trigger
from mithridate.numeric.strayed_tokens import straying_items
from mithridate.numeric.table_mining import Candidate, carriers
from mithridate.numeric.table_probe import Rows, likeness, sample
from mithridate.numeric.table_tokens import Blind, Floats, Mask, fit_blind
from mithridate.numeric.trusted_rate import excess
from mithridate.numeric.unfit_labels import (
    UNFIT,
    Fit,
    against,
    fit_of,
    goes_everywhere,
    looks_dealt,
    strayed_odds,
    to_cure,
    unfit_codes,
)

MAX_ROUNDS = 4
MAX_COLUMNS = 24  # that are paired, those with the most values first
MAX_ROWS = 12_000  # that are screened
PER_COLUMNS = 2
MAX_LEADS = 40  # put to the tests
LEAD_LP = 8.0  # of some 10^5 pairs that are looked at
ALONE_LP = 12.0
ALONE_SHARE = 0.8
ALONE_ROWS, ALONE_RATE = 30, 0.004
COMPANY, COMPANY_ALONE = 0.03, 0.008  # as for triggers with a target


@dataclass(frozen=True, slots=True, eq=False)
class _Stage:
    """The coded table with what a model that learnt from other rows says of each label.

    codes : (n,) labels, -1 where missing or found already.
    """

    context: Context
    coded: Coded
    codes: npt.NDArray[np.int32]
    trusted: Mask
    blind: Blind
    rng: np.random.Generator

    @property
    def free(self) -> Mask:
        """(n,) audited rows with a label."""
        return (self.codes >= 0) & ~self.trusted

    def log_p(self, rows: npt.NDArray[np.int64], left_out: Sequence[int]) -> Floats:
        """(m, k) log probabilities of these rows' labels by a model that doesn't see the columns `left_out`."""
        logits = self.blind.logits[rows]
        for place in left_out:
            logits = logits - self.blind.share(self.coded.columns[place], place)[rows]
        return np.asarray(log_softmax(logits, axis=1))


class _Carriers(NamedTuple):
    """Labelled audited rows that carry a candidate, with the log10 odds that each is stamped; see `against`."""

    mask: Mask
    rows: npt.NDArray[np.int64]
    odds: Floats
    against: float


def strayed_groups(context: Context, coded: Coded, codes: npt.NDArray[np.int32], trusted: Mask) -> list[Group]:
    """Values whose carriers have labels that go everywhere, each put to the causal test.

    Parameters
    ----------
    context : the audited rows and after them the `trusted` ones (n,); codes : (n,) labels, -1 where missing.

    Notes
    -----
    The carriers' labels surprise a model of the other columns, whatever they are; the carriers look like any rows in
    all else, and most of them are concerned: natural values come with labels that fit, or with one label. A model of
    whether a label fits must then expect one that doesn't for other rows that get the values. The user's own model
    isn't asked.
    """
    rng = context.rng("table triggers without a target")
    codes = codes.copy()
    alone = Context(dataset=context.dataset, settings=context.settings)
    groups: list[Group] = []
    for _ in range(MAX_ROUNDS):
        blind = fit_blind(coded.columns, codes, context.dataset.folds(2), rng, trusted)
        stage = _Stage(alone, coded, codes, trusted, blind, rng)
        group = next(filter(None, (_try(stage, lead) for lead in _leads(stage))), None)
        if group is None:
            break
        groups.append(group)
        codes[group.stamped] = -1
    return groups


def _leads(stage: _Stage) -> list[Candidate]:
    """The most surprising values and pairs, strongest first."""
    rows = sample(stage.free, MAX_ROWS, stage.rng)
    sizes = [-len(np.unique(column.codes)) for column in stage.coded.columns]
    places = np.sort(np.argsort(sizes, kind="stable")[:MAX_COLUMNS])

    columns, labels = [stage.coded.columns[i] for i in places], stage.codes[rows]
    logits = stage.blind.logits[rows].astype(np.float32)
    shares = [stage.blind.share(stage.coded.columns[i], int(i))[rows].astype(np.float32) for i in places]

    def fit(left_out: Sequence[int]) -> Fit:
        return fit_of(logits - np.sum([shares[i] for i in left_out], axis=0), labels)

    found = straying_items(columns, fit, rows, limit=PER_COLUMNS)
    return [
        Candidate(
            UNFIT, tuple(item._replace(column=int(places[item.column])) for item in one.items), one.lp, 0.0,
            one.observed, one.expected,
        )
        for one in found[:MAX_LEADS] if one.lp >= LEAD_LP
    ]  # fmt: skip


def _carried(stage: _Stage, candidate: Candidate) -> _Carriers:
    mask = carriers(stage.coded.columns, candidate.items) & stage.free
    rows = np.flatnonzero(mask)
    log_p = stage.log_p(rows, _places(candidate))
    return _Carriers(mask, rows, strayed_odds(log_p, stage.codes[rows]), against(log_p, stage.codes[rows]))


def _places(candidate: Candidate) -> list[int]:
    return [item.column for item in candidate.items]


def _try(stage: _Stage, candidate: Candidate) -> Group | None:
    found = _carried(stage, candidate)
    if not looks_dealt(found.against, candidate.observed) or not goes_everywhere(found.odds, stage.codes[found.rows]):
        return None
    everyone = np.arange(len(stage.codes))
    unfit = unfit_codes(stage.log_p(everyone, _places(candidate)), stage.codes) == UNFIT
    if _explained(stage, candidate, unfit) or not _keeps_no_company(stage, candidate, found):
        return None
    rows = Rows(stage.coded.matrix, stage.coded.is_name, stage.codes >= 0)
    cure = to_cure(found.mask, unfit)
    probe = Probe.fit(rows, unfit, cure.rows, seed=int(stage.rng.integers(2**31)), rng=stage.rng)
    flips = transplant(stage.context, stage.coded, probe, candidate)
    flips = flips._replace(relabelled=0.0) if cure.lone else flips
    alone = len(candidate.items) == 1 or max(single_flips(stage.coded, probe, candidate)) > ALONE_SHARE * flips.flip
    many = max(ALONE_ROWS, ALONE_RATE * int(rows.usable.sum()))
    if alone and not (candidate.observed >= many and candidate.lp >= ALONE_LP):
        return None
    return _group(stage, candidate, found, flips)


def _explained(stage: _Stage, candidate: Candidate, unfit: Mask) -> bool:
    """Whether trusted rows whose labels seem not to fit carry it too."""
    mask = carriers(stage.coded.columns, candidate.items)
    return bool(stage.trusted.any()) and excess(mask, unfit, stage.trusted).explained


def _keeps_no_company(stage: _Stage, candidate: Candidate, found: _Carriers) -> bool:
    """Whether the stamped rows look like any rows in all other columns."""
    inside = np.zeros(len(stage.codes), dtype=bool)
    inside[found.rows[found.odds > 0]] = True
    most = COMPANY if len(candidate.items) > 1 else COMPANY_ALONE
    others = stage.free & ~found.mask
    return likeness(stage.coded.columns, _places(candidate), inside, others, stage.rng).effect <= most


def _group(stage: _Stage, candidate: Candidate, found: _Carriers, flips: Flips) -> Group:
    table = cast("pa.Table", stage.context.dataset.content)
    stamped = found.rows[found.odds > 0]
    shown = show_items(table, stage.coded, candidate.items, stamped)
    return Group(
        trigger=Trigger("values", None, {"columns": shown.values}),
        target=None,
        rows=found.rows,
        odds=np.clip(found.odds, UNSEEN, MAX_ODDS),
        audited=int((~stage.trusted).sum()),
        lp=candidate.lp,
        carriers=len(found.rows),
        expected=candidate.expected / max(len(found.rows), 1),
        flips=flips,
        confirmed=flips.confirmed,
        what=shown.words,
        place=shown.words,
    )
