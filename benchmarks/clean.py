"""Claim: on clean data no trigger is confirmed, and little is flagged. Fresh draws of images, tables and texts.

`--runs` draws (40) are audited with a recipe, and five times as many with default settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

import ours
import sets
from common import Cell, Options, Result, judges, product_stamp, publish, show, spread, target

ROUND = ("fashion", "adult", "news", "colour", "digits", "fashion", "phishing", "spam", "reuters", "posts")
ROWS = {"ours": 10_000, "recipe": 4_000}  # a recipe is trained a dozen times for each draw
DEFAULT_SHARE = 5
MOST = {"ours": 1, "recipe": 0}  # confirmed triggers over all draws
RECIPES = {"image": "cnn", "table": "gbdt", "text": "text-linear"}


def audit(name: str, seed: int, part: str, options: Options) -> Result:
    """One clean draw, with default settings or with a recipe."""
    clean = sets.draw(name, options.rows(ROWS[part]), seed, options.data)
    nothing = np.zeros(len(clean), dtype=bool)
    settings = {"recipe": RECIPES[clean.modality]} if part == "recipe" and clean.codes is not None else {}
    return {"rows": len(clean), "digest": clean.digest, **ours.judge(clean, nothing, **settings)}


def stamp(name: str, seed: int, part: str, options: Options) -> str:
    """Changes with the rows and the product."""
    digest = sets.draw(name, options.rows(ROWS[part]), seed, options.data).digest
    return f"{digest} {judges('ours.py', 'metrics.py')} {product_stamp()}"


def cells(options: Options) -> list[Cell]:
    """The sets in turn; every draw has a seed of its own."""
    return [
        Cell(name, seed, part, partial(audit, name, seed, part, options), partial(stamp, name, seed, part, options))
        for seed in range(DEFAULT_SHARE * options.runs)
        for part in ROWS
        for name in (ROUND[seed % len(ROUND)],)
        if part == "ours" or seed < options.runs
    ]


def report(results: Sequence[Result], options: Options) -> None:
    """Print the table and write the JSON."""
    measured = [((cell["case"], cell["part"]), cell["result"]) for cell in results if "result" in cell]
    lines = []
    for name, part in dict.fromkeys(place for place, _ in measured):
        runs = [result for place, result in measured if place == (name, part)]
        flags = {kind: spread([run["kinds"].get(kind, {"fpr": 0.0})["fpr"] for run in runs])
                 for kind in ("trigger", "label-error", "duplicate", "outlier", "source")}  # fmt: skip
        lines.append({
            "set": name, "audit": part, "draws": len(runs),
            "confirmed triggers": sum(run["confirmed_wrong"] for run in runs),
            "grave findings": sum(len(run["grave"]) for run in runs),
            **{f"{kind} flags": rate for kind, rate in flags.items()},
            "seconds": spread([run["seconds"] for run in runs]),
        })  # fmt: skip
    show("Clean draws: share of rows flagged by kind, median [lowest, highest]", lines)
    grave = [{"set": name, "audit": part, "finding": claim} for (name, part), run in measured for claim in run["grave"]]
    if grave:
        show("High or critical findings on clean draws", grave)
    goals = []
    for part, most in MOST.items():
        draws = [run for (_, how), run in measured if how == part]
        wrong = sum(run["confirmed_wrong"] for run in draws) if draws else None
        what = f"confirmed triggers in {len(draws)} clean draws, {'with a' if part == 'recipe' else 'no'} recipe"
        goals.append(target(what, f"<= {most}", wrong, met=wrong is not None and wrong <= most))
    publish("clean", results, lines, goals, options)
