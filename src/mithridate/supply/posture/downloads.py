"""Downloads from a model hub that name no revision: what they bring can change from one day to the next."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mithridate.core.findings import Finding, Severity
from mithridate.supply.posture.code import Use
from mithridate.supply.posture.context import Context
from mithridate.supply.posture.say import TESTS, Kind, Spot, finding

_FROM_HUB = re.compile(
    r"(?:transformers|diffusers|peft|optimum|sentence_transformers|setfit|huggingface_hub)(?:\.\w+)*\.from_pretrained|"
    r"huggingface_hub(?:\.\w+)*\.(?:hf_hub_download|snapshot_download)|datasets(?:\.\w+)*\.load_dataset"
)
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*(?:/[\w.-]+)?")
_BUILDERS = frozenset(
    {"csv", "json", "parquet", "text", "arrow", "pandas", "sql", "xml", "imagefolder", "audiofolder", "videofolder",
     "webdataset", "generator"}
)  # fmt: skip
_MOVES = frozenset({"main", "master", "HEAD"})
_FILES = re.compile(r"\.(?:py|json|csv|pt|pth|bin|safetensors|txt|parquet)$")
_KIND = Kind(
    "SUP422", "loose-requirement", "unpinned download", Severity.LOW, 0.8,
    'name the commit that was looked at: revision="<its 40 digits>"',
)  # fmt: skip


def unpinned_downloads(context: Context) -> Iterator[Finding]:
    """One finding a file: calls that name a repository in words, and no revision or a branch. Tests are left out."""
    folders = {part for file in context.files for part in _folders(file.name)}
    for file, module in context.modules():
        if TESTS.search(file.name):
            continue
        spots = [Spot(use.where, use.source, use.line) for use in module.uses if _is_open(use, folders)]
        if spots:
            claim = "{path} downloads from a model hub without a revision at {where}: what comes can change any day"
            yield finding(_KIND, file, claim, spots)


def _folders(name: str) -> Iterator[str]:
    """Every folder on the way to a file, as a path from the project."""
    while "/" in name:
        name = name.rpartition("/")[0]
        yield name


def _is_open(use: Use, folders: set[str]) -> bool:
    if not use.called or not _FROM_HUB.fullmatch(use.name) or "**" in use.keywords:
        return False
    if use.keywords.get("local_files_only") is True or use.keywords.get("revision", None) not in (None, *_MOVES):
        return False
    repository = _repository(use)
    is_local = repository in folders or repository in _BUILDERS or _FILES.search(repository) is not None
    return _REPOSITORY.fullmatch(repository) is not None and not is_local


def _repository(use: Use) -> str:
    """The repository where it is written out; empty where a variable holds it."""
    for key in ("repo_id", "pretrained_model_name_or_path", "path"):
        if isinstance(value := use.keywords.get(key), str):
            return value
    first = use.arguments[0] if use.arguments else ""
    return first[1:-1] if first[:1] in {"'", '"'} and first[-1:] == first[:1] else ""
