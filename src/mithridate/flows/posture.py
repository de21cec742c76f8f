"""The project around the model, from its folder to a report: what `mithridate posture` and Python share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mithridate.core.findings import Json
from mithridate.core.progress import Progress, Silent
from mithridate.core.report import Report, Target
from mithridate.run import Job, run
from mithridate.supply.posture.context import PostureSettings


def posture(
    folder: str | Path = ".",
    *,
    offline: bool = False,
    methods: Sequence[str] = (),
    progress: Progress | None = None,
    command: str = "mithridate.posture(...)",
) -> Report:
    """Findings for the project around the model; its code is read and never run.

    Parameters
    ----------
    folder : the project's. offline : ask no database. methods : ids or slugs to run; empty runs all.

    Raises
    ------
    InputError : there is no such folder.
    """
    root = Path(folder)
    target = Target("project", str(folder), "")
    job = Job(
        "posture", target, {"root": root}, PostureSettings(offline=offline), command=command,
        progress=progress or Silent(), wanted=frozenset([methods] if isinstance(methods, str) else methods),
    )  # fmt: skip
    report, facts = run(job)
    left_out = ", ".join(f"{count} {what}" for what, count in sorted(facts["left_out"].items()))
    extra: dict[str, Json] = {"files": facts["files"], **({"left_out": left_out} if left_out else {})}
    return replace(report, target=replace(target, extra=extra))
