"""Triton's `config.pbtxt`: which code a server loads for a model, and from where.

References
----------
NVIDIA Triton Inference Server, model configuration (`backend`, `default_model_filename`, `model_operations`) and
Python backend (`EXECUTION_ENV_PATH`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mithridate.core.findings import Severity
from mithridate.supply.scan.formats.paths import leaves_the_folder
from mithridate.supply.scan.formats.reading import clip
from mithridate.supply.scan.issue import Issue

_FIELD = re.compile(
    r"\b(name|backend|platform|default_model_filename|op_library_filename)\s*:\s*(\[[^\]]{0,2000}\]|\"[^\"\n]{0,1000}\"|"
    r"'[^'\n]{0,1000}')"
)
_ENVIRONMENT = re.compile(
    r"key\s*:\s*[\"']EXECUTION_ENV_PATH[\"']\s*,?\s*value\s*:?\s*\{\s*string_value\s*:\s*[\"']([^\"'\n]{0,1000})"
)
_TEXT = re.compile(r"[\"']([^\"'\n]{1,1000})[\"']")
_OWN = "$$TRITON_MODEL_DIRECTORY/"
_REMEDY = "Keep the code of a model in the model's own folder, and read it."


def is_triton(text: str) -> bool:
    """A text with fields of a model's configuration and nothing of a graph."""
    is_model = "backend" in text or "platform" in text or "op_library_filename" in text
    return is_model and _FIELD.search(text) is not None and "node" not in text[:2000]


def examine_triton(text: str) -> Iterator[Issue]:
    """What the server would load from outside of the model's folder, or as native code."""
    for match in _FIELD.finditer(text):
        field = match.group(1)
        for value in _TEXT.findall(match.group(2)):
            if field != "platform" and leaves_the_folder(value):
                claim = f"{field} is {clip(value)}, outside of the model's folder: the server would load it"
                yield Issue("triton-outside", Severity.HIGH, claim, remedy=_REMEDY)
            elif field == "op_library_filename":
                claim = f"the server would load the native library {clip(value)}"
                yield Issue("triton-native", Severity.MEDIUM, claim, remedy=_REMEDY)
            elif field == "backend" and value == "python":
                claim = "its backend is Python: the server runs the model's own model.py"
                yield Issue("triton-python", Severity.LOW, claim, remedy=_REMEDY)
    for value in _ENVIRONMENT.findall(text):
        if leaves_the_folder(value.removeprefix(_OWN)):
            severity = Severity.HIGH if "://" in value or ".." in value else Severity.MEDIUM
            claim = f"the server would unpack and run the environment {clip(value)}, which isn't the model's own"
            yield Issue("triton-outside", severity, claim, remedy=_REMEDY)
