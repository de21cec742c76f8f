"""`mithridate ledger verify|show|head`: the log of what was decided, and whether it still is what was written."""

from __future__ import annotations

import json
from collections import deque
from pathlib import Path

import click

from mithridate.core import ledger
from mithridate.core.errors import Refused

_OPTION = click.option(
    "--ledger", "log", default=str(ledger.PLACE), show_default=True, metavar="F", help="The log, if not this one."
)


@click.group("ledger")
def command() -> None:
    """Read and verify the hash-chained log of decisions."""


@command.command("verify")
@_OPTION
@click.option("--head", "anchor", metavar="N:DIGEST", help="A head that you kept elsewhere: it must still be in it.")
def verify(log: str, anchor: str | None) -> None:
    """Whether entries were edited, moved, inserted or removed since they were written.

    Without --head, a rewrite by whoever can read the key beside the log, and a
    log put back to an older state with its key, can't be seen: keep heads
    (`mithridate ledger head`) where the log's owner can't change them.

    Exit code: 0 it holds, 1 it does not, 2 could not tell.
    """
    found = ledger.verify(Path(log), None if anchor is None else ledger.Head.parse(anchor))
    for problem in found.problems:
        click.echo(problem)
    if found.problems:
        raise Refused(f"the log {log} is not what was written")
    ends = "; the anchor is in it" if anchor else "; an older copy put back can't be told without --head"
    click.echo(f"{found.head.count} entries hold{ends}")


@command.command("show")
@_OPTION
@click.option("-n", "--last", type=click.IntRange(min=1), default=20, show_default=True, help="How many entries.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def show(log: str, last: int, *, as_json: bool) -> None:
    """Print the last entries, oldest first; `verify` says whether they can be believed."""
    for entry in deque(ledger.entries(Path(log)), maxlen=last):
        line = {"seq": entry.seq, "time": entry.time, "kind": entry.kind, "body": entry.body, "digest": entry.digest}
        text = f"{entry.seq}  {entry.time}  {entry.kind}  {entry.body}"
        click.echo(json.dumps(line) if as_json else "".join(c if c.isprintable() else "?" for c in text))


@command.command("head")
@_OPTION
def head(log: str) -> None:
    """Print N:DIGEST, the whole log in one line: keep it where nobody who writes the log can change it."""
    click.echo(str(ledger.head(Path(log))))
