"""Packages that are asked for outside of requirements files: in Dockerfiles and scripts, conda's and Pipenv's files."""

from __future__ import annotations

import re
import shlex
from typing import NamedTuple

from mithridate.supply.posture.code import code_cells
from mithridate.supply.posture.lines import DOCKERFILE, commands
from mithridate.supply.posture.walk import File

_SCRIPTS = re.compile(rf"(?:^|/)(?:{DOCKERFILE}|[^/]+\.(?:sh|bash))$", re.IGNORECASE)
_CI = re.compile(
    r"(?:^|/)(?:\.github/(?:workflows|actions)/.+|\.circleci/.+|\.gitlab-ci|azure-pipelines[\w.-]*|\.travis)\.ya?ml$|"
    r"(?:^|/)(?:makefile|justfile|noxfile\.py|tox\.ini)$", re.IGNORECASE,
)  # fmt: skip
_YAML = re.compile(r"\.ya?ml$", re.IGNORECASE)
_CELL = re.compile(r"^\s*[!%]\s*(?:\S*python\S*\s+-m\s+|sudo\s+|\{sys\.executable\}\s+-m\s+|uv\s+)?pip")
_CONDA = re.compile(r"(?:^|/)[\w.-]*(?:environment|conda|env)[\w.-]*\.ya?ml$", re.IGNORECASE)
_INSTALL = re.compile(r"\bpip[\d.]*[\"',\s]+install\b(?P<rest>[^;&|]*)")
_VALUED = re.compile(
    r"-[rcitfe]|--(?:requirement|constraint|index-url|extra-index-url|target|find-links|editable|platform|prefix|root|"
    r"python-version|abi|implementation|cache-dir|timeout|retries|trusted-host|proxy|src|python|upgrade-strategy|config-settings|"
    r"progress-bar|no-binary|only-binary|index-strategy|default-timeout)"
)
_SETTLED = re.compile(r"--require-hashes\b|(?:^|\s)(?:-c|--constraint|--dry-run|--no-index|--help)\b")
_TOOLS = {
    "pip",
    "setuptools",
    "wheel",
    "uv",
    "pipx",
    "build",
    "pipenv",
    "poetry",
    "pdm",
    "hatch",
    "virtualenv",
}  # what installs the rest
_WORD = re.compile(r"[A-Za-z0-9][\w.-]*(?:\[[\w,.-]*\])?(?P<spec>(?:[<>=!~]=?=?[^@]*)?)")
_REPOSITORY = re.compile(r"(?:[\w.-]+\s*@\s*)?git\+\S+")
_COMMIT = re.compile(r"@[0-9a-f]{40}\b")
_ENTRY = re.compile(r"^(?P<indent>\s*)-\s+[\"']?(?P<entry>[^\s\"'#][^\"'#]*?)[\"']?\s*$")
_KEY = re.compile(r"^\s*-?\s*([\w-]+)\s*:\s*$")
_FROM_PIPFILE = re.compile(
    r"""^\s*["']?(?P<name>[\w.-]+)["']?\s*=\s*(?:["'](?P<spec>[^"']*)["']|\{.*?version\s*=\s*["'](?P<inner>[^"']*)["'].*\})"""
)
_LONGEST = 4000


class Wanted(NamedTuple):
    """A package asked for without an exact version: its 1-based line, what is written, its cell in a notebook."""

    line: int
    text: str
    cell: int = 0


def is_installer(file: File) -> bool:
    """Whether the name is that of a file that `loose` reads."""
    patterns = (_SCRIPTS, _CONDA, _CI, _YAML)
    return (
        any(pattern.search(file.name) for pattern in patterns) or file.suffix == ".ipynb" or file.path.name == "Pipfile"
    )


def is_passing(file: File) -> bool:
    """Whether what the file installs serves a run of tests or of a notebook, and is no part of what is deployed."""
    return file.suffix == ".ipynb" or bool(_CI.search(file.name))


