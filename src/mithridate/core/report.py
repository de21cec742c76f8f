"""The report: frozen, JSON in and out, and the only thing that renderers see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from mithridate.core.errors import InputError
from mithridate.core.findings import Evidence, Finding, Json, Severity

SCHEMA = "mithridate.report/1"

Status = Literal["found", "clean", "skipped", "failed"]
Verdict = Literal["clean", "findings", "incomplete"]


@dataclass(frozen=True, slots=True)
class Target:
    """What was looked at; `digest` is `sha256:` + hex over content, labels and sources."""

    kind: str
    name: str
    digest: str
    rows: int = 0
    extra: Mapping[str, Json] = field(default_factory=dict)

    def to_json(self) -> dict[str, Json]:
        """JSON object, `extra` (modality, classes, shape ...) merged in."""
        return {"kind": self.kind, "name": self.name, "digest": self.digest, "rows": self.rows, **self.extra}


@dataclass(frozen=True, slots=True)
class CheckResult:
    """How one method fared. `wanted` is true when the user asked for it by name."""

    method: str
    slug: str
    title: str
    status: Status
    reason: str | None = None
    seconds: float = 0.0
    peak_bytes: int = 0
    numbers: tuple[Evidence, ...] = ()
    wanted: bool = False

    def to_json(self) -> dict[str, Json]:
        """The object that stands in `report.json`."""
        return {
            "method": self.method,
            "slug": self.slug,
            "title": self.title,
            "status": self.status,
            "reason": self.reason,
            "seconds": round(self.seconds, 4),
            "peak_bytes": self.peak_bytes,
            "numbers": [piece.to_json() for piece in self.numbers],
            "wanted": self.wanted,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """Target, checks, findings and how to reproduce them. Every format is a pure function of it."""

    target: Target
    checks: tuple[CheckResult, ...]
    findings: tuple[Finding, ...]
    run: Mapping[str, Json]

    @property
    def verdict(self) -> Verdict:
        """`incomplete` when a check failed or one asked for by name was skipped, or nothing ran."""
        ran = [check for check in self.checks if check.status in {"found", "clean"}]
        broken = any(check.status == "failed" or (check.status == "skipped" and check.wanted) for check in self.checks)
        if broken or not ran:
            return "incomplete"
        return "findings" if self.findings else "clean"

    @property
    def worst(self) -> Severity | None:
        """The highest severity among the findings; None without findings."""
        return max((finding.severity for finding in self.findings), default=None)

    def number(self, name: str) -> Evidence | None:
        """The first number of that name in the checks, such as `expected_false_flags`."""
        pieces = (piece for check in self.checks for piece in check.numbers if piece.name == name)
        return next(pieces, None)

    def to_json(self) -> dict[str, Json]:
        """The contract: `report.json`, version 1."""
        return {
            "schema": SCHEMA,
            "target": self.target.to_json(),
            "verdict": self.verdict,
            "checks": [check.to_json() for check in self.checks],
            "findings": [finding.to_json() for finding in self.findings],
            "run": dict(self.run),
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Report:
        """The inverse of `to_json`; `InputError` when `raw` isn't a report of version 1."""
        if raw.get("schema") != SCHEMA:
            msg = f"not a report: schema must be {SCHEMA!r}; pass a file that `mithridate ... -o report.json` wrote"
            raise InputError(msg)
        try:
            return cls(
                _target(raw["target"]),
                _checks(raw["checks"]),
                tuple(map(Finding.from_json, raw["findings"])),
                dict(raw["run"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            msg = f"the report is damaged: {type(error).__name__} {error}; write it again with -o"
            raise InputError(msg) from error


def _target(raw: Mapping[str, Any]) -> Target:
    known = {"kind", "name", "digest", "rows"}
    return Target(
        raw["kind"],
        raw["name"],
        raw["digest"],
        int(raw.get("rows", 0)),
        {k: v for k, v in raw.items() if k not in known},
    )


def _checks(raw: Sequence[Mapping[str, Any]]) -> tuple[CheckResult, ...]:
    return tuple(
        CheckResult(
            method=item["method"],
            slug=item.get("slug", ""),
            title=item.get("title", ""),
            status=item["status"],
            reason=item.get("reason"),
            seconds=float(item.get("seconds", 0.0)),
            peak_bytes=int(item.get("peak_bytes", 0)),
            numbers=tuple(Evidence.from_json(piece) for piece in item.get("numbers", ())),
            wanted=bool(item.get("wanted", False)),
        )
        for item in raw
    )
