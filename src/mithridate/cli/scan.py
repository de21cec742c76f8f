"""`mithridate scan PATH...`: which model and data files are unsafe to load, and why."""

from __future__ import annotations

from typing import Any

import click

from mithridate.cli.common import (
    check_outputs,
    command_line,
    output_options,
    policy,
    progress,
    show,
)
from mithridate.core.policy import EXIT_BROKEN, EXIT_CLEAN


@click.command("scan")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--method", "methods", multiple=True, metavar="ID", help="Report only this method. Repeatable.")
@click.option("--digest", is_flag=True, help="Compute the SHA-256 of every file, not only of those with a finding.")
@click.option("--timeout", type=float, default=60.0, show_default=True, help="Seconds that one file may take.")
@output_options
def command(paths: tuple[str, ...], **options: Any) -> None:
    """Find unsafe model and data files, before anything loads them.

    PATH is a file or a folder. Content decides what a file is, never its name:
    pickles in any container (zip, tar, compressed, NumPy, PyTorch, joblib), Keras,
    ONNX, GGUF, safetensors and more. Nothing is ever loaded or run.

    Exit code: 1 when a finding reaches --fail-on or a --limit is broken, else 2
    when a check failed or no file could be read, else 0.
    """
    output, quiet = options.pop("output"), options.pop("quiet")
    rule = policy(options.pop("fail_on"), options.pop("baseline"), options.pop("limit"))
    check_outputs(output)
    from mithridate.flows.scan import save_report, scan

    with progress(quiet=quiet) as steps:
        report = scan(
            *paths, digest=options["digest"], seconds=options["timeout"], jobs=options["jobs"],
            methods=options["methods"], progress=steps, command=command_line(),
        )  # fmt: skip
    for path in output:
        save_report(report, path)
    if not quiet:
        show(report)
    code = rule.exit_code(report)
    nothing_ran = not any(file.kinds for file in report.files)
    raise click.exceptions.Exit(EXIT_BROKEN if code == EXIT_CLEAN and nothing_ran else code)
