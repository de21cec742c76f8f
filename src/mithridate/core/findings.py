"""What a method says: a finding about a group, with its evidence, and the pieces it is made of."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, TypeAlias

Json: TypeAlias = "str | int | float | bool | None | Sequence[Json] | Mapping[str, Json]"


class Severity(IntEnum):
    """The harm shown if the finding is true; how sure we are is `Finding.confidence`."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4

    @property
    def word(self) -> str:
        """The lower-case name used in reports and on the command line."""
        return self.name.lower()

    @classmethod
    def parse(cls, word: str) -> Severity:
        """The severity of that name; `ValueError` for any other word."""
        try:
            return cls[word.upper()]
        except KeyError:
            names = ", ".join(member.word for member in cls)
            msg = f"severity must be one of {names}, got {word!r}"
            raise ValueError(msg) from None


@dataclass(frozen=True, slots=True)
class Evidence:
    """One piece of proof, JSON all through: `kind` says how a report draws it.

    Kinds: `number`, `trigger`, `image`, `gallery`, `table`, `plot`, `text`; built by the functions below.
    """

    kind: str
    name: str
    data: Mapping[str, Json] = field(default_factory=dict)

    def to_json(self) -> dict[str, Json]:
        """Flat JSON object with `kind` and `name` first."""
        return {"kind": self.kind, "name": self.name, **self.data}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Evidence:
        """The inverse of `to_json`."""
        rest = {key: value for key, value in raw.items() if key not in {"kind", "name"}}
        return cls(str(raw["kind"]), str(raw["name"]), rest)


def number(
    name: str, value: float, *, low: float | None = None, high: float | None = None, unit: str = "", note: str = ""
) -> Evidence:
    """A measured number with its interval; `note` says what the interval resampled."""
    data: dict[str, Json] = {"value": value, "low": low, "high": high, "unit": unit}
    if note:
        data["note"] = note
    return Evidence("number", name, data)


def image(name: str, png: bytes, *, caption: str) -> Evidence:
    """One picture, PNG bytes, shown with its caption."""
    return Evidence("image", name, {"png": base64.b64encode(png).decode("ascii"), "caption": caption})


@dataclass(frozen=True, slots=True)
class Tile:
    """One row of the data as a picture in a gallery; `role` is `flagged` or `clean`."""

    png: bytes
    row: int
    role: str
    caption: str


def gallery(name: str, tiles: Sequence[Tile], *, caption: str) -> Evidence:
    """Pictures of flagged rows beside clean ones."""
    items: list[Json] = [
        {"png": base64.b64encode(t.png).decode("ascii"), "row": t.row, "role": t.role, "caption": t.caption}
        for t in tiles
    ]
    return Evidence("gallery", name, {"items": items, "caption": caption})


def table(
    name: str, columns: Sequence[str], rows: Sequence[Sequence[Json]], *, caption: str, marked: Sequence[str] = ()
) -> Evidence:
    """Cells of rows; the columns named in `marked` are drawn as the guilty ones."""
    data: dict[str, Json] = {
        "columns": list(columns),
        "rows": [list(row) for row in rows],
        "caption": caption,
        "marked": list(marked),
    }
    return Evidence("table", name, data)


def bars(
    name: str,
    labels: Sequence[str],
    values: Sequence[float],
    *,
    caption: str,
    unit: str = "",
    marked: Sequence[str] = (),
) -> Evidence:
    """A bar chart: one bar a label, those in `marked` in the warning colour."""
    data: dict[str, Json] = {
        "form": "bars",
        "x": list(labels),
        "y": [float(v) for v in values],
        "unit": unit,
        "caption": caption,
        "marked": list(marked),
    }
    return Evidence("plot", name, data)


def histogram(
    name: str, edges: Sequence[float], series: Mapping[str, Sequence[float]], *, caption: str, unit: str = ""
) -> Evidence:
    """Overlaid histograms over the same bin edges (one more edge than counts); series by name, in order."""
    data: dict[str, Json] = {
        "form": "histogram",
        "edges": [float(e) for e in edges],
        "series": {key: [float(v) for v in values] for key, values in series.items()},
        "unit": unit,
        "caption": caption,
    }
    return Evidence("plot", name, data)


def text(name: str, body: str) -> Evidence:
    """A short explanation in words."""
    return Evidence("text", name, {"text": body})


@dataclass(frozen=True, slots=True)
class Subject:
    """What a finding is about: a group of rows, or (later) a file, a model, a client.

    `rows` are 0-based positions in reading order, ascending; `sources` counts them by source.
    """

    kind: str
    rows: tuple[int, ...] = ()
    label: Json = None
    sources: Mapping[str, int] = field(default_factory=dict)
    extra: Mapping[str, Json] = field(default_factory=dict)

    def to_json(self) -> dict[str, Json]:
        """JSON object; empty parts are left out, `kind` and `rows` never."""
        out: dict[str, Json] = {
            "kind": self.kind,
            "rows": list(self.rows),
            "label": self.label,
            "sources": dict(self.sources),
        }
        return {**out, **self.extra}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Subject:
        """The inverse of `to_json`."""
        known = {"kind", "rows", "label", "sources"}
        extra = {key: value for key, value in raw.items() if key not in known}
        return cls(
            str(raw["kind"]), tuple(raw.get("rows") or ()), raw.get("label"), dict(raw.get("sources") or {}), extra
        )


@dataclass(frozen=True, slots=True)
class Finding:
    """One claim about one group, how bad it would be, how sure we are, why, and what to do.

    `place` is what keeps the fingerprint apart from other findings of the same method and label (the
    trigger's location, the class pair, the source's name); never a score, a count or a path.
    `confidence` is in [0, 1]; `remedy` is a command or an instruction in one sentence.
    """

    method: str
    slug: str
    severity: Severity
    confidence: float
    claim: str
    subject: Subject
    evidence: tuple[Evidence, ...] = ()
    remedy: str = ""
    standards: tuple[str, ...] = ()
    place: str = ""
    fingerprint: str = ""

    def __post_init__(self) -> None:
        if not self.fingerprint:
            object.__setattr__(self, "fingerprint", self._hash())

    def _hash(self) -> str:
        parts = [self.method, self.slug, self.subject.kind, repr(self.subject.label), self.place]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, Json]:
        """The object that stands in `report.json`."""
        return {
            "fingerprint": self.fingerprint,
            "method": self.method,
            "slug": self.slug,
            "severity": self.severity.word,
            "confidence": self.confidence,
            "claim": self.claim,
            "subject": self.subject.to_json(),
            "evidence": [piece.to_json() for piece in self.evidence],
            "remedy": self.remedy,
            "standards": list(self.standards),
            "place": self.place,
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Finding:
        """The inverse of `to_json`."""
        return cls(
            method=raw["method"],
            slug=raw["slug"],
            severity=Severity.parse(raw["severity"]),
            confidence=float(raw["confidence"]),
            claim=raw["claim"],
            subject=Subject.from_json(raw["subject"]),
            evidence=tuple(Evidence.from_json(piece) for piece in raw.get("evidence", ())),
            remedy=raw.get("remedy", ""),
            standards=tuple(raw.get("standards", ())),
            place=raw.get("place", ""),
            fingerprint=raw["fingerprint"],
        )
