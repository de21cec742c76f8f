"""Notebooks: cells that run commands, code that is hidden or packed, outputs that act on the page.

References
----------
nbformat 4; Jupyter security model (outputs of untrusted notebooks); CVE-2021-32798 (scripts in outputs).
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from typing import Any

from mithridate.core.findings import Severity
from mithridate.supply.scan.formats.reading import clip
from mithridate.supply.scan.issue import Issue

_SHELL = re.compile(
    r"^[ \t]*(?:!|%%?(?:bash|sh|system|sx|script|cmd|perl|ruby)\b|%system\b)|get_ipython\(\)\s*\.\s*(?:system|"
    r"getoutput)\s*\(",
    re.MULTILINE,
)
_HARM = (
    (re.compile(r"\b(?:curl|wget)\b[^\n|;&]{0,300}\|\s*(?:sudo\s+)?(?:ba|z|da)?sh\b|\b(?:ba)?sh\s+<\(\s*(?:curl|wget)|"
                r"\b(?:ba)?sh\s+-c\s+[\"']?\$\((?:curl|wget)"), "pipes a download into a shell"),
    (re.compile(r"/dev/tcp/|\bnc(?:at)?\b[^\n]{0,60}\s-\w*[ec]\b|\bbash\s+-i\b|\bmkfifo\b[^\n]{0,80}\bnc\b|"
                r"powershell[^\n]{0,60}\s-e(?:nc)?\w*\s",
                re.IGNORECASE), "opens a remote shell"),
    (re.compile(r"\bbase64\s+(?:-d|--decode|-D)\b[^\n]{0,80}\|\s*(?:ba|z|da)?sh\b"), "runs packed shell code"),
    (re.compile(r"\brm\s+-\w*r\w*\s+(?:--no-preserve-root\s+)?(?:/|~|\$HOME)(?:\s|$|\*)"), "deletes the file system"),
    (re.compile(r"(?:\.ssh/(?:id_\w+|authorized_keys)|\.aws/credentials|/etc/(?:passwd|shadow)|"
                r"crontab\s+-)"), "touches keys or system files"),
    (re.compile(r"\b(?:exec|eval)\s*\(\s*(?:compile\s*\(\s*)?(?:\w+\s*\.\s*)*(?:b64decode|b32decode|a85decode|"
                r"unhexlify|fromhex|decompress|loads|"
                r"urlopen|get)\s*\(|\b(?:exec|eval)\s*\(\s*(?:base64|zlib|marshal|codecs|requests|urllib|__import__|"
                r"bytes\.fromhex)\b"),
     "runs packed or downloaded Python"),
    (
        re.compile(r"\b(?:curl|wget)\b[^\n]{0,300}(?:&&|;)\s*(?:sudo\s+)?(?:(?:ba|z|da)?sh|python3?|chmod)\b|\bchmod\s+\+x\b[^\n]{0,200}(?:&&|;)\s*\./"),
        "downloads a program and runs it",
    ),
    (
        re.compile(r"\b(?:pickle|marshal|dill|cloudpickle)\s*\.\s*loads\s*\(\s*(?:base64|codecs|zlib|bytes|b['\"]|requests|urllib)"),
        "unpickles packed bytes",
    ),
    (re.compile(r"^[ \t]*%(?:run|load|loadpy)\s+[\"']?https?://", re.MULTILINE), "runs a script from elsewhere"),
    (re.compile(r"__import__\s*\(\s*['\"](?:os|subprocess|socket|pty|ctypes)['\"]\s*\)"), "hides an import"),
    (re.compile(r"socket\.socket\s*\([\s\S]{0,400}?(?:dup2|pty\.spawn|subprocess)"), "opens a remote shell"),
)  # fmt: skip
_PAGE = (
    (re.compile(r"kernel\s*\.\s*execute\s*\(|IPython\.notebook\.kernel|jupyterapp\.commands|"
                r"\.requestExecute\s*\("), Severity.CRITICAL,
     "runs code in the kernel when it is shown"),
    (re.compile(r"\bdocument\s*\.\s*cookie|\blocalStorage\b|\bXMLHttpRequest\b|\bnavigator\.sendBeacon|"
                r"\bfetch\s*\(\s*['\"`](?:https?:|/api/)"), Severity.HIGH,
     "sends data from the page"),
    (re.compile(r"\bon(?:error|load|mouseover|focus)\s*=\s*['\"]?[^'\">]{0,40}(?:eval|alert|fetch|document|window|"
                r"location|import|\()", re.IGNORECASE), Severity.HIGH,
     "runs a script when it is shown"),
    (re.compile(r"<script[^>]{0,200}\bsrc\s*=\s*['\"]?(?:https?:)?//(?!(?:cdn\.|cdnjs\.|cdn-?\w*\.|unpkg\.com|"
                r"[\w.]*jsdelivr\.net|[\w.]*googleapis\.com|"
                r"[\w.]*gstatic\.com|[\w.]*bokeh\.org|[\w.]*plot\.ly|d3js\.org|[\w.]*mathjax\.org|code\.jquery\.com|"
                r"[\w.]*pydata\.org|[\w.]*holoviz\.org))",
                re.IGNORECASE), Severity.HIGH, "loads a script from elsewhere"),
    (re.compile(r"(?:\b(?:href|src|action)\s*=\s*['\"]?|\]\(|\\href\s*\{)\s*javascript\s*:[^\n'\">)}]{0,200}?"
                r"\b(?:fetch|eval|atob|cookie|XMLHttpRequest|sendBeacon|import|location|alert|execute|document)\b",
                re.IGNORECASE), Severity.HIGH, "runs a script when a link is followed"),
)  # fmt: skip
_SHOWN = ("text/html", "application/javascript", "image/svg+xml", "text/markdown", "text/latex")
_PAGE_MAGIC = re.compile(r"\s*%%(?:javascript|js|html|HTML|svg|SVG|markdown|latex)\b")
_NEVER_HONEST = frozenset(
    {"runs packed or downloaded Python", "unpickles packed bytes", "opens a remote shell", "runs packed shell code"}
)
_LONGEST = 4 << 20


def packed_code_in(source: str) -> str:
    """What Python source does that no honest source needs: run what is packed or fetched; empty for nothing."""
    for pattern, what in _HARM:
        if what in _NEVER_HONEST and (match := pattern.search(source)):
            return f"{what}: {clip(match.group(), 100)}"
    return ""


def is_notebook(node: dict[str, Any]) -> bool:
    """The document is a notebook."""
    return "nbformat" in node or ("cells" in node and isinstance(node.get("metadata"), dict))


def examine(node: dict[str, Any]) -> Iterator[Issue]:
    """All cells; notebooks of version 3 have them in worksheets."""
    cells = node.get("cells")
    sheets = node.get("worksheets")
    groups: list[Any] = [cells]
    groups += [sheet.get("cells") for sheet in (sheets if isinstance(sheets, list) else []) if isinstance(sheet, dict)]
    shell = 0
    for number, cell in enumerate(cell for group in groups if isinstance(group, list) for cell in group):
        if isinstance(cell, dict):
            shell += yield from _cell(cell, f"cell {number}")
    if shell:
        yield Issue("notebook-shell", Severity.LOW, f"{shell} cells run shell commands")


def _text(value: Any) -> str:
    if isinstance(value, list):
        value = "".join(part for part in value if isinstance(part, str))
    return value[:_LONGEST] if isinstance(value, str) else ""


def _cell(cell: dict[str, Any], place: str) -> Generator[Issue, None, int]:
    """The issues of a cell; returns 1 if it runs shell commands."""
    source = _text(cell.get("source", cell.get("input")))
    is_code = cell.get("cell_type") == "code"
    if is_code:
        for pattern, what in _HARM:
            if match := pattern.search(source):
                severity = Severity.HIGH
                claim = f"a cell {what}: {clip(match.group(), 100)}"
                yield Issue("notebook-code", severity, claim, place, {"source": clip(source, 1000)})
        yield from _hidden(cell, source, place)
        if _PAGE_MAGIC.match(source):
            yield from _page(source, place)
    else:
        yield from _page(source, place)
    outputs = cell.get("outputs")
    for output in outputs if isinstance(outputs, list) else []:
        data = output.get("data", output) if isinstance(output, dict) else {}
        for kind in (*_SHOWN, "html", "javascript", "svg"):
            yield from _page(_text(data.get(kind)) if isinstance(data, dict) else "", f"{place} output")
    return int(is_code and _SHELL.search(source) is not None)


def _hidden(cell: dict[str, Any], source: str, place: str) -> Iterator[Issue]:
    metadata = cell.get("metadata")
    if not source.strip() or not isinstance(metadata, dict):
        return
    if metadata.get("init_cell") is True:
        yield Issue("notebook-code", Severity.MEDIUM, "a cell runs by itself when the notebook is opened", place)
    pushed = re.search(r"(?<![ \t])[ \t]{200,}+[^\s]|(?<!\n)\n{100,}+[ \t]*+\S", source)
    if pushed:
        claim = f"code stands out of sight, behind blanks: {clip(source[pushed.end() - 1 :], 80)}"
        yield Issue("notebook-hidden", Severity.HIGH, claim, place)


def _page(text: str, place: str) -> Iterator[Issue]:
    for pattern, severity, what in _PAGE:
        if text and (match := pattern.search(text)):
            yield Issue("notebook-page", severity, f"it {what}: {clip(match.group(), 100)}", place)
