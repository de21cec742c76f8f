"""Claim: every image backdoor works, a model stays as good without the trigger, and no peer makes the poison faster.

Speed: the trigger on 10,000 images, and the whole job on them (choose 5 %, change, keep the truth), beside ART's
`PoisoningAttackBackdoor` where it has the attack. ART itself only makes poison: `art whole` is the job as its examples
do it (class by class, the poison appended, its truth kept, all shuffled), `art least` the least that poisons a copy:
rows drawn by position and put back, no truth. Ours reads every row to choose by content, so that the order of the rows
changes nothing; a set that is attacked `again` isn't read again. Peers of the crafted attacks and of label flips are
in `attack_peers.py`. Effect: a model trained on the poisoned rows, judged on 2,000 others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt

import mithridate
import sets
from attack_peers import IMAGES, crafted, least, noise
from attack_peers import PEERS as CRAFTED
from common import Cell, MissingSetError, Options, Result, judges, product_stamp, publish, show, spread, target
from mithridate.data.dataset import Dataset
from mithridate.models.evaluate import attack_success, clean_accuracy
from mithridate.models.recipes import recipe

ROWS, TEST_ROWS = 10_000, 2_000
EFFECT_SEEDS = 3  # a training for every cell
REPEATS = 25  # of a timing; the least counts
WANTED, MOST_LOSS = 0.8, 0.05
MODELS = {"fashion": ("cnn", "mlp"), "colour": ("cnn",)}


@dataclass(frozen=True)
class Variant:
    """An attack as it is measured; `art` names ART's own in `PEERS`; `wanted` is False where no promise is made."""

    name: str
    attack: str
    rate: float = 0.05
    settings: dict[str, Any] = field(default_factory=dict)
    art: str | None = None
    wanted: bool = True


VARIANTS = (
    Variant("badnets", "badnets", art="pattern"),
    Variant("badnets-moving", "badnets", 0.05, {"place": "moving", "pattern": "checker", "size": 5}),
    Variant("blended", "blended", art="image"),
    Variant("sig", "sig"),
    Variant("sig-dirty", "sig", 0.05, {"label": "dirty"}),
    Variant("wanet", "wanet", 0.1),
    Variant("wanet-noise", "wanet", 0.1, {"cover": 0.1}),
    Variant("input-aware", "input-aware", 0.1),
    Variant("low-frequency", "low-frequency"),
    Variant("adaptive-blend", "adaptive-blend"),
    Variant("adaptive-patch", "adaptive-patch"),
    Variant("badnets-all-to-all", "badnets", 0.05, {"rule": "all-to-all"}, wanted=False),
    Variant("badnets-untargeted", "badnets", 0.05, {"rule": "untargeted"}),
)


@lru_cache(maxsize=2)
def halves(data: str, seed: int, options: Options) -> tuple[Dataset, Dataset]:
    """Rows to train on and rows to judge on."""
    drawn = sets.draw(data, options.rows(ROWS) + TEST_ROWS, seed, options.data)
    cut = len(drawn) - TEST_ROWS
    return sets.fresh(drawn.take(np.arange(cut))), drawn.take(np.arange(cut, len(drawn)))


@lru_cache(maxsize=2)
def clean_model(data: str, model: str, seed: int, options: Options) -> Any:
    """A model trained on the same rows before the attack."""
    return recipe(model)(halves(data, seed, options)[0], seed)


def effect(data: str, variant: Variant, model: str, seed: int, options: Options) -> Result:
    """How often the trigger works on a model trained on the poison, and what it costs without the trigger."""
    train, test = halves(data, seed, options)
    made = mithridate.attack(variant.attack, train, rate=variant.rate, seed=seed, **variant.settings)
    clean, fitted = clean_model(data, model, seed, options), recipe(model)(made.dataset, seed)
    success, baseline = (attack_success(one, test, made.apply, made.rule) for one in (fitted, clean))
    before, after = (clean_accuracy(one, test).value for one in (clean, fitted))
    return {
        "rows": len(train), "poisoned": len(made.rows), "cover": made.truth.num_rows - len(made.rows),
        "success": success.value, "low": success.low, "high": success.high, "without": baseline.value,
        "accuracy": after, "loss": before - after,
    }  # fmt: skip


