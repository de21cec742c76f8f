"""Claim: `power:<attack>` is honest: what the audit says it would find of an attack is what it finds of real ones."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np

import mithridate
import ours
import sets
from common import Cell, Options, Result, judges, product_stamp, publish, show, spread, target
from mithridate.data.dataset import Dataset

KINDS = {"fashion": "image", "digits": "image", "adult": "table", "phishing": "table", "news": "text", "spam": "text"}
ATTACKS = {
    "image": ("label-flip", "badnets", "blended"),
    "table": ("label-flip", "tabular-trigger"),
    "text": ("label-flip", "text-trigger"),
}
ROWS = 10_000
RATE = 0.02  # the rate at which the audit plants its controls
NEAR = 0.2  # a promise this near to the truth is called honest


@lru_cache(maxsize=2)
def made(name: str, attack: str, seed: int, options: Options) -> tuple[Dataset, np.ndarray]:
    """A draw under a real attack (`promise`: none), and which rows are bad."""
    clean = sets.draw(name, options.rows(ROWS), seed, options.data)
    truth = np.zeros(len(clean), dtype=bool)
    if attack == "promise":
        return clean, truth
    goal = {} if attack == "label-flip" else {"target": clean.label_of(seed % clean.n_classes)}
    done = mithridate.attack(attack, clean, rate=RATE, seed=seed, **goal)
    truth[done.truth["row"].to_numpy()] = True
    return done.dataset, truth


def measure(name: str, attack: str, seed: int, options: Options) -> Result:
    """What the audit of the clean draw promises, or the share of a real attack's rows that it flags."""
    dataset, truth = made(name, attack, seed, options)
    judgement: dict[str, Any] = ours.judge(dataset, truth)
    return {"digest": dataset.digest, "modality": dataset.modality, **judgement}


def stamp(name: str, attack: str, seed: int, options: Options) -> str:
    """Changes with the rows and the product."""
    digest = made(name, attack, seed, options)[0].digest
    return f"{digest} {judges('ours.py', 'metrics.py')} {product_stamp()}"


def cells(options: Options) -> list[Cell]:
    """For every set and seed: the promise, then every attack that fits."""
    return [
        Cell(f"{name}-{attack}", seed, "ours", partial(measure, name, attack, seed, options),
             partial(stamp, name, attack, seed, options))
        for seed in range(options.seeds) for name in KINDS for attack in ("promise", *ATTACKS[KINDS[name]])
    ]  # fmt: skip


def report(results: Sequence[Result], options: Options) -> None:
    """Print the table and write the JSON."""
    found = {(cell["case"], cell["seed"]): cell["result"] for cell in results if "result" in cell}
    lines = []
    for case in dict.fromkeys(name for name, _ in found if not name.endswith("-promise")):
        name, attack = case.split("-", maxsplit=1)
        seeds = [seed for other, seed in found if other == case]
        promises = [found[f"{name}-promise", seed]["numbers"].get(f"power:{attack}", {}).get("value")
                    for seed in seeds if (f"{name}-promise", seed) in found]  # fmt: skip
        real = [found[case, seed]["tpr"] for seed in seeds]
        said, got = spread(promises), spread(real)
        gap = None if said["median"] is None else said["median"] - got["median"]
        lines.append({"case": case, "seeds": len(seeds), "promised": said, "found": got, "gap": gap})
    show("Promised power (clean data) and share of a real attack's rows flagged", lines)
    goals = [
        target(
            f"{row['case']}: promised minus found, medians",
            f"within {NEAR}",
            row["gap"],
            met=abs(row["gap"] or 0) <= NEAR,
        )
        for row in lines
    ]
    publish("power", results, lines, goals, options)
