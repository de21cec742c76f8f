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
from mithridate.supply.scan.issue import Issue

_CELL = r"(?:^|(?<=[,;|\t\r\n]))[ \t]{0,16}[\"']?[ \t]{0,16}"
_DDE = re.compile(_CELL + r"[=+\-@](?![ \t])[^\n,;|]{0,200}?\b(?:cmd|msexcel|powershell|mshta|rundll32|regsvr32|"
                          r"winword|excel|wscript|cscript|bash|"
                  r"DDEAUTO|DDE)\b[^\n|]{0,40}[|(][^\n]{0,200}", re.IGNORECASE | re.MULTILINE)  # fmt: skip
_PIPE = re.compile(_CELL + r"[=+\-@]{1,3}[^\n,;|]{0,60}\|['\"][^\n'\"]{1,300}['\"]!", re.MULTILINE)
_OUTSIDE = re.compile(_CELL + r"[=+\-@]{1,3}(?![ \t])[^\n,;]{0,120}?\b(?:HYPERLINK|WEBSERVICE|IMPORTXML|IMPORTDATA|"
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
_FIRST = re.compile(r"[=@]|[+\-][^\d.,;\s]")
_RULES = (
    (_PIPE, Severity.CRITICAL, "starts another program"),
    (_DDE, Severity.CRITICAL, "starts another program"),
    (_OUTSIDE, Severity.HIGH, "reaches a file or an address"),
    (_NESTED, Severity.HIGH, "reaches a file or an address"),
    (_CALL, Severity.MEDIUM, "calls a function"),
)


def is_table(text: str) -> bool:
    """The first lines have at least as many commas, semicolons, tabs or bars as the first of them."""
    lines = [line for line in text[:65536].splitlines()[:_LINES] if line.strip()]
    for mark in ",;\t|":
        counts = [line.count(mark) for line in lines]
        if len(counts) > 1 and counts[0] and sum(count >= counts[0] for count in counts) >= _SHARE * len(counts):
            return True
    return False


def examine_formulas(text: str, at: int = 0) -> Iterator[Issue]:
    """One issue of the worst kind of formula in a table; negative numbers and names with @ are none.

    Notes
    -----
    In a text that is no table only the form that starts a program (`=cmd|'...'!A0`) counts.
    """
    if not _FIRST.search(text):
        return
    rules = _RULES if is_table(text) else _RULES[:1]
    for pattern, severity, what in rules:
        if match := pattern.search(text):
            cell = clip(match.group().strip(" \t\"'"), 120)
            yield Issue("formula", severity, f"a cell {what} when a spreadsheet opens it: "
                                             f"{cell}", f"character {at + match.start()}",
                        remedy="Import it as text, or write an apostrophe before such cells.")  # fmt: skip
            return
