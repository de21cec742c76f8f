"""SARIF 2.1.0, the format of code scanning: rules from methods, a result a finding, stable fingerprints.

The artefact is the data file; line 1 is row 0. Row numbers beyond the first stand in `properties`.

References
----------
OASIS (2023), Static Analysis Results Interchange Format (SARIF) Version 2.1.0 Errata 01.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from mithridate.core.findings import Finding, Severity
from mithridate.core.report import CheckResult, Report
from mithridate.reports import artefact
from mithridate.reports.safe import fields, items, line, plain, real
from mithridate.reports.voices import voice

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
MAX_ROWS = 1000
_MOST_LINES = 1 << 31
_LEVELS = {Severity.CRITICAL: "error", Severity.HIGH: "error", Severity.MEDIUM: "warning", Severity.LOW: "note"}
_SCORES = {Severity.CRITICAL: "9.5", Severity.HIGH: "8.0", Severity.MEDIUM: "5.5", Severity.LOW: "2.0"}
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")
_HEX = re.compile(r"sha256:([0-9a-f]{64})")


def to_sarif(report: Report) -> str:
    """The report as SARIF 2.1.0 text."""
    rules = _rules(report)
    index = {rule["id"]: position for position, rule in enumerate(rules)}
    driver: dict[str, Any] = {"name": "Mithridate", "rules": rules}
    version = fields(report.run).get("version")
    if isinstance(version, str) and version:
        driver["version"] = line(version, limit=60)
    places = _places(report)
    run = {
        "tool": {"driver": driver},
        "invocations": [_invocation(report)],
        "artifacts": _files(report) if places else [_artifact(report)],
        "results": [_result(finding, report, index, places) for finding in report.findings],
        "columnKind": "unicodeCodePoints",
        "properties": {"verdict": report.verdict, "target": _plain(report.target.to_json())},
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1, allow_nan=False) + "\n"


def _rules(report: Report) -> list[dict[str, Any]]:
    methods = {check.method: (check.slug, check.title) for check in report.checks}
    for finding in report.findings:
        methods.setdefault(finding.method, (finding.slug, ""))
    return [_rule(method, slug, title, report) for method, (slug, title) in methods.items()]


def _rule(method: str, slug: str, title: str, report: Report) -> dict[str, Any]:
    found = [finding for finding in report.findings if finding.method == method]
    worst = max((finding.severity for finding in found), default=Severity.MEDIUM)
    said = line(title or slug.replace("-", " ") or method, limit=300)
    own = voice(report)
    about = "training-data" if own is None else own.TAG
    command = f"mithridate explain {line(method, limit=40)}"
    tags = sorted({line(key, limit=60) for finding in found for key in finding.standards})
    return {
        "id": line(method, limit=200),
        "name": _pascal(slug or method),
        "shortDescription": {"text": said},
        "fullDescription": {"text": said},
        "help": {
            "text": f"{said}. For what it looks for, when it fails and its sources, run: {command}",
            "markdown": f"For what it looks for, when it fails and its sources, run `{command.replace('`', '')}`.",
        },
        "defaultConfiguration": {"level": _LEVELS[worst]},
        "properties": {"security-severity": _SCORES[worst], "tags": ["security", about, *tags]},
    }


def _pascal(slug: str) -> str:
    return "".join(word.capitalize() for word in re.split(r"[\W_]+", line(slug, limit=100))) or "Check"


def _result(finding: Finding, report: Report, index: dict[str, int], files: dict[str, int]) -> dict[str, Any]:
    method = line(finding.method, limit=200)
    where: dict[str, Any] = {"artifactLocation": {"uri": _uri(finding, report)}}
    location: dict[str, Any] = {"physicalLocation": where}
    if files:
        path = line(finding.subject.extra.get("path") or "", limit=1000)
        location.update({"logicalLocations": [{"fullyQualifiedName": path}]} if path else {})
        where["artifactLocation"]["index"] = files[_file(finding, report)]
    elif not finding.subject.extra.get("path"):
        where["artifactLocation"]["index"] = 0
    first = _first_line(finding)
    if first is not None:
        where["region"] = {"startLine": first}
    remedy = f" What to do: {line(finding.remedy, limit=1000)}" if finding.remedy else ""
    return {
        "ruleId": method,
        "ruleIndex": index[method] if method in index else index[finding.method],
        "level": _LEVELS[finding.severity],
        "rank": round(100 * min(max(real(finding.confidence) or 0.0, 0.0), 1.0), 2),
        "message": {"text": f"{line(finding.claim) or 'No claim was given.'}{remedy}"},
        "locations": [location],
        "partialFingerprints": {"mithridate/v1": line(finding.fingerprint, limit=200)},
        "properties": _properties(finding),
    }


def _properties(finding: Finding) -> dict[str, Any]:
    subject = finding.subject
    return {
        "severity": finding.severity.word,
        "security-severity": _SCORES[finding.severity],
        "confidence": real(finding.confidence) or 0.0,
        "slug": line(finding.slug, limit=200),
        "label": _plain(subject.label),
        "sources": _plain(subject.sources),
        "rows": [row for row in subject.rows[:MAX_ROWS] if real(row) is not None],
        "rowCount": len(subject.rows),
        **({"rowsOf": "manifest"} if subject.kind == "manifest-rows" else {}),
        "standards": [line(key, limit=60) for key in finding.standards],
    }


def _invocation(report: Report) -> dict[str, Any]:
    notes = [_notification(check) for check in report.checks if check.status in {"skipped", "failed"}]
    out: dict[str, Any] = {
        "executionSuccessful": not any(check.status == "failed" for check in report.checks),
        "toolExecutionNotifications": notes,
    }
    run = fields(report.run)
    if isinstance(run.get("command"), str) and run["command"]:
        out["commandLine"] = line(run["command"])
    if isinstance(run.get("started"), str) and _INSTANT.fullmatch(run["started"]):
        out["startTimeUtc"] = run["started"].replace("+00:00", "Z")
    return out


def _notification(check: CheckResult) -> dict[str, Any]:
    name = line(check.title or check.slug or check.method, limit=200)
    return {
        "level": "error" if check.status == "failed" else "note",
        "message": {"text": f"{name} {check.status}: {line(check.reason or 'no reason given', limit=600)}"},
        "associatedRule": {"id": line(check.method, limit=200)},
    }


def _artifact(report: Report) -> dict[str, Any]:
    digest = _HEX.fullmatch(report.target.digest)
    hashes = {"hashes": {"mithridate-content-sha-256": digest.group(1)}} if digest else {}
    return {"location": {"uri": _quoted(report.target.name)}, **hashes}


def _file(finding: Finding, report: Report) -> str:
    """The file that a finding is about, as the report's kind of target names it; empty where there is none."""
    return (voice(report) or artefact).file_of(finding, report)


