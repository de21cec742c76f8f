"""Requirements that don't say which version, or not which bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from mithridate.core.errors import Skip
from mithridate.core.findings import Finding, Severity
from mithridate.core.method import Outcome
from mithridate.supply.posture.context import Context, PostureSettings
from mithridate.supply.posture.downloads import unpinned_downloads
from mithridate.supply.posture.installs import is_installer, is_passing, loose
from mithridate.supply.posture.lines import DOCKERFILE, commands
from mithridate.supply.posture.say import TESTS, Kind, Spot, finding
from mithridate.supply.posture.walk import File

ID, SLUG = "SUP422", "loose-requirement"
_FILES = re.compile(r"(?:^|/)(?:[\w.-]*requirements[\w.-]*\.txt|requirements/[\w.-]+\.txt)$", re.IGNORECASE)
_SOMETIMES = frozenset({".yaml", ".yml", ".ipynb"})  # of which few install anything
_NAME = re.compile(r"^([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*(.*)$")
_EXACT = re.compile(r"^={2,3}\s*([^\s,;*]+)\s*$")
_COMMIT = re.compile(r"@[0-9a-f]{40}\b")
_ARCHIVE = re.compile(r"://\S+\.(?:whl|tar\.gz|zip|tar\.bz2)(?:#\S*)?$")
_INDEX = re.compile(
    r"(?:^|\s)-?-?(?P<option>extra-index-url|trusted-host|index-url|i|find-links|f)\b[ =]+(?P<where>\S*)"
)
_PIP_FILES = re.compile(rf"(?:^|/)(?:pip\.(?:conf|ini)|{DOCKERFILE}|[^/]+\.(?:sh|bash))$", re.IGNORECASE)
_VENDORS = re.compile(  # public indexes of their makers' own builds: nobody's private names
    r"^https://(?:download\.pytorch\.org|(?:\w+\.)?pypi\.nvidia\.com|pypi\.ngc\.nvidia\.com|pip\.repos\.neuron\.amazonaws\.com|"
    r"storage\.googleapis\.com/(?:jax|libtpu)-releases|data\.pyg\.org|developer\.intel\.com|pypi\.org|wheels\.vllm\.ai|"
    r"flashinfer\.ai|abetlen\.github\.io)(?:/|$)"
)

_LOCK = "write the versions down with hashes, and install with --require-hashes: `pip-compile --generate-hashes FILE`"
_LOOSE = Kind(ID, SLUG, "unpinned", Severity.MEDIUM, 0.9, _LOCK)
_BARE = Kind(ID, SLUG, "without hash", Severity.LOW, 0.9, _LOCK)
_OPEN = Kind(
    ID, SLUG, "index", Severity.MEDIUM, 0.9,
    "use one index over https; with two, whoever publishes a private name on the public one is installed: "
    "pin hashes, or let one proxy serve both",
)  # fmt: skip


_BUILD = Kind(
    ID, SLUG, "unpinned install", Severity.MEDIUM, 0.85,
    "install from a file with versions and hashes: `pip install --require-hashes -r requirements.txt`",
)  # fmt: skip
_PASSING = Kind(
    ID, SLUG, "unpinned install for a run", Severity.LOW, 0.85, "write the version: `pip install NAME==VERSION`"
)
_TYPED = re.compile(r"\bpip[\d.]*\W+(?:install|download|wheel|config)\b")
_SECOND = Kind(ID, SLUG, "second index", Severity.LOW, 0.8, _OPEN.remedy)


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
    """Requirements and downloads that leave the version open, pins without hashes, and risky indexes.

    Notes
    -----
    Medium: no exact version, or a repository without a commit: the next install can bring something else. Low: pinned
    without a hash, which trusts the index not to serve other bytes. Ranges in `pyproject.toml` are not judged: they
    say what a library works with, not what is installed.
    Also read: `pip install` in Dockerfiles, scripts, compose files and manifests, conda's environment files and a
    Pipfile, each unless a lock lies beside it; low in tests, notebooks, workflows and Makefiles. A further index of a
    well-known maker of builds (PyTorch, NVIDIA) is low. A file that only another one with pins is compiled from
    (`.in`) isn't judged either. Low: a download from the Hugging Face Hub (`from_pretrained`, `hf_hub_download`,
    `snapshot_download`, `load_dataset`) of a repository that the code names, without a `revision`.

    References
    ----------
    CWE-1357, Reliance on insufficiently trustworthy component; SLSA 1.0, build dependencies.
    """
    del settings
    names = {file.name for file in context.files}
    found: list[Finding] = list(unpinned_downloads(context))
    seen = bool(found)
    for file in context.files:
        pip = is_requirements(file)
        body = context.text(file) if pip or is_installer(file) or _PIP_FILES.search(file.name) else None
        if body is None:
            continue
        if file.suffix in _SOMETIMES and "pip" not in body and "dependencies" not in body:
            continue
        seen = True
        found += _of_requirements(file, body) if pip else _of_others(file, body, names)
        found += _of_indexes(file, body, pip=pip)
    if not seen:
        raise Skip("no requirements file here")
    return Outcome(tuple(found))


def _of_requirements(file: File, body: str) -> Iterator[Finding]:
    lines = parse(body)
    open_ones = [Spot(f"line {r.line}", r.text, r.line) for r in lines if not r.version]
    bare = [Spot(f"line {r.line}", r.text, r.line) for r in lines if r.version and not r.hashed]
    if open_ones:
        kind = _PASSING if TESTS.search(file.name) else _LOOSE
        share = f"{len(open_ones)} of {len(lines)} requirements"
        yield finding(kind, file, f"{{path}} leaves {share} open at {{where}}: the next install may differ", open_ones)
    if bare:
        yield finding(_BARE, file, f"{{path}} pins {len(bare)} of {len(lines)} requirements without a hash", bare)


def _of_others(file: File, body: str, names: set[str]) -> Iterator[Finding]:
    spots = [
        Spot(f"{f'cell {one.cell}, ' * bool(one.cell)}line {one.line}", one.text, one.line)
        for one in loose(file, body, names)
    ]
    if spots and (is_passing(file) or TESTS.search(file.name)):
        yield finding(
            _PASSING, file, "{path} installs packages of any version at {where}: the next run may differ", spots
        )
    elif spots:
        packages = f"{len(spots)} package{'s' * (len(spots) > 1)}"
        claim = f"{{path}} installs {packages} of any version at {{where}}: the next build may differ"
        yield finding(_BUILD, file, claim, spots)


def _of_indexes(file: File, body: str, *, pip: bool) -> Iterator[Finding]:
    idle = file.suffix == ".ipynb" or (file.suffix in _SOMETIMES and not _TYPED.search(body))
    spots = [] if idle else _indexes(body, pip=pip or file.path.name.startswith("pip."))
    known = [spot for spot, where in spots if _VENDORS.match(where)]
    other = [spot for spot, where in spots if not _VENDORS.match(where)]
    for kind, found in ((_OPEN, other), (_SECOND, known)):
        if found:
            yield finding(kind, file, "{path} takes packages from a further or unprotected index at {where}", found)


def _indexes(body: str, *, pip: bool) -> list[tuple[Spot, str]]:
    """Each option of a second or unprotected index, and its address; outside pip's files only of pip commands."""
    spots = []
    for number, line in commands(body):
        typed = line.strip()
        if not pip and not _TYPED.search(typed):
            continue
        for match in _INDEX.finditer(typed):
            where = match["where"].strip("\"'")
            if match["option"] in {"extra-index-url", "trusted-host"} or where.startswith("http://"):
                spots.append((Spot(f"line {number}", typed[:200], number), where))
    return spots
