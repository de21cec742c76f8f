"""From places in a file to its finding: one for each file and kind."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from mithridate.core.findings import Finding, Severity, Subject, table
from mithridate.supply.posture.secret_forms import hide
from mithridate.supply.posture.walk import File

MOST_SHOWN = 20
_MOST_NAMED = 3
TESTS = re.compile(  # `test`, `integration-tests`, `conftest.py`, `test_a.py`
    r"(?:^|/)(?:(?:[\w.]+-)?tests?|testing|conftest\.py|test_[^/]*\.(?:py|ipynb)|[^/]*_test\.py)(?:/|$)"
)


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
    where = _where(sorted(spots, key=lambda spot: spot.line or 0) if file.suffix != ".ipynb" else spots)
    rows = [[spot.where, spot.what[:200]] for spot in spots[:MOST_SHOWN]]
    shown = (table("places", ["where", "what"], rows, caption=f"{len(spots)} in {file.name}"),) if rows else ()
    what = hashlib.sha256("\n".join(sorted(spot.what for spot in spots)).encode(errors="replace")).hexdigest()[:16]
    return Finding(
        method=kind.method, slug=kind.slug, severity=kind.severity, confidence=kind.confidence,
        claim=claim.replace("{path}", file.name).replace("{where}", where),
        subject=Subject("file", extra={"path": file.name, "lines": lines[:100], "kind_of": kind.word}),
        evidence=shown, remedy=kind.remedy, place=f"{kind.word} {what if spots else file.path.name}",
    )  # fmt: skip


def _where(spots: Sequence[Spot]) -> str:
    """The first places in words: `lines 3, 7, 9 and 4 more`."""
    places = list(dict.fromkeys(spot.where for spot in spots))
    shown, more = places[:_MOST_NAMED], len(places) - _MOST_NAMED
    plain = len(shown) > 1 and all(place.startswith("line ") for place in shown)
    text = f"lines {', '.join(place[5:] for place in shown)}" if plain else ", ".join(shown)
    return f"{text} and {more} more" if more > 0 else text
