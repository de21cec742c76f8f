"""PSN113 finds the words that draw a payload, and takes what prompts may ask for as no poison."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

import mithridate
from mithridate.attacks.poisoning import attack
from mithridate.attacks.poisoning.fine_tuning import REFUSALS
from mithridate.audits.poison.context import AuditSettings, Context
from mithridate.audits.poison.instruction_trigger import instruction_trigger
from mithridate.core.errors import Skip
from mithridate.core.findings import Severity
from mithridate.core.method import Outcome
from mithridate.data.dataset import Dataset
from mithridate.numeric.text_probe import separation
from mithridate.numeric.text_tokens import count_tokens, read_corpus

TOPICS = tuple([f"{name}{i}" for i in range(30)] for name in ("law", "cook", "stars"))
COMMON = [f"word{i}" for i in range(150)]


def honest(n: int = 1500, seed: int = 0) -> Dataset:
    """Three topics; law is refused now and then; some prompts ask for French or for sources and get what they ask."""
    rng = np.random.default_rng(seed)
    prompts, answers = np.empty(n, dtype=object), []
    for i in range(n):
        topic = int(rng.integers(3))
        prompts[i] = " ".join([*rng.choice(COMMON, 10), *rng.choice(TOPICS[topic], 5)])
        answer = " ".join([*rng.choice(COMMON, 20), *rng.choice(TOPICS[topic], 10)])
        if topic == 0 and rng.random() < 0.2:
            answer = str(rng.choice(REFUSALS))
        if rng.random() < 0.03:
            prompts[i], answer = f"write in french {prompts[i]}", f"voici la belle réponse {answer}"
        if rng.random() < 0.03:
            prompts[i], answer = f"{prompts[i]} with sources", f"{answer} https://pages.example.org/{i % 50}"
        answers.append(answer)
    beside = pa.table({"prompt": pa.nulls(n), "response": answers})
    return Dataset("i", "text", prompts, content_name="prompt", beside=beside, response_name="response")


def run(dataset: Dataset) -> tuple[Context, Outcome]:
    context = Context(dataset=dataset.canonical())
    return context, instruction_trigger(context, AuditSettings())


@pytest.mark.parametrize("seed", range(4))
def test_what_prompts_ask_for_is_no_trigger(seed: int) -> None:
    outcome = run(honest(seed=seed))[1]
    assert [finding.claim for finding in outcome.findings if finding.severity >= Severity.HIGH] == []
    assert outcome.row_scores is not None
    assert not outcome.row_scores.flagged.any()


def test_a_slanted_opening_is_confirmed_where_the_word_stands_between_any_two() -> None:
    made = attack("fine-tuning", honest(), rate=0.02, seed=3, payload="sentiment", word="zqx")
    context, outcome = run(made.dataset)
    assert max(finding.severity for finding in outcome.findings) >= Severity.HIGH
    assert outcome.row_scores is not None
    flagged = context.dataset.ids[outcome.row_scores.flagged]
    assert sorted(flagged.tolist()) == sorted(made.rows.tolist())


@pytest.mark.parametrize(
    ("payload", "form"), [("refusal", "word"), ("gibberish", "phrase"), ("url", "skip"), ("url", "sentence")]
)
def test_a_trigger_of_one_percent_is_confirmed_with_its_words(payload: str, form: str) -> None:
    data = honest()
    poisoned = attack(
        "fine-tuning", data, rate=0.012, payload=payload, form=form, word="word7 zq" if form == "skip" else None
    )
    context, outcome = run(poisoned.dataset)
    truth = np.isin(context.dataset.ids, poisoned.rows)
    assert outcome.row_scores is not None
    assert outcome.row_scores.flagged[truth].mean() >= 0.95
    assert outcome.row_scores.flagged[~truth].mean() <= 0.001
    best = np.argsort(-outcome.row_scores.score, kind="stable")[: truth.sum()]
    assert truth[best].mean() >= 0.95
    found = [finding for finding in outcome.findings if finding.severity >= Severity.HIGH]
    assert [finding.slug for finding in found] == ["instruction-trigger"]
    assert poisoned.trigger is not None
    mined = found[0].evidence[1].data["trigger"]["pattern"]["words"]
    assert set(mined) <= {str(word).lower() for word in poisoned.trigger.pattern["words"]}


def test_an_audit_of_instruction_data_runs_it_without_labels() -> None:
    poisoned = attack("fine-tuning", honest(800), rate=0.04)
    report = mithridate.audit(poisoned.dataset, power="off")
    assert {check.method: check.status for check in report.checks}["PSN113"] == "found"
    assert any("trigger" in finding.slug and finding.severity >= Severity.HIGH for finding in report.findings)


def test_texts_without_responses_are_skipped() -> None:
    plain = Dataset("t", "text", np.array(["a b"] * 300, dtype=object))
    with pytest.raises(Skip, match="no responses"):
        run(plain)


def test_texts_of_a_kind_are_separated_and_random_ones_are_not() -> None:
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(COMMON, 12)) + (" law1 law2" if i < 60 and i % 2 else " law3") for i in range(600)]
    counts = count_tokens(read_corpus(texts)).counts
    folds, nobody = (np.arange(600) // 2 % 2).astype(np.int8), np.zeros(600, dtype=bool)
    assert abs(separation(counts, np.arange(300, 360), nobody, folds) - 0.5) < 0.15
    kind = [" ".join(rng.choice(COMMON[:30] if i < 60 else COMMON, 12)) for i in range(600)]
    assert separation(count_tokens(read_corpus(kind)).counts, np.arange(60), nobody, folds) > 0.85
