"""A decision by the rules, written into the log before anybody acts on it."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from mithridate.core import ledger
from mithridate.core.access import Decision, read_rules
from mithridate.core.errors import Refused
from mithridate.core.findings import Json


def decide(
    policy: Path, role: str, action: str, artefact: Path, *, labels: Iterable[str] = (), log: Path = ledger.PLACE
) -> Decision:
    """Whether the role may do this with the artefact; the decision stands in the log when this returns.

    Parameters
    ----------
    policy : the file of rules (`core/access.py`). labels : those that the artefact carries itself, beside the file's.
    log : the hash-chained log; made when it isn't there.

    Raises
    ------
    InputError : the rules can't be read, or the log can't be written: then nothing is allowed.
    Refused : the log was tampered with.
    """
    rules = read_rules(policy)
    decision = rules.decide(role, action, {*filter(None, labels), *rules.labels_of(artefact)})
    body: dict[str, Json] = {
        "role": role, "action": action, "artefact": str(artefact), "labels": list(decision.labels),
        "allowed": decision.allowed, "rule": decision.rule, "reason": decision.reason, "policy": rules.digest,
        "user": _user(),
    }  # fmt: skip
    ledger.append(log, "access", body, time=datetime.now(UTC))
    return decision


def enforce(
    policy: Path, role: str, action: str, artefact: Path, *, labels: Iterable[str] = (), log: Path = ledger.PLACE
) -> None:
    """Return when `decide` allows it.

    Raises
    ------
    Refused : it is denied, or the log was tampered with. InputError : as `decide`.
    """
    decision = decide(policy, role, action, artefact, labels=labels, log=log)
    if not decision.allowed:
        raise Refused(f"{role} may not {action} {artefact}: {decision.reason} in {policy}")


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
