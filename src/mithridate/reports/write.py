"""A report into any format, and into a file whose suffix says which; whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mithridate.core.errors import InputError
from mithridate.core.files import write_atomic
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
    write_atomic(target.resolve(), body.encode("utf-8"))
    return target
