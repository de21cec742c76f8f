"""A sigstore of our own, for tests: an authority of certificates, its log of certificates, and a log of signatures.

It gives what the public services give, by the rules that the `sigstore` package checks (Fulcio's certificate profile,
RFC 6962's signed certificate timestamps and leaf hashes, Rekor's entries of kind dsse 0.0.1), with keys made here. Time
is an argument: a certificate lives ten minutes from then.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

ISSUER = ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
SCTS = ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ECDSA = ec.ECDSA(hashes.SHA256())
PAYLOAD = "application/vnd.in-toto+json"


class SmallSigstore:
    """Its three keys and its root certificate."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now
        self._authority, self._certificates, self._log = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a test's authority")])
        self._root = (
            self._begun(name, name, self._authority.public_key(), timedelta(days=3650))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage(key_cert_sign=True, crl_sign=True), critical=True)
            .sign(self._authority, hashes.SHA256())
        )

    def _begun(
        self, subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, life: timedelta
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.now - timedelta(seconds=1))
            .not_valid_after(self.now + life)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        )

    def trusted_root(self) -> bytes:
        """What a verifier has to have: the JSON of a trusted root."""
        start = {"start": (self.now - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")}
        logs = [
            {
                "baseUrl": "https://log.invalid", "hashAlgorithm": "SHA2_256", "logId": {"keyId": text(key_id(key))},
                "publicKey": {
                    "rawBytes": text(spki(key)), "keyDetails": "PKIX_ECDSA_P256_SHA_256", "validFor": start
                },
            }
            for key in (self._log, self._certificates)
        ]  # fmt: skip
        authority = {
            "subject": {"organization": "test", "commonName": "test"}, "uri": "https://authority.invalid",
            "certChain": {"certificates": [{"rawBytes": text(self._root.public_bytes(Encoding.DER))}]},
            "validFor": start,
        }  # fmt: skip
        return json.dumps({
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": logs[:1], "ctlogs": logs[1:], "certificateAuthorities": [authority], "timestampAuthorities": [],
        }).encode()  # fmt: skip

    def bundle(self, statement: bytes, identity: str, issuer: str, *, late: timedelta = timedelta()) -> bytes:
        """A bundle in which the identity vouches for the statement; `late` after the certificate was given."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._certified(key.public_key(), identity, issuer)
        pae = b"DSSEv1 %d %s %d %s" % (len(PAYLOAD), PAYLOAD.encode(), len(statement), statement)
        signature = text(key.sign(pae, ECDSA))
        pem = text(certificate.public_bytes(Encoding.PEM))
        body = json.dumps({
            "apiVersion": "0.0.1", "kind": "dsse", "spec": {
                "envelopeHash": {"algorithm": "sha256", "value": "0" * 64},
                "payloadHash": {"algorithm": "sha256", "value": hashlib.sha256(statement).hexdigest()},
                "signatures": [{"signature": signature, "verifier": pem}],
            },
        }).encode()  # fmt: skip
        return json.dumps({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {
                "certificate": {"rawBytes": text(certificate.public_bytes(Encoding.DER))},
                "tlogEntries": [self._logged(body, int((self.now + late).timestamp()))],
            },
            "dsseEnvelope": {
                "payload": text(statement), "payloadType": PAYLOAD, "signatures": [{"sig": signature, "keyid": ""}]
            },
        }).encode()  # fmt: skip

    def _certified(self, key: ec.EllipticCurvePublicKey, identity: str, issuer: str) -> x509.Certificate:
        san = x509.SubjectAlternativeName([x509.RFC822Name(identity)])
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._authority.public_key())
        builder = (
            self._begun(x509.Name([]), self._root.subject, key, timedelta(minutes=10))
            .add_extension(authority, critical=False)
            .add_extension(usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
            .add_extension(san, critical=True)
            .add_extension(x509.UnrecognizedExtension(ISSUER, issuer.encode()), critical=False)
        )
        bare = builder.sign(self._authority, hashes.SHA256()).tbs_certificate_bytes
        scts = x509.UnrecognizedExtension(SCTS, self._timestamp(bare))
        return builder.add_extension(scts, critical=False).sign(self._authority, hashes.SHA256())

    def _timestamp(self, bare: bytes) -> bytes:
        """RFC 6962, 3.2 and 3.3: the log's promise over the certificate without it, as an extension's value."""
        when = int(self.now.timestamp() * 1000)
        entry = key_id(self._authority) + len(bare).to_bytes(3, "big") + bare
        signed = struct.pack("!BBQH", 0, 0, when, 1) + entry + struct.pack("!H", 0)
        signature = self._certificates.sign(signed, ECDSA)
        sct = struct.pack("!B32sQHBBH", 0, key_id(self._certificates), when, 0, 4, 3, len(signature)) + signature
        listed = struct.pack("!HH", len(sct) + 2, len(sct)) + sct
        length = bytes([len(listed)]) if len(listed) < 128 else bytes([0x81, len(listed)])
        return b"\x04" + length + listed

    def _logged(self, body: bytes, when: int) -> dict[str, Any]:
        """An entry of a log that holds this one alone, so that its root is the entry's leaf."""
        ident = key_id(self._log)
        root = hashlib.sha256(b"\x00" + body).digest()
        note = f"a test's log\n1\n{text(root)}\n"
        mark = text(ident[:4] + self._log.sign(note.encode(), ECDSA))
        promised = json.dumps(
            {"body": text(body), "integratedTime": when, "logID": ident.hex(), "logIndex": 0},
            separators=(",", ":"), sort_keys=True,
        )  # fmt: skip
        return {
            "logIndex": "0", "logId": {"keyId": text(ident)}, "kindVersion": {"kind": "dsse", "version": "0.0.1"},
            "integratedTime": str(when), "canonicalizedBody": text(body),
            "inclusionPromise": {"signedEntryTimestamp": text(self._log.sign(promised.encode(), ECDSA))},
            "inclusionProof": {
                "logIndex": "0", "rootHash": text(root), "treeSize": "1", "hashes": [],
                "checkpoint": {"envelope": f"{note}\n\u2014 log.invalid {mark}\n"},
            },
        }  # fmt: skip


def usage(**allowed: bool) -> x509.KeyUsage:
    """A key usage of these alone."""
    names = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{name: allowed.get(name, False) for name in names})


def spki(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The public half in DER."""
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def key_id(key: ec.EllipticCurvePrivateKey) -> bytes:
    """SHA-256 of the public half in DER, as both logs are named."""
    return hashlib.sha256(spki(key)).digest()


def text(raw: bytes) -> str:
    """Base64."""
    return base64.b64encode(raw).decode("ascii")
