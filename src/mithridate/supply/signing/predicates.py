"""What statements say: the kinds of predicate, and a builder for each.

Every URI but the model's is this project's own and stands for exactly the keys that its builder writes; readers ignore
keys they don't know. The model's is OpenSSF model-signing's, so that its tool accepts our bundles.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType
from typing import Any

from mithridate.core.errors import InputError

MODEL = "https://model_signing/signature/v1.0"
_OWN = "urn:mithridate:predicate"
DATASET, AUDIT = f"{_OWN}:dataset:v1", f"{_OWN}:audit:v1"
TRAINING, EVALUATION = f"{_OWN}:training-run:v1", f"{_OWN}:evaluation:v1"
PREDICTION = f"{_OWN}:prediction:v1"

TYPES: Mapping[str, str] = MappingProxyType(
    {
        "model": MODEL,
        "dataset": DATASET,
        "audit": AUDIT,
        "training-run": TRAINING,
        "evaluation": EVALUATION,
        "prediction": PREDICTION,
    }
)
ROOT = "mithridateRecords"  # the digest algorithm's name of a manifest's root in a DigestSet


def type_of(word: str) -> str:
    """The predicate's URI for a short word; a URI stays as it is.

    Raises
    ------
    InputError : neither.
    """
    if ":" in word:
        return word
    if word not in TYPES:
        raise InputError(f"the type must be one of {', '.join(TYPES)} or a URI, got {word!r}")
    return TYPES[word]


def word_of(uri: str) -> str:
    """The short word for a predicate's URI; the URI where it has none."""
    return next((word for word, known in TYPES.items() if known == uri), uri)


def dataset(head: Mapping[str, Any], transforms: Sequence[str] = ()) -> dict[str, Any]:
    """A data set: `records` (root, rows, columns covered and left out, counts by source) and `transforms`, in words."""
    kept = ("name", "rows", "root", "leaf", "width", "layout", "salt_id", "sources", "shards", "index")
    return {"records": {key: head[key] for key in kept}, "transforms": list(transforms)}


def audit(report: Mapping[str, Any]) -> dict[str, Any]:
    """An audit: verdict, findings by severity with their fingerprints, what ran and what didn't, and the target."""
    findings = [
        {key: finding[key] for key in ("fingerprint", "method", "slug", "severity", "claim")}
        for finding in report["findings"]
    ]
    checks = {check["method"]: check["status"] for check in report["checks"]}
    run = report["run"]
    return {
        "verdict": report["verdict"], "target": report["target"], "findings": findings, "checks": checks,
        "auditor": {"name": "mithridate", "version": str(run.get("version", ""))}, "seed": run.get("seed", 0),
    }  # fmt: skip


def training_run(
    datasets: Sequence[Mapping[str, Any]],
    *,
    code: Mapping[str, str],
    config: Mapping[str, Any],
    seed: int | None = None,
    base_models: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """A training run: the data sets' roots, code digest, settings, seed, models it started from, and environment."""
    return {
        "datasets": [dict(item) for item in datasets], "code": dict(code), "config": dict(config), "seed": seed,
        "base_models": [dict(item) for item in base_models], "environment": environment(),
    }  # fmt: skip


def evaluation(metrics: Mapping[str, Any], *, datasets: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """An evaluation: its numbers by name, and the data sets that they were measured on."""
    return {"metrics": dict(metrics), "datasets": [dict(item) for item in datasets]}


def prediction(
    models: Sequence[Mapping[str, Any]], *, inputs: Sequence[Mapping[str, Any]] = (), facts: Mapping[str, Any]
) -> dict[str, Any]:
    """A served prediction, which is the subject: the models that made it, what they were given, and facts by name."""
    return {"models": [dict(item) for item in models], "inputs": [dict(item) for item in inputs], "facts": dict(facts)}


def environment() -> dict[str, str]:
    """Python, system, and the packages that shape a model where they are installed; nothing that names a machine."""
    found = {"python": platform.python_version(), "system": platform.system(), "machine": platform.machine()}
    for name in ("mithridate", "numpy", "scikit-learn", "torch", "pyarrow"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    found["byteorder"] = sys.byteorder
    return found
