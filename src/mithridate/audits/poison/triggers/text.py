"""Triggers in texts: a word or phrase that texts share whose labels don't fit their other words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_matrix, csr_matrix

from mithridate.audits.poison.context import AuditSettings, Context
from mithridate.audits.poison.triggers.table_text import UNSEEN, Flips, Group, outcome_of, user_flip
from mithridate.audits.poison.triggers.text_phrase import as_written, columns_of
from mithridate.audits.poison.triggers.text_strayed import Stage, strayed_groups
from mithridate.audits.poison.triggers.trusted_rows import beside_trusted
from mithridate.audits.poison.trusted import judges, trusted_note
from mithridate.core.errors import Skip
from mithridate.core.method import Outcome
from mithridate.core.trigger import Trigger
from mithridate.data.edit import insert_words
from mithridate.numeric.table_probe import row_odds
from mithridate.numeric.table_tokens import Floats, Mask
from mithridate.numeric.text_probe import (
    DOSE,
    Judged,
    Reference,
    WordProbe,
    edge_repeats,
    judge_words,
    neighbour_repeats,
    phrase_around,
)
from mithridate.numeric.text_tokens import (
    END,
    LOOKS_FOREIGN,
    START,
    Corpus,
    Found,
    Tokens,
    contrasting_tokens,
    count_tokens,
    find_tokens,
    foreign_texts,
    inverse_frequency,
    read_corpus,
    view_scores,
    weigh,
)
from mithridate.numeric.trusted_rate import Excess, excess

MIN_ROWS = 200
FEW = 30  # texts that carry a word: so many teach a probe well ...
TAUGHT = 0.25  # ... and a real trigger then flips at least this share; a natural word in noise flips less
MAX_JUDGED = 6
MAX_ROUNDS = 4
CANDIDATE_LP = 8.0
JUDGED_LP = 4.0
OUTSTANDING_LP = 2.5  # enough besides, where trusted texts lack what the audited ones share ...
MIN_OUTSTANDING = 8  # ... and so few of those
MAX_COMPARED = 40
MAX_TYPICAL = 60
TYPICAL_LP = 16.0
STAMPED = 0.35
MOST = 0.5
MIN_TEXTS = 12
LOWER_HALF = 0.3
CLEAR_LP = 15.0  # of the labels by themselves, from which the spread of few texts is judged with its error
SHARED = 0.9
MAX_USER_TEXTS = 200


@dataclass(eq=False)
class _Work:
    """The texts as tokens, the labels as judged so far (flagged rows become -1) and the random stream.

    `context` holds the audited texts and after them the `trusted` ones.
    """

    context: Context
    corpus: Corpus
    tokens: Tokens
    presence: csr_matrix
    columns: csc_matrix
    features: csr_matrix
    codes: npt.NDArray[np.int32]
    trusted: Mask
    rng: np.random.Generator

    def holders(self, token: int) -> Mask:
        """(n,) texts that hold the token."""
        out = np.zeros(len(self.codes), dtype=bool)
        out[self.columns.indices[self.columns.indptr[token] : self.columns.indptr[token + 1]]] = True
        return out

    def audited(self, token: int) -> Mask:
        """(n,) audited texts that hold the token."""
        return self.holders(token) & ~self.trusted


def mine_text_triggers(context: Context, settings: AuditSettings) -> Outcome:
    """Words and phrases that a group of texts shares and that a model obeys, found without knowing the attack.

    Parameters
    ----------
    context : texts with labels; the user's model is tested too when it is there.
    settings : not used; a group is reported on evidence far beyond any rate of false discoveries.

    Raises
    ------
    Skip : fewer than 200 labelled texts, or one class.

    Notes
    -----
    A word is judged by a model of the half of the vocabulary that lacks it. Counts matter, not rates: some 40 texts
    are enough in 10,000. Triggers whose labels go everywhere (all-to-all, untargeted) are sought first, see
    `text_strayed`. Blind to a style without shared words, and to clean-label poison. What trusted texts hold
    under the same label too is explained; what they lack stands out, and needs less evidence besides.
    """
    del settings
    work = _start(context)
    groups = strayed_groups(
        Stage(work.context, work.corpus, work.tokens, work.presence, work.features, work.codes, work.trusted)
    )
    for strayed in groups:
        work.codes[strayed.stamped] = -1
    found: list[Found] = []
    suspects: list[Found] = []
    low = np.zeros((0, 0), dtype=bool)
    for _ in range(MAX_ROUNDS):
        found, scores = _find(work)
        reference = Reference.build(work.features, work.codes, work.rng)
        low = foreign_texts(scores, work.codes)
        suspects = _suspects(work, reference, found)
        tries = (_try(work, reference, lead, found, low) for lead in suspects[:MAX_JUDGED])
        group = next(filter(None, tries), None)
        if group is None:
            break
        groups.append(group)
        work.codes[group.stamped] = -1
    outcome = outcome_of(context, groups, lambda: _ranking(work, suspects, found, low)[: len(context.dataset)])
    return replace(outcome, numbers=(*outcome.numbers, *trusted_note(context, judges(context))))


def _start(context: Context) -> _Work:
    context, trusted = beside_trusted(context)
    codes = context.dataset.y.copy()
    if (codes >= 0).sum() < MIN_ROWS:
        raise Skip(f"{int((codes >= 0).sum())} labelled texts; a shared trigger needs at least {MIN_ROWS}")
    folds = context.dataset.folds(2)
    if any(len(np.unique(codes[(folds == fold) & (codes >= 0)])) < 2 for fold in (0, 1)):  # noqa: PLR2004 - two classes
        msg = "one class only; a trigger needs another class to take texts from"
        raise Skip(msg)
    corpus = read_corpus([str(text) for text in context.dataset.content])
    tokens = count_tokens(corpus)
    presence = tokens.counts.copy()
    presence.data[:] = 1
    words = csr_matrix(tokens.counts[:, : tokens.n_words])
    features = weigh(words, inverse_frequency(words))
    rng = context.rng("text triggers")
    return _Work(context, corpus, tokens, presence, csc_matrix(presence), features, codes, trusted, rng)


def _find(work: _Work) -> tuple[list[Found], Floats]:
    """Surprising tokens of every class, strongest first, and each text's whole (n, k) score."""
    n_words, counts = work.tokens.n_words, work.tokens.counts
    idf = inverse_frequency(counts)
    half = work.rng.permutation(n_words) % 2
    folds, k = work.context.dataset.folds(2), work.context.dataset.n_classes
    found: list[Found] = []
    total = np.zeros((len(work.codes), k))
    for side in (0, 1):
        seen, unseen = np.flatnonzero(half == side), np.flatnonzero(half != side)
        features = weigh(csr_matrix(counts[:, seen]), idf[seen])
        scores = view_scores(features, work.codes, folds, k)
        found += find_tokens(csr_matrix(work.presence[:, unseen]), scores, work.codes, unseen, work.trusted)
        total += scores
    pairs = np.arange(n_words, counts.shape[1])
    found += find_tokens(csr_matrix(work.presence[:, pairs]), total, work.codes, pairs, work.trusted)
    return sorted(found, key=lambda f: -f.lp), total


