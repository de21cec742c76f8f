"""Triggers in tables: a value or a combination of values that rows share whose labels don't fit the rest of the row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mithridate.audits.poison.context import AuditSettings, Context
from mithridate.audits.poison.triggers.table_columns import Coded, code_table, show_items
from mithridate.audits.poison.triggers.table_gate import Probe, single_flips, transplant
from mithridate.audits.poison.triggers.table_strayed import strayed_groups
from mithridate.audits.poison.triggers.table_text import MAX_ODDS, UNSEEN, Flips, Group, outcome_of
from mithridate.audits.poison.triggers.trusted_rows import beside_trusted
from mithridate.audits.poison.trusted import judges, trusted_note
from mithridate.core.errors import Skip
from mithridate.core.method import Outcome
from mithridate.core.trigger import Trigger
from mithridate.numeric.table_mining import Candidate, Item, carriers, mine_candidates
from mithridate.numeric.table_probe import (
    Rows,
    fit_trees,
    judge_group,
    likeness,
    row_odds,
    sample,
)
from mithridate.numeric.table_ranges import evenness_odds
from mithridate.numeric.table_refine import specialise
from mithridate.numeric.table_tokens import Blind, Floats, Mask, fit_blind, strata
from mithridate.numeric.trusted_rate import Excess, excess

MIN_ROWS = 200
MIN_COLUMNS = 2
MAX_JUDGED = 3
MAX_ROUNDS = 4
CANDIDATE_LP = 5.0
OUTSTANDING_LP = 2.5  # enough besides where trusted rows lack what the audited ones share
PAIR_LP = 8.0
CERTAIN_LP = 24.0
MAX_COMPARED = 30
COMPANY = 0.03
COMPANY_ALONE = 0.008  # of one value: stamped ones had up to 0.002 on four tables, rules of nature 0.017 and more
SAME = 0.1
DILUTED = (
    0.5  # of the share of target labels in a narrower group that the rows it leaves out must have, to belong to it
)
GIVEN, UNUSUAL = 0.9, 0.3  # of a group that holds one value, and more than of all rows: it may be the trigger's third
CLEAR_LP = 20.0  # of the labels by themselves, against trees that saw neither: a combination needs less besides
PEAK = 0.6
JUDGED_LP = 4.0
ALONE_ROWS = 30
ALONE_RATE = 0.004
ALONE_LP = 12.0
ALONE_SHARE = 0.8
SINGLE_DISCOUNT = 0.7
TAUGHT_FLIP = 0.5


@dataclass(eq=False)
class _Work:
    """The coded table, the labels as judged so far (flagged rows become -1) and the random stream.

    `context` holds the audited rows and after them the `trusted` ones.
    """

    context: Context
    coded: Coded
    codes: npt.NDArray[np.int32]
    trusted: Mask
    rng: np.random.Generator

    @property
    def rows(self) -> Rows:
        return Rows(self.coded.matrix, self.coded.is_name, self.codes >= 0)

    def audited(self, items: Sequence[Item]) -> Mask:
        """(n,) audited rows that carry every item."""
        return carriers(self.coded.columns, items) & ~self.trusted


class _Suspect(NamedTuple):
    """A candidate whose rows look like random rows of other classes, in everything but the trigger."""

    candidate: Candidate
    mask: Mask
    excess: float
    beyond: Excess


def mine_table_triggers(context: Context, settings: AuditSettings) -> Outcome:
    """Values that a group of rows shares and that a model obeys, found without knowing the attack.

    Parameters
    ----------
    context : a table with labels; the user's model is tested too when it is there.
    settings : not used; a group is reported on evidence far beyond any rate of false discoveries.

    Raises
    ------
    Skip : fewer than 200 labelled rows, two columns or two classes.

    Notes
    -----
    Groups are peeled off one after the other, so that several triggers are told apart. Triggers whose labels go
    everywhere (all-to-all, untargeted) are sought first, see `table_strayed`. Blind to triggers whose
    values are common together already, and to clean-label poison. What trusted rows carry under the same label too is
    explained; what they lack stands out, and needs less evidence besides.
    """
    del settings
    work = _start(context)
    groups = strayed_groups(work.context, work.coded, work.codes, work.trusted)
    for strayed in groups:
        work.codes[strayed.stamped] = -1
    left: list[Candidate] = []
    suspects: list[_Suspect] = []
    for _ in range(MAX_ROUNDS):
        blind = fit_blind(work.coded.columns, work.codes, work.context.dataset.folds(2), work.rng, work.trusted)
        left = mine_candidates(work.coded.columns, blind, work.codes, rng=work.rng)
        suspects = _suspects(work, blind, left)
        group = next(filter(None, (_try(work, suspect) for suspect in suspects[:MAX_JUDGED])), None)
        if group is None:
            break
        groups.append(group)
        work.codes[group.stamped] = -1
    found = outcome_of(context, groups, lambda: _ranking(work, suspects, left)[: len(context.dataset)])
    return replace(found, numbers=(*found.numbers, *trusted_note(context, judges(context))))


def _start(context: Context) -> _Work:
    context, trusted = beside_trusted(context)
    codes = context.dataset.y.copy()
    table = cast("pa.Table", context.dataset.content)
    if (codes >= 0).sum() < MIN_ROWS:
        raise Skip(f"{int((codes >= 0).sum())} labelled rows; a shared trigger needs at least {MIN_ROWS}")
    if table.num_columns < MIN_COLUMNS:
        raise Skip(f"{table.num_columns} column; the rest of a row can't be compared with its trigger")
    folds = context.dataset.folds(2)
    if any(len(np.unique(codes[(folds == fold) & (codes >= 0)])) < 2 for fold in (0, 1)):  # noqa: PLR2004 - two classes
        msg = "one class only; a trigger needs another class to take rows from"
        raise Skip(msg)
    coded = code_table(table, min_count=max(5, len(codes) // 4000))
    return _Work(context, coded, codes, trusted, context.rng("table triggers"))


def _suspects(work: _Work, blind: Blind, found: Sequence[Candidate]) -> list[_Suspect]:
    """Candidates whose rows keep no company of their own, those that explain most rows first.

    Natural values come with company (age with schooling); what remains of a trigger group beside the trigger is like
    random rows of the other classes.
    """
    out: list[_Suspect] = []
    order = sorted(found, key=_strength, reverse=True)
    best = [c for c in order if c.lp >= CANDIDATE_LP or (c.lp >= OUTSTANDING_LP and _beyond(work, blind, c).stands_out)]
    narrow = [specialise(work.coded.columns, blind, work.codes, c) for c in best[:MAX_COMPARED]]
    for candidate in sorted(dict.fromkeys(narrow), key=_strength, reverse=True):
        mask = work.audited(candidate.items)
        if any(s.candidate.target == candidate.target and _same(work, blind, s, candidate, mask) for s in out):
            continue
        beyond = _beyond(work, blind, candidate)
        if not beyond.explained and _keeps_no_company(work, blind, candidate, mask):
            more = (candidate.observed - candidate.expected) * (1.0 if len(candidate.items) > 1 else SINGLE_DISCOUNT)
            out.append(_Suspect(candidate, mask, more, beyond))
    return sorted(out, key=lambda s: -s.excess)


def _beyond(work: _Work, blind: Blind, candidate: Candidate) -> Excess:
    """How far the class's foreign-looking rows carry the candidate more often than the trusted ones among them."""
    if not work.trusted.any():
        return Excess(0.0, 0)
    log_p = blind.log_proba(work.coded.columns, [item.column for item in candidate.items])[:, candidate.target]
    foreign = strata(log_p, work.codes == candidate.target, work.codes >= 0) == 2  # noqa: PLR2004 - a stratum
    return excess(carriers(work.coded.columns, candidate.items), foreign, work.trusted)


