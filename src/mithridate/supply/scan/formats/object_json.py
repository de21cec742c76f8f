"""JSON that libraries turn back into objects: jsonpickle, Json.NET, fastjson, LangChain.

References
----------
jsonpickle, security note; CVE-2017-18349 (fastjson `@type`); Json.NET `TypeNameHandling`; CVE-2025-68664 (LangChain).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from mithridate.core.findings import Severity
from mithridate.supply.scan.formats.callables import capability, is_standard_library
from mithridate.supply.scan.formats.reading import clip
from mithridate.supply.scan.issue import Issue

_NAMED = ("py/object", "py/type", "py/function", "py/class")
_REDUCED = ("py/reduce", "py/repr", "py/initargs")
_GADGETS = re.compile(
    r"ObjectDataProvider|System\.Diagnostics\.Process|WindowsIdentity|System\.Windows\.Data|"
    r"System\.Configuration\.Install"
    r"|^(?:com\.sun\.|javax?\.|org\.apache\.(?:commons|xbean|shiro|ibatis|tomcat)|ch\.qos\.logback|com\.mchange|"
    r"org\.springframework)"
)
_LANGCHAIN = 3
_REMEDY = "Read it with a plain JSON parser, never with a library that builds objects from it."


def examine_object(node: dict[str, Any], path: str) -> Iterator[Issue]:
    """What a library would build from this one object."""
    for key in _NAMED:
        name = node.get(key)
        if isinstance(name, str):
            yield from _python(name, f"{path}/{key}")
    if any(key in node for key in _REDUCED):
        claim = "jsonpickle calls what it names while it is read"
        yield Issue("json-object", Severity.HIGH, claim, path, remedy=_REMEDY)
    for key in ("$type", "@type", "@class", "class"):
        name = node.get(key)
        if isinstance(name, str) and _GADGETS.search(name):
            claim = f"{key} makes a library build {clip(name)}"
            yield Issue("json-object", Severity.HIGH, claim, path, remedy=_REMEDY)
    if node.get("lc") in range(1, _LANGCHAIN) and isinstance(identifier := node.get("id"), list):
        yield from _langchain(str(node.get("type")), [str(part) for part in identifier], path)


def _python(name: str, place: str) -> Iterator[Issue]:
    harm = capability(name)
    if harm:
        claim = f"jsonpickle gets {clip(name)}, which can {harm}"
        yield Issue("json-object", Severity.CRITICAL, claim, place, remedy=_REMEDY)
    elif not is_standard_library(name):
        yield Issue("json-object", Severity.LOW, f"jsonpickle builds {clip(name)}", place)


def _langchain(kind: str, parts: list[str], path: str) -> Iterator[Issue]:
    name = ".".join(parts)
    if kind == "constructor" and (capability(name) or not name.startswith("langchain")):
        claim = f"LangChain builds {clip(name)}, which is none of its own (CVE-2025-68664)"
        yield Issue("json-object", Severity.HIGH, claim, path, remedy=_REMEDY)
