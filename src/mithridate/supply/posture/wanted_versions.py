"""Which version of a package a project asks for, in whatever files it says so."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Any, NamedTuple

from mithridate.supply.posture.context import Context
from mithridate.supply.posture.walk import File

_REQUIREMENTS = re.compile(
    r"(?:^|/)(?:[\w.-]*requirements[\w.-]*\.(?:txt|in)|requirements/[\w.-]+\.txt)$", re.IGNORECASE
)
_ENVIRONMENTS = re.compile(r"(?:^|/)(?:environment|conda|env)[\w.-]*\.ya?ml$", re.IGNORECASE)
_SETUPS = re.compile(r"(?:^|/)setup\.(?:py|cfg)$")
_LOCKS = frozenset({"poetry.lock", "uv.lock", "pdm.lock", "pylock.toml"})
_NUMBER = re.compile(r"(\d+)(?:\.(\d+))?")
_CLAUSE = re.compile(r"(===?|>=|~=|>|<=|<|!=|\^|~|=)\s*v?(\d[\w.*+!-]*)")


class Wanted(NamedTuple):
    """The lowest version that a file accepts, as (major, minor), None where it accepts any; locked : that one alone."""

    version: tuple[int, int] | None
    locked: bool


def wanted(context: Context, package: str) -> list[Wanted]:
    """What each file of the project says of the package; empty where none names it.

    Parameters
    ----------
    package : its name on the index, in lower case. Conda's name of torch, `pytorch`, counts for it.
    """
    names = {package, "pytorch"} if package == "torch" else {package}
    return [one for file in context.files for one in _said_in(context, file, names)]


def asks_for_at_least(context: Context, package: str, least: tuple[int, int]) -> bool:
    """Whether all that the project says of the package excludes older versions; a lock decides where there is one."""
    said = wanted(context, package)
    decisive = [one for one in said if one.locked] or said
    return bool(decisive) and all(one.version is not None and one.version >= least for one in decisive)


def lowest(clauses: str) -> Wanted:
    """The lowest version that `>=2.1,<3` and its like accept.

    Examples
    --------
    >>> lowest("==2.6.0"), lowest(">=2.1,<3")
    (Wanted(version=(2, 6), locked=True), Wanted(version=(2, 1), locked=False))
    >>> lowest("<3"), lowest("")
    (Wanted(version=None, locked=False), Wanted(version=None, locked=False))
    """
    versions, locked = [], False
    for sign, version in _CLAUSE.findall(clauses):
        if sign in {"<", "<=", "!="}:
            continue
        number = _NUMBER.match(version)
        if number:
            versions.append((int(number[1]), int(number[2] or 0)))
            locked |= sign in {"==", "===", "="} and "*" not in version
    return Wanted(max(versions, default=None), locked)


def _said_in(context: Context, file: File, names: set[str]) -> Iterator[Wanted]:
    name = file.path.name
    is_read = _REQUIREMENTS.search(file.name) or _ENVIRONMENTS.search(file.name) or _SETUPS.search(file.name)
    if not (is_read or name in _LOCKS or name in {"pyproject.toml", "Pipfile"}):
        return
    body = context.text(file)
    if body is None or not any(wanted in body.lower() for wanted in names):
        return
    if name in _LOCKS or name in {"pyproject.toml", "Pipfile"}:
        yield from _in_toml(body, names, is_lock=name in _LOCKS)
    else:
        yield from _in_lines(body, names)


def _in_lines(body: str, names: set[str]) -> Iterator[Wanted]:
    """Requirements, conda's dependencies, the strings of a `setup.py`: a name and what follows up to the line's end."""
    either = "|".join(map(re.escape, sorted(names)))
    line = re.compile(rf"(?im)(?:^|[\s\"'])(?:-[ \t]+)?(?:{either})(?:\[[^\]\n]*\])?[ \t]*(?P<clauses>[^\n\"'#;]*)")
    for match in line.finditer(body):
        clauses = match["clauses"].strip()
        if not clauses or _CLAUSE.match(clauses):
            yield lowest(clauses)


def _in_toml(body: str, names: set[str], *, is_lock: bool) -> Iterator[Wanted]:
    try:
        document = tomllib.loads(body)
    except (tomllib.TOMLDecodeError, RecursionError):
        return
    if is_lock:
        packages = document.get("package") or document.get("packages") or []
        for entry in packages if isinstance(packages, list) else []:
            if isinstance(entry, dict) and str(entry.get("name")).lower() in names:
                yield lowest(f"=={entry.get('version')}")
        return
    yield from _dependencies(document, names)


def _dependencies(node: Any, names: set[str], depth: int = 0) -> Iterator[Wanted]:
    """`"torch>=2.6"` in a list, or `torch = ">=2.6"` and `torch = {version = ...}` in a table of dependencies."""
    if depth > 8:  # noqa: PLR2004 - deeper than any such file goes
        return
    if isinstance(node, list):
        for item in node:
            if isinstance(item, str):
                yield from _in_lines(item, names) if _is_named(item, names) else ()
            else:
                yield from _dependencies(item, names, depth + 1)
    elif isinstance(node, dict):
        for key, value in node.items():
            if str(key).lower() in names and isinstance(value, str | dict):
                clauses = value if isinstance(value, str) else str(value.get("version", ""))
                yield lowest(clauses if not clauses[:1].isdigit() else f"^{clauses}")
            else:
                yield from _dependencies(value, names, depth + 1)


def _is_named(requirement: str, names: set[str]) -> bool:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    return match is not None and match[0].lower() in names
