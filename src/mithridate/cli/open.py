"""`mithridate open SEALED -o FILE --identity K.pem`: all of it, authentic, or nothing."""

from __future__ import annotations

from pathlib import Path

import click

from mithridate.cli.access import enforcer, rule_options
from mithridate.cli.seal import identities


@click.command("open")
@click.argument("source", metavar="SEALED")
@click.option("-o", "--output", required=True, metavar="FILE", help="Where the content goes, readable by you alone.")
@click.option("--identity", metavar="K.pem", help="Your private key.")
@click.option("--passphrase-file", metavar="F", help="A file that holds the passphrase.")
@click.option("--kms", metavar="KEY", help="A key service: file:PATH or pkcs11:... URI.")
@rule_options()
def command(source: str, output: str, **options: str | None) -> None:
    """Open what `mithridate seal` made.

    Exit code: 0 when all of it is authentic and written; 1 when the key is wrong
    a byte isn't what was sealed, or the rules deny it, and then nothing is left at
    FILE; 2 when it could not run.
    """
    from mithridate.supply.sealing.sealed import open_sealed

    keys = identities(options["identity"], options["passphrase_file"], options["kms"], needed=True)
    allow = enforcer(options["access"], options["role"], options["log"] or "", "open", source)
    open_sealed(Path(source), Path(output), keys, allow=allow)
