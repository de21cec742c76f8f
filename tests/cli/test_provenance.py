"""Manifest, sign, verify, keygen as a user meets them: exit codes, findings, one clear line, nothing overwritten."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from mithridate.cli import cli, main
from mithridate.core import ledger

N = 200


class Shell:
    """Runs verbs in this process and in one folder."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys = folder, capsys

    def __call__(self, *words: str) -> int:
        with pytest.raises(SystemExit) as end:
            main(words)
        said = self.capsys.readouterr()
        self.out, self.err = said.out, said.err
        assert "Traceback" not in self.err
        return int(end.value.code or 0)

    def json(self, name: str) -> Any:
        return json.loads((self.folder / name).read_text())


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A folder with a data set, its manifest, a model and two key pairs."""
    monkeypatch.chdir(tmp_path)
    write(x=content(), name="clean.npz")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "w.bin").write_bytes(bytes(100))
    found = Shell(tmp_path, capsys)
    assert found("manifest", "build", "clean.npz", "-o", "M") == 0
    assert found("keygen", "-o", "k.pem") == 0
    assert found("keygen", "-o", "e.pem", "--algorithm", "ed25519") == 0
    return found


def content() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(N, 5)).astype(np.float32)


def write(*, x: np.ndarray, name: str, order: Any = slice(None)) -> None:
    y, source = np.arange(N) % 3, np.array(["shop", "web"])[np.arange(N) % 2]
    np.savez(name, x=x[order], y=y[order], source=source[order])


def as_table() -> pa.Table:
    with np.load("clean.npz") as data:
        return pa.table({"x": list(data["x"]), "y": data["y"], "source": data["source"]})


def test_the_same_rows_as_parquet_hold(shell: Shell) -> None:
    table = as_table()
    pq.write_table(table, "same.parquet", row_group_size=13, compression="gzip")
    assert shell("manifest", "verify", "M", "same.parquet", "-o", "r.json") == 0
    assert "all 200 records" in shell.out
    report = shell.json("r.json")
    assert (report["verdict"], report["findings"], report["target"]["rows"]) == ("clean", [], N)


def test_split_view_poisoning_is_named_row_by_row(shell: Shell) -> None:
    x = content()
    x[[3, 77]] += 1
    write(x=x, name="later.npz")
    assert shell("manifest", "verify", "M", "later.npz", "-o", "r.json") == 1
    (finding,) = shell.json("r.json")["findings"]
    assert finding["subject"]["rows"] == [3, 77]
    assert finding["subject"]["sources"] == {"web": 2}
    assert (finding["severity"], finding["method"]) == ("high", "PSN114")


@pytest.mark.parametrize(
    ("order", "change", "rows"),
    [
        (np.delete(np.arange(N), 9), "dropped", [9]),
        (np.insert(np.arange(N), 20, 50), "repeated", [20]),
        (np.array([0, 2, 1, *range(3, N)]), "swapped", [1, 2]),
        (np.roll(np.arange(N), -1), "reordered", [N - 1]),
    ],
)
def test_order_and_number_of_rows_are_told_apart(order: np.ndarray, change: str, rows: list[int], shell: Shell) -> None:
    write(x=content(), name="later.npz", order=order)
    assert shell("manifest", "verify", "M", "later.npz", "-q", "-o", "r.json") == 1
    (finding,) = shell.json("r.json")["findings"]
    subject = finding["subject"]
    assert (subject["change"], subject["rows"]) == (change, rows)
    assert (subject["kind"], subject["rows_of"]) == (
        ("manifest-rows", "manifest") if change == "dropped" else ("rows", "source")
    )
    pairs = {"dropped": None, "repeated": [[20, 50]], "swapped": [[1, 2], [2, 1]], "reordered": [[N - 1, 0]]}
    assert subject.get("pairs") == pairs[change]


def test_other_columns_are_a_finding_and_not_a_thousand(shell: Shell) -> None:
    np.savez("bare.npz", x=content(), y=np.arange(N) % 3)
    assert shell("manifest", "verify", "M", "bare.npz", "-o", "r.json") == 1
    assert [f["place"] for f in shell.json("r.json")["findings"]] == ["layout"]


@pytest.mark.parametrize(
    "words",
    [
        ("manifest", "verify", "nothing", "clean.npz"), ("manifest", "verify", "M", "nothing.npz"),
        ("manifest", "verify", "clean.npz", "clean.npz"), ("manifest", "build", "nothing.npz", "-o", "M2"),
        ("manifest", "build", "clean.npz", "-o", "nowhere/M"), ("manifest", "build", "clean.npz", "-o", "clean.npz"),
        ("manifest", "build", "clean.npz", "-o", "M2", "--salt-file", "nothing"),
        ("manifest", "prove", "M", "--row", "200"), ("manifest", "prove", "M"), ("manifest", "prove", "--check", "M"),
        ("manifest", "prove", "--check", "nothing"), ("manifest", "diff", "M", "clean.npz"),
        ("manifest", "export", "M", "--format", "croissant"), ("manifest", "trace", "M", "--row", "999"),
        ("verify", "model", "--signature", "nothing", "--key", "k.pub"), ("verify", "model", "--signature", "M"),
        ("verify", "model", "--signature", "M", "--key", "k.pub"), ("keygen", "-o", "k.pem"),
        ("verify", "model", "--signature", "M", "--key", "k.pem"), ("sign", "nothing", "--key", "k.pem", "-o", "s"),
        ("sign", "model", "--key", "k.pub", "-o", "s"), ("sign", "model", "--key", "k.pem", "-o", "M"),
        ("sign", "model", "--key", "k.pem", "-o", "s", "--type", "dataset"), ("keygen", "-o", "nowhere/k.pem"),
        ("sign", "model", "--key", "k.pem", "-o", "s", "--set", "x"), ("keygen", "-o", "x.pub"),
    ],
)  # fmt: skip
def test_what_can_not_run_is_one_line_and_exit_2(words: tuple[str, ...], shell: Shell) -> None:
    before = {file: file.stat().st_mtime_ns for file in shell.folder.iterdir()}
    assert shell(*words) == 2
    assert shell.err.startswith("mithridate: ")
    assert shell.err.count("\n") == 1
    assert {file: file.stat().st_mtime_ns for file in shell.folder.iterdir()} == before


def test_a_proof_holds_for_its_manifest_alone(shell: Shell) -> None:
    x = content()
    x[7] = 0
    write(x=x, name="later.npz")
    assert shell("manifest", "build", "later.npz", "-o", "M2") == 0
    assert shell("manifest", "prove", "M", "--row", "7", "-o", "p.json") == 0
    assert shell("manifest", "prove", "M", "--check", "p.json") == 0
    assert shell("manifest", "prove", "M2", "--check", "p.json") == 1
    proof = shell.json("p.json")
    proof["proof"]["leaf"] = "00" * 32
    (shell.folder / "forged.json").write_text(json.dumps(proof))
    assert shell("manifest", "prove", "M", "--check", "forged.json") == 1


def test_a_record_in_hand_is_proven_to_be_in_the_data_or_is_not_there(shell: Shell) -> None:
    x, y, source = content(), np.arange(N) % 3, np.array(["shop", "web"])[np.arange(N) % 2]
    np.savez("one.npz", x=x[9:10], y=y[9:10], source=source[9:10])
    np.savez("other.npz", x=x[9:10] + 1, y=y[9:10], source=source[9:10])
    assert shell("manifest", "prove", "M", "--record", "one.npz", "-o", "p.json") == 0
    assert shell.json("p.json")["proof"]["row"] == 9
    assert shell("manifest", "prove", "M", "--check", "p.json", "--record", "one.npz") == 0
    assert shell("manifest", "prove", "M", "--check", "p.json", "--record", "other.npz") == 1
    assert shell("manifest", "prove", "M", "--record", "other.npz") == 1
    assert shell("manifest", "prove", "M", "--record", "clean.npz") == 2
    np.savez("wide.npz", x=x, y=y, source=source, url=y + 1)
    assert shell("manifest", "build", "wide.npz", "-o", "W") == 0
    assert shell("manifest", "prove", "W", "--record", "one.npz") == 2
    np.savez("one.npz", x=x[9:10], y=y[9:10], source=source[9:10], url=y[9:10] + 1)
    assert shell("manifest", "prove", "W", "--record", "one.npz", "-o", "p.json") == 0


def test_a_deleted_record_is_proven_gone_and_one_that_stays_is_not(shell: Shell) -> None:
    write(x=content(), name="less.npz", order=np.delete(np.arange(N), 7))
    assert shell("manifest", "build", "less.npz", "-o", "M2") == 0
    assert shell("manifest", "prove", "M", "--row", "7", "--not-in", "M2", "-o", "gone.json") == 0
    assert shell("manifest", "prove", "M", "--check", "gone.json", "--not-in", "M2") == 0
    assert shell("manifest", "prove", "M", "--check", "gone.json", "--not-in", "M") == 1
    assert shell("manifest", "prove", "--check", "gone.json") == 0
    assert shell.json("gone.json")["absent"]["index"] in shell.out
    proof = shell.json("gone.json")
    proof["absent"]["neighbours"]["before"] = None
    (shell.folder / "forged.json").write_text(json.dumps(proof))
    assert shell("manifest", "prove", "--check", "forged.json") == 1
    for leaf in ("x", ""):
        odd_leaf = {**proof, "proof": {**proof["proof"], "leaf": leaf}}
        (shell.folder / "forged.json").write_text(json.dumps(odd_leaf))
        assert shell("manifest", "prove", "--check", "forged.json") in {1, 2}
    for odd in (3, {}, {"neighbours": 3}, {"neighbours": {"before": {}, "after": None}, "rows": 1}):
        proof["absent"] = odd
        (shell.folder / "forged.json").write_text(json.dumps(proof))
        assert shell("manifest", "prove", "--check", "forged.json") in {1, 2}
    assert shell("manifest", "prove", "M", "--row", "8", "--not-in", "M2") == 2
    assert "still in" in shell.err


def test_a_manifest_is_trusted_only_with_its_signature(shell: Shell) -> None:
    assert shell("sign", "M", "--key", "k.pem", "-o", "M.sig") == 0
    signed = ("--signature", "M.sig", "--key")
    assert shell("manifest", "verify", "M", "clean.npz", *signed, "k.pub", "-o", "r.json") == 0
    assert len(shell.json("r.json")["checks"]) == 2
    assert shell("manifest", "verify", "M", "clean.npz", *signed, "e.pub") == 1
    write(x=content() + 1, name="later.npz")
    assert shell("manifest", "build", "later.npz", "-o", "M") == 0
    assert shell("manifest", "verify", "M", "later.npz") == 0
    assert shell("manifest", "verify", "M", "later.npz", *signed, "k.pub") == 1
    assert shell("manifest", "verify", "M", "later.npz", "--key", "k.pub") == 2


def test_a_difference_names_rows_and_sources(shell: Shell) -> None:
    write(x=content(), name="less.npz", order=np.delete(np.arange(N), [7, 9]))
    assert shell("manifest", "build", "less.npz", "-o", "M2") == 0
    assert shell("manifest", "diff", "M", "M2", "-o", "d.json") == 1
    found = shell.json("d.json")
    assert (found["dropped"], found["changed"], found["sources"]) == ([7, 9], [], {"web": [100, 98]})
    assert shell("manifest", "diff", "M", "M") == 0
    assert shell("manifest", "build", "clean.npz", "-o", "M3", "--leave-out", "source") == 0
    assert shell("manifest", "diff", "M", "M3", "-o", "d.json") == 1
    found = shell.json("d.json")
    assert (found["compared"], found["changed"]) == (False, [])


def test_the_terminal_names_the_first_rows(shell: Shell) -> None:
    x = content()
    x[np.arange(12) * 3] += 1
    write(x=x, name="later.npz")
    assert shell("manifest", "verify", "M", "later.npz") == 1
    assert "(rows 0, 3, 6, 9, 12, 15, 18, 21, 24, 27 and 2 more)" in shell.out
    write(x=content(), name="less.npz", order=np.delete(np.arange(N), 9))
    assert shell("manifest", "verify", "M", "less.npz") == 1
    assert "(row 9 of the manifest)" in shell.out


def test_a_salted_manifest_needs_its_salt(shell: Shell) -> None:
    (shell.folder / "salt").write_bytes(os.urandom(32))
    assert shell("manifest", "build", "clean.npz", "-o", "S", "--salt-file", "salt") == 0
    assert shell("manifest", "verify", "S", "clean.npz", "--salt-file", "salt") == 0
    assert shell("manifest", "verify", "S", "clean.npz") == 2
    assert shell("manifest", "diff", "S", "M") == 2


def test_the_chain_leads_from_a_record_to_models_and_signers(shell: Shell) -> None:
    assert shell("sign", "M", "--key", "k.pem", "-o", "M.sig") == 0
    assert shell("manifest", "verify", "M", "clean.npz", "-q", "-o", "r.json") == 0
    assert shell("sign", "r.json", "--key", "k.pem", "-o", "r.sig") == 0
    assert shell("sign", "model", "--key", "k.pem", "-o", "model.sig") == 0
    run = ("--type", "training-run", "--data", "M", "--seed", "3", "--set", "lr=0.1")
    assert shell("sign", "model", "--key", "e.pem", "-o", "run.sig", *run) == 0
    assert shell("sign", "clean.npz", "--key", "k.pem", "-o", "other.sig") == 0
    for path, signature, key in (("M", "M.sig", "k"), ("r.json", "r.sig", "k"), ("model", "run.sig", "e")):
        assert shell("verify", path, "--signature", signature, "--key", f"{key}.pub") == 0
        assert shell("verify", "clean.npz", "--signature", signature, "--key", f"{key}.pub") == 1
    assert shell("manifest", "trace", "M", "--row", "5", "--key", "k.pub", "-o", "t.json") == 0
    found = shell.json("t.json")
    assert (found["record"]["source"], found["dataset"]["source_rows"]) == ("web", 100)
    kinds = ("datasets", "audits", "training_runs", "models")
    assert [[(item["file"], item["verified"]) for item in found[kind]] for kind in kinds] == [
        [("M.sig", True)], [("r.sig", True)], [("run.sig", False)], [("model.sig", True)],
    ]  # fmt: skip
    assert shell("manifest", "trace", "M", "--row", "5", "--key", "k.pub") == 0
    assert "not verified" in shell.out


def test_verify_exits_0_1_2_and_its_report_says_why(shell: Shell) -> None:
    assert shell("sign", "model", "--key", "k.pem", "-o", "model.sig") == 0
    assert shell("verify", "model", "--signature", "model.sig", "--key", "k.pub", "-o", "r.json") == 0
    assert shell.json("r.json")["findings"] == []
    assert shell("verify", "model", "--signature", "model.sig", "--key", "e.pub") == 1
    (shell.folder / "model" / "w.bin").write_bytes(bytes(99))
    assert shell("verify", "model", "--signature", "model.sig", "--key", "k.pub", "-o", "r.json") == 1
    assert "w.bin changed" in shell.json("r.json")["findings"][0]["claim"]
    (shell.folder / "model.sig").write_bytes(b"{}")
    assert shell("verify", "model", "--signature", "model.sig", "--key", "k.pub") == 2


def test_verify_obeys_the_access_rules_before_it_looks_and_logs_the_decision(shell: Shell) -> None:
    rule = '[[rule]]\neffect = "allow"\nrole = "engineer"\naction = "verify"\nlabel = "*"\n'
    (shell.folder / "a.toml").write_text(rule)
    assert shell("sign", "model", "--key", "k.pem", "-o", "model.sig") == 0
    asked = ("verify", "model", "--signature", "model.sig", "--key", "k.pub", "-o", "r.json", "--access", "a.toml")
    assert shell(*asked, "--as", "intern") == 1
    assert "intern may not verify model" in shell.err
    assert not (shell.folder / "r.json").exists()
    assert shell(*asked, "--as", "engineer") == 0
    assert shell.json("r.json")["verdict"] == "clean"
    facts = [entry.facts() for entry in ledger.entries(shell.folder / ledger.PLACE)]
    assert [(said["role"], said["action"], said["allowed"]) for said in facts] == [
        ("intern", "verify", False), ("engineer", "verify", True),
    ]  # fmt: skip
    assert shell(*asked) == 2


def test_the_address_of_a_private_key_is_told_from_a_public_key_s_file(shell: Shell) -> None:
    assert shell("sign", "M", "--key", "k.pem", "-o", "M.sig") == 0
    for words in (("verify", "M"), ("manifest", "verify", "M", "clean.npz")):
        assert shell(*words, "--signature", "M.sig", "--key", "awskms:alias/x") == 2
        assert "mithridate keygen --token ADDRESS -o K.pub" in shell.err
    assert shell("manifest", "trace", "M", "--row", "0", "--key", "pkcs11:token=T?pin-source=secret") == 2
    assert "secret" not in shell.err
    assert shell("keygen", "--token", "gcpkms:x", "-o", "new.pub") == 2
    assert "awskms:alias/NAME" in shell.err


def test_access_rules_given_to_verify_as_its_policy_are_known_for_what_they_are(shell: Shell) -> None:
    assert shell("sign", "model", "--key", "k.pem", "-o", "model.sig") == 0
    Path("a.toml").write_text('[[rule]]\neffect = "allow"\nrole = "engineer"\naction = "verify"\nlabel = "*"\n')
    asked = ("verify", "model", "--signature", "model.sig", "--key", "k.pub", "--policy", "a.toml", "--as")
    assert shell(*asked, "engineer") == 0
    assert shell(*asked, "intern") == 1
    assert shell(*asked[:-1]) == 2
    assert "--as go together" in shell.err
    assert shell(*asked, "engineer", "--access", "a.toml") == 2
    Path("a.toml").write_text("rule = [1]")
    assert shell(*asked[:-1]) == 2
    assert "schema" in shell.err


def test_the_log_never_lies_in_the_folder_that_is_verified(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = '[[rule]]\neffect = "allow"\nrole = "engineer"\naction = "verify"\nlabel = "*"\n'
    (shell.folder / "a.toml").write_text(rule)
    assert shell("sign", "model", "--key", "k.pem", "-o", "model.sig") == 0
    monkeypatch.chdir(shell.folder / "model")
    asked = ("verify", ".", "--signature", "../model.sig", "--key", "../k.pub", "--access", "../a.toml", "--as")
    for _ in range(2):
        assert shell(*asked, "engineer") == 0
        assert shell.err.count("\n") == 1
        assert str(shell.folder / ledger.PLACE) in shell.err
    assert len(list(ledger.entries(shell.folder / ledger.PLACE))) == 2
    assert shell(*asked, "engineer", "--ledger", "log.sqlite") == 2
    assert [file.name for file in (shell.folder / "model").iterdir()] == ["w.bin"]


def test_keys_are_private_and_ed25519_says_what_it_can_not(shell: Shell) -> None:
    for name in ("k.pem", "e.pem"):
        assert stat.S_IMODE((shell.folder / name).stat().st_mode) == 0o600
    assert shell("sign", "model", "--key", "e.pem", "-o", "model.sig") == 0
    assert "model_signing checks no Ed25519" in shell.out
    secret = (shell.folder / "e.pem").read_text().splitlines()[1]
    assert secret not in shell.out + (shell.folder / "model.sig").read_text()


def test_a_sealing_key_is_another_kind_and_never_signs(shell: Shell) -> None:
    pytest.importorskip("mithridate.supply.sealing.keys")
    assert shell("keygen", "-o", "box.pem", "--for", "sealing") == 0
    assert stat.S_IMODE((shell.folder / "box.pem").stat().st_mode) == 0o600
    assert (shell.folder / "box.pub").is_file()
    assert shell("sign", "model", "--key", "box.pem", "-o", "s") == 2
    assert shell("keygen", "-o", "box2.pem", "--for", "sealing", "--algorithm", "p256") == 2


def test_every_report_format_takes_what_verify_says(shell: Shell) -> None:
    assert shell("sign", "model", "--key", "k.pem", "-o", "model.sig") == 0
    (shell.folder / "model" / "<script>.py").write_bytes(b"")
    outputs = [word for suffix in ("json", "html", "sarif", "xml", "md", "txt") for word in ("-o", f"r.{suffix}")]
    assert shell("verify", "model", "--signature", "model.sig", "--key", "k.pub", *outputs) == 1
    assert "<script>.py" not in (shell.folder / "r.html").read_text()
    write(x=content() + 1, name="later.npz")
    assert shell("manifest", "verify", "M", "later.npz", *outputs) == 1
    schema = json.loads((Path(__file__).parent.parent / "reports" / "schema" / "sarif-2.1.0.json").read_text())
    jsonschema.validate(shell.json("r.sarif"), schema)


def test_an_audit_names_the_rows_that_changed_since(shell: Shell) -> None:
    x = content()
    x[[3, 77]] += 0.5
    write(x=x, name="later.npz")
    words = ("audit", "later.npz", "--manifest", "M", "--power", "off", "-q", "-o", "r.json", "--scores", "s.parquet")
    assert shell(*words) == 1
    found = {finding["method"]: finding for finding in shell.json("r.json")["findings"]}
    assert found["PSN114"]["subject"]["rows"] == [3, 77]
    scores = pq.read_table("s.parquet").to_pydict()
    assert [row for row, flag in zip(scores["row"], scores["flagged"], strict=True) if flag] == [3, 77]
    assert shell("audit", "clean.npz", "--manifest", "M", "--method", "PSN114", "--fail-on", "low") == 0
    assert shell("audit", "clean.npz", "--method", "PSN114") == 2


def test_a_bill_of_materials_has_what_its_format_requires(shell: Shell) -> None:
    assert shell("manifest", "export", "M", "--format", "cyclonedx", "--model", "model", "-o", "bom.json") == 0
    bom = shell.json("bom.json")
    assert (bom["bomFormat"], bom["specVersion"], bom["version"]) == ("CycloneDX", "1.6", 1)
    assert bom["serialNumber"].startswith("urn:uuid:")
    kinds = {component["type"]: component for component in bom["components"]}
    assert set(kinds) == {"data", "machine-learning-model"}
    model = kinds["machine-learning-model"]
    assert model["modelCard"]["modelParameters"]["datasets"] == [{"ref": kinds["data"]["bom-ref"]}]
    assert [len(part["hashes"][0]["content"]) for part in model["components"]] == [64]
    refs = {component["bom-ref"] for component in bom["components"]}
    assert {entry["ref"] for entry in bom["dependencies"]} == refs


def test_croissant_describes_the_file_that_the_manifest_is_of_and_no_other(shell: Shell) -> None:
    pq.write_table(as_table(), "d.parquet")
    assert shell("manifest", "export", "M", "--format", "croissant", "--data", "d.parquet", "-o", "c.json") == 0
    found = shell.json("c.json")
    assert found["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    (file,) = found["distribution"]
    assert {"@type", "@id", "name", "contentUrl", "encodingFormat", "sha256"} <= set(file)
    fields = {field["name"]: field["dataType"] for field in found["recordSet"][0]["field"]}
    assert fields == {"x": "sc:Float", "y": "sc:Integer", "source": "sc:Text"}
    write(x=content() + 1, name="later.npz")
    assert shell("manifest", "export", "M", "--format", "croissant", "--data", "later.npz") == 2


def test_control_characters_in_names_never_reach_the_terminal(shell: Shell) -> None:
    x, y = content(), np.arange(N) % 2
    np.savez("odd.npz", x=x, y=y, source=np.array(["\x1b[31mred\n"] * N))
    assert shell("manifest", "build", "odd.npz", "-o", "O") == 0
    assert shell("manifest", "trace", "O", "--row", "1") == 0
    assert "\x1b" not in shell.out


def test_the_example_of_a_policy_keeps_its_lines_in_the_help() -> None:
    said = CliRunner().invoke(cli, ["verify", "--help"]).output
    assert '[keys]\n    release = "release.pub"\n' in said


def test_a_signature_of_another_file_vouches_for_the_records_and_not_for_the_source(shell: Shell) -> None:
    (shell.folder / "copy.npz").write_bytes((shell.folder / "clean.npz").read_bytes())
    assert shell("sign", "M", "--key", "k.pem", "-o", "M.sig") == 0
    assert shell("manifest", "build", "copy.npz", "-o", "M2") == 0
    said = {}
    for name in ("M", "M2"):
        assert shell("manifest", "trace", name, "--row", "5", "--key", "k.pub") == 0
        said[name] = "doesn't vouch for the source" in shell.out
    assert said == {"M": False, "M2": True}
