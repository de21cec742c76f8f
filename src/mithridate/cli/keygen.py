"""`mithridate keygen -o K.pem`: a key pair for signing or for sealing."""

from __future__ import annotations

from pathlib import Path

import click

from mithridate.cli.common import check_writable, read_passphrase
from mithridate.core.errors import InputError


@click.command("keygen")
@click.option("-o", "--output", required=True, metavar="K.pem", help="The private key; K.pub is written beside it.")
@click.option(
    "--for", "purpose", type=click.Choice(["signing", "sealing"]), default="signing", show_default=True,
    help="What the keys are for; one pair never does both.",
)  # fmt: skip
@click.option(
    "--algorithm", type=click.Choice(["p256", "ed25519"]),
    help="Of a signing key: p256 (the default), which model_signing checks too, or ed25519.",
)  # fmt: skip
@click.option("--passphrase-file", metavar="F", help="Encrypt a signing key with the first line of this file.")
@click.option(
    "--token", metavar="URI", help="A signing pair on a PKCS#11 token or in AWS KMS (awskms:...); -o names K.pub."
)
def command(output: str, purpose: str, algorithm: str | None, passphrase_file: str | None, token: str | None) -> None:
    """Make a key pair: K.pem, which only you can read, and K.pub, which you give away.

    A key that is there already is never overwritten. With --token pkcs11:... the
    pair is made on the token, or taken from it if it is there, and K.pub written;
    with --token awskms:alias/NAME the pair must be there, and K.pub is written.
    """
    check_writable(output)
    if token is not None:
        if purpose == "sealing" or passphrase_file is not None:
            raise InputError("--token is for signing keys, and a token's PIN stands in its address: leave the rest out")
        _on_token(token, output, algorithm)
        return
    if purpose == "sealing":
        if algorithm is not None or passphrase_file is not None:
            raise InputError("--algorithm and --passphrase-file are for signing keys; a sealing key is X25519")
        from mithridate.supply.sealing.keys import new_identity  # type: ignore[import-not-found, unused-ignore]

        click.echo(f"{output}\n{new_identity(Path(output))}")
        return
    from mithridate.supply.signing.keys import new_key, public_path

    key = new_key(output, algorithm=algorithm or "p256", passphrase=read_passphrase(passphrase_file))
    click.echo(f"{output}\n{public_path(output)}\n{key.algorithm} key {key.id}")


def _on_token(token: str, output: str, algorithm: str | None) -> None:
    """The token's pair, made where there is none, and its public key in a new file."""
    from mithridate.core.files import new_file
    from mithridate.supply.cloud.addresses import cloud_key, is_cloud
    from mithridate.supply.cloud.port import CloudSigner
    from mithridate.supply.signing.pkcs11 import Pkcs11Signer
    from mithridate.supply.token import SCHEME

    if Path(output).exists():
        raise InputError(f"{output} is there already, and a key is never overwritten; give another name")
    if not is_cloud(token) and not token.startswith(SCHEME):
        raise InputError(f"--token is pkcs11:token=T;object=K?... or awskms:alias/NAME, got {token[:80]!r}")
    if is_cloud(token):
        there, key = True, CloudSigner(cloud_key(token)).public_key()
    else:
        signer = Pkcs11Signer.parse(token)
        there = signer.has_key()
        key = signer.public_key() if there else signer.create_key(algorithm or "p256")
    if algorithm not in {None, key.algorithm}:
        raise InputError(
            f"the key on the token is {key.algorithm}, not {algorithm}; name another key or leave --algorithm out"
        )
    new_file(Path(output), key.pem, mode=0o644)
    click.echo(f"{output}\n{key.algorithm} key {key.id}{' was on the token already' if there else ''}")
