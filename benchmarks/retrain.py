"""Claim: drop what the audit flags, train again, and the backdoor is gone while the model stays as good.

For every backdoor: a model trained on the poisoned rows, one trained on what the audit left, one on what a perfect
filter would leave; attack success and clean accuracy of each on 2,000 rows that none of them saw. Audits: `default`;
`recipe`, with the recipe that is trained; `thorough`, with it and `--fdr 0.3`, which drops honest rows to leave less.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

import mithridate
import ours
import sets
from common import Cell, Options, Result, judges, product_stamp, publish, show, spread, target
from mithridate.data.dataset import Dataset
from mithridate.models.evaluate import attack_success, clean_accuracy
from mithridate.models.recipes import recipe
from poison import CASES, Case

TEST_ROWS = 2_000
SEEDS = 3  # three trainings for every cell, seven more where the audit has the recipe
MODELS = {"image": "cnn", "table": "gbdt", "text": "text-linear"}
WORKS = 0.8  # attack success from which on an attack is one
THOROUGH = 0.3  # share of the dropped rows that may be honest
MOST_SUCCESS, MOST_LOSS = 0.1, 0.01
KEYS = ("success before", "success after", "success perfect", "accuracy before", "accuracy after", "accuracy perfect")


def measured(dataset: Dataset, test: Dataset, made: Any, seed: int) -> tuple[float, float]:
    """Attack success and clean accuracy of a model trained on these rows."""
    fitted = recipe(MODELS[dataset.modality])(dataset, seed)
    return attack_success(fitted, test, made.apply, made.rule).value, clean_accuracy(fitted, test).value


def remove(case: Case, seed: int, how: str, options: Options) -> Result:
    """Attack, audit as `how` says, drop the flagged rows, train again."""
    drawn = sets.draw(case.data, options.rows(case.rows) + TEST_ROWS, seed, options.data)
    cut = len(drawn) - min(TEST_ROWS, len(drawn) // 5)
    train, test = sets.fresh(drawn.take(np.arange(cut))), drawn.take(np.arange(cut, len(drawn)))
    settings = case.vary(seed, train)
    made = mithridate.attack(
        case.attack, train, rate=case.rate, target=settings.pop("target", None), seed=seed, **settings
    )
    chosen: dict[str, Any] = {} if how == "default" else {"recipe": MODELS[train.modality]}
    if how == "thorough":
        chosen["fdr"] = THOROUGH
    report, seconds = ours.audit(made.dataset, **chosen)
    flagged = ours.row_table(report)["flagged"]
    poisoned = np.zeros(cut, dtype=bool)
    poisoned[made.rows] = True
    found = {"rows": cut, "flags": int(flagged.sum()), "missed": int((poisoned & ~flagged).sum()), "seconds": seconds}
    for name, dropped in (("before", np.zeros(cut, dtype=bool)), ("after", flagged), ("perfect", poisoned)):
        left = made.dataset.take(np.flatnonzero(~dropped))
        found[f"success {name}"], found[f"accuracy {name}"] = measured(left, test, made, seed)
    return found


def cells(options: Options) -> list[Cell]:
    """Every backdoor of the poison benchmark that has a trigger to measure."""
    stamp = partial(str, f"{product_stamp()} {judges('retrain.py', 'poison.py', 'ours.py', 'sets.py')}")
    return [
        Cell(case.name, seed, how, partial(remove, case, seed, how, options), stamp)
        for seed in range(min(options.seeds, SEEDS))
        for how in ("default", "recipe", "thorough")
        for case in CASES
        if case.backdoor and (how == "default" or case.recipe)
    ]


def summarise(results: Sequence[Result]) -> list[Result]:
    """Median, lowest and highest of each case, with and without a recipe."""
    groups: dict[tuple[str, str], list[Result]] = {}
    for cell in results:
        if "result" in cell:
            groups.setdefault((cell["case"], cell["part"]), []).append(cell["result"])
    return [
        {
            "case": case, "audit": how, "runs": len(runs), **{key: spread([run[key] for run in runs]) for key in KEYS},
            "loss": spread([run["accuracy before"] - run["accuracy after"] for run in runs]),
            "missed": spread([run["missed"] for run in runs]),
        }
        for (case, how), runs in groups.items()
    ]  # fmt: skip


def goals(lines: Sequence[Result]) -> list[Result]:
    """What is left of each attack that works; the best of the audits counts where several were run.

    Some rows go to the target class without any poison: what a perfect filter leaves is as low as a filter can get.
    """
    made = []
    for case in dict.fromkeys(line["case"] for line in lines):
        mine = [line for line in lines if line["case"] == case]
        if max(line["success before"]["median"] for line in mine) < WORKS:
            continue
        best = min(mine, key=lambda line: line["success after"]["median"])
        success, loss = best["success after"]["median"], best["loss"]["median"]
        floor = best["success perfect"]["median"]
        what = f"{case}, {best['audit']} audit: attack success after, at most {MOST_LOSS} of accuracy lost ({loss:.3f})"
        low = success <= max(MOST_SUCCESS, floor)
        wanted = f"<= {MOST_SUCCESS}, or what a perfect filter leaves ({floor:.3f})"
        made.append(target(what, wanted, success, met=low and loss <= MOST_LOSS))
    return made


def report(results: Sequence[Result], options: Options) -> None:
    """Print the table and write the JSON."""
    lines = summarise(results)
    show("Filter and train again: median [lowest, highest]", lines)
    reached = goals(lines)
    show("Promises", reached)
    publish("retrain", results, lines, reached, options)
