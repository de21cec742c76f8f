"""Key pairs for signing: Ed25519 and ECDSA in PEM files, and the port behind which any other keeper of keys fits."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Protocol, TypeAlias, cast

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
    load_pem_private_key,
    load_pem_public_key,
)

from mithridate.core.errors import InputError
from mithridate.core.files import new_file, read_small

ALGORITHMS = ("p256", "ed25519")
LEAST_SECRET = 8  # bytes of a passphrase
_MOST = 1 << 16  # bytes of a key file

_HASHES: Mapping[str, hashes.HashAlgorithm] = MappingProxyType(
    {"secp256r1": hashes.SHA256(), "secp384r1": hashes.SHA384(), "secp521r1": hashes.SHA512()}
)
_NAMES = {"secp256r1": "p256", "secp384r1": "p384", "secp521r1": "p521"}

_Private: TypeAlias = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey
_Public: TypeAlias = ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey


class Signer(Protocol):
    """The port: a file, a PKCS#11 token or a key service; the private key need never leave it.

    An ECDSA signature is ASN.1 DER over SHA-256 of the message (P-384: SHA-384, P-521: SHA-512).
    """

    def sign(self, message: bytes) -> bytes:
        """The signature over these bytes."""

    def public_key(self) -> PublicKey:
        """The key that checks it."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key as PEM; `id` is the SHA-256 (hex) of that PEM, as sigstore bundles name keys."""

    pem: bytes
    algorithm: str

    @property
    def id(self) -> str:
        """64 hex letters."""
        return hashlib.sha256(self.pem).hexdigest()

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether the signature over these bytes is this key's."""
        key = cast("_Public", load_pem_public_key(self.pem))
        try:
            if isinstance(key, ed25519.Ed25519PublicKey):
                key.verify(signature, message)
            else:
                key.verify(signature, message, ec.ECDSA(_HASHES[key.curve.name]))
        except (InvalidSignature, ValueError):
            return False
        return True


class FileKey:
    """A private key that was read from a file; `repr` shows the public part alone."""

    __slots__ = ("_key",)

    def __init__(self, key: _Private) -> None:
        self._key = key

    def __repr__(self) -> str:
        return f"FileKey({self.public_key().id[:16]})"

    def sign(self, message: bytes) -> bytes:
        """The signature over these bytes."""
        if isinstance(self._key, ed25519.Ed25519PrivateKey):
            return self._key.sign(message)
        return self._key.sign(message, ec.ECDSA(_HASHES[self._key.curve.name]))

    def public_key(self) -> PublicKey:
        """The key that checks it."""
        return _public(self._key.public_key())


def new_key(path: str | Path, *, algorithm: str = "p256", passphrase: bytes | None = None) -> PublicKey:
    """Write a new private key to `path` (mode 0600) and its public key beside it (`.pub`).

    Raises
    ------
    InputError : one of the two is there already (a key is never overwritten), an unknown algorithm, a folder that
        can't be written, a passphrase of fewer than 8 bytes.
    """
    if algorithm not in ALGORITHMS:
        raise InputError(f"algorithm must be one of {', '.join(ALGORITHMS)}, got {algorithm!r}")
    if passphrase is not None and len(passphrase) < LEAST_SECRET:
        raise InputError(f"a passphrase has at least {LEAST_SECRET} bytes, this one has {len(passphrase)}")
    private, public = Path(path), public_path(path)
    for there in (private, public):
        if there.exists() or there.is_symlink():
            raise InputError(f"{there} is there already and a key is never overwritten; name another file")
    key: _Private = (
        ed25519.Ed25519PrivateKey.generate() if algorithm == "ed25519" else ec.generate_private_key(ec.SECP256R1())
    )
    cover: KeySerializationEncryption = NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase)
    new_file(private, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, cover), mode=0o600)
    made = _public(key.public_key())
    try:
        new_file(public, made.pem, mode=0o644)
    except InputError:
        private.unlink()
        raise
    return made


def public_path(path: str | Path) -> Path:
    """Where the public key of a private one goes: `K.pem` and `K.pub`.

    Raises
    ------
    InputError : the private key's own name ends in `.pub`, or it has none.
    """
    found = Path(path)
    if not found.name or found.suffix == ".pub":
        raise InputError(f"{path} is no name for a private key; give one such as K.pem, its public half is K.pub")
    return found.with_suffix(".pub")


def load_private(path: str | Path, *, passphrase: bytes | None = None) -> FileKey:
    """The private key in a PEM file.

    Raises
    ------
    InputError : no such file, no signing key of a known kind, a wrong or missing passphrase. The message never holds
        a byte of the file.
    """
    raw = read_small(path, what="key", limit=_MOST, hint="give a PEM file, as keygen writes it")
    try:
        key = load_pem_private_key(raw, passphrase)
    except TypeError as error:
        said = "has a passphrase; pass --passphrase-file" if passphrase is None else "has no passphrase; leave it out"
        raise InputError(f"{path} {said}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        wrong = " or another passphrase" if passphrase is not None else ""
        raise InputError(
            f"{path} is no private key in PEM{wrong}; make one with `mithridate keygen -o K.pem`"
        ) from error
    if not isinstance(key, ed25519.Ed25519PrivateKey) and not _known_curve(key):
        raise InputError(f"{path} is no signing key (Ed25519 or EC P-256/384/521); `mithridate keygen` makes one")
    return FileKey(cast("_Private", key))


def load_public(path: str | Path) -> PublicKey:
    """The public key in a PEM file.

    Raises
    ------
    InputError : no such file, no public key of a known kind; a private key is refused, so that none is handed around.
    """
    raw = read_small(path, what="public key", limit=_MOST, hint="give a PEM file, as keygen writes it")
    if b"PRIVATE KEY" in raw:
        raise InputError(f"{path} is a private key; pass the .pub file beside it, and keep this one to yourself")
    try:
        key = load_pem_public_key(raw)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InputError(f"{path} is no public key in PEM; pass the .pub file that keygen wrote") from error
    if not isinstance(key, ed25519.Ed25519PublicKey) and not _known_curve(key):
        raise InputError(f"{path} is no key that checks signatures (Ed25519 or EC P-256/384/521)")
    return _public(cast("_Public", key))


def public_from_der(raw: bytes, name: str) -> PublicKey:
    """The public key in DER (SubjectPublicKeyInfo), as key services give it; `name` is what errors call it.

    Raises
    ------
    InputError : no public key of a known kind.
    """
    try:
        key = load_der_public_key(raw)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InputError(f"{name} gave no public key that can be read ({type(error).__name__})") from error
    if not isinstance(key, ed25519.Ed25519PublicKey) and not _known_curve(key):
        raise InputError(f"{name} is no key whose signatures can be checked here (Ed25519 or EC P-256/384/521)")
    return _public(cast("_Public", key))


def _known_curve(key: object) -> bool:
    return isinstance(key, ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey) and key.curve.name in _HASHES


def _public(key: _Public) -> PublicKey:
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return PublicKey(pem, "ed25519" if isinstance(key, ed25519.Ed25519PublicKey) else _NAMES[key.curve.name])
