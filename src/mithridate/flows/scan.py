"""The scan from paths to a report: what `mithridate scan` and `mithridate.scan()` share."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from mithridate.core.errors import InputError
from mithridate.core.findings import Json
from mithridate.core.progress import Progress, Silent
from mithridate.core.report import Report, Target
from mithridate.flows.live_report import LiveReport
from mithridate.run import Job, run
from mithridate.supply.scan.family import ScanSettings
from mithridate.supply.scan.files import Scanned


@dataclass(frozen=True)
class ScanReport(LiveReport):
    """A report that also holds what was scanned, for Python and notebooks."""

    files: tuple[Scanned, ...] = field(default=(), compare=False, repr=False)

    def _write(self, path: str | Path) -> None:
        save_report(self, path)


def scan(
    *paths: str | os.PathLike[str],
    digest: bool = False,
    seconds: float = 60.0,
    jobs: int = 1,
    methods: Sequence[str] = (),
    progress: Progress | None = None,
    command: str = "mithridate.scan(...)",
) -> ScanReport:
    """Find unsafe model and data files; they are read and never loaded.

    Parameters
    ----------
    paths : files and folders, at least one; folders are walked, each file is scanned once.
    digest : compute the SHA-256 of every file, also of those without a finding.
    seconds : how long one file may take; what is left of it then is reported as not analysed.
    jobs : worker processes, at least 1.
    methods : ids or slugs to report; empty reports all.

    Returns
    -------
    ScanReport : `.findings`, one a file; `.verdict`, `.save("report.html")`, `.assert_clean()`.

    Raises
    ------
    InputError : a path isn't there, or none was given.

    Notes
    -----
    Every file has budgets of time, memory, depth and unpacked bytes; what they cut off is a finding too.
    """
    if not paths:
        raise InputError("give at least one file or folder to scan")
    if not seconds > 0 or jobs < 1:
        raise InputError(f"seconds must be above 0 and jobs at least 1, got {seconds} and {jobs}")
    places = [Path(path) for path in paths]
    target = Target("files", ", ".join(map(str, places)), "")
    job = Job(
        "artefact", target, {"paths": places}, ScanSettings(seconds=seconds, digest=digest, jobs=jobs), command=command,
        progress=progress or Silent(), wanted=frozenset([methods] if isinstance(methods, str) else methods),
    )  # fmt: skip
    report, scanned = run(job)
    report = replace(report, target=_target(target, scanned))
    parts = {item.name: getattr(report, item.name) for item in fields(Report)}
    return ScanReport(**parts, files=scanned)


def _target(target: Target, files: Sequence[Scanned]) -> Target:
    """The target with its size; its digest is over the digests of all files, where all of them are known."""
    extra: dict[str, Json] = {"files": len(files), "bytes": sum(file.size for file in files)}
    known = [file.digest for file in files]
    digest = ""
    if len(files) == 1:
        digest = known[0]
    elif files and all(known):
        digest = f"sha256:{hashlib.sha256(''.join(sorted(known)).encode()).hexdigest()}"
    return replace(target, digest=digest, extra=extra)


def save_report(report: Report, path: str | Path) -> None:
    """Write a report, format by suffix."""
    from mithridate.reports.write import write_report

    write_report(Report.from_json(report.to_json()), path)  # what is drawn is what the JSON says
