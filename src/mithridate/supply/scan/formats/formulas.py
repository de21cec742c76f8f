"""Formulas in the cells of a CSV that a spreadsheet would run when the file is opened.

References
----------
OWASP, CSV Injection; Microsoft, DDE in Excel.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mithridate.core.findings import Severity
from mithridate.supply.scan.formats.reading import clip
from mithridate.supply.scan.formats.searched import Searched
from mithridate.supply.scan.issue import Issue

_CELL = r"(?:^|(?<=[,;|\t\r\n]))[ \t]{0,16}[\"']?[ \t]{0,16}"
_SIGN = r"[=+\-@\uff1d\uff0b\uff0d\uff20]"  # the full-width ones are formulas too, in East Asian settings
_DDE = re.compile(_CELL + _SIGN + r"(?![ \t])[^\n,;|]{0,200}?\b(?:cmd|msexcel|powershell|mshta|rundll32|regsvr32|"
                          r"winword|excel|wscript|cscript|bash|"
                  r"DDEAUTO|DDE)\b[^\n|]{0,40}[|(][^\n]{0,200}", re.IGNORECASE | re.MULTILINE)  # fmt: skip
_PIPE = re.compile(_CELL + _SIGN + r"{1,3}[^\n,;|]{0,60}\|['\"][^\n'\"]{1,300}['\"]!", re.MULTILINE)
_OUTSIDE = re.compile(_CELL + _SIGN + r"{1,3}(?![ \t])[^\n,;]{0,120}?\b(?:HYPERLINK|WEBSERVICE|IMPORTXML|IMPORTDATA|"
                              r"IMPORTFEED|IMPORTHTML|IMPORTRANGE|IMAGE|RTD|"
                      r"ENCODEURL|FILTERXML|CALL|REGISTER(?:\.ID)?|EXEC|SHELL|GOOGLETRANSLATE|"
                      r"QUERY)\s*\([^\n]{0,200}", re.IGNORECASE | re.MULTILINE)  # fmt: skip
_NESTED = re.compile(
    _CELL
    + r"=[A-Za-z.]{1,30}\([^\n]{0,200}?\b(?:HYPERLINK|WEBSERVICE|IMPORTXML|IMPORTDATA|IMPORTFEED|IMPORTHTML|IMPORTRANGE"
    r"|IMAGE|RTD|CALL|REGISTER|EXEC)\s*\(",
    re.IGNORECASE | re.MULTILINE,
)
_CALL = re.compile(_CELL + r"(?:=[ \t]*[+\-]?[ \t]*[A-Za-z][A-Za-z0-9_.]{1,30}\s*\([^\n]{0,100}|[@+\-](?:SUM|IF|"
                           r"CONCAT(?:ENATE)?|INDIRECT|CHAR|"
                   r"OFFSET|LOOKUP|VLOOKUP|HLOOKUP|INDEX|CELL|INFO)\s*\([^\n]{0,100})", re.MULTILINE)  # fmt: skip
_LINES, _SHARE = 30, 0.8
_PROGRAMS = (
    "cmd",
    "msexcel",
    "powershell",
    "mshta",
    "rundll32",
    "regsvr32",
    "winword",
    "excel",
    "wscript",
    "cscript",
    "bash",
    "dde",
)
_REACHES = (
    "hyperlink", "webservice", "import", "image", "rtd", "encodeurl", "filterxml", "call", "register", "exec", "shell",
    "googletranslate", "query",
)  # fmt: skip
_STARTS = (",=", ";=", "|=", "\t=", "\n=", '"=', "'=", " =")
_SIGNED = tuple(
    sign + name
    for sign in "@+-"
    for name in (
        "sum",
        "if",
        "concat",
        "indirect",
        "char",
        "offset",
        "lookup",
        "vlookup",
        "hlookup",
        "index",
        "cell",
        "info",
    )
)
_RULES = (
    (Searched(("|'", '|"'), _PIPE, "starts another program"), Severity.CRITICAL),
    (Searched(_PROGRAMS, _DDE, "starts another program"), Severity.CRITICAL),
    (Searched(_REACHES, _OUTSIDE, "reaches a file or an address"), Severity.HIGH),
    (Searched(_REACHES, _NESTED, "reaches a file or an address"), Severity.HIGH),
    (Searched((*_STARTS, *_SIGNED), _CALL, "calls a function"), Severity.MEDIUM),
)


_LINE = r"^[\"']?[=+@\-\uff1d\uff0b\uff0d\uff20][ \t]{0,4}"
_ALONE = (
    _RULES[0],
    (Searched(_PROGRAMS, re.compile(_LINE + r"(?:DDE|DDEAUTO)\s*\([^\n]{1,200}", re.IGNORECASE | re.MULTILINE),
              "starts another program"), Severity.CRITICAL),
    (Searched(("://", "//"), re.compile(_LINE + r"(?:[A-Z.]{1,30}\()?(?:HYPERLINK|WEBSERVICE|IMPORTXML|IMPORTDATA|"
                                        r"IMPORTFEED|IMPORTHTML|IMPORTRANGE|IMAGE|FILTERXML|RTD)\s*\([^\n]{0,120}//",
                                        re.IGNORECASE | re.MULTILINE), "reaches a file or an address"), Severity.HIGH),
)  # fmt: skip


def is_table(text: str) -> bool:
    """The first lines have at least as many commas, semicolons, tabs or bars as the first of them."""
    lines = [line for line in text[:65536].splitlines()[:_LINES] if line.strip()]
    for mark in ",;\t|":
        counts = [line.count(mark) for line in lines]
        if len(counts) > 1 and counts[0] and sum(count >= counts[0] for count in counts) >= _SHARE * len(counts):
            return True
    return False


def examine_formulas(text: str) -> Iterator[Issue]:
    """One issue of the worst kind of formula in a table; negative numbers and names with @ are none.

    Notes
    -----
    In a text that is no table, as one of a single column is none, only lines count that are a formula from the first
    character on and start a program or name an address.
    """
    lowered = "\n" + text.lower()
    for entry, severity in _RULES if is_table(text) else _ALONE:
        if match := entry.find(text, lowered):
            cell = clip(match.group().strip(" \t\"'"), 120)
            claim = f"a cell {entry.what} when a spreadsheet opens it: {cell}"
            remedy = "Import it as text, or write an apostrophe before such cells."
            yield Issue("formula", severity, claim, f"character {match.start()}", remedy=remedy)
            return
