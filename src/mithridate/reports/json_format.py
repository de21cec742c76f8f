"""The report as JSON, the contract itself: written in a stable order, read back as the same report."""

from __future__ import annotations

import json
from pathlib import Path

from mithridate.core.errors import InputError
from mithridate.core.report import Report
from mithridate.reports.safe import finite

_NEVER_NULL = ("confidence", "seconds", "peak_bytes")


def to_json(report: Report) -> str:
    """The report as JSON text, ASCII only, ending in a newline; NaN and infinity become null."""
    raw = {key: finite(part, zero=() if key == "run" else _NEVER_NULL) for key, part in report.to_json().items()}
    return json.dumps(raw, indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def read_report(source: Path | str) -> Report:
    """The report in a file, or in a string that holds the JSON itself.

    Raises
    ------
    InputError : no such file, not JSON, not a report of version 1, or a damaged one.
    """
    if isinstance(source, str) and source.lstrip().startswith("{"):
        return _parse(source, "the text given")
    path = Path(source)
    try:
        return _parse(path.read_text(encoding="utf-8"), path.name)
    except OSError as error:
        msg = f"can't read {path.name}: {error.strerror}; pass a file that `mithridate ... -o report.json` wrote"
        raise InputError(msg) from error
    except UnicodeDecodeError as error:
        msg = f"{path.name} is not JSON text (byte {error.start} is not UTF-8); pass a report.json"
        raise InputError(msg) from error


def _parse(body: str, name: str) -> Report:
    try:
        raw = json.loads(body, parse_constant=lambda _: None)
    except (ValueError, RecursionError) as error:
        msg = f"{name} is not JSON ({type(error).__name__}); pass a report.json that Mithridate wrote"
        raise InputError(msg) from error
    if not isinstance(raw, dict):
        msg = f"{name} holds a JSON {type(raw).__name__}, not a report; pass a report.json that Mithridate wrote"
        raise InputError(msg)
    return Report.from_json(raw)