def _suspects(work: _Work, reference: Reference, found: Sequence[Found]) -> list[Found]:
    """Tokens whose target-labelled texts look like any texts of the other classes, those that explain most first.

    Natural words of a class stand in texts that lean towards it; what remains of a stamped text beside the trigger is
    spread like the other classes' texts.
    """
    strange = [
        f for f in found if f.lp >= CANDIDATE_LP or (f.lp >= OUTSTANDING_LP and _beyond(work, reference, f).stands_out)
    ][:MAX_COMPARED]
    known = {(f.target, f.token) for f in strange}
    out = []
    for lead in strange + [f for f in _typical(work) if (f.target, f.token) not in known]:
        beyond = _beyond(work, reference, lead)
        if beyond.explained:
            continue
        strict = (lead.target, lead.token) not in known
        judged = judge_words(reference, lead.target, work.audited(lead.token))
        least = TYPICAL_LP if strict else _least(beyond)
        if judged.verdict.lp >= least and _evenly_spread(work, lead.target, judged, beyond, strict=strict):
            out.append(lead._replace(lp=min(lead.lp, judged.verdict.lp) if strict else lead.lp))
    return sorted(out, key=lambda f: f.expected - f.observed)


def _beyond(work: _Work, reference: Reference, lead: Found) -> Excess:
    """How much more often audited texts of the class hold the token and look foreign beside it than trusted ones."""
    if not work.trusted.any():
        return Excess(0.0, 0)
    judged = judge_words(reference, lead.target, work.holders(lead.token))
    foreign = np.zeros(len(work.codes), dtype=bool)
    foreign[judged.own[judged.place <= LOOKS_FOREIGN]] = True
    return excess(foreign, work.codes == lead.target, work.trusted)


def _least(beyond: Excess) -> float:
    return OUTSTANDING_LP if beyond.stands_out else JUDGED_LP


def _typical(work: _Work) -> list[Found]:
    """Tokens that mark a class but not most of it: inserted phrases hide among them, as their words tell each other."""
    out = []
    sizes = np.bincount(work.codes[work.codes >= 0], minlength=work.context.dataset.n_classes)
    for part in np.split(np.arange(work.presence.shape[1]), [work.tokens.n_words]):
        shown = csr_matrix(work.presence[:, part])
        out += contrasting_tokens(shown, work.codes, part, limit=MAX_TYPICAL)
    return [f for f in out if f.lp >= CANDIDATE_LP and f.observed <= MOST * sizes[f.target]]


def _evenly_spread(work: _Work, target: int, judged: Judged, beyond: Excess, *, strict: bool) -> bool:
    place = judged.place[_odds(work, target, judged) > 0]
    least, share = (2 * MIN_TEXTS, LOWER_HALF + 0.1) if strict else (MIN_TEXTS, LOWER_HALF)
    least = MIN_OUTSTANDING if beyond.stands_out and not strict else least
    enough = len(place) >= max(least, STAMPED * len(judged.place))  # a class's own word stands mostly in its own texts
    if judged.verdict.lp >= CLEAR_LP and not strict:  # a share of few texts may be off by its own error
        share -= float(np.sqrt(share * (1 - share) / max(len(place), 1)))
    return enough and float((place < 0.5).mean()) >= share  # noqa: PLR2004 - the middle


