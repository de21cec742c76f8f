"""`mithridate methods`: what is checked."""

from __future__ import annotations

import click

from mithridate.catalogue import FAMILIES, METHODS, third_party


@click.command("methods")
@click.option(
    "--family",
    type=click.Choice([name for name, known in FAMILIES.items() if not known.like]),
    help="Only this family.",
)
def command(family: str | None) -> None:
    """List the methods: id, name, kinds of data, what they need.

    Methods that other packages add (entry points, group mithridate.methods)
    come last, with their package's name.
    """
    theirs = third_party()
    for method, origin in (*((method, "") for method in METHODS), *theirs.methods):
        if family in {None, method.family}:
            kinds = ", ".join(method.modalities) or "any data"
            needs = f"; needs {', '.join(method.needs)}" if method.needs else ""
            added = f"; from {origin}" if origin else ""
            click.echo(f"{method.id}  {method.slug:<18} {method.title} ({kinds}{needs}{added})")
    for complaint in theirs.complaints:
        click.echo(f"mithridate: {complaint}", err=True)
