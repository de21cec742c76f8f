"""Keys on a PKCS#11 token (smart card, HSM, SoftHSM): an AES key that never leaves it wraps the file key."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

from mithridate.core.errors import InputError, MissingExtra, Refused

NONCE_BYTES, TAG_BYTES = 12, 16


@dataclass(frozen=True, slots=True)
class Pkcs11Kms:
    """An AES-256 key of a token, by label.

    token, object : their labels. module : the token's library, which is loaded into this process; it comes from the
    command line, never from a sealed file. pin_file : a file that holds the user PIN.
    """

    token: str
    object: str
    module: Path
    pin_file: Path

    @classmethod
    def parse(cls, uri: str) -> Pkcs11Kms:
        """From a PKCS#11 URI: `pkcs11:token=T;object=K?module-path=/usr/lib/.../lib.so&pin-source=file:PIN`.

        Raises
        ------
        InputError : one of the four parts is missing.

        References
        ----------
        RFC 7512, The PKCS #11 URI scheme.
        """
        path, _, query = uri.removeprefix("pkcs11:").partition("?")
        parts = dict(item.partition("=")[::2] for item in path.split(";") if "=" in item)
        parts = {name: unquote(value) for name, value in parts.items()} | dict(parse_qsl(query))
        missing = [name for name in ("token", "object", "module-path", "pin-source") if not parts.get(name)]
        if missing:
            raise InputError(
                f"the PKCS#11 address lacks {', '.join(missing)}; write it as "
                "pkcs11:token=T;object=K?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:PIN"
            )
        pin = parts["pin-source"].removeprefix("file:")
        return cls(parts["token"], parts["object"], Path(parts["module-path"]), Path(pin))

    @property
    def name(self) -> str:
        """The labels, as in the URI's path."""
        return f"pkcs11:token={self.token};object={self.object}"

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

        with self._session() as session:
            if list(session.get_objects({pkcs11.Attribute.LABEL: self.object})):
                raise InputError(f"the token {self.token} has an object {self.object} already; give another label")
            template = {pkcs11.Attribute.SENSITIVE: True, pkcs11.Attribute.EXTRACTABLE: False}
            session.generate_key(KeyType.AES, 256, label=self.object, store=True, template=template)

    @contextmanager
    def _key(self) -> Iterator[tuple[Any, Any]]:
        with self._session() as session:
            import pkcs11
            from pkcs11.exceptions import PKCS11Error

            try:
                secret = session.get_key(
                    object_class=pkcs11.ObjectClass.SECRET_KEY, key_type=pkcs11.KeyType.AES, label=self.object
                )
            except PKCS11Error as error:
                raise InputError(
                    f"no AES key {self.object} on the token {self.token} ({type(error).__name__}); make one with: "
                    f"pkcs11-tool --module {self.module} -l --keygen --key-type AES:32 --label {self.object}"
                ) from error

            def how(nonce: bytes, context: bytes) -> dict[str, Any]:
                parameters = pkcs11.GCMParams(nonce, context, TAG_BYTES * 8)
                return {"mechanism": pkcs11.Mechanism.AES_GCM, "mechanism_param": parameters}

            yield secret, how

    @contextmanager
    def _session(self) -> Iterator[Any]:
        try:
            import pkcs11
            from pkcs11.exceptions import PKCS11Error
        except ImportError as error:
            raise MissingExtra("python-pkcs11", "pkcs11", "a key on a PKCS#11 token") from error
        try:
            pin = self.pin_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"can't read the PIN file {self.pin_file}: {error}") from error
        try:
            token = pkcs11.lib(str(self.module)).get_token(token_label=self.token)
            session = token.open(rw=True, user_pin=pin)
        except (PKCS11Error, RuntimeError, OSError) as error:
            why = type(error).__name__ if isinstance(error, PKCS11Error) else str(error)
            raise InputError(
                f"can't open the token {self.token} with {self.module}: {why}; look at both, and the PIN"
            ) from error
        try:
            yield session
        finally:
            session.close()
