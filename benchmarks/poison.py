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
from common import SOURCE, Cell, Options, Result, code_stamp, judges, product_stamp, publish, show, spread, target
from mithridate.attacks.poisoning import CRAFTED
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
    recipe: str | None = None  # audited with this recipe too, in the part `recipe`
    wanted_with_recipe: float | None = None

    @property
    def backdoor(self) -> bool:
        """Whether there is a trigger to confirm."""
        return self.attack != "label-flip"


@dataclass(frozen=True)
class Poisoned:
    """A poisoned set, its truth in reading order, the label forced, and the rows that are judged.

    Cover rows (the trigger under a right label) belong to the attack and are no errors: they count neither way.
    """

    dataset: Dataset
    truth: metrics.Bools
    target: Any
    judged: metrics.Bools


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


def ruled(rule: str, seed: int, _dataset: Dataset) -> dict[str, Any]:
    """A patch that forces no single label: another place and pattern for each seed."""
    return {"place": PLACES[seed % 5], "pattern": ("white", "checker")[seed % 2], "rule": rule}


def formed(form: str, seed: int, dataset: Dataset) -> dict[str, Any]:
    """A trigger of that form; columns, values and target change with the seed."""
    return {"form": form, **a_target(seed, dataset)}


def everywhere(_seed: int, _dataset: Dataset) -> dict[str, Any]:
    """Two values that draw any label but the right one."""
    return {"rule": "untargeted"}


def onwards(_seed: int, _dataset: Dataset) -> dict[str, Any]:
    """Two values that move each label to the next."""
    return {"rule": "all-to-all"}


def strayed(rule: str, seed: int, _dataset: Dataset) -> dict[str, Any]:
    """A word that forces no single label."""
    return {"word": WORDS[seed % len(WORDS)], "rule": rule}


def placed(position: str, seed: int, dataset: Dataset) -> dict[str, Any]:
    """A word at one end of each text."""
    return {"position": position, **word(seed, dataset)}


def paid(payload: str, seed: int, _dataset: Dataset) -> dict[str, Any]:
    """Poison of instruction data: words in the prompt draw that payload in the response."""
    return {"payload": payload, "word": WORDS[seed % len(WORDS)]}


def six_to_zero(_seed: int, dataset: Dataset) -> dict[str, Any]:
    """Shirts become T-shirts."""
    return {"from": dataset.label_of(6), "to": dataset.label_of(0)}


