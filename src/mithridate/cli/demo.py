"""`mithridate demo`: the whole job on real data; the last line is where the HTML report lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mithridate.cli.common import progress, show

if TYPE_CHECKING:
    from mithridate.core.report import Report


@click.command("demo")
@click.option("-o", "--output", default="mithridate-demo", show_default=True, metavar="DIR", help="Where it writes.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of every random choice.")
@click.option("-q", "--quiet", is_flag=True, help="No progress, and the report's path alone.")
def command(output: str, *, seed: int, quiet: bool) -> None:
    """Poison real images, audit them, remove what was found, train before and after.

    Fashion-MNIST rows from five named sources: one plants a backdoor patch,
    another labels carelessly. Nothing is known to the audit beforehand.
    """
    from mithridate.flows.demo import MALICIOUS, SLOPPY, demo, save_truth, truth_table

    with progress(quiet=quiet) as steps:
        made = demo(output, seed=seed, progress=steps)
    save_truth(made)
    if not quiet:
        show(made.report)
        patch, flips = (truth_table(made)[kind] for kind in ("patch", "flips"))
        click.echo("")
        click.echo("What really happened (the audit did not know):")
        click.echo(f"  {MALICIOUS} planted a patch in {patch[0]:,} rows; {patch[1]:,} of them were flagged")
        click.echo(f"  {SLOPPY} mislabelled {flips[0]:,} rows; {flips[1]:,} of them were flagged")
        for name, words in (("clean_accuracy", "accuracy on clean images"), ("attack_success", "attack success")):
            before, after = (_share(made.report, f"{name}:{when}") for when in ("before", "after"))
            click.echo(f"  {words}: {before} trained on everything, {after} without the flagged rows")
        click.echo("")
        click.echo(f"data    {made.folder / 'train.npz'}")
        click.echo("report, open in a browser:")
    click.echo(str(made.html.resolve()))


def _share(report: Report, name: str) -> str:
    piece = report.number(name)
    value = None if piece is None else piece.data.get("value")
    return f"{100 * value:.1f} %" if isinstance(value, float) else "not measured"
