"""What is looked for in any text: formulas of tables, YAML tags and targets, templates."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from mithridate.core.findings import Severity
from mithridate.supply.scan.formats.formulas import examine_formulas
from mithridate.supply.scan.formats.jinja import examine_template, is_chat
from mithridate.supply.scan.formats.operators import judge_operators
from mithridate.supply.scan.formats.reading import clip
from mithridate.supply.scan.formats.yaml_text import examine_yaml
from mithridate.supply.scan.issue import Issue

_TEMPLATE = re.compile(r"\{%[-+]?\s*(?:if|for|set|macro|include|import|from|extends)\b|\{\{[-+]?\s*[\w('\"\[]")

_TEXT_GRAPH = re.compile(r"^[ \t]*node\s*(?::\s*)?\{|^[ \t]*meta_graphs\s*\{|^[ \t]*node_def\s*\{", re.MULTILINE)
_OPERATOR = re.compile(r"\bop\s*:\s*[\"']([\w>]{1,200})[\"']")
_WRITES_TO = re.compile(r"\b(?:file|grpc)://[^\s\"'\\]{1,200}")


def examine_text(text: str, *, chat: bool = False) -> Iterator[Issue]:
    """The issues of one stretch of text, in linear time; `chat`: its name already says that it is a chat template."""
    yield from examine_formulas(text)
    yield from examine_yaml(text)
    if ("{%" in text or "{{" in text) and _TEMPLATE.search(text):
        yield from examine_template(text, "", chat=chat or is_chat(text))
    if "op:" in text and _TEXT_GRAPH.search(text):
        yield from _graph(text)


def _graph(text: str) -> Iterator[Issue]:
    """A TensorFlow graph in text, which `saved_model.pbtxt` may be."""
    yield from judge_operators(Counter(match.group(1) for match in _OPERATOR.finditer(text)))
    if "PrintV2" in text and (match := _WRITES_TO.search(text)):
        claim = f"PrintV2 writes what passes through the graph to {clip(match.group())}"
        yield Issue("tf-operator", Severity.CRITICAL, claim)