def _uri(finding: Finding, report: Report) -> str:
    return _quoted(_file(finding, report) or report.target.name)


def _first_line(finding: Finding) -> int | None:
    """The 1-based line: the first row's of a data file, or the first of a text's own `lines`; None without one."""
    rows, lines = finding.subject.rows, items(finding.subject.extra.get("lines"))
    if rows and finding.subject.kind != "manifest-rows":
        return int(rows[0]) + 1 if real(rows[0]) is not None and rows[0] >= 0 else None
    first = real(lines[0]) if lines else None
    return int(first) if first is not None and 1 <= first <= _MOST_LINES else None


def _places(report: Report) -> dict[str, int]:
    """Each file that has a finding, and its position among the artefacts; empty for a report about one target."""
    names = dict.fromkeys(_file(finding, report) for finding in report.findings) if voice(report) is not None else {}
    return {name: position for position, name in enumerate(names)}


def _files(report: Report) -> list[dict[str, Any]]:
    digests = {_file(finding, report): plain(finding.subject.extra.get("digest") or "") for finding in report.findings}
    out = []
    for name, digest in digests.items():
        match = _HEX.fullmatch(digest)
        hashes = {"hashes": {"sha-256": match.group(1)}} if match else {}
        out.append({"location": {"uri": _quoted(name or report.target.name)}, **hashes})
    return out


def _quoted(name: str) -> str:
    """The name as a relative reference: percent-encoded, and no colon that would make it a scheme."""
    return quote(line(name, limit=1000).replace("\\", "/"), safe="/-._~") or "data"


def _plain(value: object) -> object:
    """JSON with harmless text and finite numbers only."""
    if isinstance(value, str):
        return line(value)
    if isinstance(value, bool | int) or value is None:
        return value
    if isinstance(value, float):
        return real(value)
    if isinstance(value, Mapping):
        return {line(k): _plain(v) for k, v in value.items()}
    return [_plain(v) for v in items(value)]