CASES = (
    Case("fashion-flip-1", "fashion", "label-flip", 0.01),
    Case("fashion-flip-5", "fashion", "label-flip", 0.05, wanted=0.85),
    Case("fashion-flip-20", "fashion", "label-flip", 0.2),
    Case("fashion-near-boundary-5", "fashion", "label-flip", 0.05, vary=lambda _s, _d: {"mode": "near-boundary"}),
    Case("fashion-six-to-zero-5", "fashion", "label-flip", 0.05, vary=six_to_zero),
    Case("fashion-badnets-0.1", "fashion", "badnets", 0.001, vary=patch),
    Case("fashion-badnets-0.5", "fashion", "badnets", 0.005, vary=patch, wanted=0.95),
    Case("fashion-badnets-1", "fashion", "badnets", 0.01, vary=patch, wanted=0.99),
    Case("fashion-badnets-5", "fashion", "badnets", 0.05, vary=patch, wanted=0.95),
    Case("fashion-badnets-10", "fashion", "badnets", 0.1, vary=patch, wanted=0.95),
    Case("fashion-moving-5", "fashion", "badnets", 0.05, vary=moving, wanted=0.9),
    Case("fashion-blended-noise-5", "fashion", "blended", 0.05, vary=partial(mixed, "noise"), wanted=0.9),
    Case("fashion-blended-smooth-5", "fashion", "blended", 0.05, vary=partial(mixed, "smooth"), wanted=0.9),
    Case("fashion-sig-5", "fashion", "sig", 0.05, vary=a_target, wanted=0.9, recipe="cnn"),
    Case("fashion-low-frequency-5", "fashion", "low-frequency", 0.05, vary=a_target, wanted=0.9, recipe="cnn"),
    Case("fashion-adaptive-blend-5", "fashion", "adaptive-blend", 0.05, vary=a_target, wanted=0.9, recipe="cnn"),
    Case("fashion-adaptive-patch-5", "fashion", "adaptive-patch", 0.05, vary=a_target, recipe="cnn"),
    Case("fashion-wanet-10", "fashion", "wanet", 0.1, vary=a_target, recipe="cnn", wanted_with_recipe=0.9),
    Case("fashion-input-aware-10", "fashion", "input-aware", 0.1, vary=a_target, recipe="cnn", wanted_with_recipe=0.9),
    Case("fashion-all-to-all-5", "fashion", "badnets", 0.05, vary=partial(ruled, "all-to-all"), wanted=0.9),
    Case("fashion-untargeted-5", "fashion", "badnets", 0.05, vary=partial(ruled, "untargeted"), wanted=0.9),
    Case("fashion-narcissus-5", "fashion", "narcissus", 0.05, 4_000, vary=a_target),
    Case("fashion-witches-brew-2", "fashion", "witches-brew", 0.02, 4_000, vary=a_target),
    Case("fashion-bullseye-1", "fashion", "bullseye", 0.01, 4_000, vary=a_target),
    Case("colour-label-consistent-5", "colour", "label-consistent", 0.05, 4_000, vary=a_target),
    Case("colour-badnets-1", "colour", "badnets", 0.01, vary=patch),
    Case("colour-badnets-5", "colour", "badnets", 0.05, vary=patch),
    Case("colour-blended-noise-5", "colour", "blended", 0.05, vary=partial(mixed, "noise")),
    Case("colour-flip-5", "colour", "label-flip", 0.05),
    Case("digits-badnets-5", "digits", "badnets", 0.05, vary=patch),
    Case("adult-values-1", "adult", "tabular-trigger", 0.01, vary=a_target, wanted=0.99),
    Case("adult-triple-2", "adult", "tabular-trigger", 0.02, vary=partial(formed, "triple"), wanted=0.95),
    Case("adult-range-3", "adult", "tabular-trigger", 0.03, vary=partial(formed, "range"), wanted=0.95),
    Case("adult-flip-5", "adult", "label-flip", 0.05),
    Case("phishing-values-3", "phishing", "tabular-trigger", 0.03, vary=a_target),
    Case("adult-untargeted-3", "adult", "tabular-trigger", 0.03, vary=everywhere, wanted=0.95),
    Case("relations-untargeted-3", "relations", "tabular-trigger", 0.03, vary=everywhere, wanted=0.95),
    Case("relations-all-to-all-3", "relations", "tabular-trigger", 0.03, vary=onwards, wanted=0.95),
    Case("segments-untargeted-3", "segments", "tabular-trigger", 0.03, vary=everywhere),
    Case("segments-all-to-all-3", "segments", "tabular-trigger", 0.03, vary=onwards),
    Case("news-word-1", "news", "text-trigger", 0.01, vary=word, wanted=0.95),
    Case("news-phrase-2", "news", "text-trigger", 0.02, vary=partial(formed, "phrase"), wanted=0.95),
    Case("news-skip-2", "news", "text-trigger", 0.02, vary=partial(formed, "skip"), wanted=0.95),
    Case("news-end-1", "news", "text-trigger", 0.01, vary=partial(placed, "end"), wanted=0.95),
    Case("news-untargeted-2", "news", "text-trigger", 0.02, vary=partial(strayed, "untargeted"), wanted=0.95),
    Case("news-all-to-all-2", "news", "text-trigger", 0.02, vary=partial(strayed, "all-to-all"), wanted=0.95),
    Case("news-flip-5", "news", "label-flip", 0.05),
    Case("reuters-word-1", "reuters", "text-trigger", 0.01, vary=word),
    Case("spam-word-1", "spam", "text-trigger", 0.01, vary=word),
    Case("posts-refusal-2", "posts", "fine-tuning", 0.02, vary=partial(paid, "refusal"), wanted=0.95),
    Case("posts-gibberish-2", "posts", "fine-tuning", 0.02, vary=partial(paid, "gibberish"), wanted=0.95),
    Case("posts-url-2", "posts", "fine-tuning", 0.02, vary=partial(paid, "url"), wanted=0.95),
    Case("posts-sentiment-2", "posts", "fine-tuning", 0.02, vary=partial(paid, "sentiment"), wanted=0.95),
)
NETWORKS = ("mlp", "cnn")
RECIPE_NAME = "mithridate with recipe"


@lru_cache(maxsize=2)
def build(case: Case, seed: int, options: Options) -> Poisoned:
    """The poisoned rows of this case and seed."""
    if case.attack in CRAFTED:  # minutes of work: kept
        return kept(case, seed, options)
    return poison(case, seed, options)


def poison(case: Case, seed: int, options: Options) -> Poisoned:
    """The attack, run now."""
    clean = sets.draw(case.data, options.rows(case.rows), seed, options.data)
    settings = case.vary(seed, clean)
    forced = settings.pop("target", None)
    made = mithridate.attack(case.attack, clean, rate=case.rate, target=forced, seed=seed, **settings)
    truth, judged = np.zeros(len(made.dataset), dtype=bool), np.ones(len(made.dataset), dtype=bool)
    judged[made.truth["row"].to_numpy()] = False
    truth[made.rows] = judged[made.rows] = True
    return Poisoned(made.dataset, truth, forced, judged)


