"""Claim: on clean data no trigger is confirmed, and little is flagged. Fresh draws of images, tables and texts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

import ours
import sets
from common import Cell, Options, Result, judges, product_stamp, publish, show, spread, target

ROUND = ("fashion", "adult", "news", "colour", "digits", "fashion", "phishing", "spam", "reuters", "colour")
ROWS = 10_000


def audit(name: str, seed: int, options: Options) -> Result:
    """One clean draw, default settings."""
    clean = sets.draw(name, options.rows(ROWS), seed, options.data)
    nothing = np.zeros(len(clean), dtype=bool)
    return {"rows": len(clean), "digest": clean.digest, **ours.judge(clean, nothing)}


def stamp(name: str, seed: int, options: Options) -> str:
    """Changes with the rows and the product."""
    digest = sets.draw(name, options.rows(ROWS), seed, options.data).digest
    return f"{digest} {judges('ours.py', 'metrics.py')} {product_stamp()}"


def cells(options: Options) -> list[Cell]:
    """The sets in turn; every draw has a seed of its own."""
    return [
        Cell(name, seed, "ours", partial(audit, name, seed, options), partial(stamp, name, seed, options))
        for seed in range(options.runs)
        for name in (ROUND[seed % len(ROUND)],)
    ]


def report(results: Sequence[Result], options: Options) -> None:
    """Print the table and write the JSON."""
    measured = [(cell["case"], cell["result"]) for cell in results if "result" in cell]
    lines = []
    for name in dict.fromkeys(case for case, _ in measured):
        runs = [result for case, result in measured if case == name]
        flags = {kind: spread([run["kinds"].get(kind, {"fpr": 0.0})["fpr"] for run in runs])
                 for kind in ("trigger", "label-error", "duplicate", "outlier", "source")}  # fmt: skip
        lines.append({
            "set": name, "draws": len(runs), "confirmed triggers": sum(run["confirmed_wrong"] for run in runs),
            "grave findings": sum(len(run["grave"]) for run in runs),
            **{f"{kind} flags": rate for kind, rate in flags.items()},
            "seconds": spread([run["seconds"] for run in runs]),
        })  # fmt: skip
    show("Clean draws: share of rows flagged by kind, median [lowest, highest]", lines)
    grave = [{"set": case, "finding": claim} for case, run in measured for claim in run["grave"]]
    if grave:
        show("High or critical findings on clean draws", grave)
    wrong = sum(line["confirmed triggers"] for line in lines) if measured else None
    goal = target(f"confirmed triggers in {len(measured)} clean draws", "0 in 40", wrong, met=wrong == 0)
    publish("clean", results, lines, [goal], options)
