"""ONNX: where its tensors' data is read from, which operators need code of their own, what its texts hold.

References
----------
onnx.proto. CVE-2022-25882, CVE-2024-27318, CVE-2024-5187, CVE-2025-51480, CVE-2026-27489 (external data out of the
folder), CVE-2024-27319 (lengths out of range), CVE-2026-34445 (unknown keys of external data set attributes).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from mithridate.core.findings import Json, Severity
from mithridate.supply.scan.blob import Blob
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.formats.names import known_names
from mithridate.supply.scan.formats.paths import leaves_the_folder
from mithridate.supply.scan.formats.payload_text import payload_in
from mithridate.supply.scan.formats.reading import BrokenError, Window, clip, malformed
from mithridate.supply.scan.formats.wire import BYTES, VARINT, Field, Message, fields, text, walk
from mithridate.supply.scan.issue import Issue

_MODEL = {1: VARINT, 2: BYTES, 3: BYTES, 4: BYTES, 5: VARINT, 6: BYTES, 7: BYTES, 8: BYTES, 14: BYTES, 20: BYTES,
          25: BYTES, 26: BYTES}  # fmt: skip
_GRAPH, _OPSET, _PROPERTY, _TRAINING, _FUNCTION = 7, 8, 14, 20, 25
_DOMAINS = frozenset(
    ("", "ai.onnx", "ai.onnx.ml", "ai.onnx.training", "ai.onnx.preview", "ai.onnx.preview.training", "com.microsoft",
     "com.microsoft.nchwc", "com.microsoft.experimental", "com.ms.internal.nhwc", "com.microsoft.dml")
)  # fmt: skip
_KNOWN_DOMAINS = re.compile(
    r"^(?:ai\.onnx\.contrib|com\.microsoft\.extensions|mmdeploy|mmcv|org\.pytorch\.\w+|pkg\.[\w.]+|onnxscript[\w.]*|"
    r"org\.openvinotoolkit|com\.nvidia[\w.]*|trt(?:\.plugins)?|nvidia[\w.]*|ai\.qti[\w.]*|qti[\w.]*|com\.(?:amd|intel|xilinx|qualcomm)[\w.]*|"
    r"qonnx[\w.]*|finn[\w.]*|brevitas[\w.]*|local|torch[\w.]*|com\.azure[\w.]*|ai\.graphcore|tensorrt|custom\.\w*tts|aten)$"
)
_RUNS_CODE = re.compile(
    r"py(?:thon)?(?:custom)?(?:_?op|_?func|_?callable)\w*$|^py|python|shell|system|exec|subprocess|popen|command|script|eval|"
    r"readfile|writefile|http|socket|download|curl|remote|azure|openai|backdoor|payload|malicious|evil|inject|lua|wasm",
    re.IGNORECASE,
)
_OWN = frozenset(("", "ai.onnx", "ai.onnx.ml"))
_KEYS = frozenset({"location", "offset", "length", "checksum", "basepath"})
_REMEDY = "Don't load it beside files that matter; ask for a model with its data inside."


@dataclass(slots=True)
class _Model:
    """What a walk gathers."""

    window: Window
    budget: Budget
    functions: set[tuple[str, str]] = field(default_factory=set)
    custom: dict[tuple[str, str], int] = field(default_factory=dict)


def sniff(head: bytes, blob: Blob) -> bool:
    """The fields of a ModelProto to the last byte, or its first ones and a length that runs past the end."""
    if not head or head[0] >> 3 not in _MODEL or head[0] & 7 != _MODEL[head[0] >> 3]:
        return False
    seen: set[int] = set()
    try:
        for found in fields(Window(blob), 0, blob.size):
            if _MODEL.get(found.number) != found.kind:
                return False
            seen.add(found.number)
    except BrokenError:
        return len(seen) > 1 and 1 in seen and bool(seen & {2, 3, 7, 8})
    return _GRAPH in seen and bool(seen & {1, _OPSET})


def analyse(blob: Blob, budget: Budget) -> Iterator[Issue]:
    """External data, operators of other domains, and texts."""
    model = _Model(Window(blob), budget)
    try:
        for message in walk(model.window, budget, _DOWN, "model"):
            yield from _message(model, message)
    except BrokenError as error:
        yield malformed("ONNX", error)
    yield from _operators(model)


def external_data(blob: Blob, budget: Budget) -> dict[str, int | None]:
    """Files that the model reads tensors from, inside its folder, and where the last of them ends; None: at the end.

    Raises
    ------
    OverBudgetError : the model is too large to be walked through.
    """
    window, found = Window(blob), list[dict[str, str]]()
    try:
        for message in walk(window, budget, _DOWN, "model"):
            if message.kind == "tensor":
                pairs = [entry for entry in message.fields if (entry.number, entry.kind) == (13, BYTES)]
                found.append(dict(_key_and_value(window, entry) for entry in pairs))
    except BrokenError:
        return {}
    ends: dict[str, int | None] = {}
    for one in found:
        location = one.get("location", "")
        if not location or leaves_the_folder(location):
            continue
        offset, length = (one.get(key, "") for key in ("offset", "length"))
        whole = length.isdecimal() and (offset.isdecimal() or not offset)
        end, last = int(offset or 0) + int(length) if whole else None, ends.get(location, 0)
        ends[location] = None if end is None or last is None else max(end, last)
    return ends


def _key_and_value(window: Window, outer: Field) -> tuple[str, str]:
    """A StringStringEntryProto."""
    pair = {entry.number: text(window, entry, 4096) for entry in fields(window, outer.start, outer.end)}
    return pair.get(1, ""), pair.get(2, "")


# (message, field) -> message: where to go down. What isn't listed is skipped.
_DOWN = {
    ("model", 7): "graph", ("model", 14): "property", ("model", 20): "training", ("model", 25): "function",
    ("training", 1): "graph", ("training", 2): "graph",
    ("graph", 1): "node", ("graph", 5): "tensor", ("graph", 15): "sparse", ("graph", 16): "property",
    ("function", 7): "node", ("function", 14): "property", ("function", 11): "attribute",
    ("node", 5): "attribute", ("node", 9): "property",
    ("attribute", 5): "tensor", ("attribute", 10): "tensor", ("attribute", 6): "graph", ("attribute", 11): "graph",
    ("attribute", 22): "sparse", ("attribute", 23): "sparse",
    ("sparse", 1): "tensor", ("sparse", 2): "tensor", ("tensor", 13): "external", ("tensor", 16): "property",
}  # fmt: skip
_TEXTS = {("model", 6), ("graph", 10), ("attribute", 4), ("attribute", 9), ("tensor", 6), ("node", 6), ("function", 8)}


def _message(model: _Model, message: Message) -> Iterator[Issue]:
    if message.kind in {"node", "function"}:
        _named(model, message)
    elif message.kind in {"property", "external"}:
        yield from _pair(model, message)
    for found in message.fields:
        if (message.kind, found.number) in _TEXTS and found.kind == BYTES:
            yield from _payload(model, found, message.kind)


def _named(model: _Model, message: Message) -> None:
    """Count a node by (domain, operator), or note a function of the model."""
    wanted = {"node": (7, 4), "function": (10, 1)}[message.kind]
    names = {
        found.number: text(model.window, found, 4096)
        for found in message.fields
        if found.number in wanted and found.kind == BYTES
    }
    key = names.get(wanted[0], ""), names.get(wanted[1], "")
    if message.kind == "function":
        model.functions.add(key)
    elif key[0] not in _DOMAINS or (key[0] in _OWN and key[1] not in known_names("onnx_ops")):
        model.custom[key] = model.custom.get(key, 0) + 1


def _pair(model: _Model, message: Message) -> Iterator[Issue]:
    pair = {found.number: text(model.window, found) for found in message.fields if found.kind == BYTES}
    key, value = pair.get(1, ""), pair.get(2, "")
    if message.kind == "property":
        if what := payload_in(value):
            yield Issue("payload-in-metadata", Severity.HIGH, f"the metadata {clip(key)} holds {what}", clip(key))
    elif key not in _KEYS:
        claim = f"external data has the key {clip(key)}, which sets an attribute of the loader (CVE-2026-34445)"
        yield Issue("onnx-external-key", Severity.HIGH, claim, remedy=_REMEDY)
    elif key in {"location", "basepath"} and leaves_the_folder(value):
        claim = f"tensor data is read from {clip(value)}, outside the model's folder (CVE-2022-25882)"
        yield Issue("onnx-external-path", Severity.CRITICAL, claim, remedy=_REMEDY)
    elif key in {"offset", "length"} and not (value.isascii() and value.isdigit() and len(value) < 19):  # noqa: PLR2004 - 2^63
        yield Issue("onnx-external-range", Severity.HIGH, f"external data has the {key} {clip(value)} (CVE-2024-27319)")


def _payload(model: _Model, found: Field, kind: str) -> Iterator[Issue]:
    if found.end - found.start > 16 and (what := payload_in(text(model.window, found))):  # noqa: PLR2004 - shorter is none
        yield Issue("payload-in-text", Severity.HIGH, f"a text of a {kind} holds {what}", f"offset {found.start}")


def _operators(model: _Model) -> Iterator[Issue]:
    for (domain, name), count in sorted(model.custom.items()):
        if (domain, name) in model.functions:
            continue
        whole = f"{clip(domain)}::{clip(name)}" if domain else clip(name)
        facts: dict[str, Json] = {"domain": clip(domain), "operator": clip(name), "nodes": count}
        if _RUNS_CODE.search(name) or _RUNS_CODE.search(domain):
            yield Issue(
                "onnx-custom-op", Severity.HIGH, f"the operator {whole} may run code outside the graph", "", facts
            )
        elif _KNOWN_DOMAINS.match(domain) or domain in _OWN:
            severity = Severity.MEDIUM if domain in _OWN else Severity.LOW
            yield Issue("onnx-custom-op", severity, f"the operator {whole} needs a library of its own", "", facts)
        else:
            claim = f"the operator {whole} is in no known domain and needs a native library that comes with it"
            yield Issue("onnx-custom-op", Severity.HIGH, claim, "", facts)
