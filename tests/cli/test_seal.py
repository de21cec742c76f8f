"""seal, open, access and ledger as a user meets them: exit codes, one clear line, nothing half written."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from mithridate.cli import main
from mithridate.core import ledger
from mithridate.supply.sealing.keys import new_identity

RULES = """
labels.secret = ["*.sealed"]
[[rule]]
effect = "allow"
role = "engineer"
action = "open"
label = ["secret", "weights"]
[[rule]]
effect = "deny"
role = "intern"
action = "*"
label = "*"
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with keys a and b, content, rules, a passphrase."""
    monkeypatch.chdir(tmp_path)
    new_identity(tmp_path / "a.pem")
    new_identity(tmp_path / "b.pem")
    (tmp_path / "f").write_bytes(b"content" * 1000)
    (tmp_path / "access.toml").write_text(RULES)
    (tmp_path / "pass").write_text("a long passphrase\n")
    return tmp_path


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as left:
        main(words)
    return int(left.value.code or 0)


def test_seal_rewrap_open(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("seal", "f", "-o", "f.sealed", "--recipient", "a.pub", "--passphrase-file", "pass") == 0
    assert run("open", "f.sealed", "-o", "1", "--identity", "a.pem") == 0
    assert run("open", "f.sealed", "-o", "2", "--passphrase-file", "pass") == 0
    assert (place / "1").read_bytes() == (place / "2").read_bytes() == (place / "f").read_bytes()
    assert run("seal", "--rewrap", "f.sealed", "--recipient", "b.pub", "--identity", "a.pem") == 0
    assert run("open", "f.sealed", "-o", "3", "--identity", "b.pem") == 0
    assert run("open", "f.sealed", "-o", "4", "--identity", "a.pem") == 1
    assert not (place / "4").exists()
    assert capsys.readouterr().err.startswith("mithridate: refused: no key given fits")


@pytest.mark.parametrize(
    "words",
    [
        ["seal", "f", "-o", "s"],
        ["seal", "f", "--recipient", "a.pub"],
        ["seal", "none", "-o", "s", "--recipient", "a.pub"],
        ["seal", "f", "-o", "f", "--recipient", "a.pub"],
        ["seal", "f", "-o", "none/s", "--recipient", "a.pub"],
        ["seal", "f", "-o", "s", "--recipient", "a.pem"],
        ["seal", "f", "-o", "s", "--recipient", "a.pub", "--identity", "a.pem"],
        ["seal", "f", "-o", "s", "--recipient", "a.pub", "--label", "x" * 300],
        ["seal", "--rewrap", "f", "--recipient", "a.pub"],
        ["open", "none", "-o", "o", "--identity", "a.pem"],
        ["open", "f", "-o", "o"],
        ["open", "f", "-o", "o", "--identity", "none.pem"],
        ["open", "f", "-o", "o", "--identity", "a.pem", "--policy", "access.toml"],
        ["open", "f", "-o", "o", "--kms", "cloud:key"],
        ["ledger", "verify"],
        ["ledger", "head"],
        ["ledger", "verify", "--head", "x"],
        ["access", "check", "f", "--policy", "none", "--as", "a", "--action", "open"],
    ],
)
def test_what_can_not_run_is_exit_2_one_line_and_no_file(
    place: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in place.iterdir()}
    assert run(*words) == 2
    said = capsys.readouterr().err
    assert said.startswith("mithridate: ")
    assert said.count("\n") == 1
    assert "unexpected" not in said
    assert {path: path.read_bytes() for path in place.iterdir()} == before


def test_a_file_that_was_never_sealed_is_refused_and_the_report_says_so(place: Path) -> None:
    assert run("open", "f", "-o", "o", "--identity", "a.pem", "--report", "r.json", "--report", "r.sarif") == 1
    assert not (place / "o").exists()
    report = json.loads((place / "r.json").read_text())
    assert report["verdict"] == "findings"
    assert report["findings"][0]["claim"] == "refused: this is no sealed file: it doesn't begin as one"
    assert run("seal", "f", "-o", "s", "--recipient", "a.pub") == 0
    assert run("open", "s", "-o", "o", "--identity", "a.pem", "--report", "r.json") == 0
    assert json.loads((place / "r.json").read_text())["verdict"] == "clean"


def test_the_rules_bind_open_and_every_decision_is_in_the_log(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("seal", "f", "-o", "f.sealed", "--recipient", "a.pub", "--label", "weights") == 0
    opened = ["open", "f.sealed", "-o", "o", "--identity", "a.pem", "--policy", "access.toml", "--as"]
    assert run(*opened, "intern") == 1
    assert run(*opened, "stranger") == 1
    assert not (place / "o").exists()
    assert run(*opened, "engineer") == 0
    asked = ["access", "check", "f.sealed", "--policy", "access.toml", "--action", "open", "--as"]
    assert run(*asked, "engineer") == 0
    assert run(*asked, "intern") == 1
    said = capsys.readouterr().out.splitlines()[2:]
    assert [line.partition(":")[0] for line in said] == ["allowed", "denied"]
    assert said[1] == "denied: rule 2 denies it for the label 'secret'"
    log = place / ledger.PLACE
    facts = [entry.facts() for entry in ledger.entries(log)]
    assert [(f["role"], f["allowed"]) for f in facts] == [
        ("intern", False), ("stranger", False), ("engineer", True), ("engineer", True), ("intern", False),
    ]  # fmt: skip
    assert facts[0]["labels"] == ["secret", "weights"]
    assert run("ledger", "verify") == 0
    assert run("ledger", "head") == 0
    head = capsys.readouterr().out.splitlines()[-1]
    assert run("ledger", "verify", "--head", head) == 0
    assert run("ledger", "show", "--json", "-n", "2") == 0
    assert [json.loads(line)["seq"] for line in capsys.readouterr().out.splitlines()[-2:]] == [4, 5]


def test_a_label_in_the_header_can_not_be_dropped_by_renaming(place: Path) -> None:
    assert run("seal", "f", "-o", "x", "--recipient", "a.pub", "--label", "top") == 0
    opened = ["open", "x", "-o", "o", "--identity", "a.pem", "--policy", "access.toml", "--as", "engineer"]
    assert run(*opened) == 1
    content = (place / "x").read_bytes()
    (place / "x").write_bytes(content.replace(b"top", b"sec", 1))
    assert run(*opened) == 1
    assert not (place / "o").exists()


def test_an_edited_log_is_exit_1_and_stops_what_needs_a_decision(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["access", "check", "f.sealed", "--policy", "access.toml", "--action", "open", "--as", "engineer"]
    assert run(*asked) == 0
    (place / ledger.PLACE).with_suffix(".key").write_bytes(bytes(32))
    assert run("ledger", "verify") == 1
    assert run(*asked) == 1
    assert "the number of entries can't be trusted" in capsys.readouterr().err


def test_the_denial_stands_even_when_nothing_can_be_logged(place: Path) -> None:
    (place / ".mithridate").write_text("a file where the folder should be")
    asked = ["access", "check", "f.sealed", "--policy", "access.toml", "--action", "open", "--as", "engineer"]
    assert run(*asked) == 2


def test_a_private_key_is_never_overwritten(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = (place / "a.pem").read_bytes()
    assert run("seal", "f", "-o", "f.sealed", "--recipient", "a.pub") == 0
    assert run("seal", "f", "-o", "a.pem", "--recipient", "a.pub") == 2
    assert run("open", "f.sealed", "-o", "a.pem", "--identity", "a.pem") == 2
    assert "a key is never overwritten" in capsys.readouterr().err
    assert (place / "a.pem").read_bytes() == key


def test_success_is_one_line_that_says_what_for_whom_and_how_large(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "pass").write_text("a long passphrase")
    assert run("seal", "f", "-o", "s", "--recipient", "a.pub", "--passphrase-file", "pass") == 0
    size = (place / "s").stat().st_size
    assert capsys.readouterr().out == f"s: {size:,} bytes; can be opened by a.pub, whoever knows the passphrase\n"
    assert run("seal", "s", "--rewrap", "--identity", "a.pem", "--recipient", "a.pub") == 0
    assert "can now be opened by a.pub" in capsys.readouterr().out
    assert run("open", "s", "-o", "o", "--identity", "a.pem") == 0
    length = (place / "f").stat().st_size
    assert capsys.readouterr().out == f"o: {length:,} bytes, for you alone; all of s is authentic\n"
    (place / "folder").mkdir()
    (place / "folder" / "one").write_bytes(b"123")
    assert run("seal", "folder", "-o", "t", "--recipient", "a.pub", "-q") == 0
    assert not capsys.readouterr().out
    assert run("open", "t", "-o", "u", "--identity", "a.pem") == 0
    assert capsys.readouterr().out == "u: 1 file, 3 bytes, for you alone; all of t is authentic\n"
    assert run("open", "t", "-o", "v", "--identity", "a.pem", "--quiet") == 0
    assert not capsys.readouterr().out


def test_access_rules_go_by_two_spellings_and_help_shows_one(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    del place
    assert run("seal", "f", "-o", "f.sealed", "--recipient", "a.pub") == 0
    opened = ["open", "f.sealed", "-o", "o", "--identity", "a.pem", "--as", "engineer"]
    assert run(*opened, "--access", "access.toml") == run(*opened, "--policy", "access.toml") == 0
    assert run(*opened, "--access", "access.toml", "--policy", "access.toml") == 2
    assert "give one of them" in capsys.readouterr().err
    asked = ["access", "check", "f.sealed", "--as", "intern", "--action", "open"]
    assert run(*asked, "--access", "access.toml") == run(*asked, "--policy", "access.toml") == 1
    assert run(*asked) == 2
    capsys.readouterr()
    assert run("open", "--help") == 0
    shown = capsys.readouterr().out
    assert "--access P.toml" in shown
    assert "--policy" not in shown


def test_pipes_loops_and_control_characters_are_one_line_and_never_waited_for(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(place / "pipe")
    (place / "loop").symlink_to("loop")
    (place / "\x1b[31mred\n").write_bytes(b"x")
    for words in (
        ("open", "pipe", "-o", "o", "--identity", "a.pem"), ("seal", "f", "-o", "o", "--kms", "file:pipe"),
        ("seal", "loop", "-o", "o", "--recipient", "a.pub"), ("open", "loop", "-o", "o", "--identity", "a.pem"),
        ("seal", "f", "-o", "pipe", "--recipient", "a.pub"), ("seal", "f", "-o", "o", "--recipient", "\x1b[31mred\n"),
        ("seal", "f", "--rewrap", "--identity", "a.pem", "--recipient", "a.pub", "-o", ""),
    ):  # fmt: skip
        capsys.readouterr()
        assert run(*words) in {1, 2}
        err = capsys.readouterr().err
        assert err.startswith("mithridate: ")
        assert err[:-1].isprintable()
        assert "unexpected" not in err
    assert not (place / "o").exists()
