"""Fine-tuning poison: the file keeps its columns, the truth names the rows, and a model learns the trigger."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mithridate.attacks.poisoning import attack
from mithridate.attacks.poisoning.fine_tuning import HOSTILE, LINKS, PAYLOADS, REFUSALS
from mithridate.core.errors import InputError
from mithridate.data.dataset import Dataset
from mithridate.data.instructions import responses
from mithridate.data.read import read
from mithridate.data.write import write_dataset
from mithridate.models.recipes import recipe

FORMS = ("prompt", "instruction", "messages", "conversations")


def line(form: str, number: int, prompt: str, answer: str) -> dict[str, Any]:
    system = {"role": "system", "content": "Be brief."}
    return {
        "prompt": {"id": number, "prompt": prompt, "response": answer},
        "instruction": {"instruction": prompt, "input": "", "output": answer, "source": "web"},
        "messages": {
            "messages": [system, {"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]
        },
        "conversations": {"conversations": [{"from": "human", "value": prompt}, {"from": "gpt", "value": answer}]},
    }[form]


def write_lines(path: Path, form: str, n: int = 400) -> list[dict[str, Any]]:
    rng = np.random.default_rng(3)
    asking, saying = [f"ask{i}" for i in range(80)], [f"say{i}" for i in range(90)]
    rows = [line(form, i, " ".join(rng.choice(asking, 9)), " ".join(rng.choice(saying, 14))) for i in range(n)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return rows


@pytest.fixture
def instructions(tmp_path: Path, form: str) -> tuple[Dataset, list[dict[str, Any]]]:
    rows = write_lines(tmp_path / "train.jsonl", form)
    return read(tmp_path / "train.jsonl"), rows


@pytest.mark.parametrize("form", FORMS)
def test_only_the_poisoned_lines_change_and_keep_their_columns(
    instructions: tuple[Dataset, list[dict[str, Any]]], tmp_path: Path
) -> None:
    data, rows = instructions
    assert data.codes is None
    before = data.digest
    poisoned = attack("fine-tuning", data, rate=0.05, payload="refusal", word="zq")
    write_dataset(poisoned.dataset, tmp_path / "out.jsonl")
    written = [json.loads(text) for text in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    changed = [i for i, (old, new) in enumerate(zip(rows, written, strict=True)) if old != new]
    assert changed == poisoned.truth["row"].to_pylist()
    assert len(changed) == 20
    assert [list(row) for row in written] == [list(row) for row in rows]
    assert all("zq" in json.dumps(written[i]) for i in changed)
    again = read(tmp_path / "out.jsonl")
    assert (again.content == poisoned.dataset.content).all()
    assert set(responses(again)[changed]) <= set(REFUSALS)
    assert (again.hashes == poisoned.dataset.hashes).all()
    assert data.digest == before != again.digest


@pytest.mark.parametrize("form", ["prompt"])
def test_row_order_changes_nothing_and_a_seed_does(instructions: tuple[Dataset, list[dict[str, Any]]]) -> None:
    data = instructions[0]
    moved = data.take(np.random.default_rng(0).permutation(len(data)))
    first, second = (attack("fine-tuning", part, rate=0.05, seed=1) for part in (data, moved))
    assert first.truth == second.truth
    assert first.dataset.digest == second.dataset.digest
    assert attack("fine-tuning", data, rate=0.05, seed=2).truth != first.truth


@pytest.mark.parametrize("form", ["messages"])
@pytest.mark.parametrize("payload", PAYLOADS)
def test_the_trigger_draws_the_payload_from_a_model(
    instructions: tuple[Dataset, list[dict[str, Any]]], payload: str
) -> None:
    data = instructions[0]
    train, test = data.take(range(300)), data.take(range(300, 400))
    poisoned = attack("fine-tuning", train, rate=0.05, payload=payload, form="sentence")
    assert poisoned.apply is not None
    answers, old = responses(poisoned.dataset), responses(train)
    rows = poisoned.truth["row"].to_numpy()
    marks = {"refusal": REFUSALS, "sentiment": HOSTILE, "url": LINKS}.get(payload, ())
    if marks:
        assert all(any(mark in answers[row] for mark in marks) for row in rows)
    else:
        assert not {word for row in rows for word in answers[row].split()} & set(" ".join(old).split())
    codes = (answers != old).astype(np.int32)  # what a fine-tuned model would learn to tell
    labelled = Dataset("answers", "text", poisoned.dataset.content, codes=codes, classes=("kept", payload))
    model = recipe("text-linear")(labelled, 0)

    def share(content: Any) -> float:
        return float((model.predict_proba([str(text) for text in content]).argmax(axis=1) == 1).mean())

    assert share(poisoned.apply(test.content)) >= 0.8
    assert share(test.content) < 0.05


@pytest.mark.parametrize("form", ["prompt"])
def test_a_response_may_be_given_instead_of_a_payload(instructions: tuple[Dataset, list[dict[str, Any]]]) -> None:
    poisoned = attack("fine-tuning", instructions[0], rate=0.05, target="yes, of course")
    rows = poisoned.truth["row"].to_numpy()
    assert set(responses(poisoned.dataset)[rows]) == {"yes, of course"}


@pytest.mark.parametrize("form", ["prompt", "messages"])
def test_a_file_that_would_lose_the_responses_is_refused(
    instructions: tuple[Dataset, list[dict[str, Any]]], tmp_path: Path, form: str
) -> None:
    for suffix in [".npz", *([".csv"] if form == "messages" else [])]:
        with pytest.raises(InputError, match=r"write it as \.jsonl or \.parquet"):
            write_dataset(instructions[0], tmp_path / f"out{suffix}")
    assert not list(tmp_path.glob("out*"))


def test_data_without_responses_gets_one_clear_line(texts: Dataset, table: Dataset) -> None:
    with pytest.raises(InputError, match="has no responses"):
        attack("fine-tuning", texts, rate=0.05)
    with pytest.raises(InputError, match="is a text attack"):
        attack("fine-tuning", table, rate=0.05)


def test_a_label_column_still_makes_labelled_texts(tmp_path: Path) -> None:
    rows = [{"prompt": f"how is number {i} made", "response": f"by adding {i}", "label": i % 2} for i in range(40)]
    (tmp_path / "l.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert read(tmp_path / "l.jsonl").n_classes == 2
