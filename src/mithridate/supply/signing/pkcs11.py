"""Signing keys on a PKCS#11 token: the private key never leaves it, and signs there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mithridate.core.errors import InputError
from mithridate.supply.signing.keys import PublicKey
from mithridate.supply.token import TokenKey

_OCTETS = 0x04  # DER's tag of an OCTET STRING, and the first byte of an uncompressed point
_RAW = 32  # bytes of an Ed25519 public key


class _Curve(NamedTuple):
    """A curve by its DER object identifier: our name for it, its class, its hash, bytes of a coordinate."""

    algorithm: str
    curve: ec.EllipticCurve
    hashed: Callable[[bytes], Any]
    size: int


_CURVES: Mapping[bytes, _Curve] = MappingProxyType({
    bytes.fromhex("06082a8648ce3d030107"): _Curve("p256", ec.SECP256R1(), hashlib.sha256, 32),
    bytes.fromhex("06052b81040022"): _Curve("p384", ec.SECP384R1(), hashlib.sha384, 48),
    bytes.fromhex("06052b81040023"): _Curve("p521", ec.SECP521R1(), hashlib.sha512, 66),
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pkcs11Signer:
    """An EC (P-256, P-384, P-521) or Ed25519 key pair of a token, by label: private and public object carry it both.

    References
    ----------
    OASIS, PKCS #11 Cryptographic Token Interface 3.0, CKM_ECDSA and CKM_EDDSA. RFC 7512, The PKCS #11 URI scheme.
    """

    key: TokenKey

    @classmethod
    def parse(cls, uri: str) -> Pkcs11Signer:
        """From a PKCS#11 URI; see `TokenKey.parse`."""
        return cls(TokenKey.parse(uri))

    def public_key(self) -> PublicKey:
        """The key that checks, read from the token.

        Raises
        ------
        InputError : the token can't be used, or has no such public key of a kind that signs.
        """
        import pkcs11

        with self.key.session() as session:
            found = self._object(session, pkcs11.ObjectClass.PUBLIC_KEY)
            return _public(found, self.key.name)

    def sign(self, message: bytes) -> bytes:
        """The signature over these bytes: ASN.1 DER for EC, 64 bytes for Ed25519.

        Raises
        ------
        InputError : the token can't be used, has no such key or doesn't sign with it; or the signature isn't that of
            the public key with the same label.
        """
        import pkcs11
        from pkcs11.exceptions import PKCS11Error

        with self.key.session() as session:
            private = self._object(session, pkcs11.ObjectClass.PRIVATE_KEY)
            public = _public(self._object(session, pkcs11.ObjectClass.PUBLIC_KEY), self.key.name)
            try:
                signature = _signature(private, public, message)
            except PKCS11Error as error:
                raise InputError(
                    f"the key {self.key.name} doesn't sign ({type(error).__name__}); it must be allowed to, and the "
                    f"token must know the mechanism for {public.algorithm}"
                ) from error
        if not public.verifies(signature, message):
            raise InputError(
                f"the private and the public key {self.key.object} on the token {self.key.token} are no pair; give "
                "each pair a label of its own"
            )
        return signature

    def create_key(self, algorithm: str) -> PublicKey:
        """Make a pair on the token, whose private key can't be read out.

        Raises
        ------
        InputError : there is an object of that label, or the token can't make such a key.
        """
        import pkcs11
        from pkcs11.exceptions import PKCS11Error
        from pkcs11.util.ec import encode_named_curve_parameters

        kind, curve = (
            (pkcs11.KeyType.EC_EDWARDS, "1.3.101.112") if algorithm == "ed25519" else (pkcs11.KeyType.EC, "secp256r1")
        )
        hidden = {pkcs11.Attribute.SENSITIVE: True, pkcs11.Attribute.EXTRACTABLE: False}
        with self.key.session() as session:
            self.key.refuse_taken(session)
            try:
                domain = session.create_domain_parameters(
                    kind, {pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters(curve)}, local=True
                )
                public, _ = domain.generate_keypair(label=self.key.object, store=True, private_template=hidden)
            except PKCS11Error as error:
                raise InputError(
                    f"the token {self.key.token} can't make an {algorithm} key ({type(error).__name__}); try another "
                    "--algorithm"
                ) from error
            return _public(public, self.key.name)

    def has_key(self) -> bool:
        """Whether the token has an object of that label."""
        import pkcs11

        with self.key.session() as session:
            return any(session.get_objects({pkcs11.Attribute.LABEL: self.key.object}))

    def _object(self, session: Any, kind: Any) -> Any:
        import pkcs11

        wanted = {pkcs11.Attribute.LABEL: self.key.object, pkcs11.Attribute.CLASS: kind}
        found = list(session.get_objects(wanted))
        if len(found) != 1:
            word = "private" if kind == pkcs11.ObjectClass.PRIVATE_KEY else "public"
            said = f"{len(found)} {word} keys" if found else f"no {word} key"
            raise InputError(
                f"{said} {self.key.object} on the token {self.key.token}; make a pair with: mithridate keygen "
                "--token 'pkcs11:...' -o K.pub"
            )
        return found[0]


def _signature(private: Any, public: PublicKey, message: bytes) -> bytes:
    import pkcs11

    if public.algorithm == "ed25519":
        return bytes(private.sign(message, mechanism=pkcs11.Mechanism.EDDSA))
    hashed = next(curve.hashed for curve in _CURVES.values() if curve.algorithm == public.algorithm)
    raw = bytes(private.sign(hashed(message).digest(), mechanism=pkcs11.Mechanism.ECDSA))
    half = len(raw) // 2
    return encode_dss_signature(int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big"))


def _public(found: Any, name: str) -> PublicKey:
    """The token's public key as PEM; the point stands there bare or as a DER octet string."""
    import pkcs11

    try:
        parameters, point = bytes(found[pkcs11.Attribute.EC_PARAMS]), bytes(found[pkcs11.Attribute.EC_POINT])
        known = _CURVES.get(parameters)
        if known is not None:
            raw = bare_point(point, 1 + 2 * known.size)
            key: Any = ec.EllipticCurvePublicKey.from_encoded_point(known.curve, raw)
        elif found.key_type == pkcs11.KeyType.EC_EDWARDS:
            key = ed25519.Ed25519PublicKey.from_public_bytes(bare_point(point, _RAW))
        else:
            raise InputError(f"the key {name} is on another curve; use P-256, P-384, P-521 or Ed25519")
    except (pkcs11.exceptions.PKCS11Error, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"the key {name} is no EC or Ed25519 key; make one with `mithridate keygen --token`"
        ) from error
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return PublicKey(pem, known.algorithm if known is not None else "ed25519")


def bare_point(point: bytes, length: int) -> bytes:
    """The point without the octet string that some tokens put around it."""
    return point if len(point) == length or point[:1] != bytes([_OCTETS]) else point[-length:]
