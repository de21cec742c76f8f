"""`mithridate sign PATH --key K.pem -o SIG`: vouch for a file or folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mithridate.cli.common import check_writable, printable, read_passphrase
from mithridate.core.errors import InputError

if TYPE_CHECKING:
    from mithridate.supply.signing.keys import Signer
    from mithridate.supply.signing.statement import Statement

KINDS = ["auto", "model", "dataset", "audit", "training-run", "evaluation", "prediction"]


@click.command("sign")
@click.argument("path")
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="K.pem",
    help="A private key: a file, pkcs11:... on a token, awskms:alias/NAME in AWS KMS. Repeatable.",
)
@click.option("--sigstore", is_flag=True, help="Sign as an identity instead of with a key; needs the network.")
@click.option("--identity-token", metavar="F", help="With --sigstore: a file that holds an OIDC token.")
@click.option("-o", "--output", required=True, metavar="SIG", help="Where the signature goes (a sigstore bundle).")
@click.option(
    "--type", "kind", type=click.Choice(KINDS), default="auto", show_default=True,
    help="What is said: auto takes a manifest as a dataset, a report as an audit, all else as a model.",
)  # fmt: skip
@click.option(
    "--hash", "algorithm", type=click.Choice(["sha256", "blake3"]), default="sha256", show_default=True,
    help="How a model's files are hashed; blake3 is faster and needs that package wherever it is checked.",
)  # fmt: skip
@click.option("--data", multiple=True, metavar="M", help="A training run's or evaluation's manifest. Repeatable.")
@click.option(
    "--model", "models", multiple=True, metavar="PATH",
    help="The model that made a prediction, or that a training run started from. Repeatable.",
)  # fmt: skip
@click.option("--input", "inputs", multiple=True, metavar="F", help="What a prediction was made of. Repeatable.")
@click.option("--code", metavar="PATH", help="The file or folder of code that trained; its digest is signed.")
@click.option("--seed", type=int, help="The training run's seed.")
@click.option("--set", "settings", multiple=True, metavar="K=V", help="A setting of the run, or a number measured.")
@click.option("--passphrase-file", metavar="F", help="The keys' passphrase: the first line of this file.")
def command(path: str, output: str, **options: Any) -> None:
    """Sign PATH: a model's file or folder, a manifest, a report, a prediction.

    The signature lies in SIG; PATH itself is never changed. A folder signed with a
    P-256 key can be checked with OpenSSF's `model_signing verify key` as well.

    Exit code: 0 when SIG was written, else 2.
    """
    check_writable(output)
    from mithridate.flows.sign import Run, sign_path
    from mithridate.supply.signing.predicates import MODEL, word_of

    keyless = _keyless(options["identity_token"], options["keys"], wanted=options["sigstore"])
    secret = read_passphrase(options["passphrase_file"])
    signers = [_signer(key, secret) for key in options["keys"]]
    run = Run(
        options["data"], dict(map(_setting, options["settings"])), options["code"], options["seed"],
        models=options["models"], inputs=options["inputs"],
    )  # fmt: skip
    said = sign_path(
        path, signers, output, kind=options["kind"], algorithm=options["algorithm"], run=run, keyless=keyless
    )
    click.echo(printable(f"{output}: {word_of(said.predicate_type)} statement"))
    for signer in signers:
        key = signer.public_key()
        click.echo(f"signed by {key.algorithm} key {key.id}")
    first = signers[0].public_key().algorithm if signers else ""
    for note in _notes(first, options["algorithm"]) if said.predicate_type == MODEL else ():
        click.echo(f"note: {note}")


def _keyless(token: str | None, keys: tuple[str, ...], *, wanted: bool) -> Callable[[Statement], bytes] | None:
    """What signs as an identity; None where a key does."""
    if wanted == bool(keys):
        raise InputError("say who signs: --key K.pem, or --sigstore, and not both")
    if not wanted:
        if token is not None:
            raise InputError("--identity-token goes with --sigstore; add it")
        return None
    from mithridate.supply.signing.keyless import sign

    return partial(sign, token_file=None if token is None else Path(token))


def _signer(key: str, passphrase: bytes | None) -> Signer:
    """A private key in a file, on a token or at a cloud's key service."""
    if key.startswith("pkcs11:"):
        from mithridate.supply.signing.pkcs11 import Pkcs11Signer

        return Pkcs11Signer.parse(key)
    from mithridate.supply.cloud.addresses import cloud_key, is_cloud
    from mithridate.supply.cloud.port import CloudSigner

    if is_cloud(key):
        return CloudSigner(cloud_key(key))
    from mithridate.supply.signing.keys import load_private

    return load_private(key, passphrase=passphrase)


def _notes(key: str, hashed: str) -> list[str]:
    """What OpenSSF's own tool can't check of a model that was signed by a key of this algorithm first."""
    notes = []
    if key == "ed25519":
        notes.append("model_signing checks no Ed25519 key; sign with a P-256 key first if others verify with it")
    if hashed == "blake3":
        notes.append("the command model_signing hashes with SHA-256 alone; only its Python interface checks BLAKE3")
    return notes


def _setting(item: str) -> tuple[str, Any]:
    key, equals, value = item.partition("=")
    if not equals or not key:
        raise InputError(f"--set must look like key=value, got {item!r}")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value
