"""Who can open a sealed file: the holder of an X25519 key, or whoever knows a passphrase."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from mithridate.core.errors import Refused

KEY_BYTES = 32
DOMAIN = b"mithridate/seal/1/"
LOG_N = 17  # scrypt: 2^17 x 8 x 128 bytes = 128 MiB, the least that OWASP's password storage sheet advises
MOST_LOG_N = 18  # a header may ask for 256 MiB and about a second, never more: it is read before it is trusted

Stanza = Mapping[str, Any]


class Recipient(Protocol):
    """Anything that a file key can be wrapped for."""

    def wrap(self, file_key: bytes, salt: bytes) -> dict[str, Any]:
        """The stanza that lets this recipient unwrap the key; bound to the file by its salt."""


class Identity(Protocol):
    """Anything that may unwrap a file key."""

    def unwrap(self, stanza: Stanza, salt: bytes) -> bytes | None:
        """The key; None when the stanza is another's."""


def derive(secret: bytes, salt: bytes, purpose: bytes) -> bytes:
    """32 bytes from a secret for one purpose: HKDF-SHA256 (RFC 5869)."""
    return HKDF(SHA256(), KEY_BYTES, salt, DOMAIN + purpose).derive(secret)


def encode(raw: bytes) -> str:
    """Base64, as stanzas hold bytes."""
    return base64.b64encode(raw).decode("ascii")


def decode(stanza: Stanza, name: str) -> bytes | None:
    """The stanza's bytes of that name, None when they aren't there or aren't Base64."""
    try:
        return base64.b64decode(stanza.get(name, ""), validate=True)
    except (binascii.Error, TypeError, ValueError):
        return None


def field_of(stanza: Stanza, name: str, length: int) -> bytes | None:
    """The stanza's bytes of that name when they are there and of that length, else None."""
    raw = decode(stanza, name)
    return raw if raw is not None and len(raw) == length else None


def wrap(key: bytes, file_key: bytes, context: bytes) -> str:
    """The file key under a key that is used this once, hence the fixed nonce."""
    return encode(AESGCM(key).encrypt(bytes(12), file_key, context))


def unwrap(key: bytes, stanza: Stanza, context: bytes) -> bytes | None:
    """The file key, or None when it wasn't wrapped under this key and context."""
    wrapped = field_of(stanza, "wrapped", KEY_BYTES + 16)
    if wrapped is None:
        return None
    try:
        return AESGCM(key).decrypt(bytes(12), wrapped, context)
    except InvalidTag:
        return None


def _agreed(shared: bytes, ephemeral: bytes, recipient: bytes, salt: bytes) -> bytes:
    return derive(shared, ephemeral + recipient, b"x25519/" + salt)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A recipient by X25519: a key pair of this file and this recipient alone agrees on the wrapping key."""

    key: X25519PublicKey

    def wrap(self, file_key: bytes, salt: bytes) -> dict[str, Any]:
        """The stanza: the ephemeral public key and the wrapped file key; it doesn't name the recipient."""
        secret = X25519PrivateKey.generate()
        ephemeral = secret.public_key().public_bytes_raw()
        key = _agreed(secret.exchange(self.key), ephemeral, self.key.public_bytes_raw(), salt)
        return {"kind": "x25519", "ephemeral": encode(ephemeral), "wrapped": wrap(key, file_key, DOMAIN + b"x25519")}


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """The identity that belongs to a `PublicKey`."""

    key: X25519PrivateKey = field(repr=False)

    def unwrap(self, stanza: Stanza, salt: bytes) -> bytes | None:
        """The file key; None when the stanza is of another kind or for another key."""
        ephemeral = field_of(stanza, "ephemeral", KEY_BYTES)
        if stanza.get("kind") != "x25519" or ephemeral is None:
            return None
        try:
            shared = self.key.exchange(X25519PublicKey.from_public_bytes(ephemeral))
        except ValueError:  # a point of small order: the secret would be known to everybody
            return None
        key = _agreed(shared, ephemeral, self.key.public_key().public_bytes_raw(), salt)
        return unwrap(key, stanza, DOMAIN + b"x25519")


@dataclass(frozen=True, slots=True)
class Passphrase:
    """Recipient and identity by scrypt (RFC 7914); `log_n` sets what each guess costs, 17: 128 MiB."""

    passphrase: bytes = field(repr=False)
    log_n: int = LOG_N

    def wrap(self, file_key: bytes, salt: bytes) -> dict[str, Any]:
        """The stanza: its own salt, the cost, and the wrapped file key."""
        own = os.urandom(KEY_BYTES)
        key = _stretched(self.passphrase, own, salt, self.log_n)
        wrapped = wrap(key, file_key, DOMAIN + b"scrypt")
        return {"kind": "scrypt", "salt": encode(own), "log_n": self.log_n, "wrapped": wrapped}

    def unwrap(self, stanza: Stanza, salt: bytes) -> bytes | None:
        """The file key; None when the stanza is of another kind or the passphrase is wrong.

        Raises
        ------
        Refused : the header asks for more memory than a seal ever needs.
        """
        if stanza.get("kind") != "scrypt":
            return None
        own, log_n = field_of(stanza, "salt", KEY_BYTES), stanza.get("log_n")
        if own is None or type(log_n) is not int or not 1 <= log_n <= MOST_LOG_N:
            raise Refused(
                f"the passphrase's cost must be log_n in [1, {MOST_LOG_N}], got {str(log_n)[:20]}: "
                "a header that asks for more is no seal of ours"
            )
        return unwrap(_stretched(self.passphrase, own, salt, log_n), stanza, DOMAIN + b"scrypt")


def _stretched(passphrase: bytes, own: bytes, salt: bytes, log_n: int) -> bytes:
    stretched = Scrypt(salt=own, length=KEY_BYTES, n=1 << log_n, r=8, p=1).derive(passphrase)
    return derive(stretched, own, b"scrypt/" + salt)
