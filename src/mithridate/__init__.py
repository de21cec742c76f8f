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
    from mithridate.supply.sealing.sealed import SealedFile as SealedFile

_PUBLIC = {
    "Report": "mithridate.core.report",
    "SealedFile": "mithridate.supply.sealing.sealed",
    "attack": "mithridate.attacks.poisoning",
    "audit": "mithridate.flows.audit",
    "posture": "mithridate.flows.posture",
}

__all__ = ["Report", "SealedFile", "attack", "audit", "posture"]


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
