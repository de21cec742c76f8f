"""What every benchmark shares: the machine, cells that survive an interruption, medians, tables, results as JSON."""

from __future__ import annotations

import ast
import fnmatch
import hashlib
import importlib.metadata
import json
import os
import platform
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any, TypeAlias

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "mithridate"
PACKAGES = (
    "mithridate", "numpy", "scipy", "scikit-learn", "pyarrow", "faiss-cpu", "torch",
    "cleanlab", "pyod", "adversarial-robustness-toolbox", "aegis-scan-ai",
)  # fmt: skip
WHEELS = ROOT / "build" / "bench" / "data"
NOT_JUDGING = ("reports", "cli", "supply")  # rooms of the product that can't change what an audit finds

Result: TypeAlias = dict[str, Any]


class MissingSetError(Exception):
    """A data set isn't on this machine; the message says how to get it. Its cells are skipped, not failed."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asked for.

    seeds : how many seeds a case gets. runs : draws of `clean` and `sources`, repeats of `speed`.
    scale : share of the rows and of the training epochs, 1 for real figures, less to try the scripts.
    only, parts : shell patterns of cases, names of parts; empty takes all.
    finished : measure nothing more; report what an interrupted run left.
    data : folder with wheels that carry more data sets (build/bench/data if it is there); cases whose set is missing
        are reported as skipped.
    """

    seeds: int = 5
    runs: int = 40
    scale: float = 1.0
    only: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    data: Path | None = None if not WHEELS.exists() else WHEELS
    finished: bool = False
    results: Path = ROOT / "benchmarks" / "results"
    cache: Path = ROOT / "build" / "bench"

    def rows(self, full: int) -> int:
        """`full` rows, scaled."""
        return max(400, round(full * self.scale)) if self.scale < 1 else full

    def wants(self, case: str, part: str) -> bool:
        """Whether the user asked for this case and part."""
        right_case = not self.only or any(fnmatch.fnmatch(case, pattern) for pattern in self.only)
        return right_case and (not self.parts or part in self.parts)


@dataclass(frozen=True, slots=True)
class Cell:
    """One measurement: `work()` does it; a stored one counts as long as its `stamp()` is the same."""

    case: str
    seed: int
    part: str
    work: Callable[[], Result]
    stamp: Callable[[], str]


