"""The command line as a user meets it: exit codes, one clear line for bad input, nothing half written."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from mithridate.cli import VERBS, cli, main
from mithridate.data import load

N_ROWS = 2000


def run(*words: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mithridate", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean set, and the same set with a patch backdoor made by the attack verb."""
    place = tmp_path_factory.mktemp("cli")
    data = load("fashion-mnist", rows=N_ROWS, whole=False)
    sources = np.array(["a", "b", "c"])[np.random.default_rng(0).integers(0, 3, N_ROWS)]
    np.savez_compressed(place / "clean.npz", x=np.asarray(data.content)[..., 0], y=data.y, source=sources)
    words = ["attack", "badnets", "clean.npz", "-o", "bad.npz", "--rate", "0.05", "--target", "2", "--set", "size=3"]
    made = run(*words, cwd=place)
    assert made.returncode == 0, made.stderr
    return place


def test_attack_writes_the_copy_and_the_truth(folder: Path) -> None:
    truth = pq.read_table(folder / "bad.npz.truth.parquet").to_pydict()
    before, after = np.load(folder / "clean.npz"), np.load(folder / "bad.npz")
    changed = np.flatnonzero((before["x"] != after["x"].reshape(before["x"].shape)).any(axis=(1, 2)))
    assert truth["row"] == changed.tolist()
    assert len(changed) == N_ROWS // 20
    assert set(truth["kind"]) == {"trigger"}
    assert (after["y"][changed] == 2).all()


def test_audit_finds_the_patch_writes_everything_and_exits_1(folder: Path) -> None:
    outputs = [folder / f"r{suffix}" for suffix in (".json", ".html", ".sarif", ".xml", ".md", ".txt")]
    words = [word for path in outputs for word in ("-o", path)]
    done = run(
        "audit", folder / "bad.npz", *words, "--scores", folder / "s.parquet", "--clean", folder / "kept.npz",
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert all(len(line) <= 80 for line in done.stdout.splitlines())
    assert all(path.stat().st_size > 200 for path in outputs)
    raw = json.loads(outputs[0].read_text(encoding="utf-8"))
    trigger = next(f for f in raw["findings"] if f["slug"] == "shared-trigger")
    assert trigger["severity"] in {"high", "critical"}
    assert trigger["subject"]["label"] == 2
    truth = set(pq.read_table(folder / "bad.npz.truth.parquet")["row"].to_pylist())
    assert len(truth & set(trigger["subject"]["rows"])) >= 0.9 * len(truth)
    scores = pq.read_table(folder / "s.parquet").to_pydict()
    assert list(scores)[:5] == ["row", "flagged", "kind", "score", "p_value"]
    assert scores["row"] == list(range(N_ROWS))
    kept = np.load(folder / "kept.npz")
    assert len(kept["x"]) == N_ROWS - sum(scores["flagged"])
    assert len(kept["source"]) == len(kept["x"])


def test_baseline_of_the_same_report_passes(folder: Path) -> None:
    quick = ["audit", folder / "bad.npz", "--method", "shared-trigger", "--quiet"]
    assert run(*quick, "-o", folder / "base.json").returncode == 1
    assert run(*quick, "--baseline", folder / "base.json").returncode == 0
    assert run(*quick, "--fail-on", "never").returncode == 0
    assert run(*quick, "--fail-on", "never", "--limit", "flip_rate<0.01").returncode == 1


def test_clean_data_exits_0(folder: Path) -> None:
    done = run("audit", folder / "clean.npz", "--power", "off")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["audit", "nothing.npz"], "nothing.npz"),
        (["audit", "clean.npz", "--label", "nope"], "nope"),
        (["audit", "clean.npz", "--fdr", "7"], "fdr"),
        (["audit", "clean.npz", "--method", "PSN999"], "PSN999"),
        (["audit", "clean.npz", "-o", "r.docx"], "r.docx"),
        (["audit", "clean.npz", "-o", "nowhere/r.json"], "nowhere"),
        (["audit", "clean.npz", "--limit", "x"], "--limit"),
        (["audit", "clean.npz", "--recipe", "nope"], "nope"),
        (["audit", "clean.npz", "--baseline", "clean.npz"], "clean.npz"),
        (["audit", "text.csv"], "text.csv"),
        (["audit", "clean.npz", "--scores", "clean.npz"], "source itself"),
        (["audit", "clean.npz", "--clean", "clean.npz"], "source itself"),
        (["audit", "clean.npz", "--scores", "s.npz", "--clean", "s.npz"], "both name"),
        (["attack", "--all", "clean.npz", "-o", "suite", "--rate", "5"], "rate"),
        (["attack", "--all", "clean.npz", "-o", "suite", "--target", "99"], "not a class"),
        (["attack", "--all", "clean.npz", "-o", "suite", "--recipe", "cnn"], "--recipe"),
        (["attack", "badnets", "clean.npz", "-o", "clean.npz", "--rate", "0.1"], "overwrites"),
        (["attack", "badnets", "clean.npz", "-o", "o.npz", "--rate", "2"], "rate"),
        (["attack", "nope", "clean.npz", "-o", "o.npz", "--rate", "0.1"], "nope"),
        (["attack", "badnets", "clean.npz", "-o", "o.npz", "--rate", "0.1", "--set", "size"], "--set"),
        (["attack", "badnets"], "needs SOURCE"),
        (["report", "clean.npz"], "report"),
        (["explain", "PSN999"], "PSN999"),
    ],
)
def test_bad_input_is_one_clear_line_exit_2_and_nothing_written(folder: Path, words: Sequence[str], told: str) -> None:
    (folder / "text.csv").write_bytes(b"\x00\x01\x02")
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    done = run(*words, cwd=folder)
    assert done.returncode == 2, done.stderr
    assert told in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert done.stdout == ""
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_report_turns_json_into_every_format_byte_for_byte(folder: Path) -> None:
    assert (
        run(
            "audit", folder / "bad.npz", "--method", "PSN103", "-q", "-o", folder / "a.json", "-o", folder / "a.html"
        ).returncode
        == 1
    )
    assert run("report", folder / "a.json", "-o", folder / "b.html").returncode == 0
    assert (folder / "a.html").read_bytes() == (folder / "b.html").read_bytes()


@pytest.mark.parametrize("verb", list(VERBS))
def test_every_verb_has_help_that_fits_80_columns(verb: str) -> None:
    result = CliRunner().invoke(cli, [verb, "--help"], terminal_width=80)
    assert result.exit_code == 0
    assert all(len(line) <= 80 for line in result.output.splitlines())


def test_unexpected_error_is_one_line_and_exit_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mithridate.cli.cli.main", lambda **_: 1 / 0)
    with pytest.raises(SystemExit) as stopped:
        main(["methods"])
    assert stopped.value.code == 2
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_help_costs_at_most_6_bare_interpreters() -> None:
    cached = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}  # as once installed
    script = str(Path(sys.executable).parent / "mithridate")
    commands, best = ([script, "--help"], [sys.executable, "-c", "pass"]), [math.inf, math.inf]
    for _ in range(15):  # in turn, so that a busy moment hits both
        for place, command in enumerate(commands):
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True, env=cached)
            best[place] = min(best[place], time.perf_counter() - start)
    assert best[0] <= 6 * best[1]
