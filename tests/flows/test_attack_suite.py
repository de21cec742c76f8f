"""All attacks on one source: what fits is made, the rest is skipped with a reason, and a stopped suite goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from PIL import Image

from mithridate.attacks.poisoning import MODALITIES
from mithridate.cli import cli
from mithridate.core.errors import InputError, Skip
from mithridate.data.read import read
from mithridate.flows import attack_suite as suite

N = 200
FIT = {"label-flip", "tabular-trigger", "truth-serum", "split-view"}
ADDS_ROWS = {"truth-serum"}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    frame = pa.table({"a": rng.normal(size=N), "b": rng.integers(0, 9, N), "label": rng.integers(0, 2, N)})
    pq.write_table(frame, tmp_path / "t.parquet")
    return tmp_path / "t.parquet"


def index(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "suite.json").read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def test_what_fits_is_made_and_the_rest_is_skipped_with_a_reason(table: Path) -> None:
    folder = table.parent / "suite"
    done = CliRunner().invoke(cli, ["attack", "--all", str(table), "-o", str(folder), "--rate", "0.1"])
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[-1] == str(folder / "suite.json")
    told = index(folder)
    assert [entry["name"] for entry in told["attacks"]] == list(MODALITIES)
    assert (told["rows"], told["modality"], told["digest"]) == (N, "table", read(table).digest)
    made = {entry["name"]: entry for entry in told["attacks"] if entry["status"] == "made"}
    assert set(made) == FIT
    for name, entry in made.items():
        truth = pq.read_table(folder / entry["truth"])
        assert truth.num_rows == entry["poisoned"]
        assert entry["poisoned"] == N // 10 or name in ADDS_ROWS  # whole copies of records: 2 of 8
        assert entry["file"] == f"{name}.parquet"
        assert entry["settings"]["rate"] == 0.1
        assert entry["seconds"] >= 0
        changed = read(folder / entry["file"])
        if name in ADDS_ROWS:
            assert set(truth["row"].to_pylist()) == set(range(N, len(changed)))
            continue
        differ = (changed.hashes != read(table).hashes) | (changed.y != read(table).y)
        assert set(np.flatnonzero(differ)) <= set(truth["row"].to_pylist())
    left = [entry for entry in told["attacks"] if entry["name"] == "badnets"]
    assert left[0]["reason"] == "made for image data"


def test_a_stopped_suite_keeps_what_is_finished_and_goes_on(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, real, calls = table.parent / "suite", suite.attack_file, []

    def watched(name: str, *words: Any, **options: Any) -> Any:
        calls.append(name)
        if name == "tabular-trigger" and calls.count(name) == 1:
            raise KeyboardInterrupt
        return real(name, *words, **options)

    monkeypatch.setattr(suite, "attack_file", watched)
    with pytest.raises(KeyboardInterrupt):
        suite.attack_suite(table, folder)
    assert [entry["status"] for entry in index(folder)["attacks"] if entry["name"] in FIT][:2] == ["made", "begun"]
    again = suite.attack_suite(table, folder)
    assert calls[:3] == ["label-flip", "tabular-trigger", "tabular-trigger"]
    assert len(calls) == len(FIT) + 1
    assert {entry["name"] for entry in again.attacks if entry["status"] == "made"} == FIT
    (folder / "label-flip.parquet").unlink()
    suite.attack_suite(table, folder)
    assert calls[len(FIT) + 1 :] == ["label-flip"]


def test_an_attack_that_cannot_be_made_is_skipped_with_its_own_words(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise Skip("needs a recipe")

    monkeypatch.setattr(suite, "attack_file", refuse)
    entries = suite.attack_suite(table, table.parent / "suite").attacks
    assert {entry["reason"] for entry in entries if entry["name"] in FIT} == {"needs a recipe"}


def test_another_suite_or_a_used_folder_is_refused(table: Path) -> None:
    folder = table.parent / "suite"
    suite.attack_suite(table, folder, rate=0.1)
    with pytest.raises(InputError, match="another rate"):
        suite.attack_suite(table, folder, rate=0.2)
    with pytest.raises(InputError, match=r"no suite\.json"):
        suite.attack_suite(table, table.parent)
    (folder / "suite.json").write_text("[]")
    with pytest.raises(InputError, match="damaged"):
        suite.attack_suite(table, folder, rate=0.1)


def test_an_index_never_makes_the_suite_remove_what_is_not_its_own(table: Path) -> None:
    folder, mine = table.parent / "suite", table.parent / "mine"
    suite.attack_suite(table, folder)
    mine.mkdir()
    told = index(folder)
    told["attacks"] = [{"name": name, "status": "begun", "file": "../mine"} for name in MODALITIES]
    (folder / "suite.json").write_text(json.dumps(told))
    suite.attack_suite(table, folder)
    assert mine.is_dir()


def test_a_folder_of_images_becomes_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = {name: MODALITIES[name] for name in ("label-flip", "badnets", "text-trigger")}
    monkeypatch.setattr(suite, "MODALITIES", quick)
    rng = np.random.default_rng(0)
    for row in range(40):
        place = tmp_path / "in" / "ab"[row % 2]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (8, 8), dtype=np.uint8)).save(place / f"{row}.png")
    found = suite.attack_suite(tmp_path / "in", tmp_path / "out", rate=0.1)
    made = [entry for entry in found.attacks if entry["status"] == "made"]
    assert [entry["name"] for entry in made] == ["label-flip", "badnets"]
    assert all(len(read(tmp_path / "out" / entry["file"])) == entry["rows"] for entry in made)
    with pytest.raises(InputError, match="lies in it"):
        suite.attack_suite(tmp_path / "in", tmp_path / "in" / "out")


@pytest.mark.parametrize(
    ("words", "told"),
    [([], "one SOURCE"), (["t", "u", "-o", "o"], "one SOURCE"), (["t", "-o", "o", "--set", "a=b"], "--set")],
)
def test_a_suite_that_is_asked_for_wrongly_says_how(words: list[str], told: str) -> None:
    done = CliRunner().invoke(cli, ["attack", "--all", *words])
    assert isinstance(done.exception, InputError)
    assert told in str(done.exception)


def test_the_list_has_a_description_for_every_attack_and_fits_80_columns() -> None:
    lines = CliRunner().invoke(cli, ["attack", "--list"]).output.splitlines()
    heads = [place for place, line in enumerate(lines) if not line.startswith(" ")]
    assert [lines[place].split()[0] for place in heads] == list(MODALITIES)
    assert all(lines[place + 1].startswith("    ") for place in heads)
    assert all(len(line) <= 80 for line in lines)
