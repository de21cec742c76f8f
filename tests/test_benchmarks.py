from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
BENCHMARKS = ROOT / "benchmarks"
NAMES = (
    *("poison", "retrain", "attacks", "clean", "labels", "sources", "power", "speed", "scale"),
    *("scan_equivalence", "sealing", "convert"),
)
KEYS = {"benchmark", "command", "date", "machine", "options", "seeds", "summary", "targets", "cells"}


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A loader of benchmark scripts that leaves no module behind."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if Path(getattr(sys.modules[name], "__file__", None) or "/").parent == BENCHMARKS:
            del sys.modules[name]


@pytest.mark.parametrize("name", NAMES)
def test_every_benchmark_imports_without_the_peers_and_lists_its_cells(scripts: Any, name: str) -> None:
    options = scripts("common").Options(seeds=2, runs=3)
    cells = scripts(name).cells(options)
    assert cells
    assert len({(cell.case, cell.seed, cell.part) for cell in cells}) == len(cells)


@pytest.mark.parametrize("path", sorted((BENCHMARKS / "results").glob("*.json")), ids=lambda path: path.stem)
def test_stored_results_say_machine_versions_seeds_and_targets(path: Path) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    assert set(content) >= KEYS
    assert content["benchmark"] == path.stem
    assert {"cpu", "cores", "python", "packages", "threads"} <= set(content["machine"])
    assert all({"what", "wanted", "reached", "met"} <= set(goal) for goal in content["targets"])
    assert str(ROOT) not in path.read_text(encoding="utf-8")


def test_recall_counts_ties_as_drawn_at_random(scripts: Any) -> None:
    recall = scripts("metrics").recall_at_count
    truth = np.array([True, True, False, False, False])
    assert recall(np.array([2.0, 1.0, 1.0, 1.0, 0.0]), truth) == pytest.approx((1 + 1 / 3) / 2)
    assert recall(np.full(5, -np.inf), truth) == pytest.approx(2 / 5)


def test_auroc_of_a_perfect_a_reversed_and_a_constant_score(scripts: Any) -> None:
    auroc = scripts("metrics").auroc
    truth = np.array([True, True, False, False])
    assert auroc(np.array([4.0, 3.0, 2.0, 1.0]), truth) == 1.0
    assert auroc(np.array([1.0, 2.0, 3.0, 4.0]), truth) == 0.0
    assert auroc(np.zeros(4), truth) == 0.5


def test_wilson_interval_agrees_with_the_published_value(scripts: Any) -> None:
    low, high = scripts("metrics").wilson(38, 40)
    assert low == pytest.approx(0.835, abs=0.001)
    assert high == pytest.approx(0.986, abs=0.001)


def test_a_stored_cell_is_read_again_until_its_stamp_changes(scripts: Any, tmp_path: Path) -> None:
    common, calls, stamp = scripts("common"), [], ["a"]

    def work() -> dict[str, int]:
        calls.append(1)
        return {"value": len(calls)}

    cells = [common.Cell("case", 0, "ours", work, lambda: stamp[0])]
    options = common.Options(cache=tmp_path)
    values = [common.execute("trial", cells, options)[0]["result"]["value"] for _ in range(2)]
    stamp[0] = "b"
    values.append(common.execute("trial", cells, options)[0]["result"]["value"])
    assert values == [1, 1, 2]


def test_a_broken_cell_is_reported_and_the_others_go_on(scripts: Any, tmp_path: Path) -> None:
    common = scripts("common")

    def broken() -> dict[str, int]:
        raise ValueError("no such luck")

    made = [common.Cell("bad", 0, "ours", broken, str), common.Cell("good", 0, "ours", lambda: {"value": 1}, str)]
    results = common.execute("trial", made, common.Options(cache=tmp_path))
    assert results[0]["error"] == "ValueError: no such luck"
    assert results[1]["result"] == {"value": 1}


def test_polish_of_a_script_keeps_its_stamp_and_a_change_does_not(scripts: Any, tmp_path: Path) -> None:
    stamp = scripts("common").code_stamp
    texts = ('"""A."""\nx = 1\n', '"""B."""\nx = 1  # one\n', '"""A."""\nx = 2\n')
    paths = [tmp_path / f"{i}.py" for i in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text, encoding="utf-8")
    first, polished, changed = map(stamp, paths)
    assert first == polished != changed


def test_the_watcher_sees_the_seconds_and_the_memory_of_a_child(tmp_path: Path) -> None:
    out = tmp_path / "used.json"
    child = [sys.executable, "-c", "import time; x = bytearray(80_000_000); time.sleep(0.2)"]
    subprocess.run([sys.executable, str(BENCHMARKS / "watch.py"), str(out), *child], check=True, env=dict(os.environ))
    used = json.loads(out.read_text(encoding="utf-8"))
    assert used["status"] == 0
    assert 0.2 <= used["seconds"] < 20
    assert 80e6 < used["peak_bytes"] < 200e6
