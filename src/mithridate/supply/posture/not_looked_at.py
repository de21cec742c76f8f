"""What posture could not look at: never taken for clean."""

from __future__ import annotations

from mithridate.core.findings import Finding, Json, Severity, Subject, table
from mithridate.core.method import Outcome
from mithridate.supply.posture.context import Context, PostureSettings

ID, SLUG = "SUP441", "not-looked-at"
_MOST_SHOWN = 20


def not_looked_at(context: Context, settings: PostureSettings) -> Outcome:
    """Files and folders that no check could read: no right to, too large, no Python 3, a FIFO.

    Notes
    -----
    One finding for each reason. Runs last, since the other checks find out. Links are not followed, and folders of
    tools and environments (.git, node_modules, virtual environments) are left out; the report counts both.

    References
    ----------
    Saltzer, Schroeder (1975), The protection of information in computer systems: fail-safe defaults.
    """
    del settings
    return Outcome(tuple(_finding(reason, sorted(names)) for reason, names in sorted(context.missed.items())))


def _finding(reason: str, names: list[str]) -> Finding:
    rows: list[list[Json]] = [[name] for name in names[:_MOST_SHOWN]]
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return Finding(
        method=ID, slug=SLUG, severity=Severity.LOW, confidence=1.0,
        claim=f"not looked at: {names[0]}{more} ({reason})",
        subject=Subject("file", extra={"path": names[0], "files": len(names), "kind_of": reason}),
        evidence=(table("files", ["file"], rows, caption=f"{len(names)} in all"),),
        remedy="look at it by hand, or make it readable and run this again", place=reason,
    )  # fmt: skip
