"""`benchmarks/run.py NAME`: measure one claim, or all, and write `benchmarks/results/NAME.json`.

Interrupted? Run the same command again: what was measured is kept in build/bench and only the rest is done.
"""

from __future__ import annotations

import argparse
import importlib
from collections import Counter
from pathlib import Path
from typing import Any

from common import Options, execute, show

NAMES = (
    *("poison", "retrain", "clean", "labels", "sources", "power", "attacks", "speed", "scale"),
    *("scan", "scan_equivalence", "sealing", "convert", "provenance", "posture"),
)


def options(arguments: argparse.Namespace) -> Options:
    """The command line as `Options`."""
    given = {key: value for key, value in vars(arguments).items() if key != "name" and value is not None}
    for key in ("only", "parts"):
        given[key] = tuple(given.get(key, ()))
    return Options(**given)


def parser() -> argparse.ArgumentParser:
    """What the command takes."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("name", choices=[*NAMES, "all"])
    made.add_argument("--seeds", type=int, help="seeds a case (5)")
    made.add_argument("--runs", type=int, help="draws of `clean` and `sources` (40)")
    made.add_argument("--scale", type=float, help="share of the rows and epochs, to try the scripts (1)")
    made.add_argument("--only", nargs="+", metavar="CASE", help="cases by shell pattern, such as 'fashion-*'")
    made.add_argument(
        "--parts", nargs="+", metavar="PART", help="ours content mlp cnn (poison), help audit ... (speed)"
    )
    made.add_argument("--finished", action="store_true", help="only report what an interrupted run left")
    made.add_argument("--data", type=Path, metavar="FOLDER", help="wheels with more data sets (build/bench/data)")
    made.add_argument("--results", type=Path, help="where the JSON goes (benchmarks/results)")
    made.add_argument("--cache", type=Path, help="where finished cells are kept (build/bench)")
    return made


def failed_checks(content: Any) -> list[str]:
    """Every reason under a key `failed`, however deep it lies in a cell."""
    if not isinstance(content, dict):
        return []
    deeper = [reason for key, value in content.items() if key != "failed" for reason in failed_checks(value)]
    return [*content.get("failed", ()), *deeper]


def main() -> None:
    """Run the benchmarks named."""
    arguments = parser().parse_args()
    chosen = options(arguments)
    for name in NAMES if arguments.name == "all" else (arguments.name,):
        script = importlib.import_module(name)
        results = execute(name, script.cells(chosen), chosen)
        script.report(results, chosen)
        broken = Counter(reason for cell in results for reason in failed_checks(cell))
        if broken:
            show("Checks that failed inside audits", [{"audits": n, "check": why} for why, n in broken.items()])
        missing = Counter(f"{key}: {cell[key]}" for cell in results for key in ("error", "skipped") if key in cell)
        if missing:
            show("Not measured", [{"cells": count, "why": why} for why, count in missing.items()])


if __name__ == "__main__":
    main()
