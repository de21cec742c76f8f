"""Triggers in texts that force no single label: words whose holders, of all classes, have labels that don't fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from mithridate.audits.poison.context import Context
from mithridate.audits.poison.embedding import opinions
from mithridate.audits.poison.triggers.table_text import MAX_ODDS, UNSEEN, Flips, Group
from mithridate.audits.poison.triggers.text_phrase import as_written, columns_of
from mithridate.core.errors import Skip
from mithridate.core.trigger import Trigger
from mithridate.numeric.inserted_words import Places, apart, beside_of, inserted, places_of
from mithridate.numeric.strayed_rule import ruled_odds
from mithridate.numeric.strayed_tokens import Strays, straying
from mithridate.numeric.table_tokens import Floats, Mask
from mithridate.numeric.text_probe import (
    DOSE,
    WordProbe,
    edge_repeats,
    neighbour_repeats,
    phrase_around,
    separation,
)
from mithridate.numeric.text_tokens import END, START, Corpus, Tokens
from mithridate.numeric.trusted_rate import excess
from mithridate.numeric.unfit_labels import (
    UNFIT,
    fit_of,
    goes_everywhere,
    strayed_odds,
    to_cure,
    unfit_codes,
)

MAX_ROUNDS = 4
MAX_LEADS = 40  # put to the tests
LEAD_LP = 8.0  # of some 10^5 words and pairs
APART = 5.0  # standard errors by which the words beside a stamped word differ from those beside a written one
TINY = 1e-12
ORDINARY = 0.65  # chance that other words rank a holder above another text: any texts have 0.5, topics more


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """The audited texts and after them the `trusted` ones (n,), as tokens.

    presence : (n, m) 1 where a text holds a token; features : (n, v) of words; codes : (n,) labels, -1 where missing.
    """

    context: Context
    corpus: Corpus
    tokens: Tokens
    presence: csr_matrix
    features: csr_matrix
    codes: npt.NDArray[np.int32]
    trusted: Mask


class _View(NamedTuple):
    """(n, k) log probabilities of the labels as they are judged in this round, and (n,) whether each doesn't fit."""

    codes: npt.NDArray[np.int32]
    log_p: Floats
    unfit: Mask


class _Holders(NamedTuple):
    """Labelled audited texts that hold a token, with the log10 odds that each is stamped."""

    mask: Mask
    rows: npt.NDArray[np.int64]
    odds: Floats

    @property
    def chance(self) -> Floats:
        """(m,) that each is stamped."""
        return np.asarray(1 / (1 + 10.0 ** -np.clip(self.odds, -300, 300)))

    @property
    def likeliest(self) -> Mask:
        """(m,) as many of the best odds as are stamped in all: among many honest holders none need be likely so."""
        n = max(int((self.odds > 0).sum()), round(float(self.chance.sum())))
        out = np.zeros(len(self.odds), dtype=bool)
        out[np.argsort(-self.odds, kind="stable")[:n]] = True
        return out


def strayed_groups(stage: Stage) -> list[Group]:
    """Words whose holders have labels that go everywhere, each put to the causal test.

    Notes
    -----
    As `table_strayed`: the labels surprise models of the texts, the texts are like any others, the neighbours don't
    foretell the word, and a model of whether a label fits expects one that doesn't for other texts that get it. The
    user's own model isn't asked. Where people write the word too, its honest holders show how: the stamped texts must
    have it elsewhere, and each row's odds say what its label, the poisoner's rule, the words beside and the length do.
    Blind to a word that a third of all texts hold, which few wrong labels don't make surprising.
    """
    rng = stage.context.rng("text triggers without a target")
    codes = stage.codes.copy()
    groups: list[Group] = []
    try:
        log_p = _log_p(stage.context)
    except Skip:  # hardly a row of each class: nobody can tell which label fits
        return []
    for _ in range(MAX_ROUNDS):
        view = _View(codes.copy(), log_p, unfit_codes(log_p, codes) == UNFIT)
        rows = np.flatnonzero((codes >= 0) & ~stage.trusted)
        found = straying(csr_matrix(stage.presence[rows]), fit_of(view.log_p[rows], codes[rows]), limit=MAX_LEADS)
        group = next(filter(None, (_try(stage, view, lead, rng) for lead in found if lead.lp >= LEAD_LP)), None)
        if group is None:
            break
        groups.append(group)
        codes[group.stamped] = -1
    return groups


def _log_p(context: Context) -> Floats:
    """(n, k) log probabilities of the labels by all models of the texts, and wrong as often as labels are in general.

    A model alone would take every careless label of a text that it is sure of for a surprise.
    """
    found = opinions(context)
    p = np.exp(found.log_probabilities.astype(np.float64))
    wrong = found.noise / max(p.shape[1] - 1, 1)
    return np.asarray(np.log(p * (1 - found.noise - wrong) + wrong + TINY))


