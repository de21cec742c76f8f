"""Code that reads YAML with a loader that builds any Python object."""

from __future__ import annotations

import re

from mithridate.core.findings import Severity
from mithridate.core.method import Outcome
from mithridate.supply.posture.code import Use
from mithridate.supply.posture.context import Context, PostureSettings
from mithridate.supply.posture.say import Kind, Spot, finding

ID, SLUG = "SUP426", "unsafe-yaml"
_ALWAYS = re.compile(
    r"(?:ruamel\.)?yaml\.(?:(?:unsafe|full)_load(?:_all)?|(?:Unsafe|Full)?Loader|C(?:Unsafe|Full)?Loader)"
)
_ROUND = re.compile(r"ruamel\.yaml\.YAML")
_LOAD = re.compile(r"yaml\.(?:load|load_all)")
_SAFE = re.compile(r"(?:^|\.)C?(?:Safe|Base)Loader$|SafeLoader")
_UNSAFE = re.compile(r"(?:^|\.)C?(?:Unsafe|Full)?Loader$")
_FULL = re.compile(r"(?:^|\.)C?FullLoader$|\.full_load(?:_all)?$")
_KIND = Kind(ID, SLUG, "yaml", Severity.MEDIUM, 0.95, "use the safe loader: `yaml.safe_load(stream)`")
_OLD = Kind(ID, SLUG, "yaml, full loader", Severity.LOW, 0.6, _KIND.remedy)


def unsafe_yaml(context: Context, settings: PostureSettings) -> Outcome:
    """Calls of `yaml.load` and its like that don't name a safe loader: a YAML file can run code there.

    Notes
    -----
    Python is parsed, never run. A loader of the project's own is taken at its name: one whose name holds SafeLoader is
    safe, another that isn't PyYAML's own is not judged. FullLoader had holes of this kind (CVE-2020-1747,
    CVE-2020-14343) before PyYAML 5.4, and the file doesn't say which PyYAML reads it: low.

    References
    ----------
    CWE-502, Deserialization of untrusted data.
    """
    del settings
    found = []
    for file, module in context.modules():
        bad = [use for use in module.uses if _bad(use)]
        for kind, claim in (
            (
                _KIND,
                "{path} reads YAML at {where} with a loader that builds any object: the file can run code there",
            ),
            (_OLD, "{path} reads YAML at {where} with a loader that ran code of the file before PyYAML 5.4"),
        ):
            spots = [Spot(use.where, use.source, use.line) for use in bad if _is_full(use) == (kind is _OLD)]
            if spots:
                found.append(finding(kind, file, claim, spots))
    return Outcome(tuple(found))


def _is_full(use: Use) -> bool:
    loader = use.arguments[1] if len(use.arguments) > 1 else use.source_of("Loader")
    return bool(_FULL.search(use.name) or (_LOAD.fullmatch(use.name) and loader and _FULL.search(loader)))


def _bad(use: Use) -> bool:
    if _ALWAYS.fullmatch(use.name):
        return use.called or use.name.endswith(("_load", "_load_all"))
    if _ROUND.fullmatch(use.name):
        return use.called and "'unsafe'" in (use.source_of("typ"), *use.arguments)
    if not use.called:
        return False
    if not _LOAD.fullmatch(use.name):
        return False
    loader = use.arguments[1] if len(use.arguments) > 1 else use.source_of("Loader")
    if loader is None:
        return "**" not in use.keywords
    return bool(_UNSAFE.search(loader)) and not _SAFE.search(loader)
