"""XML (PMML, OpenVINO, plists, SVG): read as text and never parsed, for a parser is what such a file attacks.

References
----------
OWASP, XML External Entity prevention; DMG, PMML 4.4 (built-in functions, `Extension`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mithridate.core.findings import Severity
from mithridate.supply.scan.blob import Blob
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.formats.paths import leaves_the_folder
from mithridate.supply.scan.formats.payload_text import payload_in
from mithridate.supply.scan.formats.reading import clip
from mithridate.supply.scan.formats.searched import Searched
from mithridate.supply.scan.formats.spans import between, without
from mithridate.supply.scan.formats.text_bytes import decoded, looks_like_text
from mithridate.supply.scan.issue import Issue

_LONGEST = 64 << 20
_BEGINS = re.compile(
    r"\s*<(?:\?xml\b|!DOCTYPE\b(?!\s+html)|!--|!ENTITY\b|[A-Za-z_][\w.\-]*(?::[A-Za-z_][\w.\-]*)?[\s>/])", re.IGNORECASE
)
_HTML = re.compile(r"\s*(?:<!--.{0,2000}?-->\s*)?(?:<!doctype\s+html|<html|<(?:p|div|h\d|a|br|img|center|details|table"
                   r"|span|b|i)\b)",
                   re.IGNORECASE | re.DOTALL)  # fmt: skip
_DOCTYPE = re.compile(r"<!DOCTYPE\b([^\[>]{0,2000})", re.IGNORECASE)
_ENTITY = re.compile(r"<!ENTITY\b[^>]{0,400}", re.IGNORECASE)
_PUBLIC = re.compile(r"(?:https?://(?:www\.)?(?:w3\.org|apple\.com|openoffice\.org|dmg\.org|(?:www\.)?freedesktop\.org"
                     r"|specifications\.freedesktop\.org|java\.sun\.com|hibernate\.org)/|"
                     r"-//(?:W3C|Apple(?: Computer)?|DMG|freedesktop|OASIS|Netscape)//)", re.IGNORECASE)  # fmt: skip
_FUNCTION = re.compile(r"<(?:\w+:)?Apply\b[^>]{0,400}?\bfunction\s*=\s*(?:\"([^\"]{0,300})\"|'([^']{0,300})')")
_RULES = (
    (Searched(("include",), re.compile(r"<(?:[\w.\-]+:)?include\b[^>]{0,400}\b(?:href|parse)\s*="
                                       r"|http://www\.w3\.org/200[13]/XInclude", re.IGNORECASE),
              "it includes another document (XInclude)"), "xml-include", Severity.HIGH),
    (Searched(("script", "xslt", "xalan", "java:", "class:", "objectdataprovider", "clr-namespace"),
              re.compile(r"<(?:[\w.\-]+:)?script\b|msxsl:script|urn:schemas-microsoft-com:xslt|xalan\.apache\.org|"
                         r"xml\.apache\.org/xalan|xmlns:\w+\s*=\s*[\"'](?:java|class):|\bObjectDataProvider\b|"
                         r"clr-namespace:System\.Diagnostics", re.IGNORECASE),
              "it holds a script or binds to program classes"), "xml-script", Severity.HIGH),
    (Searched(("java", "org.apache"),
              re.compile(r"java\.lang\.(?:Runtime|ProcessBuilder|Class|System)|javax\.script|java\.net\.URL|"
                         r"org\.apache\.commons\.collections|<(?:object|void|java)\s+[^>]{0,200}\bclass\s*=\s*[\"']java",
                         re.IGNORECASE),
              "it names Java classes that run commands or load code"), "xml-java", Severity.CRITICAL),
    (Searched(("xml-stylesheet",),
              re.compile(r"<\?xml-stylesheet\b[^>]{0,400}\bhref\s*=\s*[\"'](?:\w+:|/)", re.IGNORECASE),
              "it loads a style sheet, which can be a program"), "xml-stylesheet", Severity.MEDIUM),
    (Searched(("schemalocation",),
              re.compile(r"\bxsi:(?:noNamespaceS|s)chemaLocation\s*=\s*[\"'][^\"'<]{0,400}?(?:file:|\\\\\\\\|\.\./)",
                         re.IGNORECASE),
              "its schema is read from a local file"), "xml-schema", Severity.HIGH),
    (Searched(("tablelocator",), re.compile(r"<(?:\w+:)?TableLocator\b"), "a table is read from outside the document"),
     "pmml-table", Severity.MEDIUM),
)  # fmt: skip
_SOURCE = re.compile(r"(?:SYSTEM|PUBLIC\s+(?:\"[^\"]*\"|'[^']*'))\s+[\"']([^\"']{1,1000})[\"']")
_MANY, _BLOWN_UP = 20, 10_000_000
_PAGE = ("<html", "<head", "<body", "<link", "<div", "<button")
_REMEDY = "Don't parse it with a parser that resolves entities or runs extensions."


def sniff(head: bytes, blob: Blob) -> bool:
    """Text that begins with markup, and not with HTML."""
    return blob.size > 3 and looks_like_text(head) and looks_like_xml(head)  # noqa: PLR2004 - "<a/>"


def looks_like_xml(head: bytes) -> bool:
    """It begins with markup, in any Unicode encoding."""
    text = decoded(head).lstrip("\ufeff")
    return _BEGINS.match(text) is not None and _HTML.match(text) is None


def analyse(blob: Blob, budget: Budget) -> Iterator[Issue]:
    """Declarations, inclusions, scripts and functions in the first 64 MiB."""
    budget.spend()
    text = without(decoded(blob.read(0, _LONGEST)), "<!--", "-->")
    yield from _declarations(text)
    lowered = text.lower()
    is_page = "<pmml" not in lowered and any(tag in lowered for tag in _PAGE)
    if is_page:
        yield Issue("page", Severity.LOW, "a page, whose scripts run when a browser opens it")
    for entry, code, severity in _RULES:
        if is_page and code == "xml-script":
            continue
        if match := entry.find(text, lowered):
            yield Issue(
                code,
                severity,
                f"{entry.what}: {clip(match.group(), 100)}",
                f"character {match.start()}",
                remedy=_REMEDY,
            )
    if "apply" in lowered:
        yield from _functions(text)
    if not is_page and (what := payload_in(text)):
        yield Issue("payload-in-text", Severity.HIGH, f"it holds {what}", remedy=_REMEDY)
    if "<net " in text[:4096] and "<layers" in text[:65536]:
        yield Issue("recognised", Severity.LOW, "OpenVINO graph: its text was searched, its layers were not analysed")
    if blob.size > _LONGEST:
        yield Issue("not-analysed", Severity.MEDIUM, f"only the first {_LONGEST >> 20} MiB of XML were searched")


def _declarations(text: str) -> Iterator[Issue]:
    entities = _ENTITY.findall(text)
    external = [entity for entity in entities if re.search(r"\b(?:SYSTEM|PUBLIC)\b", entity)]
    if external:
        claim = f"it declares an entity that reads another file or address: {clip(external[0], 100)}"
        yield Issue("xml-external-entity", Severity.CRITICAL, claim, remedy=_REMEDY)
    elif entities:
        grows = (
            len(entities) > _MANY or "<PMML" in text or any(re.search(r"[&%]\w+;|&#37;", entity) for entity in entities)
        )
        longest = max((stop - begin for begin, stop in between(text, "<!ENTITY", ">")), default=0)
        grows = grows or longest * text.count("&") > _BLOWN_UP
        severity = Severity.HIGH if grows else Severity.MEDIUM
        yield Issue(
            "xml-entity", severity, f"it declares {len(entities)} entities, which a parser expands", remedy=_REMEDY
        )
    if match := _DOCTYPE.search(text):
        identifier = match.group(1)
        source = _SOURCE.search(identifier)
        outside = source is not None and not _PUBLIC.search(identifier) and leaves_the_folder(source.group(1))
        claim = f"it declares a document type: {clip(identifier.strip(), 100)}"
        yield Issue("xml-doctype", Severity.HIGH if outside else Severity.LOW, claim, remedy=_REMEDY)


def _functions(text: str) -> Iterator[Issue]:
    """PMML calls functions by name; one with dots is a class of the scoring program."""
    for match in _FUNCTION.finditer(text):
        name = match.group(1) or match.group(2) or ""
        if "." in name and not name.startswith(("x-org.jpmml.", "org.jpmml.evaluator.functions")):
            claim = f"it calls the class {clip(name)} of the scoring program"
            yield Issue("pmml-function", Severity.HIGH, claim, remedy=_REMEDY)
            return
