"""`mithridate attack NAME SOURCE -o OUT`: a poisoned copy and the truth about it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mithridate.cli.common import progress, source_options
from mithridate.core.errors import InputError

if TYPE_CHECKING:
    from mithridate.flows.audit_inputs import Columns


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
@click.option("--all", "every", is_flag=True, help="Make every attack that fits SOURCE; OUT is then a folder.")
@click.option("--list", "listing", is_flag=True, help="List the attacks.")
def command(name: str | None, source: str | None, **options: Any) -> None:
    """Make a poisoned copy of SOURCE by the attack NAME.

    Writes OUT, in the format of its suffix (a folder, where SOURCE is one), and
    OUT.truth.parquet: the rows of OUT that were changed and what was done to
    them. SOURCE is never changed.

    With --all SOURCE, the folder OUT gets one poisoned copy for each attack and
    suite.json, which says what was made; run it again to go on after a stop.
    """
    if options["listing"]:
        _list()
        return
    if options["every"]:
        _suite(name if source is None else None, options)
        return
    name, source = _subject(name, source, options)
    from mithridate.flows.attack import attack_file

    settings = dict(_pair(item) for item in options["settings"])
    chosen = {key: options[key] for key in ("rate", "target", "seed")}
    with progress(quiet=False) as bar:
        written = attack_file(
            name, source, options["output"], **chosen, recipe=options["recipe"], progress=bar, settings=settings,
            columns=_columns(options),
        )  # fmt: skip
    cover = f", and {written.n_cover:,} cover rows with right labels" if written.n_cover else ""
    click.echo(
        f"poisoned {written.n_poisoned:,} of {written.n_rows:,} rows{cover}\n{options['output']}\n{written.truth}"
    )
    if written.victim is not None:
        click.echo(str(written.victim))


def _subject(name: str | None, source: str | None, options: dict[str, Any]) -> tuple[str, str]:
    """The attack's name and the source, when nothing is missing; a name that is no attack is said first."""
    from mithridate.attacks.poisoning import MODALITIES

    if name is not None and name not in MODALITIES:
        raise InputError(f"no attack named {name!r}; `mithridate attack --list` lists the names")
    given = {"NAME": name, "SOURCE": source, "-o OUT": options["output"], "--rate R": options["rate"]}
    missing = [what for what, value in given.items() if value is None]
    if name is None or source is None or missing:
        raise InputError(
            f"an attack needs {', '.join(missing)}, as in `mithridate attack NAME SOURCE -o OUT --rate 0.05`; "
            "`mithridate attack --list` lists the names"
        )
    return name, source


def _columns(options: dict[str, Any]) -> Columns:
    return {key: options[key] for key in ("label", "source_column", "content", "modality")}  # type: ignore[return-value]


def _list() -> None:
    """Names, kinds of data and the first line of each attack's docstring; nothing heavy is imported for it."""
    from mithridate.attacks.poisoning import ATTACKS, MODALITIES
    from mithridate.core.pages import docstring

    for attack_name, kinds in MODALITIES.items():
        click.echo(f"{attack_name:<18} {', '.join(kinds)}")
        told = docstring(ATTACKS[attack_name]).partition("\n\n")[0]
        click.echo(click.wrap_text(" ".join(told.split()), width=78, initial_indent="    ", subsequent_indent="    "))


def _suite(source: str | None, options: dict[str, Any]) -> None:
    if source is None or options["output"] is None:
        raise InputError("a suite needs one SOURCE and -o DIR: mithridate attack --all SOURCE -o DIR")
    for option, given in (("--set", options["settings"]), ("--recipe", options["recipe"])):
        if given:
            raise InputError(f"{option} belongs to one attack; with --all every attack has its own defaults")
    from mithridate.flows.attack_suite import INDEX, RATE, attack_suite

    chosen = {"rate": RATE if options["rate"] is None else options["rate"], "target": options["target"]}
    with progress(quiet=False) as steps:
        suite = attack_suite(
            source, options["output"], **chosen, seed=options["seed"], columns=_columns(options), progress=steps
        )
    for entry in suite.attacks:
        what = f"{entry['poisoned']:,} of {entry['rows']:,} rows" if entry["status"] == "made" else entry["reason"]
        click.echo(f"{entry['name']:<18} {entry['status']:<8} {what}")
    click.echo(Path(options["output"]) / INDEX)
    if not any(entry["status"] == "made" for entry in suite.attacks):
        raise click.exceptions.Exit(2)


def _pair(item: str) -> tuple[str, str]:
    key, equals, value = item.partition("=")
    if not equals or not key:
        raise InputError(f"--set must look like key=value, got {item!r}")
    return key, value
