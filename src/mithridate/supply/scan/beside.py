"""Source code in the folder of a model: some loaders run it, and a person should read it first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath

from mithridate.core.findings import Severity
from mithridate.supply.scan.dispatch import Located
from mithridate.supply.scan.files import Scanned
from mithridate.supply.scan.issue import Issue

_MODELS = {"pickle", "Keras HDF5", "GGUF", "safetensors", "TFLite", "ONNX", "TensorFlow", "UBJSON"}
_SOURCE = {".py", ".sh", ".bat", ".ps1"}


def with_source_beside(files: Sequence[Scanned]) -> list[Scanned]:
    """The files; scripts carry a low issue where they lie in the folder of a model, and none elsewhere."""
    folders = {PurePath(file.path).parent for file in files if _MODELS & set(file.kinds) or _names_code(file)}
    return [
        (_said(file) if _is_source(file) else file) if PurePath(file.path).parent in folders else _quiet(file)
        for file in files
    ]


def _names_code(file: Scanned) -> bool:
    """A configuration that makes a loader run Python beside it."""
    return any(one.issue.code == "remote-code" for one in file.located)


def _quiet(file: Scanned) -> Scanned:
    """The file without the remark that it is source code: far from any model that is no news."""
    kept = tuple(one for one in file.located if one.name != file.path or one.issue.code != "source-code")
    return file if len(kept) == len(file.located) else replace(file, located=kept)


def _is_source(file: Scanned) -> bool:
    """By its first line, or by the name that an import goes by."""
    if any(one.issue.code == "source-code" for one in file.located):
        return False  # said already, for what it does
    if "script" in file.kinds:
        return True
    return PurePath(file.path).suffix.lower() in _SOURCE and bool({"text"} & set(file.kinds)) and file.size > 0


def _said(file: Scanned) -> Scanned:
    claim = "source code lies beside a model; a loader that trusts it (trust_remote_code) runs it"
    issue = Issue("source-beside-model", Severity.LOW, claim, remedy="Read it before you load the model with it.")
    return replace(file, located=(*file.located, Located(file.path, "code", issue)))
