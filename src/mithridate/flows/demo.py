"""The demo: real images from five sources, one malicious, one sloppy; audit, remove, and train before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mithridate.attacks.poisoning import attack
from mithridate.attacks.poisoning.protocol import Poisoned
from mithridate.core.files import atomic
from mithridate.core.findings import Evidence, number
from mithridate.core.progress import Progress, Silent
from mithridate.core.report import CheckResult
from mithridate.data import load
from mithridate.data.dataset import Dataset
from mithridate.data.write import write_dataset
from mithridate.flows.audit import audit
from mithridate.flows.audit_report import AuditReport, save_report, save_scores
from mithridate.models.evaluate import attack_success, clean_accuracy
from mithridate.models.recipes import recipe

SOURCES = ("studio-north", "studio-south", "archive", "crowd-labels", "web-vendor")
MALICIOUS, SLOPPY = "web-vendor", "crowd-labels"
SHARES = (0.24, 0.22, 0.20, 0.18, 0.16)
TARGET = 7  # a sneaker: what the attacker wants everything with the patch to be
PATCH_RATE, FLIP_RATE = 0.02, 0.04  # shares of all rows
TEST_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Demo:
    """What the demo made: the report, the truth, and where the files lie."""

    report: AuditReport
    poisoned: Poisoned
    flipped: Poisoned
    folder: Path
    html: Path


def demo(folder: str | Path, *, seed: int = 0, rows: int | None = None, progress: Progress | None = None) -> Demo:
    """Poison real data, audit it, drop what was flagged, and train a model before and after.

    Writes `train.npz`, `report.html`, `report.json` and `scores.parquet` into `folder`, which is made.
    """
    steps = progress or Silent()
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    train, test = _split(load("fashion-mnist", rows=rows, whole=False), seed)
    flipped = attack("label-flip", train, rate=FLIP_RATE, seed=seed, source=SLOPPY)
    poisoned = attack("badnets", flipped.dataset, rate=PATCH_RATE, target=TARGET, seed=seed, source=MALICIOUS)
    path = folder / "train.npz"
    write_dataset(poisoned.dataset, path)
    command = f"mithridate audit {path} -o {folder / 'report.html'}"
    report = audit(path, seed=seed, progress=steps, command=command)
    report = _with_retraining(report, _retrain(report, poisoned, test, seed=seed, progress=steps))
    html = folder / "report.html"
    for name in (html, folder / "report.json"):
        save_report(report, name)
    save_scores(report, folder / "scores.parquet")
    return Demo(report, poisoned, flipped, folder, html)


def _split(data: Dataset, seed: int) -> tuple[Dataset, Dataset]:
    """Training rows with five named sources, and test rows that the attacker never touches."""
    rng = np.random.default_rng([seed, 1])
    order = rng.permutation(len(data))
    cut = int(len(data) * (1 - TEST_SHARE))
    train, test = data.take(order[:cut]), data.take(order[cut:])
    codes = rng.choice(len(SOURCES), size=cut, p=SHARES).astype(np.int32)
    named = replace(train, source_codes=codes, source_names=SOURCES, row_ids=np.arange(cut, dtype=np.int64))
    return named, test


def _retrain(
    report: AuditReport, poisoned: Poisoned, test: Dataset, *, seed: int, progress: Progress
) -> tuple[Evidence, ...]:
    """Clean accuracy and attack success of the same recipe, trained with and without the flagged rows."""
    if report.table is None or poisoned.apply is None:
        return ()
    make = recipe("mlp")
    kept: npt.NDArray[np.int64] = np.flatnonzero(~report.table.flagged)
    numbers: list[Evidence] = []
    for when, rows in (("before", poisoned.dataset), ("after", poisoned.dataset.take(kept))):
        progress.step(f"training {when} the remedy", 0.5 if when == "before" else 0.9)
        model = make(rows, seed)
        scores = (
            ("clean_accuracy", clean_accuracy(model, test)),
            ("attack_success", attack_success(model, test, poisoned.apply, _code(test, TARGET))),
        )
        for name, score in scores:
            note = f"{len(test):,} untouched test rows; Wilson 95 % interval over rows"
            numbers.append(
                number(f"{name}:{when}", score.value, low=score.low, high=score.high, unit="share", note=note)
            )
    return tuple(numbers)


def _code(data: Dataset, label: Any) -> int:
    return next(code for code in range(data.n_classes) if data.label_of(code) == label)


def _with_retraining(report: AuditReport, numbers: Sequence[Evidence]) -> AuditReport:
    check = CheckResult(
        "retrain", "retrain", "Trained with and without the flagged rows", "clean", numbers=tuple(numbers)
    )
    return replace(report, checks=(*report.checks, check))


def truth_table(made: Demo) -> dict[str, tuple[int, int]]:
    """Kind -> (planted, of those flagged): what the demo may say because it planted the poison itself."""
    flagged = set() if made.report.table is None else set(made.report.table.row[made.report.table.flagged].tolist())
    counts = {}
    for name, attacked in (("patch", made.poisoned), ("flips", made.flipped)):
        planted = set(attacked.truth["row"].to_pylist())
        counts[name] = (len(planted), len(planted & flagged))
    return counts


def save_truth(made: Demo) -> None:
    """Write which rows the demo poisoned, beside the data."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    both = pa.concat_tables([made.poisoned.truth, made.flipped.truth])
    with atomic(made.folder / "train.npz.truth.parquet") as temporary:
        pq.write_table(both, temporary)
