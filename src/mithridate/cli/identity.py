"""Options of every verb that checks signatures by an identity (sigstore) as well as by a key."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mithridate.core.errors import InputError

if TYPE_CHECKING:
    from mithridate.supply.signing.keyless import Signatory
    from mithridate.supply.signing.keys import PublicKey

F = TypeVar("F", bound=Callable[..., Any])


def identity_options(function: F) -> F:
    """--sigstore, --identity, --issuer, --trust-root."""
    options = [
        click.option(
            "--sigstore", is_flag=True, help="Signatures by an identity count: --identity and --issuer say whose."
        ),
        click.option("--identity", metavar="X", help="With --sigstore: the mail address or URI that must have signed."),
        click.option("--issuer", metavar="Y", help="With --sigstore: who must have vouched for it, as a URL."),
        click.option("--trust-root", metavar="F", help="With --sigstore: another trusted root than the public one."),
    ]
    for decorate in reversed(options):
        function = decorate(function)
    return function


def trusted(keys: Iterable[str]) -> list[PublicKey]:
    """The public keys in these files.

    Raises
    ------
    InputError : a file isn't there or holds no public key; an address of a private key instead of a file.
    """
    from mithridate.supply.cloud.addresses import is_cloud
    from mithridate.supply.signing.keys import load_public

    for key in keys:
        if is_cloud(key) or key.startswith("pkcs11:"):
            raise InputError(
                f"checking takes the public key's file, not {key.partition('?')[0]}; write it once with: "
                "mithridate keygen --token ADDRESS -o K.pub"
            )
    return [load_public(key) for key in keys]


def signatory_of(options: dict[str, Any]) -> Signatory | None:
    """Who must have signed with sigstore, taken out of the options; None where that isn't asked.

    Raises
    ------
    InputError : one of the options without the others that it needs.
    """
    wanted, identity, issuer, root = (options.pop(name) for name in ("sigstore", "identity", "issuer", "trust_root"))
    if not wanted:
        if identity or issuer or root:
            raise InputError("--identity, --issuer and --trust-root go with --sigstore; add it")
        return None
    if not identity or not issuer:
        raise InputError("--sigstore needs --identity X and --issuer Y: without both, anybody's signature would do")
    from mithridate.supply.signing.keyless import Signatory

    return Signatory(identity, issuer, None if root is None else Path(root))
