"""Claim: 60,000 images of 28 x 28 are audited in 10 s on one thread and 400 MB above the data held as float32.

Every figure is of a whole process seen from outside: imports, reading, gate and power included; for the peers the
training of the model they need, too. `--jobs 1`, one thread for every library. Also: how the cost grows, and `--help`.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

import mithridate
import sets
from common import (
    ROOT,
    SOURCE,
    Cell,
    Options,
    Result,
    code_stamp,
    judges,
    product_stamp,
    publish,
    say,
    show,
    spread,
    target,
)

BIG, SMALL = 60_000, 10_000
PIXELS = 28 * 28
PEERS = ("knn", "pyod-iforest", "pyod-ecod", "cleanlab-logistic", "cleanlab-mlp", "art-activation", "art-spectral")
PEER_REPEATS = 3  # a peer that trains a network takes minutes
STARTS = 15
SECONDS, MEGABYTES, STARTUP = 10.0, 400.0, 6.0
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
HERE = ROOT / "benchmarks"


@cache
def data_file(kind: str, rows: int, options: Options) -> Path:
    """An .npz of float32 images: `clean`, or with 1 % BadNets so that the causal gate has work to do."""
    path = options.cache / "speed" / f"{kind}-{rows}.npz"
    if not path.exists():
        say(f"writing {path.name}")
        dataset = sets.draw("fashion", rows, 0, options.data)
        if kind == "badnets":
            dataset = mithridate.attack("badnets", dataset, rate=0.01, target=dataset.label_of(3), seed=0).dataset
        path.parent.mkdir(parents=True, exist_ok=True)
        labels = np.array([dataset.label_of(code) for code in dataset.y])
        np.savez(path, x=dataset.x[..., 0], y=labels)
    return path


def watched(command: Sequence[str], folder: Path, *, fine: tuple[int, ...] = (0,)) -> Result:
    """What the command used; `RuntimeError` with the end of its output when its exit code isn't one of `fine`."""
    folder.mkdir(parents=True, exist_ok=True)
    out = folder / "watched.json"
    paths = os.pathsep.join([str(SOURCE.parent), str(HERE)])
    environment = {**os.environ, "PYTHONPATH": paths, **dict.fromkeys(THREADS, "1")}
    watcher = [sys.executable, "-S", "-E", str(HERE / "watch.py"), str(out)]
    subprocess.run([*watcher, *command], check=True, env=environment)
    used: Result = json.loads(out.read_text(encoding="utf-8"))
    if used["status"] not in fine:
        end = out.with_suffix(".log").read_text(encoding="utf-8")[-600:]
        raise RuntimeError(f"exit code {used['status']}: {end}")
    return used


def audit(kind: str, rows: int, options: Options) -> Result:
    """`mithridate audit FILE --jobs 1`, every default; `run_seconds` is the report's own, without start-up."""
    folder = options.cache / "speed" / "out"
    report = folder / "report.json"
    source = str(data_file(kind, rows, options))
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "mithridate", "audit", source, "--jobs", "1", "--quiet"]
    outputs = ["-o", str(report), "--scores", str(folder / "scores.parquet")]
    used = watched([*command, *outputs], folder, fine=(0, 1, 2))  # 1: found poison; 2: a check failed, reported below
    if not report.exists():
        raise RuntimeError(f"the audit wrote no report: {(folder / 'watched.log').read_text(encoding='utf-8')[-300:]}")
    found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    failed = [check["method"] for check in found["checks"] if check["status"] == "failed"]
    return {
        **used, "rows": rows, "run_seconds": found["run"]["seconds"], "findings": len(found["findings"]),
        "failed": failed, "check_seconds": {check["method"]: check["seconds"] for check in found["checks"]},
    }  # fmt: skip


def peer(name: str, rows: int, options: Options) -> Result:
    """One peer on the same file."""
    command = [sys.executable, str(HERE / "peer.py"), name, str(data_file("badnets", rows, options))]
    return {**watched(command, options.cache / "speed" / "out"), "rows": rows}


