"""`mithridate access check`: what the rules say, without doing it; and the options of verbs that obey them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from mithridate.core import ledger
from mithridate.core.errors import InputError

F = TypeVar("F", bound=Callable[..., Any])


def rule_options(function: F) -> F:
    """Options of every verb that obeys access rules: --access names the rules' file; --as, --ledger."""
    options = [
        click.option("--access", metavar="P.toml", help="Access rules; the decision goes into the log."),
        click.option("--as", "role", metavar="ROLE", help="The role you act in."),
        click.option("--ledger", "log", metavar="F", help=f"The log (default: {ledger.PLACE})."),
    ]
    for decorate in reversed(options):
        function = decorate(function)
    return function


def one_file(access: str | None, policy: str | None) -> str | None:
    """The rules' file where --policy is another spelling of --access.

    Raises
    ------
    InputError : both were given.
    """
    if access is not None and policy is not None:
        raise InputError("--access and --policy both name access rules here; give one of them")
    return access if policy is None else policy


def enforcer(access: str | None, role: str | None, log: str | None, action: str, artefact: str) -> Callable[..., None]:
    """What a verb calls with the artefact's own labels before it acts; without a file of rules all is allowed."""
    if (access is None) != (role is None):
        raise InputError("the access rules and --as go together: name the file, and the role you act in")
    place = _log_outside(log, Path(artefact)) if access is not None else ledger.PLACE

    def allow(*labels: str) -> None:
        if access is not None and role is not None:
            from mithridate.flows.access import enforce

            enforce(Path(access), role, action, Path(artefact), labels=labels, log=place)

    return allow


def _log_outside(log: str | None, artefact: Path) -> Path:
    """The log, which must not lie in a folder that is checked: it would be a file that nobody signed.

    Raises
    ------
    InputError : it was named there by hand.
    """
    folder = Path(os.path.realpath(artefact))
    wanted = ledger.PLACE if log is None else Path(log)
    if not folder.is_dir() or not Path(os.path.realpath(wanted)).is_relative_to(folder):
        return wanted
    if log is not None:
        raise InputError(f"the log {log} lies in {artefact}, where it would count as a file that nobody signed")
    found = folder.parent / ledger.PLACE
    click.echo(f"note: the log is {found}: in the checked folder it would be a file that nobody signed", err=True)
    return found


@click.group("access")
def command() -> None:
    """Say what the access rules allow.

    The rules are a TOML file with [labels], the files that carry a label, and
    [[rule]] tables: effect (allow or deny), role, action, label. Deny wins, and
    what no rule allows is denied. They bind those who use this program; whoever
    holds a key can decrypt with another.
    """


@command.command("check")
@click.argument("artefact", metavar="ARTEFACT")
@click.option("--policy", metavar="P.toml", help="The rules.  [required]")
@click.option("--access", metavar="P.toml", hidden=True, help="The same as --policy.")
@click.option("--as", "role", required=True, metavar="ROLE", help="The role that asks.")
@click.option("--action", required=True, metavar="A", help="What it wants to do, such as open or verify.")
@click.option("--ledger", "log", default=str(ledger.PLACE), show_default=True, metavar="F", help="The log.")
def check(artefact: str, *, role: str, action: str, log: str, **rules: str | None) -> None:
    """Whether ROLE may do this with ARTEFACT; the answer goes into the log.

    The label of a sealed file is read from its header, which only opening it
    authenticates. Exit code: 0 allowed, 1 denied, 2 could not tell.
    """
    file = one_file(rules["access"], rules["policy"])
    if file is None:
        raise InputError("say which rules: --policy P.toml")
    from mithridate.flows.access import decide
    from mithridate.supply.sealing.envelope import label_of

    decision = decide(Path(file), role, action, Path(artefact), labels=label_of(Path(artefact)), log=Path(log))
    click.echo(f"{'allowed' if decision.allowed else 'denied'}: {decision.reason}")
    raise click.exceptions.Exit(0 if decision.allowed else 1)
