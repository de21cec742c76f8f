"""JSON of any kind: one walk over its objects, and each object is judged by whoever would load it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from mithridate.core.findings import Severity
from mithridate.supply.scan.blob import Blob
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.formats import (
    boosters,
    hf_config,
    keras_config,
    notebook,
    object_json,
    skops_schema,
    targets,
)
from mithridate.supply.scan.formats.json_text import Document, is_blank, looks_like_json, objects, parse
from mithridate.supply.scan.formats.paths import leaves_the_folder
from mithridate.supply.scan.formats.payload_text import payload_in
from mithridate.supply.scan.formats.reading import BrokenError, clip, malformed
from mithridate.supply.scan.formats.text_bytes import decoded
from mithridate.supply.scan.formats.text_rules import examine_text
from mithridate.supply.scan.issue import Issue

_LONGEST = 64 << 20
_MOST_ALIKE, _EVERY = 50, 256
_LONGEST_BLANK = 16 << 20


def sniff(head: bytes, blob: Blob) -> bool:
    """The text begins an object or an array, in any encoding."""
    start = 0
    while len(head) >= 4 and is_blank(head) and start + len(head) < min(blob.size, _LONGEST_BLANK):  # noqa: PLR2004 - a unit
        start += len(head) - len(head) % 4
        head = blob.read(start, 1 << 16)
    return blob.size > 1 and looks_like_json(head)


def analyse(blob: Blob, budget: Budget) -> Iterator[Issue]:
    """The issues of everything in the document that some loader would act on."""
    budget.spend()
    if blob.size > _LONGEST:
        claim = f"{blob.size} bytes of JSON, above the {_LONGEST >> 20} MiB that are parsed"
        yield Issue("not-analysed", Severity.MEDIUM, claim)
        return
    try:
        document = parse(blob.read(0, blob.size))
    except BrokenError as error:
        yield malformed("JSON", error, Severity.LOW)
        yield from examine_text(decoded(blob.read(0, blob.size)))
        return
    yield from examine(document, budget)
    if boosters.is_xgboost(document.value):
        yield from boosters.examine_xgboost(document.value)
    elif isinstance(document.value, dict) and notebook.is_notebook(document.value):
        yield from notebook.examine(document.value)


def examine(document: Document, budget: Budget) -> Iterator[Issue]:
    """The issues of a parsed document, keys that others hide included."""
    told: Counter[tuple[str, int]] = Counter()
    for value in (document.value, *(value for _, value in document.shadowed)):
        for number, (path, node) in enumerate(objects(value)):
            if number % _EVERY == 0:
                budget.spend()
            for issue in _object(node, path):
                told[issue.code, issue.severity] += 1
                if told[issue.code, issue.severity] <= _MOST_ALIKE:
                    yield issue
    if document.shadowed:
        key = clip(document.shadowed[0][0])
        yield Issue(
            "duplicate-key", Severity.MEDIUM, f"the key {key} stands twice, and loaders choose differently", key
        )


def _object(node: dict[str, Any], path: str) -> Iterator[Issue]:
    if keras_config.is_config(node):
        yield from keras_config.examine_object(node, path)
    if skops_schema.is_node(node):
        yield from skops_schema.examine_object(node, path)
    for key in targets.KEYS:
        target = node.get(key)
        if isinstance(target, str):
            yield from targets.examine_target(targets.found_by(node) or target, f"{path}/{key}")
    target = node.get("target")
    if isinstance(target, str) and "params" in node and "." in target:
        yield from targets.examine_target(target, f"{path}/target")
    yield from _expressions(node, path)
    yield from object_json.examine_object(node, path)
    yield from _served(node, path)
    yield from hf_config.examine_object(node, path)


def _served(node: dict[str, Any], path: str) -> Iterator[Issue]:
    """The manifest of a TorchServe archive: its handler is Python that the server runs."""
    if "handler" in node and node.keys() & {"serializedFile", "modelFile", "modelName"}:
        for key in ("handler", "serializedFile", "modelFile", "requirementsFile"):
            value = node.get(key)
            if isinstance(value, str) and leaves_the_folder(value):
                claim = f"the server takes its {key} from {clip(value)}, outside of the archive"
                yield Issue("path-traversal", Severity.HIGH, claim, f"{path}/{key}")


def _expressions(node: dict[str, Any], path: str) -> Iterator[Issue]:
    """Texts that begin with `$`, which MONAI bundles evaluate as Python."""
    for key, value in node.items():
        texts = value if isinstance(value, list) else (value,)
        for text in texts:
            if isinstance(text, str) and text[:1] == "$" and (what := payload_in(text)):
                claim = f"the expression {clip(text)} holds {what}"
                yield Issue("config-expression", Severity.HIGH, claim, f"{path}/{clip(key)}")