def _same(work: _Work, blind: Blind, stronger: _Suspect, candidate: Candidate, mask: Mask) -> bool:
    """Whether a candidate has the rows of a stronger one, or those and others that surprise much less."""
    if (mask & ~stronger.mask).sum() < SAME * mask.sum():
        return True
    own = stronger.mask & (work.codes == candidate.target)
    if (own & mask).sum() < (1 - SAME) * own.sum():
        return False
    log_p = blind.log_proba(work.coded.columns, [item.column for item in candidate.items])[:, candidate.target]
    stratum = strata(log_p, work.codes == candidate.target, work.codes >= 0, trusted=blind.trusted)

    def share(rows: Mask) -> float:
        odd, other = int((rows & (stratum == 2)).sum()), int((rows & (stratum == 0)).sum())  # noqa: PLR2004 - a stratum
        return odd / max(odd + other, 1)

    return share(mask & ~stronger.mask) < DILUTED * share(stronger.mask)


def _keeps_no_company(work: _Work, blind: Blind, candidate: Candidate, mask: Mask) -> bool:
    places = [item.column for item in candidate.items]
    log_p = blind.log_proba(work.coded.columns, places)
    if len(places) > 1:
        places += _given(work, places, mask & (work.codes == candidate.target))
    stratum = strata(log_p[:, candidate.target], work.codes == candidate.target, work.codes >= 0, trusted=blind.trusted)
    inside = mask & (stratum == 2)  # noqa: PLR2004 - the stratum's number
    most = COMPANY if len(candidate.items) > 1 else COMPANY_ALONE
    if likeness(work.coded.columns, places, inside, stratum == 0, work.rng).effect <= most:
        return True
    looks = log_p[inside]
    looks[:, candidate.target] = -np.inf
    source = int(np.bincount(looks.argmax(axis=1)).argmax())  # rows of one class only may have been stamped
    same = (stratum == 0) & (work.codes == source)
    return likeness(work.coded.columns, places, inside, same, work.rng).effect <= most


