"""Keras models and weights in HDF5: the configuration in its attributes, and datasets that point out of the file.

References
----------
CVE-2025-9905 (Lambda in HDF5 ignores safe_mode), and those of `hdf5` and `keras_config`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from mithridate.core.findings import Severity
from mithridate.supply.scan.blob import Blob, MemoryBlob
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.formats.callables import capability
from mithridate.supply.scan.formats.hdf5 import Fact, Walk, end_of_data, find_signature
from mithridate.supply.scan.formats.hdf5_heaps import global_objects
from mithridate.supply.scan.formats.json_file import examine
from mithridate.supply.scan.formats.json_text import Document, parse
from mithridate.supply.scan.formats.payload_text import payload_in
from mithridate.supply.scan.formats.reading import BrokenError, Window, clip, malformed
from mithridate.supply.scan.issue import Issue
from mithridate.supply.scan.openers.member import Member
from mithridate.supply.scan.pickle import looks_like_pickle
from mithridate.supply.scan.slices import SliceBlob

_CONFIGS = frozenset({"model_config", "training_config", "config", "keras_config", "layer_config"})
_BOMB, _BOMB_RATIO = 1 << 30, 1000
_SEARCHED, _LONGEST_CONFIG = 256 << 20, 16 << 20
_CONFIG_START = re.compile(rb'\{\s*"(?:class_name|module|name|config|backend|keras_version|registered_name)"\s*:')
_GLOBALS = re.compile(
    r"c([A-Za-z_][\w.]{0,200})\n([A-Za-z_][\w.]{0,200})\n"
    r"|\x8c[\x00-\xff]([A-Za-z_][\w.]{0,200})\x94?\x8c[\x00-\xff]([A-Za-z_][\w.]{0,200})\x94?\x93"
)
_REMEDY = "Don't load it; ask for weights in safetensors."


def sniff(head: bytes, blob: Blob) -> bool:
    """HDF5's signature at 0, 512, 1024, ..."""
    return head.startswith(b"\x89HDF") or (blob.size > 512 and find_signature(blob) >= 0)  # noqa: PLR2004 - a user block


def analyse(blob: Blob, budget: Budget) -> Iterator[Issue | Member]:
    """The configuration, and every link and dataset that would read other files or exhaust memory."""
    start = find_signature(blob)
    if start > 0:
        yield Issue("hidden-data", Severity.LOW, f"{start} bytes stand before the HDF5 data, which readers skip")
    unread = has_objects = False
    try:
        for fact in Walk(blob, budget).facts():
            unread |= fact.kind == "unread"
            has_objects |= fact.kind == "attribute" and fact.name == "PSEUDOATOM" and fact.text == "object"
            yield from _judge(fact, blob, budget)
    except BrokenError as error:
        yield malformed("HDF5", error)
        unread = True
    if unread:
        yield from _search(blob, budget)
    if has_objects:
        yield from _objects(blob, budget)
    if (end := end_of_data(blob)) < blob.size:
        claim = f"{blob.size - end:,} bytes follow the HDF5 data, which readers skip"
        yield Issue("trailing-data", Severity.LOW, claim, f"offset {end}")
        yield Member(SliceBlob(f"{blob.name}!trailing", blob, end, blob.size - end))


def _objects(blob: Blob, budget: Budget) -> Iterator[Member]:
    """The rows of PyTables' object arrays, which pandas writes for mixed columns: a pickle each."""
    for offset, size in global_objects(Window(blob), _SEARCHED):
        budget.spend(opcodes=1)
        if looks_like_pickle(blob.read(offset, min(size, 4096))):
            yield Member(SliceBlob(f"{blob.name}!object at {offset}", blob, offset, size), "pickle")


