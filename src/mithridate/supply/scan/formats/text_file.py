"""Plain text of any kind: YAML, CSV, LightGBM models, templates, source code: what some program would act on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePath

from mithridate.core.findings import Severity
from mithridate.supply.scan.blob import Blob
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.formats.boosters import examine_lightgbm
from mithridate.supply.scan.formats.json_text import looks_like_json
from mithridate.supply.scan.formats.notebook import packed_code_in
from mithridate.supply.scan.formats.start_files import examine_start
from mithridate.supply.scan.formats.text_bytes import decoded, looks_like_text
from mithridate.supply.scan.formats.text_rules import examine_text
from mithridate.supply.scan.formats.triton import examine_triton, is_triton
from mithridate.supply.scan.formats.xml_file import looks_like_xml
from mithridate.supply.scan.issue import Issue

_BLOCK, _OVERLAP = 8 << 20, 4096
_ACTED_ON = frozenset({".pth", ".py", ".txt", ".in", ".pbtxt"})
_LONGEST_ACTED_ON = 1 << 20
_LONGEST_MODEL = 256 << 20
_SOURCE = re.compile(
    r"^(?:#!|import [a-zA-Z_][\w.]*|from [a-zA-Z_.][\w.]* import |def \w+\(|class \w+[(:]|async def )", re.MULTILINE
)
_SCRIPTS = ("#!", "@echo off", "@ECHO OFF", "<?php")
_STARTS_AS_SOURCE = re.compile(r"\s*(?:import \w[\w.]*[ \t]*;|(?:exec|eval)\()")


def sniff(head: bytes, blob: Blob) -> bool:
    """Bytes that are text in UTF-8, UTF-16, UTF-32 or a Latin code page."""
    return blob.size > 0 and looks_like_text(head) and not looks_like_json(head) and not looks_like_xml(head)


def _by_name(blob: Blob) -> Iterator[Issue]:
    """What some program does with a text because of its name: Python at its start, pip, an inference server."""
    suffix = PurePath(blob.name).suffix.lower()
    if suffix in _ACTED_ON:
        text = decoded(blob.read(0, _LONGEST_ACTED_ON))
        yield from examine_triton(text) if suffix == ".pbtxt" and is_triton(text) else examine_start(blob.name, text)


def analyse(blob: Blob, budget: Budget) -> Iterator[Issue]:
    """Each block of 8 MiB on its own, and as what its beginning shows it to be."""
    head = decoded(blob.read(0, 4096))
    if head.startswith("tree\n") and "num_class" in head:
        yield from examine_lightgbm(decoded(blob.read(0, _LONGEST_MODEL)))
        return
    is_source = len(_SOURCE.findall(head)) > 1 or head.startswith(_SCRIPTS) or _STARTS_AS_SOURCE.match(head) is not None
    if is_source:
        yield Issue(
            "source-code", Severity.LOW, "source code, which runs when it is imported or started: read it first"
        )
    yield from _by_name(blob)
    is_named_chat = "chat_template" in blob.name.lower()
    seen: set[str] = set()
    for at in range(0, blob.size, _BLOCK):
        budget.spend()
        raw = blob.read(max(0, at - _OVERLAP), _BLOCK + _OVERLAP)
        text = decoded(raw)
        if "\x00" in text[:4096]:
            yield Issue("not-analysed", Severity.MEDIUM, f"from byte {at} on it is no text")
            return
        if is_source and (what := packed_code_in(text)):
            yield Issue("packed-source", Severity.HIGH, f"source code that {what}", f"character {at}")
            return
        for issue in () if is_source else examine_text(text, chat=is_named_chat):
            if issue.claim not in seen:
                seen.add(issue.claim)
                yield issue
