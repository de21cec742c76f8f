"""Opening a sealed file with a report of whether all of it is authentic, for who must keep a record."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from mithridate.core.errors import Refused
from mithridate.core.findings import Finding, Json, Severity, Subject
from mithridate.core.report import CheckResult, Report, Target
from mithridate.supply.sealing.age import AgeKeys, open_age
from mithridate.supply.sealing.recipients import Identity
from mithridate.supply.sealing.sealed import open_sealed

METHOD, SLUG, TITLE = "SUP442", "seal-does-not-hold", "Seals that don't hold"


def open_with_report(
    path: Path,
    target: Path,
    identities: list[Identity],
    *,
    allow: Callable[[str], None] | None = None,
    command: str = "",
) -> Report:
    """Open a sealed file; where a key, a byte or the rules refuse it, that is the finding, and nothing is at `target`.

    Parameters
    ----------
    identities : private keys, passphrases or key services; one that fits is enough. allow : called with the label in
        the header before anything is decrypted; it raises `Refused` where access rules deny the opening.

    Raises
    ------
    InputError : the sealed file isn't there, or the target can't be written.

    Notes
    -----
    Every chunk is authenticated before the file gets its name, so that a byte changed, a chunk dropped, moved or
    repeated, and a file cut short leave nothing behind. One finding, high, says why. Blind to who sealed it: whoever
    has a recipient's public key can; sign what is sent, and verify the signature (SUP430).

    References
    ----------
    Hoang, Reyhanitabar, Rogaway, Vizar (2015), Online authenticated encryption and its nonce-reuse misuse-resistance.
    """
    return _reported(path, lambda: open_sealed(path, target, identities, allow=allow), command)


def open_age_with_report(
    path: Path, target: Path, keys: AgeKeys, *, allow: Callable[[str], None] | None = None, command: str = ""
) -> Report:
    """The same of an age file; its label, by which access rules go, is empty.

    Raises
    ------
    MissingExtra : `pyrage` isn't installed. InputError : the file isn't there, or the target can't be written.
    """
    return _reported(path, lambda: open_age(path, target, keys, allow=allow), command)


def _reported(path: Path, work: Callable[[], str], command: str) -> Report:
    started, clock = datetime.now(UTC), time.perf_counter()
    findings: tuple[Finding, ...] = ()
    try:
        work()
    except Refused as refusal:
        findings = (_finding(path, str(refusal)),)
    seconds = time.perf_counter() - clock
    check = CheckResult(METHOD, SLUG, TITLE, "found" if findings else "clean", seconds=seconds, wanted=True)
    run: dict[str, Json] = {
        "command": command, "seed": 0, "version": version("mithridate"),
        "started": started.isoformat(timespec="seconds"), "seconds": round(seconds, 3),
    }  # fmt: skip
    return Report(Target("sealed", path.name, ""), (check,), findings, run)


def _finding(path: Path, why: str) -> Finding:
    return Finding(
        method=METHOD, slug=SLUG, severity=Severity.HIGH, confidence=1.0, claim=f"refused: {why}",
        subject=Subject("file", extra={"path": path.name}), standards=("CWE-353",), place="seal",
        remedy="nothing was written: look at the key and the role, then ask whoever sealed the file for another copy",
    )  # fmt: skip
