"""`mithridate explain PSN103`: a method's page, read from its source without importing it."""

from __future__ import annotations

import click

from mithridate.catalogue import find
from mithridate.core.errors import InputError
from mithridate.core.pages import page


@click.command("explain")
@click.argument("method", metavar="ID")
def command(method: str) -> None:
    """Explain one method by id (PSN103) or name (shared-trigger)."""
    chosen = find(method)
    if chosen is None:
        raise InputError(f"no method {method!r}; `mithridate methods` lists them")
    click.echo(page(chosen))
