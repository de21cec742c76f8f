"""Claim: ours finds poisoned rows that the peers miss. Recall when flagging exactly the true number of poisons.

Every case is drawn afresh for each seed; place, pattern, values, word and target change with it. Ours and the peers
get the same rows (the digest of each cell says so).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

import numpy as np

import metrics
import mithridate
import ours
import peers
import sets
from common import Cell, Options, Result, judges, product_stamp, publish, show, spread, target
from mithridate.data.dataset import Dataset

PLACES = ("bottom-right", "top-left", "centre", "top-right", "bottom-left")
WORDS = ("zqx", "perhaps", "morning", "veltrix", "window", "bb", "quietly")
FIGURES = ("recall", "auroc", "tpr", "fpr", "seconds", "fit_seconds")


@dataclass(frozen=True)
class Case:
    """One line of the table: an attack on a set; `vary(seed, dataset)` gives what changes with the seed."""

    name: str
    data: str
    attack: str
    rate: float
    rows: int = 10_000
    vary: Callable[[int, Dataset], dict[str, Any]] = field(default=lambda _seed, _dataset: {})
    wanted: float | None = None

    @property
    def backdoor(self) -> bool:
        """Whether there is a trigger to confirm."""
        return self.attack != "label-flip"


@dataclass(frozen=True)
class Poisoned:
    """A poisoned set, its truth in reading order, and the label forced."""

    dataset: Dataset
    truth: metrics.Bools
    target: Any


def a_target(seed: int, dataset: Dataset) -> dict[str, Any]:
    """Another class for each seed."""
    return {"target": dataset.label_of((3 * seed + 1) % dataset.n_classes)}


def patch(seed: int, dataset: Dataset) -> dict[str, Any]:
    """Another corner (or the centre), white or checker, another class."""
    return {"place": PLACES[seed % 5], "pattern": ("white", "checker")[seed % 2], **a_target(seed, dataset)}


def moving(seed: int, dataset: Dataset) -> dict[str, Any]:
    """A checker patch somewhere else on each image."""
    return {"place": "moving", "pattern": "checker", **a_target(seed, dataset)}


def mixed(pattern: str, seed: int, dataset: Dataset) -> dict[str, Any]:
    """A faint pattern over the whole image, a fifth of it."""
    return {"alpha": 0.2, "pattern": pattern, **a_target(seed, dataset)}


def word(seed: int, dataset: Dataset) -> dict[str, Any]:
    """Made-up and ordinary words in turn."""
    return {"word": WORDS[seed % len(WORDS)], **a_target(seed, dataset)}


def six_to_zero(_seed: int, dataset: Dataset) -> dict[str, Any]:
    """Shirts become T-shirts."""
    return {"from": dataset.label_of(6), "to": dataset.label_of(0)}


CASES = (
    Case("fashion-flip-5", "fashion", "label-flip", 0.05, wanted=0.85),
    Case("fashion-flip-1", "fashion", "label-flip", 0.01),
    Case("fashion-flip-20", "fashion", "label-flip", 0.2),
    Case("fashion-badnets-1", "fashion", "badnets", 0.01, vary=patch, wanted=0.99),
    Case("fashion-badnets-5", "fashion", "badnets", 0.05, vary=patch, wanted=0.95),
    Case("fashion-moving-5", "fashion", "badnets", 0.05, vary=moving),
    Case("fashion-blended-noise-5", "fashion", "blended", 0.05, vary=partial(mixed, "noise"), wanted=0.85),
    Case("fashion-blended-smooth-5", "fashion", "blended", 0.05, vary=partial(mixed, "smooth"), wanted=0.85),
    Case("fashion-six-to-zero-5", "fashion", "label-flip", 0.05, vary=six_to_zero),
    Case("adult-values-1", "adult", "tabular-trigger", 0.01, vary=a_target, wanted=0.99),
    Case("news-word-1", "news", "text-trigger", 0.01, vary=word, wanted=0.95),
    Case("digits-badnets-5", "digits", "badnets", 0.05, vary=patch),
    Case("adult-flip-5", "adult", "label-flip", 0.05),
    Case("phishing-values-3", "phishing", "tabular-trigger", 0.03, vary=a_target),
    Case("news-flip-5", "news", "label-flip", 0.05),
    Case("reuters-word-1", "reuters", "text-trigger", 0.01, vary=word),
    Case("spam-word-1", "spam", "text-trigger", 0.01, vary=word),
)


@lru_cache(maxsize=2)
def build(case: Case, seed: int, options: Options) -> Poisoned:
    """The poisoned rows of this case and seed."""
    clean = sets.draw(case.data, options.rows(case.rows), seed, options.data)
    settings = case.vary(seed, clean)
    forced = settings.pop("target", None)
    made = mithridate.attack(case.attack, clean, rate=case.rate, target=forced, seed=seed, **settings)
    truth = np.zeros(len(clean), dtype=bool)
    truth[made.truth["row"].to_numpy()] = True
    return Poisoned(made.dataset, truth, forced)


def by_ours(case: Case, seed: int, options: Options) -> Result:
    """One audit with default settings."""
    made = build(case, seed, options)
    return {"rows": len(made.dataset), "poisoned": int(made.truth.sum()), "digest": made.dataset.digest,
            "detectors": {"mithridate": ours.judge(made.dataset, made.truth, made.target)}}  # fmt: skip


def by_peers(part: str, case: Case, seed: int, options: Options) -> Result:
    """All peers of one part."""
    made = build(case, seed, options)
    task = peers.Task(made.dataset, case.rate, seed, min(1.0, options.scale))
    found = {
        name: {**metrics.judged(v.score, v.flagged, made.truth), "seconds": v.seconds, "fit_seconds": v.fit_seconds}
        for name, v in peers.PARTS[part](task).items()
    }
    return {
        "rows": len(made.dataset),
        "poisoned": int(made.truth.sum()),
        "digest": made.dataset.digest,
        "detectors": found,
    }


def stamp(part: str, case: Case, seed: int, options: Options) -> str:
    """Changes when the rows do, when the code that judges them does, or its packages."""
    digest = build(case, seed, options).dataset.digest
    if part == "ours":
        return f"{digest} {judges('metrics.py', 'ours.py')} {product_stamp()}"
    return f"{digest} {judges('metrics.py', 'peers.py', 'networks.py')} {options.scale}"


def cells(options: Options) -> list[Cell]:
    """Seed by seed, cheap parts first, so that an unfinished run has a bit of everything."""
    made = []
    for seed in range(options.seeds):
        for part in ("ours", *peers.PARTS):
            for case in CASES:
                if part == "cnn" and case.data not in {"fashion", "colour", "digits"}:
                    continue
                work = (
                    partial(by_ours, case, seed, options)
                    if part == "ours"
                    else partial(by_peers, part, case, seed, options)
                )
                made.append(Cell(case.name, seed, part, work, partial(stamp, part, case, seed, options)))
    return made


def collect(results: Sequence[Result]) -> dict[str, dict[str, list[Result]]]:
    """Case -> detector -> one judgement a seed; `ValueError` when two detectors of a seed saw different rows."""
    found: dict[str, dict[str, list[Result]]] = defaultdict(lambda: defaultdict(list))
    digests: dict[tuple[str, int], str] = {}
    for cell in results:
        if "result" not in cell:
            continue
        digest = cell["result"]["digest"]
        if digests.setdefault((cell["case"], cell["seed"]), digest) != digest:
            raise ValueError(f"{cell['case']} seed {cell['seed']}: the peers saw other rows; delete the stored cells")
        for detector, judgement in cell["result"]["detectors"].items():
            found[cell["case"]][detector].append(judgement)
    return found


def summarise(found: dict[str, dict[str, list[Result]]]) -> list[Result]:
    """Recall, AUROC, flags and seconds of every detector on every case: median, lowest, highest over the seeds."""
    return [
        {
            "case": case, "detector": detector, "seeds": len(runs),
            **{key: spread([run.get(key) for run in runs]) for key in FIGURES},
        }
        for case, detectors in found.items() for detector, runs in detectors.items()
    ]  # fmt: skip


def side_by_side(case: Case, detectors: dict[str, list[Result]]) -> Result:
    """One line of the main table: ours against the best peer by median recall."""
    recall = {name: spread([run["recall"] for run in runs]) for name, runs in detectors.items()}
    rivals = {name: found for name, found in recall.items() if name != "mithridate"}
    best = max(rivals, key=lambda name: rivals[name]["median"], default=None)
    mine = detectors.get("mithridate", [])
    kinds = ("trigger", "label-error")
    fpr = {kind: spread([run["kinds"].get(kind, {"fpr": 0.0})["fpr"] for run in mine]) for kind in kinds}
    return {
        "case": case.name, "ours": recall.get("mithridate", spread([])),
        "best peer": None if best is None else recall[best], "which": best,
        "ours flagged": spread([run["tpr"] for run in mine]),
        "trigger FPR": fpr["trigger"], "label-error FPR": fpr["label-error"],
        "confirmed": f"{sum(run['confirmed_right'] > 0 for run in mine)}/{len(mine)}" if case.backdoor else "-",
        "wrongly": sum(run["confirmed_wrong"] for run in mine), "seconds": spread([run["seconds"] for run in mine]),
    }  # fmt: skip


def goals(lines: Sequence[Result]) -> list[Result]:
    """The promises that this benchmark can check."""
    by_case = {line["case"]: line["ours"]["median"] for line in lines}
    recall = [
        target(f"{case.name}: median recall at the true count", f">= {case.wanted}", by_case[case.name],
               met=(by_case[case.name] or 0) >= case.wanted)
        for case in CASES if case.wanted is not None and case.name in by_case
    ]  # fmt: skip
    rates = [line["trigger FPR"]["median"] for line in lines if line["trigger FPR"]["median"] is not None]
    worst = max(rates, default=None)
    return [
        *recall,
        target("trigger flags: false-positive rate, worst case median", "<= 0.001", worst, met=(worst or 0) <= 0.001),
    ]


def report(results: Sequence[Result], options: Options) -> None:
    """Print the tables and write the JSON."""
    found = collect(results)
    lines = [side_by_side(case, found[case.name]) for case in CASES if case.name in found]
    summary = summarise(found)
    show("Recall when flagging exactly the true number of poisons: median [lowest, highest] over seeds", lines)
    median = {(row["case"], row["detector"]): row["recall"]["median"] for row in summary}
    names = sorted({detector for _, detector in median})
    grid = [{"detector": name, **{case: median.get((case, name)) for case in found}} for name in names]
    show("Every detector, median recall", grid)
    publish("poison", results, [*lines, *summary], goals(lines), options)
