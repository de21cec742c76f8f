"""Requirements that don't say which version, or not which bytes."""

from __future__ import annotations

import re
from typing import NamedTuple

from mithridate.core.errors import Skip
from mithridate.core.findings import Severity
from mithridate.core.method import Outcome
from mithridate.supply.posture.context import Context, PostureSettings
from mithridate.supply.posture.lines import commands
from mithridate.supply.posture.say import Kind, Spot, finding
from mithridate.supply.posture.walk import File

ID, SLUG = "SUP422", "loose-requirement"
_FILES = re.compile(r"(?:^|/)(?:[\w.-]*requirements[\w.-]*\.txt|requirements/[\w.-]+\.txt)$", re.IGNORECASE)
_NAME = re.compile(r"^([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*(.*)$")
_EXACT = re.compile(r"^={2,3}\s*([^\s,;*]+)\s*$")
_COMMIT = re.compile(r"@[0-9a-f]{40}\b")
_ARCHIVE = re.compile(r"://\S+\.(?:whl|tar\.gz|zip|tar\.bz2)(?:#\S*)?$")
_INDEX = re.compile(r"^--?(?:extra-index-url|trusted-host|index-url|i|find-links|f)\b[ =]*(\S*)")

_LOCK = "write the versions down with hashes, and install with --require-hashes: `pip-compile --generate-hashes FILE`"
_LOOSE = Kind(ID, SLUG, "unpinned", Severity.MEDIUM, 0.9, _LOCK)
_BARE = Kind(ID, SLUG, "without hash", Severity.LOW, 0.9, _LOCK)
_OPEN = Kind(
    ID, SLUG, "index", Severity.MEDIUM, 0.9,
    "use one index over https; with two, whoever publishes a private name on the public one is installed: "
    "pin hashes, or let one proxy serve both",
)  # fmt: skip


class Requirement(NamedTuple):
    """One line: its number, its text, the name, the exact version (empty: none), and whether a hash stands there."""

    line: int
    text: str
    name: str
    version: str
    hashed: bool


def is_requirements(file: File) -> bool:
    """Whether the name is that of a requirements file for pip."""
    return bool(_FILES.search(file.name))


def parse(body: str) -> list[Requirement]:
    r"""The requirements of a pip file; options are left out.

    Examples
    --------
    >>> [(r.name, r.version, r.hashed) for r in parse("a==1.0\nb>=2  # any\n-r more.txt\n")]
    [('a', '1.0', False), ('b', '', False)]
    """
    found = []
    for number, line in commands(body):
        stripped = line.strip()
        if stripped.startswith("-") and not stripped.startswith(("-e ", "--editable")):
            continue
        hashed = "--hash=" in stripped
        spec = stripped.partition(" --hash=")[0].partition(";")[0].strip()
        match = _NAME.match(spec)
        if stripped.startswith("-e") or "://" in spec or match is None:
            where = stripped.removeprefix("--editable").removeprefix("-e").strip(" =")
            pinned = "commit" if _COMMIT.search(spec) else "local" if "://" not in spec else ""
            archive = bool(_ARCHIVE.search(spec))
            whole = hashed or not archive or "#sha256=" in spec
            found.append(Requirement(number, stripped[:200], where[:80], "archive" if archive else pinned, whole))
            continue
        exact = _EXACT.match(match[2])
        found.append(Requirement(number, spec[:200], match[1], exact[1] if exact else "", hashed))
    return found


def requirements(context: Context, settings: PostureSettings) -> Outcome:
    """Lines of requirements files that leave the version open, pins without hashes, and risky indexes.

    Notes
    -----
    Medium: no exact version, or a repository without a commit: the next install can bring something else. Low: pinned
    without a hash, which trusts the index not to serve other bytes. Ranges in `pyproject.toml` are not judged: they
    say what a library works with, not what is installed. A file that only another one with pins is compiled from
    (`.in`) isn't either.

    References
    ----------
    CWE-1357, Reliance on insufficiently trustworthy component; SLSA 1.0, build dependencies.
    """
    del settings
    files = [file for file in context.files if is_requirements(file)]
    if not files:
        raise Skip("no requirements file here")
    found = []
    for file in files:
        body = context.text(file)
        if body is None:
            continue
        lines = parse(body)
        loose = [Spot(f"line {r.line}", r.text, r.line) for r in lines if not r.version]
        bare = [Spot(f"line {r.line}", r.text, r.line) for r in lines if r.version and not r.hashed]
        if loose:
            share = f"{len(loose)} of {len(lines)} requirements"
            claim = f"{{path}} leaves {share} open at {{where}}: the next install may differ"
            found.append(finding(_LOOSE, file, claim, loose))
        if bare:
            claim = f"{{path}} pins {len(bare)} of {len(lines)} requirements without a hash"
            found.append(finding(_BARE, file, claim, bare))
        indexes = _indexes(body)
        if indexes:
            found.append(
                finding(_OPEN, file, "{path} takes packages from a further or unprotected index at {where}", indexes)
            )
    return Outcome(tuple(found))


def _indexes(body: str) -> list[Spot]:
    spots = []
    for number, line in commands(body):
        match = _INDEX.match(line.strip())
        if match and (match[0].startswith(("--extra", "--trusted")) or match[1].startswith("http://")):
            spots.append(Spot(f"line {number}", line.strip(), number))
    return spots
