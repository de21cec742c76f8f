"""What is looked for in any text: formulas of tables, YAML tags and targets, templates."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mithridate.supply.scan.formats.formulas import examine_formulas
from mithridate.supply.scan.formats.jinja import examine_template
from mithridate.supply.scan.formats.yaml_text import examine_yaml
from mithridate.supply.scan.issue import Issue

_TEMPLATE = re.compile(r"\{%[-+]?\s*(?:if|for|set|macro|include|import|from|extends)\b|\{\{[-+]?\s*[\w('\"\[]")


def examine_text(text: str) -> Iterator[Issue]:
    """The issues of one stretch of text, in linear time."""
    yield from examine_formulas(text)
    yield from examine_yaml(text)
    if ("{%" in text or "{{" in text) and _TEMPLATE.search(text):
        yield from examine_template(text, "")
