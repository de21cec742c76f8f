"""Hydra and OmegaConf `_target_`: the callable that `instantiate` imports and calls.

References
----------
Hydra, Instantiating objects; CVE-2025-23304 and CVE-2026-22584 (NeMo and others instantiate targets of model files).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mithridate.core.findings import Severity
from mithridate.supply.scan.formats.callables import capability, is_inert, is_standard_library
from mithridate.supply.scan.formats.reading import clip
from mithridate.supply.scan.issue import Issue

KEYS = ("_target_", "target_", "__target__", "class_path")
_HARMLESS = (
    "datetime.", "collections.", "pathlib.", "functools.partial", "types.Simple", "math.", "random.Random", "decimal.",
    "fractions.", "io.", "operator.", "typing.",
)  # fmt: skip
_REMEDY = "Allow only the classes that you expect before instantiating it."


FINDERS = frozenset(f"hydra.utils.get_{what}" for what in ("method", "class", "object", "static_method"))
"""Hydra's own, harmless in themselves: what they find counts."""


def found_by(node: Mapping[str, Any]) -> str:
    """The callable that one of Hydra's own finders is told to find; empty where the node calls none of them."""
    path = node.get("path")
    return path if node.get("_target_") in FINDERS and isinstance(path, str) else ""


def examine_target(target: str, place: str) -> Iterator[Issue]:
    """A harmful callable, one of Python's own, one that is put together at load time; ordinary classes are no issue."""
    harm = capability(target)
    if harm:
        claim = f"instantiating it calls {clip(target)}, which can {harm}"
        yield Issue("config-target", Severity.CRITICAL, claim, place, remedy=_REMEDY)
    elif "${" in target or "$(" in target:
        claim = f"the callable is put together while it loads: {clip(target)}"
        yield Issue("config-target", Severity.HIGH, claim, place, remedy=_REMEDY)
    elif is_standard_library(target) and not (target.startswith(_HARMLESS) or is_inert(target)):
        claim = f"instantiating it calls {clip(target)} of Python itself"
        yield Issue("config-target", Severity.HIGH, claim, place, remedy=_REMEDY)