def _try(stage: Stage, view: _View, lead: Strays, rng: np.random.Generator) -> Group | None:
    held = np.zeros(len(view.codes), dtype=bool)
    held[stage.presence[:, [lead.token]].nonzero()[0]] = True
    if stage.trusted.any() and excess(held, view.unfit, stage.trusted).explained:
        return None
    first = _holders(view, held & (view.codes >= 0) & ~stage.trusted)
    edge = int(stage.tokens.second[lead.token])
    words = tuple(int(w) for w in (stage.tokens.first[lead.token], edge) if w >= 0)
    phrase = words if edge in {START, END} else phrase_around(stage.corpus, words, first.rows[first.likeliest])
    places = None if edge in {START, END} else places_of(stage.corpus, phrase, first.rows)
    found = first if places is None else _holders(view, _only(first, places.often > 0))
    codes, stamped = view.codes[found.rows], found.rows[found.likeliest]
    if not goes_everywhere(found.odds, codes, least=0.0):
        return None
    if _written(stage, edge, phrase, stamped, rng) or _of_a_kind(stage, stamped, held):
        return None
    places = None if places is None else places_of(stage.corpus, phrase, found.rows)
    if not goes_everywhere(found.odds, codes) and not _out_of_place(places, found):
        return None
    sure = ruled_odds(view.log_p[found.rows], codes, lambda written: _beside(places, written))
    if not goes_everywhere(sure, codes, least=0.0):  # the honest errors among the holders hid that there is one target
        return None
    flips = _flips(stage, view, phrase, found.mask, rng)
    return _group(stage, lead, found._replace(odds=sure), phrase, flips)


def _holders(view: _View, mask: Mask) -> _Holders:
    rows = np.flatnonzero(mask)
    return _Holders(mask, rows, strayed_odds(view.log_p[rows], view.codes[rows]))


def _only(found: _Holders, kept: Mask) -> Mask:
    """(n,) those of the holders of a word that hold the whole phrase around it."""
    mask = found.mask.copy()
    mask[found.rows[~kept]] = False
    return mask


def _written(
    stage: Stage, edge: int, phrase: tuple[int, ...], stamped: npt.NDArray[np.int64], rng: np.random.Generator
) -> bool:
    """Whether the words beside the phrase foretell it in the texts that seem stamped."""
    if edge in {START, END}:
        return edge_repeats(stage.corpus, edge, stamped).natural
    return neighbour_repeats(stage.corpus, phrase, stamped, rng).natural


def _of_a_kind(stage: Stage, stamped: npt.NDArray[np.int64], held: Mask) -> bool:
    """Whether other words tell the texts that seem stamped from those that lack the word."""
    counts = csr_matrix(stage.tokens.counts[:, : stage.tokens.n_words])
    return separation(counts, stamped, held, stage.context.dataset.folds(2)) > ORDINARY


def _out_of_place(places: Places | None, found: _Holders) -> bool:
    """Whether the word stands where nobody would write it in the texts that seem stamped, unlike in the others.

    Where most of a word's holders are honest, so may be the rest: a source that labels carelessly marks its texts so.
    """
    if places is None:
        return False
    return apart(beside_of(places, 1 - found.chance), found.likeliest) >= APART


def _beside(places: Places | None, written: Floats) -> Floats:
    """What the place of the word says besides the labels; nothing where it stands at an edge of each text."""
    return np.zeros(len(written)) if places is None else inserted(places, written)


def _flips(stage: Stage, view: _View, phrase: tuple[int, ...], mask: Mask, rng: np.random.Generator) -> Flips:
    """Put the words on texts whose labels fit, before two models of whether a label does."""
    columns = columns_of(stage.tokens, phrase)
    inner = [c for c in columns if c >= stage.tokens.n_words]
    n_words = stage.tokens.n_words
    counts = csr_matrix(stage.tokens.counts[:, np.concatenate([np.arange(n_words), inner]).astype(np.int64)])
    places = [c for c in columns if c < n_words] + [n_words + i for i in range(len(inner))]
    dose = max(DOSE // len(phrase), 1)
    cure = to_cure(mask, view.unfit)
    probe = WordProbe.fit(counts, view.unfit, cure.rows, usable=view.codes >= 0, dose=dose, rng=rng)
    flip, back = probe.flips(places)
    control = probe.control(places, view.unfit & ~mask, rng)
    return Flips(flip, 0.0 if cure.lone else back, control, len(probe.moved), None, probe.dose)


def _group(stage: Stage, lead: Strays, found: _Holders, phrase: tuple[int, ...], flips: Flips) -> Group:
    stamped = found.rows[found.odds > 0]
    words = as_written(stage.context.dataset, stage.corpus, phrase, stamped)
    edge = {START: "first word", END: "last word"}.get(int(stage.tokens.second[lead.token]))
    kind = edge or ("word" if len(words) == 1 else "words")
    return Group(
        trigger=Trigger("words", None, {"words": list(words)}),
        target=None,
        rows=found.rows,
        odds=np.clip(found.odds, UNSEEN, MAX_ODDS),
        audited=int((~stage.trusted).sum()),
        lp=lead.lp,
        carriers=len(found.rows),
        expected=lead.expected / max(lead.carriers, 1),
        flips=flips,
        confirmed=flips.confirmed,
        what=f'the {kind} "{" ".join(words)}"',
        place=" ".join(words).lower(),
    )