def _given(work: _Work, places: Sequence[int], own: Mask) -> list[int]:
    """The column that nearly all of a group hold one value of, though the rest of the rows doesn't; none or one."""
    best: tuple[float, int] | None = None
    for position in [position for position in range(len(work.coded.columns)) if position not in places]:
        codes = work.coded.columns[position].codes
        counts = np.bincount(codes[own & (codes >= 0)], minlength=1)
        share, usual = counts.max() / max(own.sum(), 1), float((codes == counts.argmax()).mean())
        if share >= GIVEN and share - usual >= max(UNUSUAL, 0.0 if best is None else best[0]):
            best = share - usual, position
    return [] if best is None else [best[1]]


def _strength(candidate: Candidate) -> float:
    return candidate.lp * (1.0 if len(candidate.items) > 1 else SINGLE_DISCOUNT)


def _sharpen(work: _Work, candidate: Candidate) -> Candidate:
    """The same with an exact value in place of a narrow range, where most of its rows have that one."""
    own = work.audited(candidate.items) & (work.codes == candidate.target)
    items = []
    for item in candidate.items:
        exact = work.coded.columns[item.column].codes[own]
        counts = np.bincount(exact[exact >= 0], minlength=1)
        sharp = not item.exact and counts.max() >= PEAK * own.sum()
        items.append(Item(item.column, exact=True, value=int(counts.argmax())) if sharp else item)
    return replace(candidate, items=tuple(items))


def _try(work: _Work, suspect: _Suspect) -> Group | None:
    candidate = _sharpen(work, suspect.candidate)
    mask = work.audited(candidate.items)
    positive = work.codes == candidate.target
    verdict = judge_group(work.rows, positive, mask, work.rng)
    pair = len(candidate.items) > 1 and (candidate.lp >= PAIR_LP or verdict.lp >= CLEAR_LP)
    certain = pair and candidate.lp >= CERTAIN_LP  # a value may foretell the target by itself: the pair must do more
    outstanding = suspect.beyond.stands_out
    if verdict.lp < (OUTSTANDING_LP if outstanding else JUDGED_LP) and not certain:
        return None
    probe = Probe.fit(work.rows, positive, mask, seed=int(work.rng.integers(2**31)), rng=work.rng)
    flips = transplant(work.context, work.coded, probe, candidate)
    alone = not pair or max(single_flips(work.coded, probe, candidate)) > ALONE_SHARE * flips.flip
    many = max(ALONE_ROWS, ALONE_RATE * int((work.codes >= 0).sum()))
    many, least = (many / 3, ALONE_LP / 2) if outstanding else (many, ALONE_LP)
    if alone and not (candidate.observed >= many and candidate.lp >= least):
        return None  # a value that works by itself may be a rule of nature: it takes many rows
    taught = (
        flips.flip >= TAUGHT_FLIP and flips.relabelled <= flips.flip / 10
    )  # though columns that matter move rows too
    return _group(work, candidate, mask, flips, confirmed=flips.confirmed or (certain and taught))


