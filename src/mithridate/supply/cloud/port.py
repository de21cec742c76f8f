"""What a cloud's key service has to provide, and how any that does signs here."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Protocol

from mithridate.core.errors import InputError
from mithridate.supply.signing.keys import PublicKey, public_from_der

_HASHES: Mapping[str, Any] = MappingProxyType({"p256": hashlib.sha256, "p384": hashlib.sha384, "p521": hashlib.sha512})


class CloudKey(Protocol):
    """One key of a cloud's key service: all that an adapter has to write, in one file of its own.

    `name`, `fits`, `wrap` and `unwrap` are the port for sealing (`supply/sealing/kms.py`, `Kms`) as it stands, so that
    an adapter goes into `KmsKey` unchanged; `public_key` and `sign` are made a `Signer` by `CloudSigner`. A signing key
    need not wrap, nor the other way round: the service's own error says so.

    An adapter turns every error of its library into one line: `Refused` where `unwrap` was given what this key never
    wrapped, `MissingExtra` where the library isn't there, `InputError` for all else (no credentials, no network, not
    allowed, disabled, another kind of key), with what to do next. It takes credentials from its library's own chain
    alone, never from an address, bounds every wait, and retries at most twice. A new scheme is a line in
    `supply/cloud/addresses.py`, and nothing else changes.

    Where services differ: Google Cloud KMS signs a digest (EC) or the message (Ed25519), and takes the context as
    `additional_authenticated_data`; Vault's transit takes Base64, and the context as `associated_data`; Azure's EC keys
    return r and s bare, which `encode_dss_signature` makes DER, and its RSA keys wrap without a context, which the
    header's MAC still binds.
    """

    @property
    def name(self) -> str:
        """The key's address, scheme included, as it is written into sealed files and said in errors: no secret."""

    def fits(self, name: str) -> bool:
        """Whether it is worth asking the service for a key that was wrapped by that name."""

    def public_key(self) -> bytes:
        """The public key as DER, SubjectPublicKeyInfo."""

    def sign(self, data: bytes, algorithm: str) -> bytes:
        """A signature; ECDSA's as ASN.1 DER.

        Parameters
        ----------
        data : the message. algorithm : `p256`, `p384`, `p521` with SHA-256, SHA-384, SHA-512, or `ed25519`.

        Notes
        -----
        Where the service limits how much it takes, `digest_of` gives what to send for an EC key instead.
        """

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """The wrapped key, bound to the context; at most 4,096 bytes."""

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """The key; `Refused` when this key did not wrap it, or for another context."""


class CloudSigner:
    """A key pair of a cloud's key service as a signer; the service is asked for its public half once."""

    __slots__ = ("_key", "_public")

    def __init__(self, key: CloudKey) -> None:
        self._key = key
        self._public: PublicKey | None = None

    def __repr__(self) -> str:
        return f"CloudSigner({self._key.name})"

    def public_key(self) -> PublicKey:
        """The key that checks; checking needs nothing else, and no cloud.

        Raises
        ------
        InputError : the service can't be asked, or the key is of a kind that can't be checked here.
        """
        if self._public is None:
            self._public = public_from_der(self._key.public_key(), self._key.name)
        return self._public

    def sign(self, message: bytes) -> bytes:
        """The signature over these bytes, which was checked with the public half.

        Raises
        ------
        InputError : the service doesn't sign, or what it answered is no signature of this key over the message.
        """
        public = self.public_key()
        signature = self._key.sign(message, public.algorithm)
        if not public.verifies(signature, message):
            raise InputError(
                f"the service's answer is no signature by {self._key.name} over what was sent; look at what answers at "
                "its address, and sign again"
            )
        return signature


def digest_of(message: bytes, algorithm: str) -> bytes | None:
    """What an EC key of this algorithm signs in the message's place; None for Ed25519, which needs the message."""
    hasher = _HASHES.get(algorithm)
    return None if hasher is None else bytes(hasher(message).digest())
