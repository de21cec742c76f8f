"""Hydra and OmegaConf `_target_`: the callable that `instantiate` imports and calls.

References
----------
Hydra, Instantiating objects; CVE-2025-23304 and CVE-2026-22584 (NeMo and others instantiate targets of model files).
"""

from __future__ import annotations

from collections.abc import Iterator

from mithridate.core.findings import Severity
from mithridate.supply.scan.formats.callables import capability, is_standard_library
from mithridate.supply.scan.formats.reading import clip
from mithridate.supply.scan.issue import Issue

KEYS = ("_target_", "target_", "__target__", "class_path")
_HARMLESS = (
    "datetime.", "collections.", "pathlib.", "functools.partial", "types.Simple", "math.", "random.Random", "decimal.",
    "fractions.", "io.", "operator.", "typing.",
)  # fmt: skip
_REMEDY = "Allow only the classes that you expect before instantiating it."


def examine_target(target: str, place: str) -> Iterator[Issue]:
    """A harmful callable, one of Python's own, one that is put together at load time; ordinary classes are no issue."""
    harm = capability(target)
    if harm:
        claim = f"instantiating it calls {clip(target)}, which can {harm}"
        yield Issue("config-target", Severity.CRITICAL, claim, place, remedy=_REMEDY)
    elif "${" in target or "$(" in target:
        claim = f"the callable is put together while it loads: {clip(target)}"
        yield Issue("config-target", Severity.HIGH, claim, place, remedy=_REMEDY)
    elif is_standard_library(target) and not target.startswith(_HARMLESS):
        claim = f"instantiating it calls {clip(target)} of Python itself"
        yield Issue("config-target", Severity.HIGH, claim, place, remedy=_REMEDY)
