"""What verbs share: output options, the threshold, progress, and printing a report."""

from __future__ import annotations

import functools
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from mithridate.core.errors import InputError
from mithridate.core.findings import Finding, Severity
from mithridate.core.policy import Limit, Policy
from mithridate.core.progress import Progress, Silent
from mithridate.core.report import Report

F = TypeVar("F", bound=Callable[..., Any])

SUFFIXES = ".json .html .sarif .xml .md .txt"


def output_options(function: F) -> F:
    """Options of every verb that ends in a report: -o, --fail-on, --baseline, --limit, --seed, --jobs, --quiet."""
    levels = click.Choice([*(member.word for member in Severity), "never"])
    option = functools.partial(click.option, show_default=True)
    options = [
        option("-o", "--output", multiple=True, metavar="FILE", help=f"Write the report: {SUFFIXES}. Repeatable."),
        option("--fail-on", type=levels, default="high", help="Lowest severity that makes the exit code 1."),
        option("--baseline", metavar="R.json", help="A known report: only findings that aren't in it fail."),
        option("--limit", multiple=True, metavar="'NAME<X'", help="A number of the report that must hold. Repeatable."),
        option("--seed", type=click.IntRange(min=0), default=0, help="Seed of every random choice."),
        option("--jobs", type=click.IntRange(min=1), default=1, help="Worker processes."),
        option("-q", "--quiet", is_flag=True, help="No progress and no report on the terminal."),
    ]
    for decorate in reversed(options):
        function = decorate(function)
    return function


def source_options(function: F) -> F:
    """Options of every verb that takes a SOURCE: which column is what."""
    kinds = ["image", "table", "text", "embedding", "audio"]
    options = [
        click.option("--label", metavar="C", help="The label column (default: label, y, target or class)."),
        click.option("--source", "source_column", metavar="C", help="The column that says where a row came from."),
        click.option("--content", metavar="C", help="The content column (text or image)."),
        click.option("--modality", type=click.Choice(kinds), help="The kind of data, where the guess is wrong."),
    ]
    for decorate in reversed(options):
        function = decorate(function)
    return function


def policy(fail_on: str, baseline: str | None, limits: tuple[str, ...]) -> Policy:
    """The policy that the options spell; a broken baseline or limit is an `InputError`."""
    known: frozenset[str] = frozenset()
    if baseline is not None:
        from mithridate.reports.json_format import read_report

        known = frozenset(finding.fingerprint for finding in read_report(baseline).findings)
    threshold = None if fail_on == "never" else Severity.parse(fail_on)
    return Policy(fail_on=threshold, limits=tuple(map(Limit.parse, limits)), baseline=known)


def check_outputs(paths: tuple[str, ...]) -> None:
    """Refuse an output that could not be written before any work is done."""
    for path in paths:
        if not path.endswith(tuple(SUFFIXES.split())):
            raise InputError(f"don't know the format of {path}; use one of the suffixes {SUFFIXES}")
        check_writable(path)


def check_writable(path: str) -> None:
    """Refuse a path whose folder isn't there or takes no new file, before any work is done."""
    folder = os.path.dirname(path) or "."  # noqa: PTH120 - the folder exactly as it was typed
    if not os.path.isdir(folder):  # noqa: PTH112 - as above
        raise InputError(f"no folder {folder} to write {path} in; make it first")
    if not os.access(folder, os.W_OK):
        raise InputError(f"the folder {folder} takes no new file; give {path} a place that is yours")


def refuse_source(path: str, source: str) -> None:
    """Refuse an output that is the audited source itself or lies in it, before any work is done."""
    here, there = os.path.realpath(source), os.path.realpath(path)
    if there == here or (os.path.exists(path) and os.path.exists(source) and os.path.samefile(path, source)):  # noqa: PTH110, PTH121 - as above
        raise InputError(f"{path} is the source itself, and an audit never changes its input; name another file")
    if os.path.isdir(here) and there.startswith(here + os.sep):  # noqa: PTH112 - as above
        raise InputError(f"{path} lies in the source, and would be read as part of it; name another place")


def command_line() -> str:
    """The command as it was typed, quoted so that it can be typed again."""
    return shlex.join(["mithridate", *sys.argv[1:]])


def show(report: Report) -> None:
    """Print the report on the terminal: colour only where it is one, and NO_COLOR is honoured."""
    from mithridate.reports.text import to_text

    width = min(100, max(60, shutil.get_terminal_size((80, 24)).columns))
    if sys.stdout is None:
        return  # closed by whoever called: there is nobody to tell
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    click.echo(to_text(report, width=width, colour=colour), color=colour)


def print_claims(report: Report, holds: str) -> None:
    """Print each finding's claim, rows and remedy, or that everything holds: for verbs whose answer is yes or no."""
    for finding in report.findings:
        click.echo(f"{finding.severity.word}: {printable(finding.claim)}{_first_rows(finding)}")
        click.echo(f"    {printable(finding.remedy)}")
    if not report.findings:
        click.echo(printable(holds))


def _first_rows(finding: Finding, most: int = 10) -> str:
    """The first rows that a finding names, in brackets; empty where it names none."""
    rows = finding.subject.rows
    if not rows:
        return ""
    shown = ", ".join(map(str, rows[:most])) + (f" and {len(rows) - most:,} more" if len(rows) > most else "")
    where = " of the manifest" if finding.subject.kind == "manifest-rows" else ""
    return f" (row{'s' * (len(rows) > 1)} {shown}{where})"


def printable(text: str) -> str:
    """The text without control characters: names come from files that others wrote."""
    return "".join(c if c.isprintable() else "?" for c in text)


def read_passphrase(path: str | None) -> bytes | None:
    """The first line of a file, without its end; None without a file."""
    if path is None:
        return None
    try:
        with open(path, "rb") as stream:  # noqa: PTH123 - a path exactly as it was typed
            return stream.readline(1 << 12).rstrip(b"\r\n")
    except OSError as error:
        raise InputError(f"the passphrase file can't be read: {error.strerror}; check --passphrase-file") from error


@contextmanager
def progress(*, quiet: bool) -> Iterator[Progress]:
    """Progress on stderr with the time left; silent when quiet or when stderr is no terminal."""
    if quiet or not sys.stderr.isatty():
        yield Silent()
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=1.0)

        class Drawn:
            """Progress that moves the bar."""

            def step(self, what: str, done: float) -> None:
                """Show the step and how far it is."""
                bar.update(task, description=what, completed=done)

        yield Drawn()
