"""DSSE envelopes in a sigstore bundle: bytes, their type, and signatures over both.

The bundle is the one that OpenSSF model-signing 1.x reads and writes (media type of version 0.3, a key's hint, no log).
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mithridate.core.errors import InputError
from mithridate.core.files import read_small
from mithridate.supply.signing.keys import PublicKey, Signer
from mithridate.supply.signing.statement import PAYLOAD, Statement

MEDIA = "application/vnd.dev.sigstore.bundle.v0.3+json"
MOST_BYTES = 1 << 28  # of a bundle
MOST_SIGNATURES = 64


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature; `key_id` only says which key to try."""

    key_id: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    """What was signed, and by whom as far as it says itself."""

    payload: bytes
    signatures: tuple[Signature, ...]
    payload_type: str = PAYLOAD

    def signers(self, keys: Sequence[PublicKey]) -> tuple[PublicKey, ...]:
        """The keys that signed this, of those given; each at most once, whatever the envelope says of itself."""
        message = pae(self.payload_type, self.payload)
        unique = {key.id: key for key in keys}
        return tuple(key for key in unique.values() if any(key.verifies(s.raw, message) for s in self.signatures))

    def statement(self) -> Statement:
        """The statement inside; only what `signers` vouch for is worth reading.

        Raises
        ------
        InputError : another type of payload, or no statement.
        """
        if self.payload_type != PAYLOAD:
            raise InputError(f"the envelope holds {self.payload_type[:80]!r}, not {PAYLOAD}; sign the artefact again")
        return Statement.from_bytes(self.payload)

    def to_bytes(self) -> bytes:
        """The bundle as JSON."""
        signatures = [{"sig": _encode(s.raw), "keyid": s.key_id} for s in self.signatures]
        hint = self.signatures[0].key_id if self.signatures else ""
        bundle = {
            "mediaType": MEDIA,
            "verificationMaterial": {"publicKey": {"hint": hint}, "tlogEntries": []},
            "dsseEnvelope": {
                "payload": _encode(self.payload), "payloadType": self.payload_type, "signatures": signatures
            },
        }  # fmt: skip
        return json.dumps(bundle, indent=1).encode() + b"\n"

    @classmethod
    def from_bytes(cls, raw: bytes, name: str = "the signature") -> Envelope:
        """The envelope in a bundle, or a bare DSSE envelope.

        Raises
        ------
        InputError : anything else.
        """
        try:
            found = json.loads(raw)
            inner = found.get("dsseEnvelope", found)
            hint = str(_hint(found))
            signatures = inner["signatures"][:MOST_SIGNATURES]
            parsed = tuple(Signature(str(item.get("keyid") or hint), _decode(item["sig"])) for item in signatures)
            return cls(_decode(inner["payload"]), parsed, str(inner["payloadType"]))
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise InputError(
                f"{name} is no signature bundle ({type(error).__name__}); make one with `mithridate sign`"
            ) from error


def _hint(found: dict[str, Any]) -> Any:
    return found.get("verificationMaterial", {}).get("publicKey", {}).get("hint") or ""


def pae(payload_type: str, payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding: the bytes that are signed.

    Examples
    --------
    >>> pae("text", b"hi")
    b'DSSEv1 4 text 2 hi'
    """
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def seal(statement: Statement, signers: Sequence[Signer]) -> Envelope:
    """The statement, signed by each of these keys.

    Raises
    ------
    InputError : no key.
    """
    if not signers:
        raise InputError("a signature needs a key; pass --key K.pem")
    payload = statement.to_bytes()
    message = pae(PAYLOAD, payload)
    signatures = tuple(Signature(signer.public_key().id, signer.sign(message)) for signer in signers)
    return Envelope(payload, signatures)


def read_envelope(path: str | Path) -> Envelope:
    """The envelope in a file.

    Raises
    ------
    InputError : it can't be read, is too large, or is no bundle.
    """
    return Envelope.from_bytes(read_small(path, what="signature", limit=MOST_BYTES), str(path))


def _encode(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _decode(text: Any) -> bytes:
    try:
        return base64.b64decode(str(text), validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error
