"""Data sets: reading, writing, hashing, and the small real ones that come along.

Importing this costs nothing: `load`, `names`, `from_memory` and `Dataset` are loaded when they are first used. The
modules `read` and `write` hold the functions of the same name: `from mithridate.data.read import read`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mithridate.data.builtin import load, names
    from mithridate.data.dataset import Dataset
    from mithridate.data.memory import from_memory

_WHERE = {"Dataset": "dataset", "from_memory": "memory", "load": "builtin", "names": "builtin"}

__all__ = ["Dataset", "from_memory", "load", "names"]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