@cache
def machine() -> Result:
    """Processor, cores, memory, system, Python, package versions and thread limits, as plain JSON."""
    info = Path("/proc/cpuinfo")
    names = [line.split(":", 1)[1].strip() for line in _lines(info) if line.startswith("model name")]
    memory = [int(line.split()[1]) for line in _lines(Path("/proc/meminfo")) if line.startswith("MemTotal")]
    threads = {name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    return {
        "cpu": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "memory_bytes": memory[0] * 1024 if memory else None,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
        "threads": threads,
    }


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


@cache
def code_stamp(*paths: Path) -> str:
    """Hash of what these Python files do; comments, docstrings and layout don't count: polish reruns nothing."""
    total = hashlib.sha256()
    for path in paths:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            if isinstance(body, list) and body and _is_docstring(body[0]):
                node.body = body[1:]  # type: ignore[attr-defined]
        total.update(ast.dump(tree).encode())
    return total.hexdigest()[:16]


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


@cache
def product_stamp() -> str:
    """Hash of the product's code, without the rooms that only show results."""
    rooms = (path for path in sorted(SOURCE.rglob("*.py")) if path.relative_to(SOURCE).parts[0] not in NOT_JUDGING)
    return code_stamp(*rooms)


def judges(*names: str) -> str:
    """Stamp of the scripts that judge and of the packages they call."""
    packages = {name: version for name, version in machine()["packages"].items() if name != "mithridate"}
    return f"{code_stamp(*(ROOT / 'benchmarks' / name for name in names))} {packages}"


def execute(name: str, cells: Iterable[Cell], options: Options) -> list[Result]:
    """Every wanted cell's result, one at a time; stored ones are read, new ones stored as soon as they are there.

    A cell that raises is reported as `{"error": ...}`, not stored, and the others go on.
    """
    wanted = [cell for cell in cells if options.wants(cell.case, cell.part)]
    done: list[Result] = []
    fresh: list[float] = []
    for position, cell in enumerate(wanted):
        path = options.cache / name / cell.case / f"{cell.seed}-{cell.part}.json"
        head = {"case": cell.case, "seed": cell.seed, "part": cell.part}
        result, clock = _once(cell, path), time.perf_counter()
        if result is None and options.finished:
            continue
        if result is None:
            load = os.getloadavg()[0]
            result = {**_measure(cell), "wall_s": round(time.perf_counter() - clock, 3), "load_before": round(load, 2)}
            if "result" in result:
                write_json(path, {**head, **result})
            fresh.append(result["wall_s"])
            left = (len(wanted) - position - 1) * sum(fresh) / len(fresh)
            trouble = next((f" {key}: {result[key]}" for key in ("error", "skipped") if key in result), "")
            place = f"[{position + 1}/{len(wanted)}] {cell.case} seed {cell.seed} {cell.part}"
            say(f"{place}: {result['wall_s']:.1f} s{trouble}; at most {left / 60:.0f} min left")
        done.append({**head, **result})
    return done


def _once(cell: Cell, path: Path) -> Result | None:
    """The stored cell when it is still what would be measured now."""
    if not path.exists():
        return None
    try:
        stamp = cell.stamp()
    except Exception:  # noqa: BLE001 - measuring it again will say what is wrong
        return None
    found: Result = json.loads(path.read_text(encoding="utf-8"))
    return found if found.get("stamp") == stamp else None


def _measure(cell: Cell) -> Result:
    try:
        return {"stamp": cell.stamp(), "result": cell.work(), "at": now()}
    except MissingSetError as missing:
        return {"skipped": str(missing)}
    except Exception as error:  # noqa: BLE001 - one broken cell must not end a run of hours
        say(traceback.format_exc(limit=-4))
        return {"error": f"{type(error).__name__}: {error}"[:300]}


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def say(line: str) -> None:
    """Progress goes to stderr."""
    print(line, file=sys.stderr, flush=True)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    temporary.write_text(json.dumps(content, indent=1, default=_plain) + "\n", encoding="utf-8")
    temporary.replace(path)


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else str(value)


def publish(
    name: str, cells: Sequence[Result], summary: Sequence[Result], targets: Sequence[Result], options: Options
) -> Path:
    """Write `results/NAME.json`: what was measured, on what, with what, and each target beside what was reached."""
    path = options.results / f"{name}.json"
    shown = {key: str(value) if isinstance(value, Path) else value for key, value in asdict(options).items()}
    for key in ("data", "results", "cache"):
        shown.pop(key)
    content = {
        "benchmark": name, "command": " ".join(["benchmarks/run.py", *sys.argv[1:]]), "date": now(),
        "machine": machine(), "options": shown, "seeds": sorted({cell["seed"] for cell in cells}),
        "summary": list(summary), "targets": list(targets), "cells": list(cells),
    }  # fmt: skip
    write_json(path, content)
    return path


def spread(values: Sequence[float]) -> Result:
    """Median, lowest and highest, and how many there were; empty lists have no median."""
    kept = [float(value) for value in values if value is not None]
    if not kept:
        return {"median": None, "low": None, "high": None, "n": 0}
    return {"median": median(kept), "low": min(kept), "high": max(kept), "n": len(kept)}


def target(what: str, wanted: str, reached: float | None, *, met: bool | None) -> Result:
    """One promise beside what was measured; `met` is None when nothing was measured."""
    return {"what": what, "wanted": wanted, "reached": reached, "met": None if reached is None else met}


def show(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows as a table; the columns are the first row's keys."""
    print(f"\n## {title}\n")
    if not rows:
        print("nothing was measured")
        return
    columns = list(rows[0])
    cells = [[_cell(row.get(column)) for column in columns] for row in rows]
    widths = [max(len(column), *(len(row[i]) for row in cells)) for i, column in enumerate(columns)]
    for line in (columns, ["-" * width for width in widths], *cells):
        print("| " + " | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) + " |")


def _cell(value: Any) -> str:
    if isinstance(value, Mapping) and "median" in value:
        return (
            "-"
            if value["median"] is None
            else f"{_cell(value['median'])} [{_cell(value['low'])}, {_cell(value['high'])}]"
        )
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "-"}[value]
    if isinstance(value, float):
        if value == 0:
            return "0"
        return (
            f"{value:.0f}"
            if abs(value) >= 1000
            else f"{value:.3g}"
            if abs(value) >= 10 or abs(value) < 0.01
            else f"{value:.3f}"
        )
    return str(value)
