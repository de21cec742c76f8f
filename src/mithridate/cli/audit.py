"""`mithridate audit SOURCE`: which rows are poisoned, by what, from where, how sure, what next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mithridate.cli.common import (
    check_outputs,
    check_writable,
    command_line,
    output_options,
    policy,
    progress,
    refuse_source,
    show,
    source_options,
)
from mithridate.core.errors import InputError


@click.command("audit")
@click.argument("source")
@source_options
@click.option("--model", metavar="M", help="Your model: its answers on these rows tell a backdoor from a label error.")
@click.option(
    "--recipe",
    metavar="R",
    help="How your model is made: mlp, cnn, logistic, gbdt, text-linear, or package.module:function.",
)
@click.option(
    "--embedding",
    metavar="E",
    help="Coordinates of rows: efficientnet-lite0 (images), minilm (texts), an .npy file, package.module:function.",
)
@click.option("--reference", metavar="CLEAN", help="Trusted rows, used for calibration.")
@click.option("--manifest", metavar="M", help="The manifest that SOURCE should still fit: rows that changed are named.")
@click.option("--salt-file", metavar="F", help="The secret salt that M was built with, if any.")
@click.option(
    "--fdr", type=float, default=0.05, show_default=True, help="Share of false flags you accept among the flags."
)
@click.option(
    "--power",
    type=click.Choice(["off", "cheap", "all"]),
    default="cheap",
    show_default=True,
    help="Plant known poison in a copy and report the share found.",
)
@click.option("--method", "methods", multiple=True, metavar="ID", help="Run only this method (id or slug). Repeatable.")
@click.option(
    "--cluster", metavar="A", help="A Ray cluster (auto, ray://host:port) that works on a Parquet source's shards."
)
@click.option(
    "--store", metavar="DIR", help="Where a sharded audit keeps finished pieces, to go on from (.mithridate/cache)."
)
@click.option("--scores", metavar="F.parquet", help="Write a score for every row.")
@click.option("--clean", metavar="F", help="Write the rows that weren't flagged, in SOURCE's format.")
@output_options
def command(source: str, **options: Any) -> None:
    """Find poison, label errors, duplicates, outliers and bad sources.

    SOURCE is an .npz (x, y, optional source), .parquet, .csv or .jsonl file, a
    folder of images in class folders, or a Hugging Face dataset folder. A Parquet
    file or folder of more than 200,000 rows is audited shard by shard.

    Exit code: 1 when a finding reaches --fail-on or a --limit is broken, else 2
    when a check failed or nothing could run, else 0.
    """
    output, scores, clean, quiet = (options.pop(name) for name in ("output", "scores", "clean", "quiet"))
    rule = policy(options.pop("fail_on"), options.pop("baseline"), options.pop("limit"))
    check_outputs(output)
    for path in filter(None, (scores, clean)):
        check_writable(path)
        refuse_source(path, source)
    if scores and clean and Path(scores).resolve() == Path(clean).resolve():
        raise InputError(f"--scores and --clean both name {scores}; give each a file of its own")
    if clean:
        from mithridate.data.write import refuse_other_form

        refuse_other_form(source, clean)
    from mithridate.flows.audit import audit
    from mithridate.flows.audit_report import save_clean, save_report, save_scores

    with progress(quiet=quiet) as steps:
        report = audit(source, **options, progress=steps, command=command_line())
    for path in output:
        save_report(report, path)
    if scores:
        save_scores(report, scores)
    if clean:
        save_clean(report, source, clean)
    if not quiet:
        show(report)
    raise click.exceptions.Exit(rule.exit_code(report))