def _judge(fact: Fact, blob: Blob, budget: Budget) -> Iterator[Issue | Member]:
    place = clip(fact.path or "/")
    if fact.kind == "attribute":
        yield from _attribute(fact, place, blob.name, budget)
    elif fact.kind == "external-link":
        claim = f"{place} is a link into another file, {clip(fact.name)} (CVE-2026-9335)"
        yield Issue("hdf5-external", Severity.HIGH, claim, place, remedy=_REMEDY)
    elif fact.kind == "external-storage":
        claim = f"the values of {place} are read from another file, {clip(fact.name)} (CVE-2026-1669)"
        yield Issue("hdf5-external", Severity.HIGH, claim, place, remedy=_REMEDY)
    elif fact.kind == "virtual":
        claim = f"the values of {place} are mapped from other files (CVE-2026-12480)"
        yield Issue("hdf5-external", Severity.HIGH, claim, place, remedy=_REMEDY)
    elif fact.kind == "unread":
        yield Issue(
            "not-analysed", Severity.MEDIUM, f"{clip(fact.name)} of {place} are stored in a way not read here", place
        )
    elif fact.size > max(_BOMB, _BOMB_RATIO * blob.size):
        claim = f"{place} claims {fact.size} bytes in a file of {blob.size} (CVE-2026-0897)"
        yield Issue("hdf5-shape-bomb", Severity.HIGH, claim, place, remedy=_REMEDY)


def _attribute(fact: Fact, place: str, name: str, budget: Budget) -> Iterator[Issue | Member]:
    text = fact.text
    if fact.name in _CONFIGS or text.lstrip().startswith('{"'):
        try:
            yield from examine(parse(text.encode("utf-8", "surrogatepass")), budget)
        except BrokenError as error:
            yield malformed("JSON", f"attribute {clip(fact.name)}: {error}", place=place)
    elif harm := _unpickled(text):
        claim = f"the attribute {clip(fact.name)} of {place} is a pickle, and PyTables that reads it {harm}"
        yield Issue("hdf5-pickle", Severity.CRITICAL, claim, place, {"text": clip(text, 400)}, _REMEDY)
    elif raw := _as_pickle(text):
        yield Member(MemoryBlob(f"{name}!{place} attribute {clip(fact.name)}", raw), "pickle")
    elif text and (what := payload_in(text)):
        claim = f"the attribute {clip(fact.name)} of {place} holds {what}"
        yield Issue("payload-in-metadata", Severity.HIGH, claim, place, {"text": clip(text, 400)})


def _as_pickle(text: str) -> bytes:
    """The attribute's bytes where PyTables would unpickle them; empty for any other text."""
    raw = text.encode("latin-1" if text[:1] == "\x80" else "utf-8", "replace").rstrip(b"\0")
    return raw if raw.endswith(b".") and looks_like_pickle(raw[:4096]) else b""


def _unpickled(text: str) -> str:
    """What a pickle in an attribute would get; PyTables and pandas unpickle every text that looks like one."""
    if not text.rstrip("\0").endswith("."):
        return ""
    for match in _GLOBALS.finditer(text):
        name = f"{match.group(1) or match.group(3)}.{match.group(2) or match.group(4)}"
        if what := capability(name):
            return f"gets {clip(name)}, which can {what}"
    return ""


def _search(blob: Blob, budget: Budget) -> Iterator[Issue]:
    """Configurations found by their own grammar, where the structure can't be followed."""
    decoder = json.JSONDecoder()
    at = 0
    while at < min(blob.size, _SEARCHED):
        budget.spend()
        block = blob.read(at, _LONGEST_CONFIG)
        match = _CONFIG_START.search(block)
        if match is None:
            at += max(1, len(block) - 64)
            continue
        at += match.start()
        text = blob.read(at, _LONGEST_CONFIG).split(b"\0")[0].decode("utf-8", "replace")
        try:
            value, length = decoder.raw_decode(text)
        except (ValueError, RecursionError):
            value, length = None, 1
        yield from examine(Document(value, ()), budget)
        at += max(1, len(text[:length].encode("utf-8", "surrogatepass")))
