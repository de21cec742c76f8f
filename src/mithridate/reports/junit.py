"""JUnit XML: one test case a check, so that any build server shows the audit beside the tests."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from mithridate.core.findings import Finding, Severity
from mithridate.core.report import CheckResult, Report
from mithridate.reports.safe import line


def to_junit(report: Report, *, fail_on: Severity | None = Severity.HIGH) -> str:
    """The report as JUnit XML; findings at or above `fail_on` are failures, None makes none of them one.

    A failed check is an error, a skipped one is skipped; lesser findings stand in `system-out`.
    """
    checks = [*report.checks, *_unlisted(report)]
    suite = ET.Element("testsuite", name=f"mithridate {line(report.target.name, limit=200)}")
    for check in checks:
        suite.append(_case(check, [f for f in report.findings if f.method == check.method], fail_on))
    counts = {
        "tests": len(checks),
        "failures": len(suite.findall("testcase/failure[1]")),
        "errors": len(suite.findall("testcase/error[1]")),
        "skipped": len(suite.findall("testcase/skipped")),
    }
    seconds = f"{sum(check.seconds for check in checks):.3f}"
    for key, value in counts.items():
        suite.set(key, str(value))
    suite.set("time", seconds)
    root = ET.Element("testsuites", {"name": "mithridate", **{k: str(v) for k, v in counts.items()}, "time": seconds})
    root.append(suite)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _case(check: CheckResult, findings: list[Finding], fail_on: Severity | None) -> ET.Element:
    name = line(f"{check.method} {check.title or check.slug}", limit=200)
    case = ET.Element("testcase", classname="mithridate", name=name, time=f"{check.seconds:.3f}")
    reason = line(check.reason or "no reason given", limit=600)
    if check.status == "skipped":
        ET.SubElement(case, "skipped", message=reason)
    if check.status == "failed":
        ET.SubElement(case, "error", message=reason, type="failed")
    failing = [f for f in findings if fail_on is not None and f.severity >= fail_on]
    if failing:
        worst = max(f.severity for f in failing)
        element = ET.SubElement(case, "failure", message=line(failing[0].claim, limit=600), type=worst.word)
        element.text = "\n".join(map(_said, failing))
    lesser = [f for f in findings if f not in failing]
    if lesser:
        ET.SubElement(case, "system-out").text = "\n".join(map(_said, lesser))
    return case


def _said(finding: Finding) -> str:
    remedy = f" Remedy: {line(finding.remedy, limit=600)}" if finding.remedy else ""
    head = f"{finding.severity.word}, confidence {finding.confidence:.3f}: {line(finding.claim, limit=600)}"
    return f"{head}{remedy} [{line(finding.fingerprint, limit=80)}]"


def _unlisted(report: Report) -> list[CheckResult]:
    """A check for each method that has a finding but no line of its own, so that none is lost."""
    listed = {check.method for check in report.checks}
    missing = {f.method: f.slug for f in report.findings if f.method not in listed}
    return [CheckResult(method, slug, "", "found") for method, slug in missing.items()]
