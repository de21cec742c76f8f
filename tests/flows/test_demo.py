"""The demo does the whole job, and says nothing that it did not measure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mithridate.flows.demo import MALICIOUS, TARGET, Demo, demo, save_truth, truth_table


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    return demo(tmp_path_factory.mktemp("demo"), seed=1, rows=5000)


def test_demo_confirms_the_patch_and_names_target_and_vendor(made: Demo) -> None:
    trigger = next(finding for finding in made.report.findings if finding.slug == "shared-trigger")
    assert trigger.severity.word in {"high", "critical"}
    assert trigger.subject.label == TARGET
    planted, found = truth_table(made)["patch"]
    assert found >= 0.95 * planted
    sources = [finding for finding in made.report.findings if "source" in finding.slug]
    assert {name for finding in sources for name in finding.subject.sources} >= {MALICIOUS}
    honest = {"studio-north", "studio-south", "archive"}
    assert not honest & {name for finding in sources for name in finding.subject.sources}


def test_demo_measures_before_and_after_on_untouched_rows(made: Demo) -> None:
    values = {}
    for name in ("clean_accuracy:before", "clean_accuracy:after", "attack_success:before", "attack_success:after"):
        piece = made.report.number(name)
        assert piece is not None
        values[name] = float(str(piece.data["value"]))
    assert values["attack_success:before"] > 0.5
    assert values["attack_success:after"] < 0.1
    assert values["clean_accuracy:after"] > values["clean_accuracy:before"] - 0.02


def test_demo_writes_what_it_says(made: Demo) -> None:
    save_truth(made)
    names = {path.name for path in made.folder.iterdir()}
    assert names >= {"train.npz", "train.npz.truth.parquet", "report.html", "report.json", "scores.parquet"}
    assert made.html.stat().st_size < 300_000
    assert len(np.load(made.folder / "train.npz", allow_pickle=False)["y"]) == 4000


def test_another_seed_gives_other_numbers(made: Demo, tmp_path: Path) -> None:
    other = demo(tmp_path, seed=2, rows=1200)
    assert other.report.target.digest != made.report.target.digest
