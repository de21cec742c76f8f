"""Which members of a PyTorch archive are raw tensor values: the loader copies them and never runs them.

References
----------
caffe2/serialize/inline_container.h: `data.pkl` names storages, which stand in `data/<number>` beside it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_NUMBERS = re.compile(r"(?:data|constants|xl_model_weights)/\d+")


def raw_names(names: Sequence[str]) -> frozenset[str]:
    """The names that a PyTorch loader takes for raw values; empty for any other archive."""
    roots = {name[: -len("data.pkl")] for name in names if name == "data.pkl" or name.endswith("/data.pkl")}
    return frozenset(
        name for name in names for root in roots if name.startswith(root) and _NUMBERS.fullmatch(name[len(root) :])
    )
