"""What a PyTorch archive holds: raw tensor values, which the loader copies, and TorchScript, which a model runs.

References
----------
caffe2/serialize/inline_container.h: `data.pkl` names storages, which stand in `data/<number>` beside it;
torch/export/pt2_archive/constants.py: weights and constants of an exported program.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mithridate.core.findings import Severity
from mithridate.supply.scan.issue import Issue

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


_OUTSIDE = re.compile(rb"\b(?:torch|ops\.aten)\.(save|from_file|load)\b")


def is_script(name: str) -> bool:
    """Whether this member of an archive is TorchScript."""
    return "/code/" in f"/{name}" and name.endswith(".py")


def script_issue(name: str, content: bytes) -> Issue | None:
    """TorchScript that reads or writes files; the language can do little else to its host."""
    found = _OUTSIDE.search(content)
    if found is None:
        return None
    call = found.group().decode()
    return Issue(
        "script-files", Severity.HIGH, f"its TorchScript calls {call}, which reads or writes files", name[:200]
    )
