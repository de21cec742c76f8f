"""A target and the methods for its kind in, a report out: the whole flow on one page."""

from __future__ import annotations

import importlib
import resource
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import entry_points, version
from types import MappingProxyType
from typing import Any

from mithridate.catalogue import FAMILIES, METHODS
from mithridate.core.errors import InputError, InternalError, Skip
from mithridate.core.method import Combined, Method, Outcome
from mithridate.core.progress import Progress, Silent
from mithridate.core.report import CheckResult, Report, Status, Target

GIVEN_BY: Mapping[str, str] = MappingProxyType(
    {
        "labels": "--label C",
        "sources": "--source C",
        "recipe": "--recipe R",
        "predictions": "--model M or --recipe R",
        "reference": "--reference CLEAN",
        "manifest": "--manifest M",
    }
)  # what a method may need, and the option that gives it


@dataclass(frozen=True, slots=True)
class Job:
    """What to run: the family, the target, the family's own settings, and what the report says of the run."""

    family: str
    target: Target
    inputs: Mapping[str, Any]
    settings: Any
    modality: str = ""
    wanted: frozenset[str] = frozenset()
    command: str = ""
    progress: Progress = field(default_factory=Silent)


def resolve(location: str) -> Callable[..., Any]:
    """The function that a catalogue string `module:name` names."""
    module, _, name = location.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function


def methods(family: str) -> tuple[Method, ...]:
    """The family's methods, third parties' (entry-point group `mithridate.methods`) last."""
    known = FAMILIES[family]
    named = known.like or family
    ours = [method for method in METHODS if method.family == named]
    theirs = [point.load() for point in entry_points(group="mithridate.methods")]
    every = (*ours, *(method for method in theirs if isinstance(method, Method) and method.family == named))
    return tuple(replace(m, function=known.instead.get(m.id, "")) for m in every) if known.like else every


def run(job: Job) -> tuple[Report, Any]:
    """Run every method that fits; the report, and the family's row table (None when it makes none)."""
    started, clock = datetime.now(UTC), time.perf_counter()
    family = FAMILIES[job.family]
    context = resolve(family.prepare)(settings=job.settings, progress=job.progress, **job.inputs)
    checks, outcomes = [], {}
    chosen = methods(job.family)
    unknown = job.wanted - {name for method in chosen for name in (method.id, method.slug)}
    if unknown:
        raise InputError(f"no method {min(unknown)!r}; `mithridate methods` lists them")
    for position, method in enumerate(chosen):
        if job.wanted and not job.wanted & {method.id, method.slug}:
            continue
        job.progress.step(method.title, position / len(chosen))
        check, outcome = _one(method, context, job)
        checks.append(check)
        if outcome is not None:
            outcomes[method.id] = outcome
            context.learn(method.id, outcome)
    combined = resolve(family.combine)(context, outcomes)
    if not isinstance(combined, Combined):
        raise InternalError(f"{family.combine} must return a Combined")
    job.progress.step("done", 1.0)
    finished = _with_numbers(checks, combined)
    return Report(
        job.target, finished, combined.findings, _facts(job, started, time.perf_counter() - clock)
    ), combined.rows


def _one(method: Method, context: Any, job: Job) -> tuple[CheckResult, Outcome | None]:
    clock = time.perf_counter()
    reason = _unfit(method, context, job)
    outcome: Outcome | None = None
    status: Status = "skipped"
    if reason is None:
        try:
            outcome = _signed(resolve(method.function)(context, job.settings), method)
            status = "found" if outcome.findings else "clean"
        except Skip as skip:
            reason = str(skip)
        except (KeyboardInterrupt, InputError):
            raise
        except Exception as error:  # noqa: BLE001 - a method that breaks is a result, never the end of the others
            status, reason = "failed", f"{type(error).__name__}: {error}"[:500]
    check = CheckResult(
        method=method.id, slug=method.slug, title=method.title, status=status, reason=reason,
        seconds=time.perf_counter() - clock, peak_bytes=peak_bytes(),
        numbers=() if outcome is None else outcome.numbers, wanted=bool(job.wanted & {method.id, method.slug}),
    )  # fmt: skip
    return check, outcome


def _signed(outcome: Outcome, method: Method) -> Outcome:
    """The outcome with the method's standards on every finding that names none."""
    findings = (replace(f, standards=f.standards or method.standards) for f in outcome.findings)
    return replace(outcome, findings=tuple(findings))


def _unfit(method: Method, context: Any, job: Job) -> str | None:
    if method.modalities and job.modality not in method.modalities:
        return f"works on {', '.join(method.modalities)}; this data is {job.modality}"
    if not method.function:
        return "works on rows held in memory, and these are read shard by shard"
    missing = [need for need in method.needs if not context.has(need)]
    if not missing:
        return None
    options = " and ".join(GIVEN_BY[need] for need in missing if need in GIVEN_BY)
    how = f"; give {options}" if options else ""
    return f"needs {' and '.join(missing)}, which this run did not get{how}"


def _with_numbers(checks: Sequence[CheckResult], combined: Combined) -> tuple[CheckResult, ...]:
    """The family's joint numbers stand with the first check that ran, where readers look: `checks[].numbers`."""
    done = list(checks)
    place = next((i for i, check in enumerate(done) if check.status in {"found", "clean"}), None)
    if place is not None:
        ours = {piece.name for piece in combined.numbers}
        kept = (piece for piece in done[place].numbers if piece.name not in ours)
        done[place] = replace(done[place], numbers=(*combined.numbers, *kept))
    reported = {finding.method for finding in combined.findings}
    return tuple(
        replace(check, status="found" if check.method in reported else "clean")
        if check.status in {"found", "clean"} else check
        for check in done
    )  # fmt: skip


def _facts(job: Job, started: datetime, seconds: float) -> dict[str, Any]:
    packages = {name: version(name) for name in ("mithridate", "numpy", "scipy", "scikit-learn", "pyarrow")}
    return {
        "command": job.command, "seed": getattr(job.settings, "seed", 0), "version": packages["mithridate"],
        "versions": packages, "started": started.isoformat(timespec="seconds"), "seconds": round(seconds, 3),
        "peak_bytes": peak_bytes(),
    }  # fmt: skip


def peak_bytes() -> int:
    """Highest resident memory of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