def speed(variant: Variant, seed: int, options: Options) -> Result:
    """Seconds of ours and of ART on the same images."""
    train = halves("fashion", seed, options)[0]
    images, codes = train.content, train.y
    settings = {"rate": variant.rate, "seed": seed, **variant.settings}
    made = mithridate.attack(variant.attack, train, **settings)
    known = replace(train)
    found = {
        "apply": least(lambda: made.apply(images), REPEATS),
        "whole": least(lambda: mithridate.attack(variant.attack, replace(train), **settings), REPEATS),
        "again": least(lambda: mithridate.attack(variant.attack, known, **settings), REPEATS),
    }
    if variant.art:
        apply = PEERS[variant.art](images.shape[1:])
        found["art apply"] = least(lambda: apply(images, codes), 3)
        found["art whole"] = least(lambda: by_art(apply, images, codes, variant.rate), REPEATS)
        found["art least"] = least(lambda: put_back(apply, images, codes, variant.rate), REPEATS)
        found |= {f"{part} ratio": found[part] / found[f"art {part}"] for part in ("apply", "whole")}
        found |= {f"{part} over least": found[part] / found["art least"] for part in ("whole", "again")}
    return {"rows": len(train), **found}


def by_art(
    apply: Callable[..., Any], images: npt.NDArray[Any], codes: npt.NDArray[Any], rate: float
) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[np.bool_]]:
    """Content, labels and truth by the steps of ART's examples: poison of each class appended, then all shuffled."""
    rng, content, labels = np.random.default_rng(0), images.copy(), codes.copy()
    truth = np.zeros(len(codes), dtype=bool)
    sources = np.unique(codes[codes != 0])
    shares = np.diff(np.linspace(0, round(rate * len(images)), len(sources) + 1).round())
    for code, count in zip(sources, shares, strict=True):
        own = images[codes == code]
        chosen = own[rng.choice(len(own), int(count))]
        new, given = apply(chosen, np.zeros(len(chosen), codes.dtype))
        content, labels = np.append(content, new, axis=0), np.append(labels, given, axis=0)
        truth = np.append(truth, np.ones(len(new), dtype=bool))
    order = rng.permutation(len(labels))
    return content[order], labels[order], truth[order]


