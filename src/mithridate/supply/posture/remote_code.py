"""Code and configurations that run programs from a model hub: `trust_remote_code` and its like."""

from __future__ import annotations

import re

from mithridate.core.findings import Severity
from mithridate.core.method import Outcome
from mithridate.supply.posture.code import Module, Use
from mithridate.supply.posture.context import Context, PostureSettings
from mithridate.supply.posture.lines import commands, is_configuration
from mithridate.supply.posture.say import TESTS, Kind, Spot, finding

ID, SLUG = "SUP424", "remote-code"
_COMMIT = re.compile(r"[0-9a-f]{40}")
_TYPED = re.compile(r"""--trust[-_]remote[-_]code(?![-_\w])(?!["']?[=, ]\s*["']?(?:false|0|no)\b)""", re.IGNORECASE)
_SET = re.compile(
    r"""(?:^|[\s,{;"'])(?:[A-Z]+_)*trust[-_]remote[-_]code["']?\s*[:=]\s*["']?(?:true|1|yes|on)\b""", re.IGNORECASE
)
_OPTION = re.compile(r"(?:--)?trust[-_]remote[-_]code")
_VARIABLE = re.compile(r"[A-Z_]*TRUST_REMOTE_CODE")
_REMEDY = (
    "take trust_remote_code out (most architectures are in the library); if it must stay, read the code, "
    'and pin it: revision="<the 40 digits of the commit you read>"'
)
_OPEN = Kind(ID, SLUG, "trust_remote_code", Severity.HIGH, 0.95, _REMEDY)
_TEST = Kind(ID, SLUG, "trust_remote_code in a test", Severity.LOW, 0.9, _REMEDY)
_PINNED = Kind(ID, SLUG, "trust_remote_code, pinned", Severity.LOW, 0.95, "read the pinned code again when it moves")


def remote_code(context: Context, settings: PostureSettings) -> Outcome:
    """Places that let a model repository run its own Python here.

    Notes
    -----
    `trust_remote_code=True` in calls, defaults, dicts, configurations and command lines, and `torch.hub.load` with
    `trust_repo=True`. Low where the same call pins `revision` to a commit: then only code that was there when somebody
    pinned it runs, and low in tests. A variable is not judged.

    References
    ----------
    MITRE ATLAS AML.T0010, AI supply chain compromise; CWE-494, Download of code without integrity check.
    """
    del settings
    found = []
    for file, module in context.modules():
        wide, pinned = _places(module)
        if wide:
            claim = "{path} lets a model repository run its own code at {where}"
            found.append(finding(_TEST if TESTS.search(file.name) else _OPEN, file, claim, wide))
        if pinned:
            found.append(
                finding(_PINNED, file, "{path} runs a model repository's code of one commit at {where}", pinned)
            )
    for file in context.files:
        body = context.text(file) if is_configuration(file) else None
        if body is None or "trust" not in body.lower():
            continue
        spots = [Spot(f"line {number}", line, number) for number, line in commands(body)
                 if _TYPED.search(line) or _SET.search(line)]  # fmt: skip
        if spots:
            claim = "{path} lets a model repository run its own code ({where})"
            found.append(finding(_TEST if TESTS.search(file.name) else _OPEN, file, claim, spots))
    return Outcome(tuple(found))


def _places(module: Module) -> tuple[list[Spot], list[Spot]]:
    wide: list[Spot] = []
    pinned: list[Spot] = []
    for use in module.uses:
        trusted = use.keywords.get("trust_remote_code") is True or _as_option(use)
        hub = use.name == "torch.hub.load" and use.keywords.get("trust_repo") is True
        if trusted or hub:
            (pinned if _pinned(use) else wide).append(Spot(use.where, use.source, use.line))
    wide += [Spot(item.where, f"{item.name} = True", item.line) for item in module.assigned
             if (item.name.rpartition(".")[2] == "trust_remote_code" and item.value is True)
             or (_VARIABLE.fullmatch(item.name) and str(item.value).lower() in {"1", "true", "yes"})]  # fmt: skip
    return wide, pinned


def _as_option(use: Use) -> bool:
    """An option of the command line that is on by default, or an entry set where there is none."""
    if not (isinstance(option := use.keywords.get(""), str) and _OPTION.fullmatch(option)):
        return False
    return use.keywords.get("default") is True or (use.name == ".setdefault" and use.arguments[1:2] == ("True",))


def _pinned(use: Use) -> bool:
    revision = use.keywords.get("revision")
    return isinstance(revision, str) and bool(_COMMIT.fullmatch(revision))
