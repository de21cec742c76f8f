"""`mithridate attack NAME SOURCE -o OUT`: a poisoned copy and the truth about it."""

from __future__ import annotations

from typing import Any

import click

from mithridate.cli.common import progress, source_options
from mithridate.core.errors import InputError


@click.command("attack")
@click.argument("name", required=False)
@click.argument("source", required=False)
@source_options
@click.option(
    "-o", "--output", metavar="OUT", help="Where the poisoned copy goes; the truth goes to OUT.truth.parquet."
)
@click.option("--rate", type=float, help="Share of all rows to poison, in (0, 1).")
@click.option("--target", metavar="T", help="The label that the attack forces (default: the first class).")
@click.option("--recipe", metavar="R", help="How the attacker's own network is made, for attacks that train one.")
@click.option("--set", "settings", multiple=True, metavar="K=V", help="A setting of the attack. Repeatable.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of every random choice.")
@click.option("--list", "listing", is_flag=True, help="List the attacks.")
def command(name: str | None, source: str | None, **options: Any) -> None:
    """Make a poisoned copy of SOURCE by the attack NAME.

    Writes OUT, in the format of its suffix, and OUT.truth.parquet: the rows
    that were changed and what was done to them. SOURCE is never changed.
    """
    if options["listing"]:
        from mithridate.attacks.poisoning import MODALITIES

        for attack_name, kinds in MODALITIES.items():
            click.echo(f"{attack_name:<18} {', '.join(kinds)}")
        return
    if name is None or source is None or options["output"] is None or options["rate"] is None:
        raise InputError(
            "an attack needs NAME, SOURCE, -o OUT and --rate R; `mithridate attack --list` lists the names"
        )
    from mithridate.flows.attack import attack_file
    from mithridate.flows.audit import Columns

    columns = Columns(
        label=options["label"], source_column=options["source_column"],
        content=options["content"], modality=options["modality"],
    )  # fmt: skip
    settings = dict(_pair(item) for item in options["settings"])
    chosen = {key: options[key] for key in ("rate", "target", "seed")}
    with progress(quiet=False) as bar:
        written = attack_file(
            name, source, options["output"], **chosen, recipe=options["recipe"], progress=bar, settings=settings,
            columns=columns,
        )  # fmt: skip
    cover = f", and {written.n_cover:,} cover rows with right labels" if written.n_cover else ""
    click.echo(
        f"poisoned {written.n_poisoned:,} of {written.n_rows:,} rows{cover}\n{options['output']}\n{written.truth}"
    )
    if written.victim is not None:
        click.echo(str(written.victim))


def _pair(item: str) -> tuple[str, str]:
    key, equals, value = item.partition("=")
    if not equals or not key:
        raise InputError(f"--set must look like key=value, got {item!r}")
    return key, value
