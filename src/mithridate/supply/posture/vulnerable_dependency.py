"""Pinned dependencies with published vulnerabilities, by pip-audit where it is installed and reaches its database."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from mithridate.core.errors import Skip
from mithridate.core.findings import Finding, Severity
from mithridate.core.method import Outcome
from mithridate.supply.posture.context import Context, PostureSettings
from mithridate.supply.posture.requirements import Requirement, is_requirements, parse
from mithridate.supply.posture.say import Kind, Spot, finding
from mithridate.supply.posture.walk import File

ID, SLUG = "SUP421", "vulnerable-dependency"
TIMEOUT_S = 120
_KIND = Kind(ID, SLUG, "vulnerable", Severity.HIGH, 0.9, "raise the pin to a fixed version")


def vulnerable_dependency(context: Context, settings: PostureSettings) -> Outcome:
    """Requirements pinned to a version with a published vulnerability.

    Notes
    -----
    Exact pins of requirements and constraints files are given to pip-audit, which asks the advisory database of PyPI;
    only names and versions leave the machine, and nothing with `--offline`. Skipped where pip-audit isn't installed or
    the database can't be reached. Whether the flaw can be reached from this project's code is not known.

    References
    ----------
    CWE-1395, Dependency on vulnerable third-party component.
    """
    files = [file for file in context.files if is_requirements(file) or file.path.name.startswith("constraints")]
    pinned = {file: [r for r in parse(context.text(file) or "") if r.version[:1].isdigit()] for file in files}
    every = {(r.name.lower().replace("_", "-"), r.version) for lines in pinned.values() for r in lines}
    if not every:
        raise Skip("no requirement here is pinned to a version")
    if settings.offline:
        raise Skip("offline: no database was asked")
    if importlib.util.find_spec("pip_audit") is None:
        raise Skip("needs pip-audit: pip install 'mithridate[posture]'")
    known, unknown = _asked(sorted(every))
    if len(unknown) >= len(every):
        raise Skip(f"the advisory database knew none of {len(every)} packages: {next(iter(unknown.values()))[:120]}")
    for name in unknown:
        context.missed["unknown to the advisory database"].add(name)
    found = (_finding(file, lines, known) for file, lines in pinned.items())
    return Outcome(tuple(one for one in found if one is not None))


def _finding(file: File, lines: list[Requirement], known: dict[str, list[str]]) -> Finding | None:
    bad = [(line, known[key]) for line in lines if (key := _key(line.name, line.version)) in known]
    if not bad:
        return None
    spots = [
        Spot(f"line {line.line}", f"{line.name} {line.version}: {', '.join(ids)[:150]}", line.line) for line, ids in bad
    ]
    return finding(_KIND, file, f"{{path}} pins {len(bad)} packages with published vulnerabilities at {{where}}", spots)


def _key(name: str, version: str) -> str:
    return f"{name.lower().replace('_', '-')} {version}"


def _asked(pins: list[tuple[str, str]]) -> tuple[dict[str, list[str]], dict[str, str]]:
    """The vulnerabilities of each `name version` that has some, and why a name has no answer.

    Raises
    ------
    Skip : pip-audit gave no answer.
    """
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "requirements.txt"
        listed.write_text("".join(f"{name}=={version}\n" for name, version in pins), encoding="utf-8")
        words = ["-r", str(listed), "--no-deps", "--disable-pip", "--format", "json", "--progress-spinner", "off"]
        try:
            done = subprocess.run(  # noqa: S603 - our own interpreter, our own list
                [sys.executable, "-m", "pip_audit", *words], capture_output=True, text=True, check=False,
                timeout=TIMEOUT_S, cwd=folder, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise Skip(f"the advisory database gave no answer in {TIMEOUT_S} s") from None
    try:
        answer: Any = json.loads(done.stdout)
        packages = answer["dependencies"]
        unknown = {
            str(package["name"]): str(package["skip_reason"]) for package in packages if "skip_reason" in package
        }
        known = {
            _key(package["name"], package["version"]): [str(flaw["id"]) for flaw in package["vulns"]]
            for package in packages if package.get("vulns")
        }  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError):
        last = (done.stderr.strip().splitlines() or ["no answer"])[-1]
        raise Skip(f"pip-audit could not ask its database: {last[:200]}") from None
    return known, unknown
