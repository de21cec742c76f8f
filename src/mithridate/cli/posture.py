"""`mithridate posture [DIR]`: what is wrong with the project around the model."""

from __future__ import annotations

from typing import Any

import click

from mithridate.cli.common import check_outputs, command_line, output_options, policy, progress, show


@click.command("posture")
@click.argument("folder", metavar="[DIR]", default=".")
@click.option("--method", "methods", multiple=True, metavar="ID", help="Run only this check (id or slug). Repeatable.")
@click.option("--offline", is_flag=True, help="Ask no database of vulnerabilities.")
@output_options
def command(folder: str, methods: tuple[str, ...], *, offline: bool, **options: Any) -> None:
    """Check the project around the model.

    Secrets in files, dependencies, permissions, code that unpickles or runs a
    hub's code, servers open to everybody, missing model card, contact, signatures.
    Code is read and never run; links are not followed.

    Exit code: 1 when a finding reaches --fail-on or a --limit is broken, else 2
    when a check failed or nothing could run, else 0.
    """
    output, quiet = options["output"], options["quiet"]
    rule = policy(options["fail_on"], options["baseline"], options["limit"])
    check_outputs(output)
    from mithridate.flows.posture import posture
    from mithridate.reports.write import write_report

    with progress(quiet=quiet) as steps:
        report = posture(folder, offline=offline, methods=methods, progress=steps, command=command_line())
    for path in output:
        write_report(report, path)
    if not quiet:
        show(report)
    raise click.exceptions.Exit(rule.exit_code(report))
