"""Sealing keys as files: X25519 in PEM, the private half 0600, the public half beside it."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from mithridate.core.errors import InputError
from mithridate.core.files import new_file, read_small
from mithridate.supply.sealing.recipients import Passphrase, PrivateKey, PublicKey

_MOST_BYTES = 1 << 16  # a key file is some 120 bytes
_MAKE = "mithridate keygen -o K.pem --for sealing"
_HINT = f"look at the name, or make a key with: {_MAKE}"


def new_identity(path: Path) -> Path:
    """Make an X25519 key pair: the private key at `path` (0600), the public one beside it as `.pub`.

    Returns
    -------
    The public key's path.

    Raises
    ------
    InputError : one of the two files is there already (a key is never overwritten), or can't be written.
    """
    public_path = path.with_suffix(".pub")
    if public_path == path:
        raise InputError(f"{path} is the name of the public half; name the private one, such as {path.stem}.pem")
    for taken in (path, public_path):
        if os.path.lexists(taken):
            raise InputError(f"{taken} is there already, and a key is never overwritten; give another name")
    secret = X25519PrivateKey.generate()
    public = secret.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    private = secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    new_file(path, private, mode=0o600)
    new_file(public_path, public, mode=0o644)
    return public_path


def read_recipient(path: Path) -> PublicKey:
    """The public key in that file.

    Raises
    ------
    InputError : there is none, or it isn't an X25519 public key.
    """
    content = read_small(path, what="key file", limit=_MOST_BYTES, hint=_HINT)
    if b"PRIVATE KEY" in content:
        raise InputError(f"{path} holds a private key; a recipient is named by its public half, the .pub file")
    try:
        key = load_pem_public_key(content)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise InputError(f"{path} holds no public key in PEM; make a pair with: {_MAKE}") from None
    if not isinstance(key, X25519PublicKey):
        raise InputError(f"{path} is a key for signing, not for sealing (X25519); make one with: {_MAKE}")
    return PublicKey(key)


def read_identity(path: Path) -> PrivateKey:
    """The private key in that file.

    Raises
    ------
    InputError : there is none, it isn't an X25519 private key, or a password protects it.
    """
    content = read_small(path, what="key file", limit=_MOST_BYTES, hint=_HINT)
    if b"PUBLIC KEY" in content:
        raise InputError(f"{path} holds a public key; opening needs the private one, the .pem file")
    try:
        key = load_pem_private_key(content, password=None)
    except TypeError:
        raise InputError(f"{path} is protected by a password; write it without: openssl pkey -in {path}") from None
    except (ValueError, UnsupportedAlgorithm):
        raise InputError(f"{path} holds no private key in PEM; make a pair with: {_MAKE}") from None
    if not isinstance(key, X25519PrivateKey):
        raise InputError(f"{path} is a key for signing, not for sealing (X25519); make one with: {_MAKE}")
    return PrivateKey(key)


def read_passphrase(path: Path) -> Passphrase:
    """The passphrase in that file: its content without the newline at its end.

    Raises
    ------
    InputError : the file isn't there, or is empty.
    """
    raw = read_small(path, what="passphrase file", limit=_MOST_BYTES, hint="write the passphrase into one, on one line")
    phrase = raw.removesuffix(b"\n").removesuffix(b"\r")
    if not phrase:
        raise InputError(f"{path} is empty; write the passphrase into it, on one line")
    return Passphrase(phrase)
