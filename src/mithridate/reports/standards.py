"""The full names of standards' ids, where the vocabulary holds them."""

from __future__ import annotations

from importlib import import_module

from mithridate.reports.safe import line

_HOME = "mithridate.core.standards"


def full_name(key: object) -> str:
    """The name of a standard's id, such as `AML.T0020`; empty when it is not known."""
    try:
        known = getattr(import_module(_HOME), "NAMES", {})
    except ModuleNotFoundError:
        return ""
    return line(known.get(str(key), ""), limit=160)
