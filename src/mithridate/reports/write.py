"""A report into any format, and into a file whose suffix says which; whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from mithridate.core.errors import InputError
from mithridate.core.report import Report
from mithridate.reports.html import to_html
from mithridate.reports.json_format import to_json
from mithridate.reports.junit import to_junit
from mithridate.reports.markdown import to_markdown
from mithridate.reports.sarif import to_sarif
from mithridate.reports.text import to_text

FORMATS: dict[str, Callable[[Report], str]] = {
    "json": to_json,
    "html": to_html,
    "sarif": to_sarif,
    "junit": to_junit,
    "md": to_markdown,
    "text": to_text,
}
SUFFIXES = {".json": "json", ".html": "html", ".sarif": "sarif", ".xml": "junit", ".md": "md", ".txt": "text"}


def render(report: Report, fmt: str) -> str:
    """The report in one format: `json`, `html`, `sarif`, `junit`, `md` or `text`.

    Raises
    ------
    InputError : no such format.
    """
    try:
        return FORMATS[fmt](report)
    except KeyError:
        msg = f"no format {fmt!r}; choose one of {', '.join(FORMATS)}"
        raise InputError(msg) from None


def format_of(path: Path) -> str:
    """The format that the file's suffix says.

    Raises
    ------
    InputError : no format has that suffix.
    """
    try:
        return SUFFIXES[path.suffix.lower()]
    except KeyError:
        said = repr(path.suffix) if path.suffix else "no suffix"
        msg = f"can't tell the format of {path.name} from {said}; end the name in one of {', '.join(SUFFIXES)}"
        raise InputError(msg) from None


def write_report(report: Report, path: Path | str) -> Path:
    """Write the report in the format of the suffix and return the path; a crash leaves the old file or none.

    Raises
    ------
    InputError : unknown suffix, or the folder can't be written to.
    """
    target = Path(path)
    body = render(report, format_of(target))
    try:
        _replace(target.resolve(), body.encode("utf-8"))
    except OSError as error:
        msg = f"can't write {target}: {error.strerror}; choose a folder that exists and may be written to"
        raise InputError(msg) from error
    return target


def _replace(target: Path, body: bytes) -> None:
    """Write beside the target, make it durable, then swap: a reader sees the old bytes or all of the new."""
    beside = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
