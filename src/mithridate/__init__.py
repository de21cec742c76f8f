"""Mithridate: find poison in training data, prove it on a model, name its source, and say what was not checked.

>>> import mithridate
>>> report = mithridate.audit("train.npz")              # doctest: +SKIP
>>> report.findings, report.rows()                      # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mithridate.attacks.poisoning import attack as attack
    from mithridate.core.report import Report as Report
    from mithridate.flows.audit import audit as audit
    from mithridate.flows.posture import posture as posture
    from mithridate.flows.scan import scan as scan
    from mithridate.supply.loading.safe_load import safe_load as safe_load
    from mithridate.supply.sealing.sealed import SealedFile as SealedFile

_PUBLIC = {
    "Report": "mithridate.core.report",
    "SealedFile": "mithridate.supply.sealing.sealed",
    "attack": "mithridate.attacks.poisoning",
    "audit": "mithridate.flows.audit",
    "posture": "mithridate.flows.posture",
    "safe_load": "mithridate.supply.loading.safe_load",
    "scan": "mithridate.flows.scan",
}

__all__ = ["Report", "SealedFile", "attack", "audit", "posture", "safe_load", "scan"]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        value = getattr(importlib.import_module(_PUBLIC[name]), name)
        globals()[name] = value
        return value
    if name in {"attacks", "data", "models", "reports"}:
        return importlib.import_module(f"mithridate.{name}")
    raise AttributeError(f"module 'mithridate' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
