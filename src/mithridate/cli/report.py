"""`mithridate report R.json -o R.html`: a report in another format."""

from __future__ import annotations

import click

from mithridate.cli.common import check_outputs, show


@click.command("report")
@click.argument("source", metavar="R.json")
@click.option("-o", "--output", multiple=True, metavar="FILE", help="Write it; format by suffix. Repeatable.")
def command(source: str, output: tuple[str, ...]) -> None:
    """Turn a JSON report into HTML, SARIF, JUnit or Markdown, or print it."""
    check_outputs(output)
    from mithridate.reports.json_format import read_report
    from mithridate.reports.write import write_report

    report = read_report(source)
    for path in output:
        write_report(report, path)
    if not output:
        show(report)
