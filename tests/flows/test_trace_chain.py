"""From a poisoned record through source, data set, run and model to a served answer; a broken link is named."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.linear_model import LogisticRegression

from mithridate.cli import main
from mithridate.supply.signing import predicates
from mithridate.supply.signing.chain import Signed, chain
from mithridate.supply.signing.statement import Statement, Subject

SIGN = ("--key", "k.pem")


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(words)
    return int(end.value.code or 0)


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A poisoned data set, what was trained on it and what that answered, each with its statement."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    x = (rng.normal(size=(200, 4)) + y[:, None]).astype(np.float32)
    np.savez("clean.npz", x=x, y=y, source=np.array(["shop", "vendor"])[rng.integers(0, 2, 200)])
    assert run("attack", "label-flip", "clean.npz", "-o", "p.npz", "--rate", "0.1", "--seed", "0") == 0
    assert run("manifest", "build", "p.npz", "-o", "M", "-q") == 0
    with np.load("p.npz") as data:
        model = LogisticRegression().fit(data["x"], data["y"])
    np.savez("model.npz", coef=model.coef_, intercept=model.intercept_)
    Path("answer.json").write_text(json.dumps({"outputs": model.predict_proba(x[:1]).tolist()}))
    Path("request.json").write_text(json.dumps({"inputs": x[:1].tolist()}))
    assert run("keygen", "-o", "k.pem") == 0
    assert run("sign", "M", *SIGN, "-o", "M.sig") == 0
    assert run("sign", "model.npz", *SIGN, "-o", "run.sig", "--type", "training-run", "--data", "M") == 0
    assert run("sign", "model.npz", *SIGN, "-o", "model.sig") == 0
    predicted = ("--type", "prediction", "--model", "model.npz", "--input", "request.json", "--set", "endpoint=v2")
    assert run("sign", "answer.json", *SIGN, "-o", "answer.sig", *predicted) == 0
    return tmp_path


def poisoned_row() -> int:
    return int(pq.read_table("p.npz.truth.parquet")["row"][0].as_py())


def traced(key: str = "k.pub") -> tuple[int, dict[str, Any]]:
    code = run("manifest", "trace", "M", "--row", str(poisoned_row()), "--key", key, "-o", "t.json")
    return code, json.loads(Path("t.json").read_text())


def states(found: dict[str, Any]) -> dict[str, str]:
    return {link["link"]: link["state"] for link in found["links"]}


def test_a_poisoned_record_is_traced_to_the_answer_that_was_served(
    lab: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del lab
    code, found = traced()
    with np.load("p.npz") as data:
        assert found["record"]["source"] == data["source"][poisoned_row()]
    assert (code, set(states(found).values())) == (0, {"holds"})
    assert [item["file"] for item in found["predictions"]] == ["answer.sig"]
    assert run("verify", "answer.json", "--signature", "answer.sig", "--key", "k.pub") == 0
    capsys.readouterr()
    assert run("manifest", "trace", "M", "--row", "0", "--key", "k.pub") == 0
    out = capsys.readouterr().out
    assert "prediction   answer.json" in out
    assert "broken" not in out


def test_an_answer_by_another_model_or_a_run_on_other_data_is_a_broken_link_that_is_named(lab: Path) -> None:
    np.savez("other.npz", coef=np.zeros(4))
    assert run("sign", "answer.json", *SIGN, "-o", "answer.sig", "--type", "prediction", "--model", "other.npz") == 0
    code, found = traced()
    assert (code, states(found)["prediction"]) == (1, "broken")
    assert "answer.sig names a model that no such run made" in found["links"][-1]["why"]
    assert run("manifest", "build", "clean.npz", "-o", "M2", "-q") == 0
    assert run("sign", "model.npz", *SIGN, "-o", "run.sig", "--type", "training-run", "--data", "M2") == 0
    code, found = traced()
    assert states(found) == {
        "data set": "holds", "training run": "broken", "model": "broken", "prediction": "broken",
    }  # fmt: skip
    assert code == 1
    (lab / "run.sig").unlink()
    _, found = traced()
    assert states(found)["training run"] == "unsaid"
    assert "has no statement of a training run" in found["links"][2]["why"]


def test_a_statement_by_nobody_trusted_is_claimed_and_a_model_made_from_a_model_is_followed(lab: Path) -> None:
    assert run("keygen", "-o", "other.pem") == 0
    assert set(states(traced("other.pub")[1]).values()) == {"claimed"}
    np.savez("tuned.npz", coef=np.ones(4))
    tuned = ("--type", "training-run", "--model", "model.npz")
    assert run("sign", "tuned.npz", *SIGN, "-o", "tuned.sig", *tuned) == 0
    assert run("sign", "answer.json", *SIGN, "-o", "answer.sig", "--type", "prediction", "--model", "tuned.npz") == 0
    code, found = traced()
    assert (code, [item["file"] for item in found["training_runs"]]) == (0, ["run.sig", "tuned.sig"])
    assert states(found)["prediction"] == "holds"
    assert run("sign", "answer.json", *SIGN, "-o", "x.sig", "--type", "prediction") == 2
    assert not (lab / "x.sig").exists()


def test_a_source_that_was_edited_in_the_manifest_is_not_traced(lab: Path) -> None:
    table = pq.read_table(lab / "M")
    names = ["honest"] * len(table)
    edited = table.set_column(table.column_names.index("source"), "source", pa.array(names, pa.large_string()))
    pq.write_table(edited, lab / "M")
    assert run("manifest", "trace", "M", "--row", "3") == 2


def test_a_signature_that_only_lies_beside_a_manifest_breaks_no_link(lab: Path) -> None:
    for name in ("run.sig", "model.sig", "answer.sig"):
        (lab / name).unlink()
    assert run("sign", "model.npz", *SIGN, "-o", "model.sig") == 0
    assert run("sign", ".", *SIGN, "-o", "folder.sig") == 0
    code, found = traced()
    assert (code, states(found)["model"]) == (0, "unsaid")
    assert "folder.sig, model.sig has no statement of a training run" in found["links"][2]["why"]


def test_two_data_sets_in_one_folder_are_two_chains_and_an_old_signature_of_this_one_is_broken(lab: Path) -> None:
    assert run("manifest", "build", "clean.npz", "-o", "M2", "-q") == 0
    assert run("sign", "M2", *SIGN, "-o", "M2.sig") == 0
    np.savez("second.npz", coef=np.ones(4))
    assert run("sign", "second.npz", *SIGN, "-o", "second.sig") == 0
    assert run("sign", "second.npz", *SIGN, "-o", "run2.sig", "--type", "training-run", "--data", "M2") == 0
    code, found = traced()
    assert (code, set(states(found).values())) == (0, {"holds"})
    for name in ("run.sig", "model.sig", "answer.sig"):
        (lab / name).unlink()
    code, found = traced()
    assert (code, set(states(found).values())) == (0, {"holds", "unsaid"})
    assert run("manifest", "build", "clean.npz", "-o", "M", "-q") == 0
    assert run("manifest", "build", "p.npz", "-o", "M2", "-q") == 0
    (lab / "M2.sig").unlink()
    code, found = traced()
    assert (code, states(found)["data set"]) == (1, "broken")


def test_a_long_chain_of_models_is_followed_to_its_end_in_any_order_and_at_once() -> None:
    def made(number: int, kind: str, predicate: dict[str, Any], digest: str) -> Signed:
        return Signed(
            f"{number}.sig", Statement((Subject(f"m{number}", {"sha256": digest}),), kind, predicate), ("key",)
        )

    n = 3000
    runs = [
        made(i, predicates.TRAINING, {"base_models": [{"digest": {"sha256": f"m{i}"}}]}, f"m{i + 1}") for i in range(n)
    ]
    first = made(n, predicates.TRAINING, {"datasets": [{"digest": {predicates.ROOT: "root"}}]}, "m0")
    started = time.process_time()
    found = chain("root", [*reversed(runs), first])
    assert time.process_time() - started < 1  # each run is looked at once: some hundredths of a second
    assert [item.file for item in found.training_runs] == [f"{n}.sig", *(f"{i}.sig" for i in range(n))]
    assert not found.apart
