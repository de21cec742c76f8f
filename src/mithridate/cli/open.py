"""`mithridate open SEALED -o FILE --identity K.pem`: all of it, authentic, or nothing."""

from __future__ import annotations

from pathlib import Path

import click

from mithridate.cli.access import enforcer, one_file, rule_options
from mithridate.cli.common import check_outputs, command_line, printable
from mithridate.cli.seal import identities
from mithridate.core.errors import InputError, Refused


@click.command("open")
@click.argument("source", metavar="SEALED")
@click.option("-o", "--output", required=True, metavar="FILE", help="Where the content goes, readable by you alone.")
@click.option("--identity", metavar="K.pem", help="Your private key.")
@click.option("--passphrase-file", metavar="F", help="A file that holds the passphrase.")
@click.option("--kms", metavar="KEY", help="A key service: file:PATH, pkcs11:... or awskms:alias/NAME.")
@click.option("--report", "reports", multiple=True, metavar="R.json", help="Write what held or didn't. Repeatable.")
@rule_options
@click.option("--policy", metavar="P.toml", hidden=True, help="The same as --access.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def command(source: str, output: str, reports: tuple[str, ...], *, quiet: bool, **options: str | None) -> None:
    """Open what `mithridate seal` made, or an age file.

    Exit code: 0 when all of it is authentic and written; 1 when the key is wrong,
    a byte isn't what was sealed, or the rules deny it, and then nothing is
    written: a FILE of before is as it was; 2 when it could not run.
    """
    check_outputs(reports)
    from mithridate.flows.open import open_age_with_report, open_with_report
    from mithridate.reports.write import write_report
    from mithridate.supply.sealing import age

    access = one_file(options["access"], options["policy"])
    allow = enforcer(access, options["role"], options["log"], "open", source)
    if age.is_age(Path(source)):
        if options["kms"]:
            raise InputError(f"{source} is an age file, which no key service opens; pass --identity or a passphrase")
        own = age.identities(options["identity"], options["passphrase_file"])
        report = open_age_with_report(Path(source), Path(output), own, allow=allow, command=command_line())
    else:
        keys = identities(options["identity"], options["passphrase_file"], options["kms"], needed=True)
        report = open_with_report(Path(source), Path(output), keys, allow=allow, command=command_line())
    for path in reports:
        write_report(report, path)
    for finding in report.findings:
        raise Refused(finding.claim.removeprefix("refused: "))
    if not quiet:
        click.echo(printable(f"{output}: {_size(Path(output))}; all of {source} is authentic"))


def _size(path: Path) -> str:
    if not path.is_dir():
        return f"{path.stat().st_size:,} bytes, for you alone"
    sizes = [file.stat().st_size for file in path.rglob("*") if file.is_file()]
    return f"{len(sizes):,} file{'s' * (len(sizes) != 1)}, {sum(sizes):,} bytes, for you alone"