def loose(file: File, body: str, beside: set[str]) -> list[Wanted]:
    """The packages that a file other than a requirements file leaves open.

    Parameters
    ----------
    beside : the names of all files of the project: with a lock beside it, a file isn't what is installed from.
    """
    folder, _, name = file.name.rpartition("/")
    here = f"{folder}/" if folder else ""
    if _SCRIPTS.search(file.name):
        return [Wanted(number, word) for number, line in commands(body) for word in _typed(line)]
    if file.suffix == ".ipynb":
        return _of_notebook(body)
    if name == "Pipfile" and f"{here}Pipfile.lock" not in beside:
        return _of_pipfile(body)
    if _CONDA.search(file.name) and re.search(r"(?m)^dependencies\s*:", body):
        locked = {f"{here}conda-lock.yml", f"{here}conda-lock.yaml", f"{here}{name.rpartition('.')[0]}.lock"} & beside
        return [] if locked else _of_conda(body)
    if _INSTALL.search(body) and (
        _YAML.search(name) or _CI.search(file.name)
    ):  # what a container or a job is told to type
        return [Wanted(number, word) for number, line in commands(body) for word in _typed(line)]
    return []


def _of_notebook(body: str) -> list[Wanted]:
    """What `!pip install` and `%pip install` of the code cells leave open."""
    if "pip" not in body or "install" not in body:
        return []
    return [
        Wanted(number, word, cell)
        for cell, code in code_cells(body)
        for number, line in enumerate(code.splitlines(), 1) if _CELL.match(line)
        for word in _typed(line.partition(" #")[0])
    ]  # fmt: skip


def _typed(line: str) -> list[str]:
    """What `pip install` is given by name and without version."""
    found: list[str] = []
    for match in _INSTALL.finditer(line[:_LONGEST]):
        if _SETTLED.search(match["rest"]):
            continue
        rest = (
            re.sub(r"""^["'],?\s*["']?|["'],\s*["']|["']\s*\]""", " ", match["rest"])
            if match["rest"][:1] in {'"', "'"}
            else match["rest"]
        )
        try:
            words = shlex.split(re.sub(r"\s\d?>&?\d?\s*\S*", " ", rest))
        except ValueError:
            words = rest.split()
        skip = False
        for word in words:
            if not skip and not word.startswith("-") and _is_open(word):
                found.append(word)
            skip = bool(_VALUED.fullmatch(word))
    return found


def _is_open(word: str) -> bool:
    if _REPOSITORY.fullmatch(word):
        return not _COMMIT.search(word)
    match = _WORD.fullmatch(word)
    plain = match is not None and "/" not in word and not word.endswith((".whl", ".gz", ".txt", ".zip"))
    if match is None or not plain or re.split(r"[\[<>=!~]", word)[0].lower() in _TOOLS:
        return False
    return not re.fullmatch(r"={2,3}[^*,]+", match["spec"])


def _of_conda(body: str) -> list[Wanted]:
    found: list[Wanted] = []
    inside = pip = False
    depth = 0  # of `- pip:`: what stands as far left as that is conda's again
    for number, line in enumerate(body.splitlines(), 1):
        key = _KEY.match(line)
        if key:
            depth = len(line) - len(line.lstrip())
            inside, pip = (True, False) if key[1] == "dependencies" else (inside and key[1] == "pip", key[1] == "pip")
            continue
        match = _ENTRY.match(line) if inside else None
        if match is None:
            inside = inside and (not line.strip() or line[0] in " -#")
            continue
        pip = pip and len(match["indent"]) > depth
        entry = match["entry"].rpartition("::")[2]
        exact = re.fullmatch(r"[\w.\[\],-]+\s*={1,3}\s*[^=<>*,\s]+(?:=\S+)?(?:\s*;.*)?", entry) and not (
            pip and "==" not in entry
        )
        plain = not entry.startswith(("-", ".", "/", "{")) and entry not in _TOOLS and "://" not in entry
        if plain and not exact:
            found.append(Wanted(number, entry[:200]))
    return found


def _of_pipfile(body: str) -> list[Wanted]:
    found: list[Wanted] = []
    inside = False
    for number, line in enumerate(body.splitlines(), 1):
        if line.startswith("["):
            inside = line.strip() in {"[packages]", "[dev-packages]"}
        match = _FROM_PIPFILE.match(line) if inside else None
        if match and not (match["spec"] or match["inner"] or "").startswith("=="):
            found.append(Wanted(number, line.strip()[:200]))
    return found
