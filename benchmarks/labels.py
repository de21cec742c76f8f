"""Claim: label-error flags keep the false-discovery rate that the user chose (`--fdr`, 5 %), whatever the noise.

False discoveries are flags on rows that we did not flip. Real sets hold natural label errors too, and flags on those
count as false here, so the share is an upper bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial

import numpy as np
import numpy.typing as npt

import mithridate
import ours
import sets
from common import Cell, Options, Result, judges, product_stamp, publish, show, spread, target
from metrics import flag_rates, mean_interval, recall_at_count, wilson
from mithridate.data.dataset import Dataset

SETS = ("fashion", "digits", "adult", "phishing", "news", "reuters", "spam")
RATES = (0.01, 0.05, 0.10, 0.20)
ROWS = 10_000
FDR = 0.05


@lru_cache(maxsize=2)
def flipped(name: str, rate: float, seed: int, options: Options) -> tuple[Dataset, npt.NDArray[np.bool_]]:
    """A draw with random label flips, and which rows they are."""
    clean = sets.draw(name, options.rows(ROWS), seed, options.data)
    made = mithridate.attack("label-flip", clean, rate=rate, seed=seed)
    truth = np.zeros(len(clean), dtype=bool)
    truth[made.rows] = True
    return made.dataset, truth


def audit(name: str, rate: float, seed: int, options: Options) -> Result:
    """Flags of kind label-error, and all flags, against the flips."""
    dataset, truth = flipped(name, rate, seed, options)
    found, seconds = ours.audit(dataset, fdr=FDR)
    rows = ours.row_table(found)
    errors = rows["flagged"] & (rows["kind"] == "label-error")
    return {
        "rows": len(dataset), "flips": int(truth.sum()), "digest": dataset.digest, "seconds": seconds,
        "label_error": flag_rates(errors, truth), "any": flag_rates(rows["flagged"], truth),
        "recall": recall_at_count(np.asarray(rows["score"], dtype=np.float64), truth), **ours.outcome(found),
    }  # fmt: skip


def stamp(name: str, rate: float, seed: int, options: Options) -> str:
    """Changes with the rows and the product."""
    digest = flipped(name, rate, seed, options)[0].digest
    return f"{digest} {judges('ours.py', 'metrics.py')} {product_stamp()}"


def cells(options: Options) -> list[Cell]:
    """Every set at every rate for every seed."""
    return [
        Cell(f"{name}-{rate:g}", seed, "ours", partial(audit, name, rate, seed, options),
             partial(stamp, name, rate, seed, options))
        for seed in range(options.seeds) for name in SETS for rate in RATES
    ]  # fmt: skip


def line(case: str, runs: Sequence[Result]) -> Result:
    """False discovery share of one case: pooled over flags (Wilson) and mean over seeds (bootstrap)."""
    flags = sum(run["label_error"]["flags"] for run in runs)
    false = sum(round(run["label_error"]["false_share"] * run["label_error"]["flags"]) for run in runs)
    pooled = wilson(false, flags)
    shares = [run["label_error"]["false_share"] for run in runs]
    means = mean_interval(shares, np.random.default_rng(0))
    return {
        "case": case, "seeds": len(runs), "flags": flags, "false share": false / max(1, flags),
        "low": pooled.low, "high": pooled.high, "mean over seeds": float(np.mean(shares)),
        "mean low": means.low, "mean high": means.high,
        "flips flagged": spread([run["label_error"]["tpr"] for run in runs]),
        "recall at count": spread([run["recall"] for run in runs]), "within": pooled.low <= FDR if flags else None,
    }  # fmt: skip


def report(results: Sequence[Result], options: Options) -> None:
    """Print the table and write the JSON."""
    measured = [(cell["case"], cell["result"]) for cell in results if "result" in cell]
    lines = [
        line(case, [run for name, run in measured if name == case]) for case in dict.fromkeys(c for c, _ in measured)
    ]
    show(f"Label-error flags at --fdr {FDR}: share that is false, 95 % interval", lines)
    goals = [
        target(f"{row['case']}: share of false label-error flags", f"95 % interval reaches down to <= {FDR}",
               row["false share"] if row["flags"] else None, met=row["within"])
        for row in lines
    ]  # fmt: skip
    publish("labels", results, lines, goals, options)
