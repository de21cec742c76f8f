"""Exit codes: 1 for findings or broken limits, 2 for what could not run, 0 otherwise, and never 0 for unchecked."""

from __future__ import annotations

import pytest

from mithridate.core.errors import InputError
from mithridate.core.findings import Finding, Severity, Subject, number
from mithridate.core.policy import Limit, Policy
from mithridate.core.report import CheckResult, Report, Target

HIGH = Finding("PSN103", "shared-trigger", Severity.HIGH, 0.9, "c", Subject("rows", (1,), 0))
LOW = Finding("PSN104", "outlier", Severity.LOW, 0.9, "c", Subject("rows", (1,), None))


def report(*findings: Finding, failed: bool = False) -> Report:
    checks = [CheckResult("PSN101", "s", "t", "clean", numbers=(number("auc", 0.7),))]
    checks += [CheckResult("PSN102", "s", "t", "failed", "broke")] if failed else []
    return Report(Target("dataset", "a", "sha256:0"), tuple(checks), findings, {})


@pytest.mark.parametrize(
    ("policy", "findings", "failed", "code"),
    [
        (Policy(), (), False, 0),
        (Policy(), (LOW,), False, 0),
        (Policy(), (HIGH,), False, 1),
        (Policy(), (HIGH,), True, 1),
        (Policy(), (), True, 2),
        (Policy(), (LOW,), True, 2),
        (Policy(fail_on=None), (HIGH,), False, 0),
        (Policy(fail_on=Severity.LOW), (LOW,), False, 1),
        (Policy(baseline=frozenset({HIGH.fingerprint})), (HIGH,), False, 0),
        (Policy(limits=(Limit.parse("auc<0.6"),)), (), False, 1),
        (Policy(limits=(Limit.parse("auc<=0.7"),)), (), False, 0),
        (Policy(limits=(Limit.parse("tpr@0.01<0.05"),)), (), False, 2),
    ],
)
def test_exit_code(policy: Policy, findings: tuple[Finding, ...], *, failed: bool, code: int) -> None:
    assert policy.exit_code(report(*findings, failed=failed)) == code


@pytest.mark.parametrize("words", ["", "auc", "auc=3", "auc<", "<3", "auc<x", "a b<3"])
def test_limit_that_is_not_one_is_refused(words: str) -> None:
    with pytest.raises(InputError, match="--limit"):
        Limit.parse(words)