def put_back(
    apply: Callable[..., Any], images: npt.NDArray[Any], codes: npt.NDArray[Any], rate: float
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """The least work that makes a poisoned copy: rows drawn by position, poisoned and put back."""
    rows = np.random.default_rng(0).choice(np.flatnonzero(codes != 0), round(rate * len(images)), replace=False)
    content, labels = images.copy(), codes.copy()
    content[rows], labels[rows] = apply(images[rows], np.zeros(len(rows), codes.dtype))
    return content, labels


def art_pattern(_shape: tuple[int, ...]) -> Callable[..., Any]:
    """ART's checkerboard of single pixels near the corner."""
    backdoor, perturbations = art()
    return backdoor(partial(perturbations.add_pattern_bd, pixel_value=255)).poison  # type: ignore[no-any-return]


def art_image(shape: tuple[int, ...]) -> Callable[..., Any]:
    """ART's blended picture; the picture is noise of the images' own size, at the same share as ours."""
    from PIL import Image

    backdoor, perturbations = art()
    path = Options().cache / "attacks-noise.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(0).integers(0, 256, shape[:2], dtype=np.uint8)).save(path)
    options = {"backdoor_path": str(path), "random": False, "size": (shape[1], shape[0]), "blend": 0.2}
    insert = partial(perturbations.insert_image, **options)

    def poison(images: npt.NDArray[Any], labels: npt.NDArray[Any]) -> Any:
        return backdoor(insert).poison(images.astype(np.float32) / 255, labels)  # it takes images in [0, 1]

    return poison


def art() -> tuple[Any, Any]:
    """ART's attack and its perturbations."""
    try:
        from art.attacks.poisoning import PoisoningAttackBackdoor, perturbations
    except ImportError as error:
        raise MissingSetError("ART is missing: pip install adversarial-robustness-toolbox") from error
    return PoisoningAttackBackdoor, perturbations


def beside(name: str, options: Options) -> Result:
    """Ours and a peer's on the same rows: label noise, or poison crafted on one network that both are given."""
    train = halves("fashion", 0, options)[0]
    if name == "label-flip":
        return noise(train)
    few = sets.fresh(train.take(np.arange(min(IMAGES, len(train)))))
    return crafted(name, few, recipe("cnn")(few, 0).module)


PEERS: dict[str, Callable[[tuple[int, ...]], Callable[..., Any]]] = {"pattern": art_pattern, "image": art_image}


def cells(options: Options) -> list[Cell]:
    """Timings first, then a training for each set, model, attack and seed."""
    version = f"{product_stamp()} {judges('attacks.py', 'attack_peers.py', 'sets.py')}"
    stamp = partial(str, version)
    made = [Cell(v.name, 0, "speed", partial(speed, v, 0, options), stamp) for v in VARIANTS]
    made += [Cell(name, 0, "peer", partial(beside, name, options), stamp) for name in ("label-flip", *CRAFTED)]
    for seed in range(min(options.seeds, EFFECT_SEEDS)):
        made += [
            Cell(f"{data}-{v.name}", seed, model, partial(effect, data, v, model, seed, options), stamp)
            for data, models in MODELS.items()
            for model in models
            for v in VARIANTS
        ]
    return made


def effects(results: Sequence[Result]) -> list[Result]:
    """Median, lowest and highest of each set, model and attack."""
    groups: dict[tuple[str, str], list[Result]] = {}
    for cell in results:
        if cell["part"] not in {"speed", "peer"} and "result" in cell:
            groups.setdefault((cell["case"], cell["part"]), []).append(cell["result"])
    return [
        {
            "case": case, "model": model, "runs": len(runs),
            "attack success": spread([run["success"] for run in runs]),
            "without poison": spread([run["without"] for run in runs]),
            "accuracy": spread([run["accuracy"] for run in runs]), "loss": spread([run["loss"] for run in runs]),
        }
        for (case, model), runs in groups.items()
    ]  # fmt: skip


def goals(lines: Sequence[Result], timings: Sequence[Result], others: Sequence[Result]) -> list[Result]:
    """Each attack's promise on each set and model, and the ratios of speed."""
    promised = {v.name for v in VARIANTS if v.wanted}
    made = []
    for line in lines:
        if line["case"].split("-", 1)[1] not in promised:
            continue
        success, loss = line["attack success"]["median"], line["loss"]["median"]
        what = f"{line['case']}, {line['model']}: attack success, with at most {MOST_LOSS} of accuracy lost"
        made.append(target(what, f">= {WANTED}", success, met=success >= WANTED and loss <= MOST_LOSS))
    for line in timings:
        for part in ("apply", "whole"):
            ratio = line[f"{part} ratio"]
            if ratio is not None:
                made.append(target(f"{line['case']}: seconds over ART's, {part}", "<= 1", ratio, met=ratio <= 1))
    for line in others:
        what = f"{line['case']}: seconds over those of {line['peer']}"
        made.append(target(what, "<= 1", line["ratio"], met=line["ratio"] <= 1))
    return made


def report(results: Sequence[Result], options: Options) -> None:
    """Print the tables and write the JSON."""
    keys = (
        *("apply", "art apply", "apply ratio", "whole", "again", "art whole", "whole ratio"),
        *("art least", "whole over least", "again over least"),
    )
    timings = [
        {"case": cell["case"], **{key: cell["result"].get(key) for key in keys}}
        for cell in results
        if cell["part"] == "speed" and "result" in cell
    ]
    show("Processor seconds on 10,000 images, least of several runs", timings)
    others = [
        {"case": cell["case"], **cell["result"]} for cell in results if cell["part"] == "peer" and "result" in cell
    ]
    others.sort(key=lambda line: "poisons" not in line)  # the table's columns are the first line's keys
    show("Processor seconds beside peers; of crafted poison a poison and iteration", others)
    lines = effects(results)
    show("Attack success: median [lowest, highest]", lines)
    reached = goals(lines, timings, others)
    show("Promises", reached)
    publish("attacks", results, [*timings, *others, *lines], reached, options)
