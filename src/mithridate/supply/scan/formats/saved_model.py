"""TensorFlow graphs (SavedModel, frozen GraphDef, MetaGraph) and Keras metadata: operators that reach out of the graph.

References
----------
tensorflow/core/protobuf: saved_model.proto, meta_graph.proto, graph.proto, saved_object_graph.proto. TensorFlow's
SECURITY.md: a model is a program. CVE-2024-3660 (Lambda in the Keras metadata).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from mithridate.core.findings import Severity
from mithridate.supply.scan.blob import Blob
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.formats.json_file import examine
from mithridate.supply.scan.formats.json_text import parse
from mithridate.supply.scan.formats.operators import judge_operators
from mithridate.supply.scan.formats.paths import leaves_the_folder
from mithridate.supply.scan.formats.reading import BrokenError, Window, clip, malformed
from mithridate.supply.scan.formats.wire import BYTES, VARINT, Field, Message, fields, text, walk
from mithridate.supply.scan.issue import Issue

_TARGETS = re.compile(rb"(?:file|grpcs?|https?|s3|gs|hdfs)://[^\x00-\x1f\x80-\xff]{1,200}")
_WRITES_TO = re.compile(r"^(?:PrintV2|Print|Debug\w*|RemoteFusedGraphExecute)$")
_DOWN = {
    ("saved", 2): "meta",
    ("meta", 2): "graph", ("meta", 6): "asset", ("meta", 7): "objects",
    ("graph", 1): "node", ("graph", 2): "library", ("library", 1): "function", ("function", 3): "node",
    ("objects", 1): "object", ("object", 4): "user",
    ("keras", 1): "layer",
}  # fmt: skip
_IDENTIFIER = 4
_NAME = re.compile(rb"[A-Za-z_.][\w>./\\\-]*\Z")
_REMEDY = "Don't load it; ask for the weights, and build the graph from code that you have read."
_FIELDS = {
    "saved": {1: VARINT, 2: BYTES},
    "graph": {1: BYTES, 2: BYTES, 3: VARINT, 4: BYTES, 5: BYTES},
    "meta": {1: BYTES, 2: BYTES, 3: BYTES, 4: BYTES, 5: BYTES, 6: BYTES, 7: BYTES},
    "keras": {1: BYTES},
}


def sniff(head: bytes, blob: Blob) -> bool:
    """A SavedModel, a GraphDef, a MetaGraphDef or Keras metadata."""
    return bool(head) and head[0] in {0x08, 0x0A, 0x12, 0x22} and bool(_root(Window(blob)))


def _root(window: Window) -> str:
    """Which message the file is, or nothing."""
    found: list[Field] = []
    try:
        for entry in fields(window, 0, window.size):
            found.append(entry)
            if not any(kinds.get(entry.number) == entry.kind for kinds in _FIELDS.values()):
                return ""
    except BrokenError:
        if not found:
            return ""
    for kind, kinds in _FIELDS.items():
        if all(kinds.get(entry.number) == entry.kind for entry in found) and _looks_like(window, kind, found):
            return kind
    return ""


def _looks_like(window: Window, kind: str, found: list[Field]) -> bool:
    inner = next(
        (entry for entry in found if entry.kind == BYTES and entry.number == (2 if kind in {"saved", "meta"} else 1)),
        None,
    )
    if inner is None:
        return False
    try:
        parts = list(_first(window, inner))
    except BrokenError:
        return False
    if kind == "saved":
        return any(part.number == 2 and part.kind == BYTES for part in parts)  # noqa: PLR2004 - MetaGraphDef.graph_def
    if kind == "meta":
        return any(part.number == 1 and part.kind == BYTES and _is_node(window, part) for part in parts)
    if kind == "graph":
        return _is_node(window, inner)
    return any(
        part.number == _IDENTIFIER and text(window, part, 64).startswith("_tf_keras")
        for part in parts
        if part.kind == BYTES
    )


def _first(window: Window, outer: Field) -> Iterator[Field]:
    for count, entry in enumerate(fields(window, outer.start, outer.end)):
        if count == 64:  # noqa: PLR2004 - enough to know a message by
            return
        yield entry


def _is_node(window: Window, outer: Field) -> bool:
    """NodeDef: a name, and an operator's name."""
    try:
        parts = {entry.number: entry for entry in _first(window, outer) if entry.kind == BYTES}
        names = [window.take(parts[n].start, min(parts[n].end - parts[n].start, 512)) for n in (1, 2)]
    except (BrokenError, KeyError):
        return False
    return all(_NAME.match(name) for name in names)


@dataclass(slots=True)
class _Graph:
    """What a walk gathers: operators with counts."""

    window: Window
    operators: dict[str, int] = field(default_factory=dict)


def analyse(blob: Blob, budget: Budget) -> Iterator[Issue]:
    """Operators by what they reach, assets, and Keras layers in the metadata."""
    window = Window(blob)
    graph = _Graph(window)
    try:
        for message in walk(window, budget, _DOWN, _root(window) or "saved"):
            yield from _message(graph, message, budget)
    except BrokenError as error:
        yield malformed("TensorFlow", error)
    yield from judge_operators(graph.operators)


def _message(graph: _Graph, message: Message, budget: Budget) -> Iterator[Issue]:
    parts = {entry.number: entry for entry in message.fields if entry.kind == BYTES}
    if message.kind == "node" and 2 in parts:  # noqa: PLR2004 - NodeDef.op
        name = text(graph.window, parts[2], 512)
        graph.operators[name] = graph.operators.get(name, 0) + 1
        if _WRITES_TO.match(name):
            yield from _address(graph.window, message, name)
    elif message.kind == "asset" and 2 in parts and leaves_the_folder(name := text(graph.window, parts[2], 4096)):  # noqa: PLR2004 - filename
        yield Issue("tf-asset-path", Severity.HIGH, f"an asset is read from {clip(name)}, outside the model's folder")
    elif message.kind in {"user", "layer"}:
        yield from _metadata(graph.window, parts.get(3 if message.kind == "user" else 5), budget)


def _address(window: Window, message: Message, name: str) -> Iterator[Issue]:
    raw = window.take(message.start, min(message.end - message.start, 1 << 20))
    if match := _TARGETS.search(raw):
        claim = f"{name} writes what passes through the graph to {clip(match.group().decode('latin-1'))}"
        yield Issue("tf-operator", Severity.CRITICAL, claim, remedy=_REMEDY)


def _metadata(window: Window, entry: Field | None, budget: Budget) -> Iterator[Issue]:
    raw = window.take(entry.start, entry.end - entry.start).strip() if entry else b""
    if raw[:1] == b"{":
        try:
            yield from examine(parse(raw), budget)
        except BrokenError as error:
            yield malformed("JSON", f"layer metadata: {error}")