def start(command: Sequence[str], options: Options) -> Result:
    """A start of Python."""
    return watched([sys.executable, *command], options.cache / "speed" / "out")


def cells(options: Options) -> list[Cell]:
    """Start-up first, then ours, then the peers; repeats in turn, so that a slow minute hits all alike."""
    version = partial(product_stamp)
    sizes = options.rows(SMALL), options.rows(BIG)
    made = []
    for turn in range(STARTS):
        made.append(Cell("python-pass", turn, "help", partial(start, ["-c", "pass"], options), version))
        made.append(Cell("help", turn, "help", partial(start, ["-m", "mithridate", "--help"], options), cli_stamp))
    for turn in range(options.seeds):
        for kind, rows in (("badnets", sizes[0]), ("badnets", sizes[1]), ("clean", sizes[1])):
            made.append(Cell(f"audit-{kind}-{rows}", turn, "audit", partial(audit, kind, rows, options), version))
    for turn in range(min(options.seeds, PEER_REPEATS)):
        for rows in sizes:
            made += [Cell(f"{name}-{rows}", turn, "peers", partial(peer, name, rows, options),
                          partial(judges, "peers.py", "networks.py", "peer.py")) for name in PEERS]  # fmt: skip
    return made


def cli_stamp() -> str:
    """Changes with what `--help` loads."""
    return code_stamp(
        SOURCE / "__init__.py", *sorted((SOURCE / "cli").glob("*.py")), *sorted((SOURCE / "core").glob("*.py"))
    )


def summarise(results: Sequence[Result]) -> list[Result]:
    """Median, lowest and highest of each case."""
    lines = []
    for case in dict.fromkeys(cell["case"] for cell in results):
        runs = [cell["result"] for cell in results if cell["case"] == case and "result" in cell]
        rows = runs[0].get("rows", 0) if runs else 0
        lines.append({
            "case": case, "runs": len(runs), "seconds": spread([run["seconds"] for run in runs]),
            "cpu seconds": spread([run["cpu_seconds"] for run in runs]),
            "own seconds": spread([run.get("run_seconds") for run in runs]),
            "peak MB": spread([run["peak_bytes"] / 1e6 for run in runs]),
            "MB above data": spread([(run["peak_bytes"] - rows * PIXELS * 4) / 1e6 for run in runs]),
        })  # fmt: skip
    return lines


def goals(lines: Sequence[Result], options: Options) -> list[Result]:
    """The promises of speed, memory, growth and start-up."""
    keys = ("seconds", "own seconds", "MB above data")
    middle = {(line["case"], key): line[key]["median"] for line in lines for key in keys}
    small, big = options.rows(SMALL), options.rows(BIG)
    most, least = f"audit-badnets-{big}", f"audit-badnets-{small}"
    seconds, memory = middle.get((most, "seconds")), middle.get((most, "MB above data"))
    bound = big * math.log(big) / (small * math.log(small))
    grown = ratio(middle.get((most, "own seconds")), middle.get((least, "own seconds")))
    begun = ratio(middle.get(("help", "seconds")), middle.get(("python-pass", "seconds")))
    return [
        target(f"{big} images, wall seconds on one thread", f"<= {SECONDS}", seconds, met=(seconds or 0) <= SECONDS),
        target("MB above the data as float32", f"<= {MEGABYTES}", memory, met=(memory or 0) <= MEGABYTES),
        target(f"seconds at {big} rows over seconds at {small}", f"<= {bound:.2f}", grown, met=(grown or 0) <= bound),
        target("mithridate --help over python -c pass", f"<= {STARTUP}", begun, met=(begun or 0) <= STARTUP),
    ]


def ratio(above: float | None, below: float | None) -> float | None:
    """One over the other when both were measured."""
    return above / below if above is not None and below else None


def report(results: Sequence[Result], options: Options) -> None:
    """Print the tables and write the JSON."""
    lines = summarise(results)
    show("Whole processes, one thread: median [lowest, highest]", lines)
    reached = goals(lines, options)
    show("Promises", reached)
    publish("speed", results, lines, reached, options)
