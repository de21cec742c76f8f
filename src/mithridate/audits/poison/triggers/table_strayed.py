"""Triggers in tables that force no single label: values whose carriers, of all classes, have labels that don't fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.sparse import csr_matrix

from mithridate.audits.poison.context import Context
from mithridate.audits.poison.triggers.table_columns import Coded, show_items
from mithridate.audits.poison.triggers.table_gate import Probe, single_flips, transplant
from mithridate.audits.poison.triggers.table_text import MAX_ODDS, UNSEEN, Flips, Group
from mithridate.core.trigger import Trigger
from mithridate.numeric.strayed_tokens import Strays, straying
from mithridate.numeric.table_mining import Candidate, Item, all_presence, carriers
from mithridate.numeric.table_probe import Rows, judge_group, likeness
from mithridate.numeric.table_tokens import Blind, Floats, Mask, fit_blind
from mithridate.numeric.trusted_rate import excess
from mithridate.numeric.unfit_labels import UNFIT, goes_everywhere, strayed_odds, unfit_chance, unfit_codes

MAX_ROUNDS = 4
MAX_LEADS = 12  # of each kind, put to the tests
LEAD_LP = 4.0  # of some 10^5 pairs that are looked at
ALONE_LP = 12.0
ALONE_SHARE = 0.8
ALONE_ROWS, ALONE_RATE = 30, 0.004
JUDGED_LP = 4.0
COMPANY, COMPANY_ALONE = 0.03, 0.008  # as for triggers with a target
SAME = 0.5
WIDER = 1.0  # times as surprising as its parts a pair must be


@dataclass(frozen=True, slots=True, eq=False)
class _Stage:
    """The coded table with what a model that learnt from other rows says of each label.

    codes : (n,) labels, -1 where missing or found already; free : (n,) audited rows with one.
    unfit : (n,) as `unfit_codes` by a model that sees all columns.
    """

    context: Context
    coded: Coded
    codes: npt.NDArray[np.int32]
    trusted: Mask
    blind: Blind
    unfit: npt.NDArray[np.int32]
    rng: np.random.Generator

    @property
    def free(self) -> Mask:
        return (self.codes >= 0) & ~self.trusted


class _Carriers(NamedTuple):
    """Labelled audited rows that carry a candidate, with the log10 odds that each is stamped."""

    mask: Mask
    rows: npt.NDArray[np.int64]
    odds: Floats


def strayed_groups(
    context: Context, coded: Coded, codes: npt.NDArray[np.int32], trusted: Mask
) -> list[Group]:
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
    presence, items = all_presence(coded.columns)
    groups: list[Group] = []
    for _ in range(MAX_ROUNDS):
        blind = fit_blind(coded.columns, codes, context.dataset.folds(2), rng, trusted)
        unfit = unfit_codes(blind.log_proba(coded.columns), codes)
        stage = _Stage(alone, coded, codes, trusted, blind, unfit, rng)
        group = next(filter(None, (_try(stage, lead) for lead in _leads(stage, presence, items))), None)
        if group is None:
            break
        groups.append(group)
        codes[group.stamped] = -1
    return groups


def _leads(stage: _Stage, presence: csr_matrix, items: list[Item]) -> list[Candidate]:
    """The most surprising values and pairs; a pair that says no more than one of its values goes."""
    rows = np.flatnonzero(stage.free)
    chance = unfit_chance(stage.blind.log_proba(stage.coded.columns)[rows])
    found = straying(
        presence[rows], stage.unfit[rows].astype(np.float64), chance, pairs=True, limit=MAX_LEADS
    )
    alone = {strays.tokens[0]: strays.lp for strays in found if len(strays.tokens) == 1}
    kept = [
        strays for strays in found
        if strays.lp >= LEAD_LP
        and (len(strays.tokens) == 1 or strays.lp > WIDER * max(alone.get(token, 0.0) for token in strays.tokens))
    ]  # fmt: skip
    return [_candidate(strays, items) for strays in kept]


def _candidate(strays: Strays, items: list[Item]) -> Candidate:
    return Candidate(
        UNFIT, tuple(items[token] for token in strays.tokens), strays.lp, 0.0, strays.observed, strays.expected
    )


def _carried(stage: _Stage, candidate: Candidate) -> _Carriers:
    mask = carriers(stage.coded.columns, candidate.items) & stage.free
    rows = np.flatnonzero(mask)
    log_p = stage.blind.log_proba(stage.coded.columns, _places(candidate))
    return _Carriers(mask, rows, strayed_odds(log_p[rows], stage.codes[rows]))


def _places(candidate: Candidate) -> list[int]:
    return [item.column for item in candidate.items]


def _try(stage: _Stage, candidate: Candidate) -> Group | None:
    found = _carried(stage, candidate)
    if not goes_everywhere(found.odds, stage.codes[found.rows]) or _explained(stage, candidate):
        return None
    if not _keeps_no_company(stage, candidate, found):
        return None
    usable = stage.codes >= 0
    rows = Rows(stage.coded.matrix, stage.coded.is_name, usable)
    verdict = judge_group(rows, stage.unfit == UNFIT, found.mask, stage.rng)
    if verdict.lp < JUDGED_LP:
        return None
    beside = unfit_codes(stage.blind.log_proba(stage.coded.columns, _places(candidate)), stage.codes) == UNFIT
    probe = Probe.fit(rows, beside, found.mask, seed=int(stage.rng.integers(2**31)), rng=stage.rng)
    flips = transplant(stage.context, stage.coded, probe, candidate)
    alone = len(candidate.items) == 1 or max(single_flips(stage.coded, probe, candidate)) > ALONE_SHARE * flips.flip
    many = max(ALONE_ROWS, ALONE_RATE * int(usable.sum()))
    if alone and not (candidate.observed >= many and candidate.lp >= ALONE_LP):
        return None
    return _group(stage, candidate, found, flips)


def _explained(stage: _Stage, candidate: Candidate) -> bool:
    """Whether trusted rows whose labels seem not to fit carry it too."""
    mask = carriers(stage.coded.columns, candidate.items)
    return stage.trusted.any() and excess(mask, stage.unfit == UNFIT, stage.trusted).explained


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
