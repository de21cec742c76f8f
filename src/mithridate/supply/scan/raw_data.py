"""Raw numbers that lie beside their index: tensor data that an ONNX model names, shards of a TensorFlow checkpoint.

Such a file begins with whatever its first weight is, so that its bytes alone can't be told from anything else. Who
names it decides: a model or an index in the same folder, or above it, whose own bytes say so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePath

from mithridate.core.findings import Severity
from mithridate.supply.scan.blob import open_file
from mithridate.supply.scan.budget import Budget, OverBudgetError
from mithridate.supply.scan.dispatch import Located
from mithridate.supply.scan.files import Scanned
from mithridate.supply.scan.formats.onnx import external_data
from mithridate.supply.scan.issue import Issue

_SHARD = re.compile(r"(.+)\.data-(\d{5})-of-(\d{5})\Z")
_INDEX = "it is the index of a TensorFlow checkpoint"
_SLACK = 1 << 16  # bytes behind the last tensor: pages are filled up
_LEVELS = 2  # folders above the data in which its model may lie
_REMEDY = "Ask what the rest of it is for."


def with_raw_data_known(files: Sequence[Scanned]) -> list[Scanned]:
    """The files; data that an index beside them names carry a low issue in place of *not analysed*."""
    unknown = {file.path: file for file in files if _is_unknown(file)}
    if not unknown:
        return list(files)
    said = dict(_named(files, unknown))
    return [
        replace(file, located=(Located(file.path, "unknown", said[file.path]),)) if file.path in said else file
        for file in files
    ]


def _is_unknown(file: Scanned) -> bool:
    """Nobody knew its bytes, and there is nothing else to say."""
    return len(file.located) == 1 and file.located[0].name == file.path and "unknown" in file.kinds


def _named(files: Sequence[Scanned], unknown: Mapping[str, Scanned]) -> Iterator[tuple[str, Issue]]:
    indices = {file.path for file in files if any(one.issue.claim.startswith(_INDEX) for one in file.located)}
    for path in unknown:
        shard = _SHARD.fullmatch(path)
        if shard is not None and f"{shard[1]}.index" in indices and 0 <= int(shard[2]) < int(shard[3]):
            yield path, _known(f"{PurePath(shard[1]).name}.index")
    folders = {parent for path in unknown for parent in PurePath(path).parents[: _LEVELS + 1]}
    for file in files:
        folder = PurePath(file.path).parent
        if "ONNX" not in file.kinds or folder not in folders:
            continue
        for location, end in _locations(file.path).items():
            path = str(folder / location)
            if path in unknown:
                yield path, _judged(unknown[path], end, PurePath(file.path).name)


def _locations(path: str) -> dict[str, int | None]:
    """Files that a model names, and where the last of its tensors ends in each; None for the end of the file."""
    try:
        with open_file(Path(path)) as blob:
            return external_data(blob, Budget(seconds=10))
    except (OSError, OverBudgetError):
        return {}


def _judged(file: Scanned, end: int | None, model: str) -> Issue:
    if end is None or end <= file.size <= end + _SLACK:
        return _known(model)
    if end > file.size:
        claim = f"{model} reads tensors from it up to byte {end:,}, and it has {file.size:,}"
    else:
        claim = f"{file.size - end:,} bytes of it belong to no tensor of {model}, and nobody analysed them"
    return Issue("not-analysed", Severity.MEDIUM, claim, remedy=_REMEDY)


def _known(index: str) -> Issue:
    return Issue("raw-data", Severity.LOW, f"raw numbers of tensors, which {index} names: they are read and never run")
