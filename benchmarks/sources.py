"""Claim: the malicious source is named and no honest one is. Five sources, one of them poisons its rows.

Set, attack, share of the source's rows that are bad, sizes of the sources and, in every other run, the mix of classes
that each source delivers all vary with the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt

import mithridate
import ours
import sets
from common import Cell, Options, Result, judges, product_stamp, publish, show, spread, target
from metrics import wilson
from mithridate.data.dataset import Dataset

ROWS = 10_000
NAMES = ("alder", "birch", "cedar", "dogwood", "elm")
SMALLEST = 0.08  # share of the rows that even the smallest source delivers


@dataclass(frozen=True)
class Plan:
    """One kind of run; `shares` are the shares of the malicious source's rows that are bad, in turn."""

    data: str
    attack: str
    shares: tuple[float, ...]
    settings: tuple[dict[str, Any], ...] = ({},)


PLANS = (
    Plan("fashion", "badnets", (0.1, 0.3), ({"place": "bottom-right"}, {"place": "centre", "pattern": "checker"})),
    Plan("fashion", "label-flip", (0.15, 0.3)),
    Plan("adult", "label-flip", (0.2, 0.4)),
    Plan("fashion", "badnets", (0.2, 0.4), ({"place": "moving", "pattern": "checker"}, {"place": "top-left"})),
    Plan("news", "label-flip", (0.2, 0.4)),
    Plan("adult", "tabular-trigger", (0.1, 0.3)),
    Plan("digits", "label-flip", (0.2, 0.4)),
    Plan("news", "text-trigger", (0.1, 0.3), ({"word": "zqx"}, {"word": "window"})),
)


@dataclass(frozen=True)
class Delivery:
    """Rows from five sources, the guilty one's name, and what it did."""

    dataset: Dataset
    guilty: str
    attack: str
    bad: int


@lru_cache(maxsize=2)
def deliver(run: int, options: Options) -> Delivery:
    """The data of one run."""
    plan, turn = PLANS[run % len(PLANS)], run // len(PLANS)
    rng = np.random.default_rng([run, 5])
    clean = sets.draw(plan.data, options.rows(ROWS), run, options.data)
    codes = assign(clean.y, rng, mixed=turn % 2 == 1)
    named = replace(clean, source_codes=codes, source_names=NAMES)
    guilty = int(rng.integers(len(NAMES)))
    settings = dict(plan.settings[turn % len(plan.settings)])
    if plan.attack != "label-flip":
        settings["target"] = clean.label_of(int(rng.integers(clean.n_classes)))
    own = codes == guilty
    able = own if plan.attack == "label-flip" else own & (clean.y != clean.classes.index(settings["target"]))
    rate = min(plan.shares[(turn // 2) % len(plan.shares)] * float(own.mean()), float(able.mean()))
    made = mithridate.attack(plan.attack, named, rate=rate, seed=run, source=NAMES[guilty], **settings)
    return Delivery(made.dataset, NAMES[guilty], plan.attack, made.truth.num_rows)


def assign(labels: npt.NDArray[np.int32], rng: np.random.Generator, *, mixed: bool) -> npt.NDArray[np.int32]:
    """(n,) a source for each row; sizes differ, and if `mixed` so does the share of each class."""
    n_sources = len(NAMES)
    sizes = SMALLEST + (1 - n_sources * SMALLEST) * rng.dirichlet(np.full(n_sources, 3.0))
    chances = np.tile(sizes, (int(labels.max()) + 1, 1))
    if mixed:
        chances = chances * rng.uniform(0.3, 1.7, size=chances.shape)
    chances = np.cumsum(chances / chances.sum(axis=1, keepdims=True), axis=1)
    return (rng.random(len(labels))[:, None] > chances[labels]).sum(axis=1).clip(max=n_sources - 1).astype(np.int32)


def accused(report: Any) -> list[str]:
    """Names in the subjects of source findings; a claim that speaks of another source accuses that one too."""
    found: set[str] = set()
    for finding in report.findings:
        if "source" in finding.slug:
            found |= set(finding.subject.sources) | {name for name in NAMES if name in finding.claim}
    return sorted(found)


def audit(run: int, options: Options) -> Result:
    """Whom one audit with default settings accuses."""
    made = deliver(run, options)
    found, seconds = ours.audit(made.dataset)
    names = accused(found)
    return {
        "digest": made.dataset.digest, "attack": made.attack, "bad_rows": made.bad, "guilty": made.guilty,
        "accused": names, "named": made.guilty in names, "honest": sorted(set(names) - {made.guilty}),
        "seconds": seconds, **ours.outcome(found),
    }  # fmt: skip


def stamp(run: int, options: Options) -> str:
    """Changes with the rows and the product."""
    return f"{deliver(run, options).dataset.digest} {judges('ours.py', 'sources.py')} {product_stamp()}"


def cells(options: Options) -> list[Cell]:
    """One a run."""
    plans = [PLANS[run % len(PLANS)] for run in range(options.runs)]
    return [
        Cell(f"{plan.data}-{plan.attack}", run, "ours", partial(audit, run, options), partial(stamp, run, options))
        for run, plan in enumerate(plans)
    ]


def report(results: Sequence[Result], options: Options) -> None:
    """Print the table and write the JSON."""
    measured = [(cell["case"], cell["result"]) for cell in results if "result" in cell]
    lines = []
    for case in [*dict.fromkeys(name for name, _ in measured), "all"] if measured else []:
        runs = [run for name, run in measured if case in {name, "all"}]
        lines.append({
            "case": case, "runs": len(runs), "guilty named": sum(run["named"] for run in runs),
            "an honest one named": sum(bool(run["honest"]) for run in runs),
            "seconds": spread([run["seconds"] for run in runs]),
        })  # fmt: skip
    show("Five sources, one malicious", lines)
    publish("sources", results, lines, goals(lines), options)


def goals(lines: Sequence[Result]) -> list[Result]:
    """The two promises, with Wilson's interval in words."""
    if not lines:
        return []
    total, named, honest = lines[-1]["runs"], lines[-1]["guilty named"], lines[-1]["an honest one named"]
    low, high = wilson(named, total)
    return [
        target(f"malicious source named in {total} runs (95 % interval {low:.2f} to {high:.2f})", ">= 0.95",
               named / total, met=named / total >= 0.95),
        target(f"no honest source named in {total} runs", ">= 0.95",
               1 - honest / total, met=1 - honest / total >= 0.95),
    ]  # fmt: skip
