"""One scanner over a list of files: `python scan_peer.py TOOL LIST OUT`, run by the Python that has the tool.

LIST holds a path a line. OUT gets a JSON line a file: path, level (0 nothing, 1 low, 2 medium or suspicious, 3 high or
worse), seconds of process time, and what went wrong, which counts as nothing found.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

Judge = Callable[[str], int]


def ours() -> Judge:
    """Mithridate, by its Python function, all files in one call; the first file's time is that of all."""
    import mithridate

    mithridate.scan(__file__)  # what is loaded once is not the files' time
    levels: dict[str, int] = {}

    def judge(path: str) -> int:
        if not levels:
            files = Path(sys.argv[2]).read_text(encoding="utf-8").splitlines()
            levels.update({file.path: min(int(file.worst or 0), 3) for file in mithridate.scan(*files).files})
        return levels[path]

    return judge


def picklescan(*, strict: bool = False) -> Judge:
    """Dangerous globals are 3, suspicious ones 2; `strict` takes suspicious ones for dangerous, as its option does."""
    from picklescan.scanner import scan_file_path  # type: ignore[import-not-found]

    def judge(path: str) -> int:
        result = scan_file_path(path)
        if result.issues_count:
            return 3
        return (3 if strict else 1) if result.suspicious_count else 0

    return judge


def modelscan() -> Judge:
    """Its own severities."""
    from modelscan.modelscan import ModelScan  # type: ignore[import-not-found]
    from modelscan.settings import DEFAULT_SETTINGS  # type: ignore[import-not-found]

    def judge(path: str) -> int:
        counts = ModelScan(settings=DEFAULT_SETTINGS).scan(Path(path))["summary"]["total_issues_by_severity"]
        return 3 if counts["HIGH"] or counts["CRITICAL"] else 2 if counts["MEDIUM"] else 1 if counts["LOW"] else 0

    return judge


def fickling(*, overt: bool = False) -> Judge:
    """Whether its own check calls the file unsafe at all, or (`overt`) malicious."""
    from fickling import scan_file  # type: ignore[import-not-found]

    def judge(path: str) -> int:
        worst = scan_file(path, graceful=True).severity.value[0]
        return 3 if worst >= (4 if overt else 1) else 0

    return judge


def modelaudit() -> Judge:
    """Its own severities; telemetry and caches off, each file in a folder of its own, since it looks at siblings."""
    os.environ["PROMPTFOO_DISABLE_TELEMETRY"] = "1"
    from modelaudit.core import scan_model_directory_or_file  # type: ignore[import-not-found]

    names = {"critical": 3, "warning": 2, "info": 1, "debug": 0}

    def judge(path: str) -> int:
        with tempfile.TemporaryDirectory(dir=Path(path).parent.parent) as alone:
            place = Path(alone) / Path(path).name
            place.hardlink_to(path)
            issues = scan_model_directory_or_file(str(place), cache_enabled=False).issues
        return max((names.get(issue.severity.value, 1) for issue in issues), default=0)

    return judge


TOOLS: dict[str, Callable[[], Judge]] = {
    "ours": ours,
    "picklescan": picklescan,
    "picklescan-strict": lambda: picklescan(strict=True),
    "modelscan": modelscan,
    "fickling": fickling,
    "fickling-overt": lambda: fickling(overt=True),
    "modelaudit": modelaudit,
}


def main() -> int:
    """Judge every file of the list."""
    logging.disable(logging.CRITICAL)
    tool, listing, out = sys.argv[1:4]
    judge = TOOLS[tool]()
    with Path(out).open("w", encoding="utf-8") as lines:
        for path in Path(listing).read_text(encoding="utf-8").splitlines():
            clock, level, error = time.process_time(), 0, ""
            try:
                level = judge(path)
            except (Exception, SystemExit) as broken:  # noqa: BLE001 - a scanner that breaks has found nothing
                error = f"{type(broken).__name__}: {broken}"[:200]
            seconds = time.process_time() - clock
            lines.write(json.dumps({"path": path, "level": level, "seconds": seconds, "error": error}) + "\n")
            lines.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
