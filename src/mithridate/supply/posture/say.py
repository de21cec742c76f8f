"""From places in a file to its finding: one for each file and kind."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from mithridate.core.findings import Finding, Severity, Subject, table
from mithridate.supply.posture.secret_forms import hide
from mithridate.supply.posture.walk import File

MOST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Spot:
    """One place: `where` in words (`line 7`), what stands there, and its 1-based line where it has one."""

    where: str
    what: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """What a finding is of: the check's id and slug, a word for this kind, severity, confidence, what to do."""

    method: str
    slug: str
    word: str
    severity: Severity
    confidence: float
    remedy: str


def finding(kind: Kind, file: File, claim: str, spots: Sequence[Spot] = ()) -> Finding:
    """The finding of that kind about that file.

    `claim` may hold `{path}` and `{where}`. The fingerprint goes by kind and by what stands at the places, so that it
    survives lines that move and a file that is renamed. What may be a secret in a line is hidden first.
    """
    spots = [Spot(spot.where, hide(spot.what), spot.line) for spot in spots]
    lines = [spot.line for spot in spots if spot.line is not None]
    where = ", ".join(dict.fromkeys(spot.where for spot in spots[:3])) + (" ..." if len(spots) > 3 else "")  # noqa: PLR2004 - the first three
    rows = [[spot.where, spot.what[:200]] for spot in spots[:MOST_SHOWN]]
    shown = (table("places", ["where", "what"], rows, caption=f"{len(spots)} in {file.name}"),) if rows else ()
    what = hashlib.sha256("\n".join(sorted(spot.what for spot in spots)).encode(errors="replace")).hexdigest()[:16]
    return Finding(
        method=kind.method, slug=kind.slug, severity=kind.severity, confidence=kind.confidence,
        claim=claim.replace("{path}", file.name).replace("{where}", where),
        subject=Subject("file", extra={"path": file.name, "lines": lines[:100], "kind_of": kind.word}),
        evidence=shown, remedy=kind.remedy, place=f"{kind.word} {what if spots else file.path.name}",
    )  # fmt: skip
