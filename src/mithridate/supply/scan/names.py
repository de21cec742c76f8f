"""Names of members: what an unpacker would do with them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath

from mithridate.core.findings import Severity
from mithridate.supply.scan.issue import Issue

_DRIVE = re.compile(r"^[A-Za-z]:")
_REMEDY = "Don't unpack it; ask who made it for a clean one."


def leaves(name: str) -> bool:
    """Whether an unpacker that believes the name writes outside its folder."""
    plain = name.replace("\\", "/")
    return plain.startswith("/") or bool(_DRIVE.match(plain)) or ".." in plain.split("/")


def name_issue(name: str) -> Issue | None:
    """What is wrong with a member's name."""
    if leaves(name):
        return Issue(
            "path-traversal", Severity.HIGH, f"a member is called {name[:200]!r}, outside of where it is unpacked",
            place=name[:200], remedy=_REMEDY,
        )  # fmt: skip
    if "\0" in name:
        return Issue(
            "ambiguous-name", Severity.HIGH, f"a member's name holds a zero byte, where readers cut it: {name[:200]!r}",
            remedy=_REMEDY,
        )  # fmt: skip
    return None


def own_path_issue(name: str) -> Issue | None:
    """What is wrong with the name of the only member of a zip; pandas up to 1.1 wrote the zip's own path there."""
    parts = name.replace("\\", "/").split("/")
    found = name_issue(name)
    if found is None or found.code != "path-traversal" or ".." in parts or not parts[-1].lower().endswith(".zip"):
        return found
    claim = f"its only member bears the path at which the zip was made, {name[:200]!r}"
    return Issue("path-traversal", Severity.LOW, claim, place=name[:200], remedy="Unpack it where it can't overwrite.")


def link_issue(name: str, target: str) -> Issue | None:
    """What is wrong with a link inside a container; a link that stays inside is fine."""
    plain = target.replace("\\", "/")
    base = [part for part in name.replace("\\", "/").split("/")[:-1] if part not in {"", "."}]
    for part in plain.split("/"):
        if part == "..":
            if not base:
                break
            base.pop()
        elif part not in {"", "."}:
            base.append(part)
    else:
        if not plain.startswith("/") and not _DRIVE.match(plain):
            return None
    return Issue(
        "link-outside", Severity.HIGH, f"a member is a link that leaves the archive, to {target[:200]!r}",
        place=name[:200], remedy=_REMEDY,
    )  # fmt: skip


_PASSIVE = frozenset(
    {".safetensors", ".gguf", ".onnx", ".json", ".txt", ".md", ".csv", ".tsv", ".parquet", ".arrow", ".feather"}
    | {".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp"}
)
_MODELS = frozenset(
    {".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".bin", ".joblib", ".npy", ".npz", ".h5", ".hdf5", ".keras", ".pb"}
    | {".safetensors", ".gguf", ".onnx", ".tflite", ".model", ".skops", ".ubj", ".cbm", ".pmml"}
)
_ACTIVE = {"pickle": "a pickle", "native": "native code", "compiled Python": "compiled Python"}


def disguise(name: str, kinds: Sequence[str]) -> list[Issue]:
    """A name that promises a model, or a format which runs nothing, on content that something may run."""
    suffix = PurePath(name).suffix.lower()
    if suffix in _MODELS and "script" in kinds:
        return [Issue("disguise", Severity.MEDIUM, f"the name says {suffix}, a model; it is a script")]
    found = next((_ACTIVE[kind] for kind in kinds if kind in _ACTIVE), "")
    if suffix not in _PASSIVE or not found:
        return []
    severity = Severity.HIGH if "native" in kinds else Severity.MEDIUM
    return [Issue("disguise", severity, f"the name says {suffix}, a format that runs nothing; it is {found}")]