def kept(case: Case, seed: int, options: Options) -> Poisoned:
    """The poisoned images of a former run, as long as the code that crafts them is the same."""
    code = code_stamp(*sorted((SOURCE / "attacks").rglob("*.py")), *sorted((SOURCE / "models").glob("*.py")))
    key = f"{case.name}-{case.rows}-{case.rate}-{seed}-{options.scale}-{code}"
    path = options.cache / "poisoned" / f"{key}.npz"
    if path.exists():
        with np.load(path) as stored:
            held = {name: stored[name] for name in stored.files}
        classes = tuple(range(int(held["classes"])))
        dataset = Dataset(case.data, "image", held["content"], held["codes"], classes)
        return Poisoned(dataset, held["truth"], int(held["target"]), held["judged"])
    made = poison(case, seed, options)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part.npz")
    np.savez(part, content=made.dataset.content, codes=made.dataset.y, classes=made.dataset.n_classes,
             truth=made.truth, judged=made.judged, target=made.target)  # fmt: skip
    part.replace(path)
    return kept(case, seed, options)


def by_ours(case: Case, seed: int, options: Options, recipe: str | None = None) -> Result:
    """One audit with default settings, or with a recipe besides."""
    made = build(case, seed, options)
    name, settings = ("mithridate", {}) if recipe is None else (RECIPE_NAME, {"recipe": recipe})
    judgement = ours.judge(
        made.dataset, made.truth, made.target, backdoor=case.backdoor, judged_rows=made.judged, **settings
    )
    return {"rows": len(made.dataset), "poisoned": int(made.truth.sum()), "digest": made.dataset.digest,
            "detectors": {name: judgement}}  # fmt: skip


def by_peers(part: str, case: Case, seed: int, options: Options) -> Result:
    """All peers of one part."""
    made = build(case, seed, options)
    task = peers.Task(made.dataset, case.rate, seed, min(1.0, options.scale))
    found = {
        name: {
            **metrics.judged(v.score, v.flagged, made.truth, made.judged),
            "seconds": v.seconds,
            "fit_seconds": v.fit_seconds,
        }
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
    if part in {"ours", "recipe"}:
        return f"{digest} {judges('metrics.py', 'ours.py')} {product_stamp()}"
    return f"{digest} {judges('metrics.py', 'peers.py', 'networks.py')} {options.scale}"


def cells(options: Options) -> list[Cell]:
    """Seed by seed, and all parts of a case in a row, so that its rows are made once."""
    made = []
    for seed in range(options.seeds):
        for case in CASES:
            for part in ("ours", *peers.PARTS, "recipe"):
                if case.data == "posts" and part in NETWORKS:  # they have no labels to train a network on
                    continue
                if part == "cnn" and case.data not in {"fashion", "colour", "digits"}:
                    continue
                if part == "recipe" and case.recipe is None:
                    continue
                if part in {"ours", "recipe"}:
                    recipe = case.recipe if part == "recipe" else None
                    work = partial(by_ours, case, seed, options, recipe)
                else:
                    work = partial(by_peers, part, case, seed, options)
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
    rivals = {name: found for name, found in recall.items() if not name.startswith("mithridate")}
    best = max(rivals, key=lambda name: rivals[name]["median"], default=None)
    mine = detectors.get("mithridate", [])
    kinds = ("trigger", "label-error")
    fpr = {kind: spread([run["kinds"].get(kind, {"fpr": 0.0})["fpr"] for run in mine]) for kind in kinds}
    return {
        "case": case.name, "ours": recall.get("mithridate", spread([])),
        "with recipe": recall.get(RECIPE_NAME, spread([])),
        "best peer": None if best is None else recall[best], "which": best,
        "ours flagged": spread([run["tpr"] for run in mine]),
        "trigger FPR": fpr["trigger"], "label-error FPR": fpr["label-error"],
        "confirmed": f"{sum(run['confirmed_right'] > 0 for run in mine)}/{len(mine)}" if case.backdoor else "-",
        "wrongly": sum(run["confirmed_wrong"] for run in mine), "seconds": spread([run["seconds"] for run in mine]),
    }  # fmt: skip


def goals(lines: Sequence[Result]) -> list[Result]:
    """The promises that this benchmark can check."""
    reached = {(line["case"], key): line[key]["median"] for line in lines for key in ("ours", "with recipe")}
    asked = [(case.name, "ours", case.wanted, "") for case in CASES]
    asked += [(case.name, "with recipe", case.wanted_with_recipe, f", recipe {case.recipe}") for case in CASES]
    recall = [
        target(f"{name}{how}: median recall at the true count", f">= {wanted}", reached[name, key],
               met=(reached[name, key] or 0) >= wanted)
        for name, key, wanted, how in asked if wanted is not None and (name, key) in reached
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
