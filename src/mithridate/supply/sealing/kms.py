"""The port for keys that live elsewhere, and its adapter for a key in a file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256, Hash

from mithridate.core.errors import InputError, Refused
from mithridate.core.files import new_file, read_small
from mithridate.supply.sealing.recipients import DOMAIN, KEY_BYTES, decode, encode

NONCE_BYTES = 12
_MOST_FILE = 1 << 10  # bytes of a key file
_MOST_WRAPPED = 4096  # bytes: what a key service may make of 32


class Kms(Protocol):
    """A service that wraps keys under one of its own, which never leaves it.

    `name` is written into the sealed file, so that a reader knows which key it needs: no secret, no path.
    """

    @property
    def name(self) -> str:
        """Which key wraps, the same word at every run."""

    def fits(self, name: str) -> bool:
        """Whether the service may unwrap what was wrapped by the key of that name."""

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """The wrapped key, bound to the context."""

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """The key.

        Raises
        ------
        Refused : it wasn't wrapped by this key, or for another context.
        """


@dataclass(frozen=True, slots=True)
class KmsKey:
    """A key service as recipient and identity."""

    service: Kms

    def wrap(self, file_key: bytes, salt: bytes) -> dict[str, Any]:
        """The stanza: the service's name, and the file key as the service wrapped it."""
        wrapped = self.service.wrap(file_key, DOMAIN + b"kms/" + salt)
        return {"kind": "kms", "name": self.service.name, "wrapped": encode(wrapped)}

    def unwrap(self, stanza: Mapping[str, Any], salt: bytes) -> bytes | None:
        """The file key; None when another key wrapped it."""
        wrapped = decode(stanza, "wrapped")
        if stanza.get("kind") != "kms" or not self.service.fits(str(stanza.get("name"))):
            return None
        if wrapped is None or len(wrapped) > _MOST_WRAPPED:
            return None
        try:
            return self.service.unwrap(wrapped, DOMAIN + b"kms/" + salt)
        except Refused:
            return None


@dataclass(frozen=True, slots=True)
class FileKms:
    """A key service for one machine: a 256-bit key in a file of its owner's, as 64 hexadecimal digits."""

    path: Path

    @classmethod
    def create(cls, path: Path) -> FileKms:
        """Make the key file, 0600.

        Raises
        ------
        InputError : it is there already, or can't be written.
        """
        new_file(path, os.urandom(KEY_BYTES).hex().encode() + b"\n", mode=0o600)
        return cls(path)

    @property
    def name(self) -> str:
        """`file:` and 16 digits of a hash of the key."""
        digest = Hash(SHA256())
        digest.update(DOMAIN + b"kms-name/" + self._key())
        return f"file:{digest.finalize().hex()[:16]}"

    def fits(self, name: str) -> bool:
        """Whether it is this key's name."""
        return name == self.name

    def _key(self) -> bytes:
        how = f"make one with: (umask 077; openssl rand -hex 32 > {self.path})"
        raw = read_small(self.path, what="key file", limit=_MOST_FILE, hint=how)
        try:
            key = bytes.fromhex(raw.decode("ascii").strip())
        except ValueError:
            key = b""
        if len(key) != KEY_BYTES:
            raise InputError(f"{self.path} must hold 64 hexadecimal digits; make it with: openssl rand -hex 32")
        return key

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """A fresh nonce and the key under AES-256-GCM."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + AESGCM(self._key()).encrypt(nonce, key, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """The inverse of `wrap`; `Refused` when it isn't ours."""
        try:
            return AESGCM(self._key()).decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], context)
        except (InvalidTag, ValueError):
            raise Refused(f"the key {self.name} did not wrap this") from None


def service(address: str) -> Kms:
    """The key service at that address: `file:PATH`, a PKCS#11 URI, or a cloud's key (`supply/cloud/port.py`).

    Raises
    ------
    InputError : the address is of another kind, or lacks a part.
    """
    if address.startswith("file:"):
        return FileKms(Path(address.removeprefix("file:")))
    if address.startswith("pkcs11:"):
        from mithridate.supply.sealing.pkcs11 import Pkcs11Kms

        return Pkcs11Kms.parse(address)
    from mithridate.supply.cloud.addresses import cloud_key, is_cloud

    if is_cloud(address):
        return cloud_key(address)
    raise InputError(
        f"a key service is file:PATH, pkcs11:token=T;object=K?... or awskms:alias/NAME, got {address[:80]!r}"
    )
