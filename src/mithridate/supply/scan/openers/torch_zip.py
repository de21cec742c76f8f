"""Which members of a PyTorch archive are raw tensor values: the loader copies them and never runs them.

References
----------
caffe2/serialize/inline_container.h: `data.pkl` names storages, which stand in `data/<number>` beside it;
torch/export/pt2_archive/constants.py: weights and constants of an exported program.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

# The member that makes the archive what it is, and the names beside it that hold raw values.
_KINDS = (
    ("data.pkl", re.compile(r"(?:data|constants|xl_model_weights)/\d+")),
    ("archive_format", re.compile(r"data/(?:weights/weight|constants/tensor)_\d+")),
)


def raw_names(names: Sequence[str]) -> frozenset[str]:
    """The names that a PyTorch loader takes for raw values; empty for any other archive."""
    found: set[str] = set()
    for mark, numbers in _KINDS:
        roots = {name[: -len(mark)] for name in names if name == mark or name.endswith(f"/{mark}")}
        for root in roots:
            found.update(n for n in names if n.startswith(root) and numbers.fullmatch(n[len(root) :]))
    return frozenset(found)