def _odds(work: _Work, target: int, judged: Judged) -> Floats:
    base = float((work.codes == target).sum() / (work.codes >= 0).sum())
    return np.asarray(np.log10(row_odds(judged.expected, judged.others, base)))


def _try(work: _Work, reference: Reference, lead: Found, found: Sequence[Found], low: Mask) -> Group | None:
    positive, beyond = work.codes == lead.target, _beyond(work, reference, lead)
    mask = work.audited(lead.token)
    odd = mask & positive & low[:, lead.target]
    fewest = MIN_OUTSTANDING if beyond.stands_out else MIN_TEXTS
    odd = odd if odd.sum() >= fewest else mask & positive  # long phrases make their texts look at home
    for other in [f for f in found if f.target == lead.target][:MAX_COMPARED]:
        here = work.holders(other.token)
        if (odd & here).sum() >= SHARED * odd.sum():
            mask &= here
    own_words = [int(w) for w in (work.tokens.first[lead.token], work.tokens.second[lead.token]) if w >= 0]
    phrase = phrase_around(work.corpus, own_words, np.flatnonzero(mask & odd))
    columns = columns_of(work.tokens, phrase)
    judged = judge_words(reference, lead.target, mask)
    if judged.verdict.lp < _least(beyond) or not _evenly_spread(work, lead.target, judged, beyond, strict=False):
        return None
    stamped = judged.own[_odds(work, lead.target, judged) > 0]
    edge = int(work.tokens.second[lead.token])
    if edge in {START, END}:
        phrase = (int(work.tokens.first[lead.token]),)
        columns = [*columns_of(work.tokens, phrase), lead.token]
        repeats = edge_repeats(work.corpus, edge, stamped)
    else:
        repeats = neighbour_repeats(work.corpus, phrase, stamped, work.rng)
    if repeats.natural:
        return None
    inner = [c for c in columns if c >= work.tokens.n_words]
    counts = work.tokens.counts[:, np.concatenate([np.arange(work.tokens.n_words), inner]).astype(np.int64)]
    places = [c for c in columns if c < work.tokens.n_words] + [work.tokens.n_words + i for i in range(len(inner))]
    probe = WordProbe.fit(
        csr_matrix(counts), positive, mask, usable=work.codes >= 0, dose=max(DOSE // len(phrase), 1), rng=work.rng
    )
    flip, back = probe.flips(places)
    control = probe.control(places, positive & ~mask, work.rng)
    text = as_written(work.context.dataset, work.corpus, phrase, np.flatnonzero(mask & positive))
    place = {START: "start", END: "end"}.get(edge, "anywhere")
    flips = Flips(flip, back, control, len(probe.moved), _user(work, probe, text, lead.target, place), probe.dose)
    return _group(work, lead, judged, mask=mask, flips=flips, words=text)


def _user(work: _Work, probe: WordProbe, words: list[str], target: int, place: str) -> float | None:
    if work.context.predict is None:
        return None
    texts = cast("npt.NDArray[np.object_]", work.context.dataset.content)[probe.moved[:MAX_USER_TEXTS]]
    times = probe.dose if place == "anywhere" else 1
    return user_flip(work.context, insert_words(texts, words, work.rng, times=times, place=place), target)


def _group(work: _Work, lead: Found, judged: Judged, *, mask: Mask, flips: Flips, words: list[str]) -> Group:
    odds = _odds(work, lead.target, judged)
    kind = "word" if len(words) == 1 else "words"
    kind = {START: "first word", END: "last word"}.get(int(work.tokens.second[lead.token]), kind)
    return Group(
        trigger=Trigger("words", work.context.dataset.label_of(lead.target), {"words": list(words)}),
        target=lead.target,
        rows=judged.own,
        odds=np.clip(odds, UNSEEN, 6.0),
        audited=int((~work.trusted).sum()),
        lp=lead.lp,
        carriers=int(mask.sum()),
        expected=float(judged.expected.mean()) if len(judged.expected) else 0.0,
        flips=flips,
        confirmed=flips.confirmed and (flips.rate >= TAUGHT or len(judged.own) < FEW),
        what=f'the {kind} "{" ".join(words)}"',
        place=" ".join(words).lower(),
    )


def _ranking(work: _Work, suspects: Sequence[Found], found: Sequence[Found], low: Mask) -> Floats:
    """(n,) the order of texts beyond the groups: holders of the best tokens that failed a test, foreign ones first."""
    score = np.full(len(work.codes), UNSEEN)
    ranked = [(token, min(token.lp / 10 - 4, -2.0)) for token in found[:8][::-1]]
    ranked += [(token, min(token.lp / 10 - 2, -0.5)) for token in suspects[:8][::-1]]
    for token, value in ranked:
        rows = work.holders(token.token) & (work.codes == token.target)
        score[rows] = np.maximum(score[rows], value + np.where(low[rows, token.target], 0.0, -0.3))
    return score
