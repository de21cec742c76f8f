"""Keys on a PKCS#11 token (smart card, HSM, SoftHSM): an AES key that never leaves it wraps the file key."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mithridate.core.errors import InputError, Refused
from mithridate.supply.token import TokenKey

NONCE_BYTES, TAG_BYTES = 12, 16


@dataclass(frozen=True, slots=True)
class Pkcs11Kms:
    """An AES-256 key of a token, by label."""

    key: TokenKey

    @classmethod
    def parse(cls, uri: str) -> Pkcs11Kms:
        """From a PKCS#11 URI; see `TokenKey.parse`."""
        return cls(TokenKey.parse(uri))

    @property
    def name(self) -> str:
        """The labels, as in the URI's path."""
        return self.key.name

    def fits(self, name: str) -> bool:
        """Whether it is this key's name."""
        return name == self.name

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """A fresh nonce and the key, encrypted by the token with AES-GCM."""
        nonce = os.urandom(NONCE_BYTES)
        with self._key() as (secret, how):
            from pkcs11.exceptions import PKCS11Error

            try:
                return nonce + bytes(secret.encrypt(key, **how(nonce, context)))
            except PKCS11Error as error:
                why = f"{type(error).__name__}; it must be allowed to encrypt, and the token must know AES-GCM"
                raise InputError(f"the key {self.name} can't wrap: {why}") from error

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """The inverse of `wrap`; `Refused` when the token's key did not wrap it."""
        from pkcs11.exceptions import PKCS11Error

        with self._key() as (secret, how):
            try:
                return bytes(secret.decrypt(wrapped[NONCE_BYTES:], **how(wrapped[:NONCE_BYTES], context)))
            except PKCS11Error as error:
                raise Refused(f"the key {self.name} did not wrap this ({type(error).__name__})") from error

    def create_key(self) -> None:
        """Make the AES-256 key on the token: it can't be read out.

        Raises
        ------
        InputError : there is a key of that label already.
        """
        import pkcs11
        from pkcs11 import KeyType

        with self.key.session() as session:
            self.key.refuse_taken(session)
            template = {pkcs11.Attribute.SENSITIVE: True, pkcs11.Attribute.EXTRACTABLE: False}
            session.generate_key(KeyType.AES, 256, label=self.key.object, store=True, template=template)

    @contextmanager
    def _key(self) -> Iterator[tuple[Any, Any]]:
        with self.key.session() as session:
            import pkcs11
            from pkcs11.exceptions import PKCS11Error

            try:
                secret = session.get_key(
                    object_class=pkcs11.ObjectClass.SECRET_KEY, key_type=pkcs11.KeyType.AES, label=self.key.object
                )
            except PKCS11Error as error:
                raise InputError(
                    f"no AES key {self.key.object} on the token {self.key.token} ({type(error).__name__}); make it: "
                    f"pkcs11-tool --module {self.key.module} -l --keygen --key-type AES:32 "
                    f"--label {self.key.object}"
                ) from error

            def how(nonce: bytes, context: bytes) -> dict[str, Any]:
                parameters = pkcs11.GCMParams(nonce, context, TAG_BYTES * 8)
                return {"mechanism": pkcs11.Mechanism.AES_GCM, "mechanism_param": parameters}

            yield secret, how
