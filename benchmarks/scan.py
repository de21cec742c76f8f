"""Claim: at most 2 % of ordinary files are flagged, at least 97 % of hostile ones are, at 100 files/s on one core.

Files are made by `ordinary_files.py` and `hostile_files.py`; the peers run in an environment of their own over the same
files. A hostile file is flagged by a finding of at least high, an ordinary one by any of at least medium. xgboost,
lightgbm and catboost come from an environment of their own too, so that the product's stays as it is.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path

import hostile_files
from common import ROOT, Cell, Options, Result, judges, product_stamp, publish, say, show, target

HERE = ROOT / "benchmarks"
PEERS = ("picklescan==1.0.5", "modelscan==0.8.8", "fickling==0.1.12", "modelaudit==0.2.54")
TREES = ("xgboost==3.2.0", "lightgbm==4.7.0", "catboost==1.2.10", "scikit-learn", "pandas", "joblib")
TOOLS = ("ours", "picklescan", "picklescan-strict", "modelscan", "fickling", "fickling-overt", "modelaudit")
SLOW = {("modelaudit", "ordinary"): 60, ("modelaudit", "gadgets"): 4}  # every so many files: it takes seconds for each
LIMIT = 3000  # seconds for one tool over one suite
GIGABYTE = 1 << 30


def environment(options: Options, name: str, packages: Sequence[str]) -> Path:
    """The Python of an environment with these packages, made when it isn't there."""
    folder = options.cache / "environments" / name
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        say(f"making the environment {folder}")
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *packages], check=True)
        (folder / "ready").touch()
    return python


@cache
def suites(options: Options) -> dict[str, list[Path]]:
    """The files of every suite, made once."""
    made: dict[str, list[Path]] = {}
    for name, make in hostile_files.SUITES.items():
        folder = options.cache / "scan-files" / name
        folder.mkdir(parents=True, exist_ok=True)
        for key, content in make():
            (folder / (key.replace("/", "_") + hostile_files.suffix(key))).write_bytes(content)
        made[name] = sorted(folder.iterdir())
    ordinary = options.cache / "scan-files" / "ordinary"
    if not ordinary.exists():
        script = str(HERE / "ordinary_files.py")
        groups = ("plain", "texts", "unfamiliar", "strangers", "arrays", "frames", "estimators", "networks")
        subprocess.run([sys.executable, script, str(ordinary), *groups], check=True)
        subprocess.run([str(environment(options, "trees", TREES)), script, str(ordinary), "trees"], check=True)
    made["ordinary"] = sorted(path for path in ordinary.iterdir() if path.is_file())
    return made


def judge(tool: str, suite: str, options: Options) -> Result:
    """One tool over one suite."""
    files = suites(options)[suite][:: SLOW.get((tool, suite), 1)]
    python = Path(sys.executable) if tool == "ours" else environment(options, "peers", PEERS)
    listing, out = (options.cache / "scan-files" / f"{suite}-{tool}.{end}" for end in ("txt", "jsonl"))
    listing.write_text("\n".join(map(str, files)), encoding="utf-8")
    command = [str(python), str(HERE / "scan_peer.py"), tool, str(listing), str(out)]
    told = subprocess.run(
        command,
        check=False,
        timeout=LIMIT,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
    )
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    if len(lines) < len(files):
        raise RuntimeError(f"{tool} ended after {len(lines)} of {len(files)} files: {told.stderr[-300:]}")
    least = 2 if suite == "ordinary" else 3
    flagged = [line for line in lines if line["level"] >= least]
    wrong = flagged if suite == "ordinary" else [line for line in lines if line["level"] < least]
    seconds = sum(line["seconds"] for line in lines)
    return {
        "files": len(lines),
        "flagged": len(flagged),
        "share": len(flagged) / len(lines),
        "broke": sum(bool(line["error"]) for line in lines),
        "files_per_s": len(lines) / max(seconds, 1e-9),
        "slowest_s": max(line["seconds"] for line in lines),
        "wrong": [Path(line["path"]).name for line in wrong[:60]],
    }


def weights(options: Options) -> Result:
    """A gigabyte of safetensors: wall and process time."""
    import mithridate

    path = options.cache / "scan-files" / "large.safetensors"
    header = json.dumps({"a": {"dtype": "F32", "shape": [GIGABYTE // 4], "data_offsets": [0, GIGABYTE]}}).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + GIGABYTE)
    mithridate.scan(__file__)
    wall, cpu = time.perf_counter(), time.process_time()
    report = mithridate.scan(path)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    path.unlink()
    return {"findings": len(report.findings), "wall_s": wall, "cpu_s": cpu, "bytes_per_s": GIGABYTE / wall}


def cells(options: Options) -> list[Cell]:
    """Every tool over every suite, ours first."""
    made = [
        Cell(suite, 0, tool, partial(judge, tool, suite, options), partial(_stamp, tool))
        for suite in (*hostile_files.SUITES, "ordinary")
        for tool in TOOLS
    ]
    return [*made, Cell("weights", 0, "ours", partial(weights, options), partial(_stamp, "ours"))]


def _stamp(tool: str) -> str:
    product = product_stamp() if tool == "ours" else " ".join(PEERS)
    return f"{judges('scan.py', 'scan_peer.py', 'hostile_files.py', 'ordinary_files.py')} {product}"


def report(results: Sequence[Result], options: Options) -> None:
    """Print the table and write the JSON."""
    known = {(cell["case"], cell["part"]): cell["result"] for cell in results if "result" in cell}
    lines = []
    for tool in TOOLS:
        line: Result = {"tool": tool}
        for suite in (*hostile_files.SUITES, "ordinary"):
            found = known.get((suite, tool))
            line[suite] = None if found is None else f"{found['flagged']}/{found['files']}"
        speeds = [
            result["files_per_s"] for (_, part), result in known.items() if part == tool and "files_per_s" in result
        ]
        line["files/s, slowest suite"] = min(speeds, default=None)
        lines.append(line)
    show("Flagged of all: hostile at least high, ordinary at least medium", lines)
    hostile = [known[suite, "ours"] for suite in hostile_files.SUITES if (suite, "ours") in known]
    share = sum(r["flagged"] for r in hostile) / sum(r["files"] for r in hostile) if hostile else None
    false = known.get(("ordinary", "ours"), {}).get("share")
    speed = known.get(("ordinary", "ours"), {}).get("files_per_s")
    large = known.get(("weights", "ours"), {}).get("bytes_per_s")
    goals = [
        target("hostile files flagged", ">= 0.97", share, met=share is not None and share >= 0.97),
        target("ordinary files flagged", "<= 0.02", false, met=false is not None and false <= 0.02),
        target("ordinary files a second, one core", ">= 100", speed, met=speed is not None and speed >= 100),
        target("safetensors, bytes a second", ">= 1e9", large, met=large is not None and large >= 1e9),
    ]
    show("Targets", goals)
    publish("scan", results, lines, goals, options)
