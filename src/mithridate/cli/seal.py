"""`mithridate seal FILE -o SEALED --recipient K.pub`: encrypt for named readers, or name other readers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mithridate.cli.common import printable
from mithridate.core.errors import InputError

if TYPE_CHECKING:
    from mithridate.supply.sealing.recipients import Identity, Recipient

_SHOWN = 5  # readers that are named


@click.command("seal")
@click.argument("source", metavar="FILE")
@click.option("-o", "--output", metavar="SEALED", help="Where the sealed file goes.")
@click.option("--recipient", "recipients", multiple=True, metavar="K.pub", help="Who can open it. Repeatable.")
@click.option("--passphrase-file", metavar="F", help="Also, or only: whoever knows the passphrase in this file.")
@click.option(
    "--kms",
    "services",
    multiple=True,
    metavar="KEY",
    help="A key service: file:PATH, pkcs11:..., awskms:alias/NAME. Repeatable.",
)
@click.option(
    "--format", "form", type=click.Choice(["own", "age"]), default="own", show_default=True,
    help="age: for readers with another tool; one file, for age1... or X25519 recipients or a passphrase.",
)  # fmt: skip
@click.option("--label", default="", metavar="L", help="What access rules go by; readable, but can't be changed.")
@click.option("--rewrap", is_flag=True, help="FILE is sealed: give it these recipients instead of those it has.")
@click.option("--identity", metavar="K.pem", help="With --rewrap: the key that opens FILE.")
@click.option("--identity-passphrase-file", metavar="F", help="With --rewrap: the passphrase that opens FILE.")
@click.option("--identity-kms", metavar="KEY", help="With --rewrap: the key service that opens FILE.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def command(
    source: str, output: str | None, label: str, form: str, *, rewrap: bool, quiet: bool, **options: Any
) -> None:
    """Encrypt a file or folder so that only its recipients can open it.

    AES-256-GCM in chunks under a fresh key, which is wrapped for each recipient.
    A folder is sealed as one tar of its files and folders. --rewrap changes who
    can open a sealed file, in place, without encrypting its content anew.

    A seal says nothing about who made it: sign what you send.
    """
    if form == "age":
        others = [name for name in ("identity", "identity_passphrase_file", "identity_kms") if options[name]]
        if label or rewrap or options["services"] or others:
            raise InputError("an age file has no label, key service or --rewrap; leave them or --format age out")
        _as_age(source, output, options["recipients"], options["passphrase_file"])
    else:
        _as_ours(source, output, label, rewrap=rewrap, **options)
    if not quiet:
        click.echo(_said(source if output is None else output, rewrap=rewrap, **options))


def _as_ours(source: str, output: str | None, label: str, *, rewrap: bool, **options: Any) -> None:
    from mithridate.supply.sealing import sealed

    readers = _recipients(options["recipients"], options["passphrase_file"], options["services"])
    keys = identities(options["identity"], options["identity_passphrase_file"], options["identity_kms"], needed=rewrap)
    if rewrap:
        if label:
            raise InputError("--label is fixed when a file is sealed; open it and seal it anew for another")
        sealed.rewrap(Path(source), readers, keys, target=None if output is None else Path(output))
        return
    if keys:
        raise InputError("--identity goes with --rewrap; sealing needs no private key")
    if output is None:
        raise InputError("say where the sealed file goes: -o SEALED")
    sealed.seal(Path(source), Path(output), readers, label=label)


def _said(written: str, *, rewrap: bool, **options: Any) -> str:
    """What was written, how large it is, and who can open it; a token's address without what follows its labels."""
    known = "whoever knows the passphrase"
    who = [*options["recipients"], *([known] if options["passphrase_file"] else [])]
    who += [address.partition("?")[0] for address in options["services"]]
    more = f" and {len(who) - _SHOWN} more" if len(who) > _SHOWN else ""
    verb = "can now be opened by" if rewrap else "can be opened by"
    return printable(f"{written}: {Path(written).stat().st_size:,} bytes; {verb} {', '.join(who[:_SHOWN])}{more}")


def _as_age(source: str, output: str | None, public: tuple[str, ...], passphrase_file: str | None) -> None:
    from mithridate.supply.sealing import age

    readers = age.recipients(public, passphrase_file)
    if output is None:
        raise InputError("say where the age file goes: -o SEALED")
    age.seal(Path(source), Path(output), readers)


def _recipients(public: tuple[str, ...], passphrase_file: str | None, services: tuple[str, ...]) -> list[Recipient]:
    from mithridate.supply.sealing.keys import read_passphrase, read_recipient
    from mithridate.supply.sealing.kms import KmsKey, service

    found: list[Recipient] = [read_recipient(Path(path)) for path in public]
    if passphrase_file is not None:
        found.append(read_passphrase(Path(passphrase_file)))
    found += [KmsKey(service(address)) for address in services]
    if not found:
        raise InputError("say who can open it: --recipient K.pub, --passphrase-file F or --kms KEY")
    return found


def identities(identity: str | None, passphrase_file: str | None, kms: str | None, *, needed: bool) -> list[Identity]:
    """The keys that these options name; an `InputError` when there is none and one is needed."""
    from mithridate.supply.sealing.keys import read_identity, read_passphrase
    from mithridate.supply.sealing.kms import KmsKey, service

    found: list[Identity] = []
    if identity is not None:
        found.append(read_identity(Path(identity)))
    if passphrase_file is not None:
        found.append(read_passphrase(Path(passphrase_file)))
    if kms is not None:
        found.append(KmsKey(service(kms)))
    if needed and not found:
        raise InputError("say which key opens it: --identity K.pem, a passphrase file, or a key service")
    return found
