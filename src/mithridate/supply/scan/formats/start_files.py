"""Files that Python or pip act on by themselves: `.pth` lines, `sitecustomize`, requirement files.

References
----------
Python, `site` (a line of a `.pth` file that begins with `import` is executed at every start); pip, requirements file
format; CWE-494 (download without a check of integrity).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePath

from mithridate.core.findings import Severity
from mithridate.supply.scan.formats.notebook import packed_code_in
from mithridate.supply.scan.formats.payload_text import payload_in
from mithridate.supply.scan.formats.reading import clip
from mithridate.supply.scan.issue import Issue

_MOST_LINES = 10_000
_IMPORT_LINE = re.compile(r"import[ \t]\s*(?P<code>.*)")
_REACHES = re.compile(
    r"\b(?:exec|eval|compile)\s*\(|\b(?:system|popen|Popen|spawn\w*|check_output|check_call|urlopen|urlretrieve|CDLL|"
    r"b64decode|unhexlify|decompress|loads)\s*\(|\b(?:subprocess|socket|urllib|requests|ctypes|pty|marshal)\b"
)
_SETUPTOOLS = (
    re.compile(
        r"os; var = 'SETUPTOOLS_USE_DISTUTILS'; enabled = os\.environ\.get\(var, '\w+'\) == 'local'; "
        r"enabled and __import__\('_distutils_hack'\)\.(?:add_shim|do_override)\(\); ?"
    ),
    re.compile(
        r"sys, types, os;has_mfs = sys\.version_info > \(3, 5\);p = os\.path\.join\(sys\._getframe\(1\)\.f_locals"
        r"\['sitedir'\], \*\('[\w', ]+\)\);importlib = has_mfs and __import__\('importlib\.util'\);"
        r"has_mfs and __import__\('importlib\.machinery'\);m = has_mfs and sys\.modules\.setdefault\('[\w.]+', "
        r"importlib\.util\.module_from_spec\(importlib\.machinery\.(?:ModuleSpec\('[\w.]+', None\)|"
        r"PathFinder\.find_spec\('[\w.]+', \[os\.path\.dirname\(p\)\]\))\)\);"
        r"(?:m = m or sys\.modules\.setdefault\('[\w.]+', types\.ModuleType\('[\w.]+'\)\);)?"
        r"mp = \(m or \[\]\) and m\.__dict__\.setdefault\('__path__',\[\]\);\(p not in mp\) and mp\.append\(p\)"
    ),
)
"""Lines that setuptools writes itself, whole: its shim for distutils, packages of a namespace."""

_EDITABLE = re.compile(r"(__editable___\w+_finder); ?\1\.install\(\)")
_UNPROTECTED = re.compile(
    r"^\s*(?:-i|--index-url|--extra-index-url|-f|--find-links)[ \t=]+http://(?!localhost\b|127\.)|^\s*--trusted-host\b|"
    r"^\s*(?:-e\s+|[\w.\[\]-]+\s*@\s*)?(?:git\+|hg\+|svn\+|bzr\+)?http://|^\s*(?:-e\s+)?git\+git://",
    re.MULTILINE,
)
_FETCHES = re.compile(r"requirements[\w.-]*\.(?:txt|in)|constraints[\w.-]*\.txt")
_STARTS = frozenset({"sitecustomize.py", "usercustomize.py"})
_BUILDS = frozenset({"setup.py", "conftest.py"})
_SENDS = re.compile(
    r"\b(?:requests|httpx|session|urllib\.request|aiohttp)\s*\.\s*(?:post|put|urlopen|request)\s*\([^\n]{0,300}"
    r"(?:os\.environ|getenv|\.ssh|\.aws|\.netrc|id_rsa|/etc/)"
)
_PIPED = re.compile(r"\b(?:curl|wget)\b[^\n|;&]{0,300}\|\s*(?:sudo\s+)?(?:ba|z|da)?sh\b|/dev/tcp/")
_HIDDEN = re.compile(r"__import__\s*\(\s*['\"](?:os|subprocess|socket|pty|ctypes)['\"]\s*\)\s*\.")
_REMEDY = "Remove it, or read every line of it first."


def examine_start(name: str, text: str) -> Iterator[Issue]:
    """The issues of a text that is acted on because of its name; none for other names."""
    last = re.split(r"[/\\!]", name)[-1].lower()
    if last.endswith(".pth"):
        yield from _path_file(text)
    elif last in _STARTS:
        yield from _start(text)
    elif last in _BUILDS or PurePath(last).suffix == ".py":
        yield from _source(text, runs_by_itself=last in _BUILDS)
    elif _FETCHES.fullmatch(last) and (match := _UNPROTECTED.search(text)):
        claim = f"pip would fetch code without protection: {clip(match.group().strip(), 100)}"
        yield Issue("unprotected-fetch", Severity.MEDIUM, claim, remedy="Fetch it over https, with hashes.")


def _path_file(text: str) -> Iterator[Issue]:
    """Lines that Python executes whenever it starts; the gravest is told."""
    worst: Issue | None = None
    for number, line in enumerate(text.splitlines()[:_MOST_LINES], 1):
        match = _IMPORT_LINE.match(line)
        if match is None or any(known.fullmatch(match.group("code").rstrip()) for known in _SETUPTOOLS):
            continue
        reaches = _REACHES.search(line) is not None or bool(payload_in(line))
        is_editable = _EDITABLE.fullmatch(match.group("code").rstrip())
        severity = Severity.HIGH if reaches else Severity.LOW if is_editable else Severity.MEDIUM
        if worst is None or severity > worst.severity:
            claim = f"every start of Python would run this line: {clip(line, 160)}"
            worst = Issue("start-code", severity, claim, f"line {number}", remedy=_REMEDY)
    if worst is not None:
        yield worst


def _start(text: str) -> Iterator[Issue]:
    if not text.strip():
        return
    severity = Severity.HIGH if _REACHES.search(text) or payload_in(text) else Severity.MEDIUM
    yield Issue("start-code", severity, "every start of Python in its folder would run this file", remedy=_REMEDY)


def _source(text: str, *, runs_by_itself: bool) -> Iterator[Issue]:
    """Source that sends keys away, pipes a download into a shell, or hides what it imports: no honest one does."""
    sends, piped = _SENDS.search(text), _PIPED.search(text)
    what = "sends keys or the environment away" if sends else "pipes a download into a shell" if piped else ""
    if not what and runs_by_itself and _HIDDEN.search(text):
        what = "hides what it imports"
    if not what and runs_by_itself and (packed := packed_code_in(text)):
        what = packed
    if what:
        when = "building or testing it runs source that" if runs_by_itself else "source code that"
        yield Issue("hostile-source", Severity.HIGH, f"{when} {what}", remedy=_REMEDY)