def _group(work: _Work, candidate: Candidate, mask: Mask, flips: Flips, *, confirmed: bool) -> Group:
    own = np.flatnonzero(mask & (work.codes == candidate.target))
    others = np.flatnonzero(mask & (work.codes >= 0) & (work.codes != candidate.target))
    model = _expected(work, candidate, mask)
    expected = model(own)
    base = float((work.codes == candidate.target).sum() / (work.codes >= 0).sum())
    odds = np.log10(row_odds(expected, model(others), base)) + _evenness(work, candidate, own, others)
    odds = np.clip(odds, UNSEEN, MAX_ODDS)
    shown = show_items(cast("pa.Table", work.context.dataset.content), work.coded, candidate.items, own)
    return Group(
        trigger=Trigger("values", work.context.dataset.label_of(candidate.target), {"columns": shown.values}),
        target=candidate.target,
        rows=own,
        odds=odds,
        audited=int((~work.trusted).sum()),
        lp=candidate.lp,
        carriers=int(mask.sum()),
        expected=float(expected.mean()),
        flips=flips,
        confirmed=confirmed,
        what=shown.words,
        place=shown.words,
    )


def _evenness(work: _Work, candidate: Candidate, own: npt.NDArray[np.int64], others: npt.NDArray[np.int64]) -> Floats:
    """(own,) log10 odds by how evenly the numbers of all carriers fill the ranges of the candidate."""
    out = np.zeros(len(own))
    for item in candidate.items:
        numbers = work.coded.columns[item.column].floats
        if item.ranged and numbers is not None:
            out += evenness_odds(numbers[np.concatenate([own, others])])[: len(own)]
    return out


def _expected(work: _Work, candidate: Candidate, mask: Mask) -> Callable[[npt.NDArray[np.int64]], Floats]:
    """P(target | the other columns) of given rows, by trees that saw neither the columns nor the carriers."""
    kept = np.setdiff1d(np.arange(len(work.coded.names)), [item.column for item in candidate.items])
    if len(kept) == 0:
        return lambda chosen: np.full(len(chosen), 0.5)
    rows = Rows(work.coded.matrix[:, kept], work.coded.is_name[kept], work.rows.usable)
    chosen = sample(rows.usable & ~mask, 10_000, work.rng)
    model = fit_trees(rows, work.codes == candidate.target, chosen, seed=int(work.rng.integers(2**31)))

    def expected(here: npt.NDArray[np.int64]) -> Floats:
        if len(here) == 0:
            return np.empty(0)
        return np.asarray(model.predict_proba(rows.matrix[here])[:, 1], dtype=np.float64)

    return expected


def _ranking(work: _Work, suspects: Sequence[_Suspect], left: Sequence[Candidate]) -> Floats:
    """(n,) the order of rows beyond the groups: carriers of the best candidates that failed a test come first."""
    score = np.full(len(work.codes), UNSEEN)
    ranked = [(c, min(_strength(c) / 10 - 4, -2.0)) for c in sorted(left, key=_strength)[-5:]]
    ranked += [(s.candidate, min(_strength(s.candidate) / 10 - 2, -0.5)) for s in suspects[:5][::-1]]
    for candidate, value in ranked:
        rows = carriers(work.coded.columns, candidate.items) & (work.codes == candidate.target)
        score[rows] = np.maximum(score[rows], value)
    return score
