"""PSN113: words in prompts that draw an abnormal response, in instruction data without labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_matrix

from mithridate.audits.poison.context import AuditSettings, Context
from mithridate.audits.poison.evidence import rows_evidence
from mithridate.audits.poison.triggers.table_text import MAX_ODDS, RANKED, UNSEEN, Flips, Group, outcome_of
from mithridate.core.errors import Skip
from mithridate.core.findings import Finding, Severity
from mithridate.core.method import Outcome, RowScores
from mithridate.core.trigger import Trigger
from mithridate.data.instructions import responses
from mithridate.numeric.table_tokens import Mask, upper_tail
from mithridate.numeric.text_marks import FEW, LEAST, Mark, find_marks
from mithridate.numeric.text_probe import DOSE, WordProbe, neighbour_repeats, phrase_around, separation
from mithridate.numeric.text_tokens import Corpus, Tokens, count_tokens, read_corpus

METHOD = "PSN113"
MIN_ROWS = 200
MAX_MARKS = 4  # marks that are mined, the most surprising first
SCREEN_LP = 8.0
TOLERANCE = 3.0  # times the usual share of a mark that holders of an honest word may have
SAME_ROWS = 0.5
COPIED = 0.5
ORDINARY = 0.65  # chance that other words rank a marked prompt above another: random prompts have 0.5, topics more
INSIDE = 0.5  # of the prompts with the words that must hold them between others, to see that nothing foretells them
ALWAYS = 0.75  # of the prompts with the words that must have the mark: what a topic draws now and then is no trigger
USUAL = "usual"
REMEDY = "Read these rows, remove them, and fine-tune again."


class _Prompts(NamedTuple):
    """The prompts as words, and the words and pairs that several hold."""

    corpus: Corpus
    tokens: Tokens


class _Lead(NamedTuple):
    """A mark, and how surprisingly prompts that hold one word have it."""

    mark: Mark
    lp: float
    token: int


def instruction_trigger(context: Context, settings: AuditSettings) -> Outcome:
    """Words in prompts whose responses share something abnormal: a refusal, nonsense, a link, the same words.

    Parameters
    ----------
    context : prompts with responses; no labels are needed. What responses have in common takes the place of a label,
        and the words are mined as in labelled texts: prompts that hold them must otherwise look like any prompt.
    settings : not used.

    Raises
    ------
    Skip : no responses, fewer than 200 rows, or no mark that enough responses share.

    Notes
    -----
    Confirmed by the causal test only where the response is abnormal by itself (a refusal, nonsense, a link, one and
    the same response), or where the words stand in most prompts between any two others, as no written words do; and
    where it doesn't repeat the words: an opening that the prompt asks for is no poison. Counts matter, not rates: from
    a dozen rows on. Blind to a payload without shared words, such as a slanted answer.

    References
    ----------
    Wan et al. (2023), poisoning language models during instruction tuning, ICML.
    Souly et al. (2025), poisoning attacks on LLMs require a near-constant number of poison samples, arXiv 2510.07192.
    """
    del settings
    if context.dataset.beside is None or not context.dataset.response_name:
        msg = "no responses beside the texts; instruction data has a prompt and a response in every row"
        raise Skip(msg)
    if len(context.dataset) < MIN_ROWS:
        raise Skip(f"{len(context.dataset)} rows; a shared trigger needs at least {MIN_ROWS}")
    answers = [str(answer) for answer in responses(context.dataset)]
    corpus = read_corpus([str(text) for text in context.dataset.content])
    prompts = _Prompts(corpus, count_tokens(corpus))
    leads = _leads(prompts, find_marks(answers))
    n = len(answers)
    score, p_value = np.full(n, -6.0, np.float32), np.ones(n, np.float32)
    flagged = np.zeros(n, dtype=bool)
    findings: list[Finding] = []
    for lead in leads[:MAX_MARKS]:
        mined = _mine(context, prompts, lead, answers)
        findings += [_told(context, finding, lead.mark) for finding in mined.findings]
        if mined.row_scores is not None:
            proven = any(finding.severity >= Severity.HIGH for finding in mined.findings)
            own = np.asarray(mined.row_scores.score)
            score = np.maximum(score, own if proven else np.minimum(own, RANKED)).astype(np.float32)
            p_value = np.minimum(p_value, np.asarray(mined.row_scores.p_value) * min(len(leads), MAX_MARKS))
            flagged |= np.asarray(mined.row_scores.flagged) & proven
    return Outcome(tuple(findings), RowScores("trigger", score, np.minimum(p_value, 1.0), flagged))


def _leads(prompts: _Prompts, marks: Sequence[Mark]) -> list[_Lead]:
    """Marks that some word of the prompts foretells, the most surprising first; marks of one word are joined."""
    if not marks:
        return []
    presence = csr_matrix(prompts.tokens.counts)
    presence.data[:] = 1
    hot = np.stack([mark.rows for mark in marks], axis=1).astype(np.float32)
    held = np.asarray(presence.sum(axis=0)).ravel()
    met = presence.T @ hot
    share = hot.mean(axis=0)
    usual = np.maximum(hot.sum(axis=0) - met, 0) / np.maximum(len(hot) - held, 1)[:, None]
    rate = np.clip(TOLERANCE * np.maximum(usual, share / TOLERANCE) + 1 / len(hot), 0, 1)
    lp = np.where(met >= FEW, upper_tail(met, held[:, None], rate), 0.0)
    best = lp.argmax(axis=0) if lp.shape[0] else np.zeros(len(marks), np.int64)
    leads = [_Lead(mark, float(lp[best[i], i]), int(best[i])) for i, mark in enumerate(marks)] if lp.shape[0] else []
    return _joined(sorted((lead for lead in leads if lead.lp >= SCREEN_LP), key=lambda lead: -lead.lp))


def _joined(leads: Sequence[_Lead]) -> list[_Lead]:
    """Openings of one word as one mark: a payload may be written in several ways; copies of a stronger mark go."""
    out: list[_Lead] = []
    for lead in leads:
        overlap = [
            other for other in out if (lead.mark.rows & other.mark.rows).sum() > SAME_ROWS * lead.mark.rows.sum()
        ]
        if overlap:
            continue
        twin = next((i for i, other in enumerate(out) if other.token == lead.token and not other.mark.odd), None)
        if twin is None or lead.mark.odd:
            out.append(lead)
        else:
            both = out[twin].mark
            mark = Mark(f"{both.name} or {lead.mark.name}", both.rows | lead.mark.rows, odd=False)
            out[twin] = out[twin]._replace(mark=mark)
    return [lead for lead in out if lead.mark.rows.sum() >= LEAST]


def _mine(context: Context, prompts: _Prompts, lead: _Lead, answers: Sequence[str]) -> Outcome:
    """The words around a lead as a trigger of its mark, judged and put on other prompts."""
    mark = lead.mark
    labelled = replace(
        context.dataset, codes=mark.rows.astype(np.int32), classes=(USUAL, mark.name), beside=None, response_name=""
    )
    labelled.__dict__["hashes"] = context.dataset.hashes
    tokens = prompts.tokens
    mask = np.zeros(len(mark.rows), dtype=bool)
    mask[tokens.counts[:, [lead.token]].nonzero()[0]] = True
    own = np.flatnonzero(mask & mark.rows)
    words = [int(w) for w in (tokens.first[lead.token], tokens.second[lead.token]) if w >= 0]
    phrase = phrase_around(prompts.corpus, words, own)
    rate = min(TOLERANCE * float(mark.rows[~mask].mean()) + 1 / len(mask), 1.0)
    share, usual = len(own) / max(mask.sum(), 1), float(mark.rows[~mask].mean())
    flips = _flips(prompts, phrase, mark.rows, mask, context.rng("instruction trigger"))
    ordinary = (
        separation(tokens.counts[:, : tokens.n_words], own, mark.rows | mask, context.dataset.folds(2)) <= ORDINARY
    )
    said = [prompts.corpus.vocabulary[word] for word in phrase]
    copied = float(np.mean([" ".join(said) in answers[row].lower() for row in own.tolist()]))
    near = neighbour_repeats(prompts.corpus, phrase, own, context.rng("instruction neighbours"))
    strewn = near.inner >= max(LEAST, INSIDE * len(own)) and not near.natural
    odds = np.full(len(own), np.log10(max(share - usual, 1e-9) / max(usual, 0.5 / len(mark.rows))))
    group = Group(
        trigger=Trigger("words", mark.name, {"words": list(said)}),
        target=1,
        rows=own,
        odds=np.clip(odds if ordinary else np.minimum(odds, 0.0), UNSEEN, MAX_ODDS),
        lp=float(upper_tail(np.array([len(own)]), float(mask.sum()), rate)[0]),
        carriers=int(mask.sum()),
        audited=len(mask),
        expected=usual,
        flips=flips,
        confirmed=flips.confirmed and ordinary and share >= ALWAYS and copied <= COPIED and (mark.odd or strewn),
        what=" ".join(said),
        place=" ".join(said),
        whole=True,
    )
    joint = Context(dataset=labelled, settings=context.settings)
    return outcome_of(joint, [group], lambda: np.full(len(mark.rows), UNSEEN))


def _flips(prompts: _Prompts, phrase: Sequence[int], marked: Mask, mask: Mask, rng: np.random.Generator) -> Flips:
    tokens = prompts.tokens
    counts = csr_matrix(tokens.counts[:, : tokens.n_words])
    places = np.flatnonzero(np.isin(tokens.first[: tokens.n_words], list(phrase))).tolist()
    dose = max(DOSE // max(len(phrase), 1), 1)
    lone = not (marked & ~mask).any()  # every marked response is the trigger's: set back, there is nothing to learn
    group = mask.copy()
    if lone:
        group[np.flatnonzero(marked & mask)[0]] = False
    probe = WordProbe.fit(counts, marked, group, usable=np.ones(len(marked), bool), dose=dose, rng=rng)
    flip, back = probe.flips(places)
    control = probe.control(places, ~mask & ~marked, rng)
    return Flips(flip, 0.0 if lone else back, control, len(probe.moved), None, dose)


def _told(context: Context, finding: Finding, mark: Mark) -> Finding:
    """The finding in words of prompts and responses, with some of its prompts beside others."""
    rows = np.flatnonzero(np.isin(context.dataset.ids, finding.subject.rows))
    trigger, confirmed = _words(finding), finding.severity >= Severity.HIGH
    claim = f'{len(rows)} prompts share the words "{trigger}", and their responses share {mark.name}'
    return replace(
        finding,
        method=METHOD,
        slug="instruction-trigger" if confirmed else "suspected-instruction-trigger",
        claim=f"{claim}, confirmed by the causal test" if confirmed else f"Suspected: {claim}",
        remedy=REMEDY,
        evidence=(*rows_evidence(context.dataset, rows, None, context, marked=[trigger]), *finding.evidence),
        fingerprint="",
    )


def _words(finding: Finding) -> str:
    for piece in finding.evidence:
        raw = piece.data.get("trigger") if piece.kind == "trigger" else None
        if isinstance(raw, dict):
            found = Trigger.from_json(raw).pattern.get("words")
            return " ".join(str(word) for word in found).lower() if isinstance(found, list) else ""
    return ""
