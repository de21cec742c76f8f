"""Plain text of any kind: YAML, CSV, LightGBM models, templates, source code: what some program would act on."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mithridate.core.findings import Severity
from mithridate.supply.scan.blob import Blob
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.formats.boosters import examine_lightgbm
from mithridate.supply.scan.formats.formulas import examine_formulas
from mithridate.supply.scan.formats.jinja import examine_template
from mithridate.supply.scan.formats.text_bytes import decoded, looks_like_text
from mithridate.supply.scan.formats.yaml_text import examine_yaml
from mithridate.supply.scan.issue import Issue

_BLOCK, _OVERLAP = 8 << 20, 4096
_LONGEST_MODEL = 256 << 20
_SOURCE = re.compile(
    r"^(?:#!|import [a-zA-Z_][\w.]*|from [a-zA-Z_.][\w.]* import |def \w+\(|class \w+[(:]|async def )", re.MULTILINE
)
_TEMPLATE = re.compile(r"\{%[-+]?\s*(?:if|for|set|macro|include|import|from|extends)\b|\{\{[-+]?\s*[\w('\"\[]")


def sniff(head: bytes, blob: Blob) -> bool:
    """Bytes that are text in UTF-8, UTF-16, UTF-32 or a Latin code page."""
    return blob.size > 0 and looks_like_text(head)


def analyse(blob: Blob, budget: Budget) -> Iterator[Issue]:
    """Each block of 8 MiB on its own, and as what its beginning shows it to be."""
    head = decoded(blob.read(0, 4096))
    if head.startswith("tree\n") and "num_class" in head:
        yield from examine_lightgbm(decoded(blob.read(0, _LONGEST_MODEL)))
        return
    is_source = len(_SOURCE.findall(head)) > 1 or head.startswith("#!")
    if is_source:
        yield Issue(
            "source-code", Severity.LOW, "source code, which runs when it is imported or started: read it first"
        )
    seen: set[str] = set()
    for at in range(0, blob.size, _BLOCK):
        budget.spend()
        raw = blob.read(max(0, at - _OVERLAP), _BLOCK + _OVERLAP)
        text = decoded(raw)
        if "\x00" in text[:4096]:
            yield Issue("not-analysed", Severity.MEDIUM, f"from byte {at} on it is no text")
            return
        for issue in _block(text, is_source=is_source):
            if issue.claim not in seen:
                seen.add(issue.claim)
                yield issue


def _block(text: str, *, is_source: bool) -> Iterator[Issue]:
    if not is_source:
        yield from examine_formulas(text)
        yield from examine_yaml(text)
    if "{%" in text and not is_source and _TEMPLATE.search(text):
        yield from examine_template(text, "")
