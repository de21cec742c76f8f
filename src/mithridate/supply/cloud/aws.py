"""Keys of AWS KMS: asymmetric ones sign, symmetric ones wrap."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from mithridate.core.errors import InputError, MissingExtra, Refused
from mithridate.supply.cloud.port import digest_of

SCHEME = "awskms:"
CONNECT_S, READ_S, TRIES = 5, 15, 3
MOST_RAW = 4096  # bytes of a message that the service takes whole
_SHOWN = 160  # letters of what the library says
_ID = r"(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32})"
_ALIAS = r"alias/[a-zA-Z0-9/_-]{1,250}"
_ADDRESS = re.compile(
    rf"{_ID}|{_ALIAS}|arn:aws[a-z-]*:kms:(?P<region>[a-z0-9-]{{1,32}}):\d{{12}}:(?:key/{_ID}|{_ALIAS})"
)
_ALGORITHMS: Mapping[str, str] = MappingProxyType(
    {"p256": "ECDSA_SHA_256", "p384": "ECDSA_SHA_384", "p521": "ECDSA_SHA_512", "ed25519": "ED25519_SHA_512"}
)
_KINDS = (
    "signing takes an asymmetric key (ECC_NIST_P256, SIGN_VERIFY), sealing a symmetric one (SYMMETRIC_DEFAULT), and "
    "this is another kind"
)
_STALE = "the credentials aren't valid; look at them with: aws sts get-caller-identity"
_BUSY = "the service can't at the moment; try again in a minute"
_SAID: Mapping[str, str] = MappingProxyType({
    "AccessDeniedException": "these credentials may not use it so; allow kms:{action} in the key's policy or in IAM",
    "DisabledException": "it is disabled; enable it: aws kms enable-key --key-id KEY",
    "KMSInvalidStateException": "its state doesn't allow that; it may wait for deletion: aws kms describe-key",
    "NotFoundException": "there is no such key in {region}; look at the name, the account and the region (AWS_REGION)",
    "InvalidArnException": "its ARN isn't valid; copy it from: aws kms describe-key",
    "InvalidKeyUsageException": _KINDS, "UnsupportedOperationException": _KINDS,
    "UnrecognizedClientException": _STALE, "InvalidClientTokenId": _STALE, "InvalidSignatureException": _STALE,
    "SignatureDoesNotMatch": _STALE, "IncompleteSignature": _STALE, "MissingAuthenticationToken": _STALE,
    "ExpiredTokenException": "the credentials have expired; sign in again",
    "ExpiredToken": "the credentials have expired; sign in again",
    "ThrottlingException": _BUSY, "KeyUnavailableException": _BUSY, "DependencyTimeoutException": _BUSY,
    "KMSInternalException": _BUSY, "ServiceUnavailable": _BUSY,
})  # fmt: skip
_METHODS: Mapping[str, str] = MappingProxyType(
    {"Sign": "sign", "GetPublicKey": "get_public_key", "Encrypt": "encrypt", "Decrypt": "decrypt"}
)
_DOING: Mapping[str, str] = MappingProxyType(
    {"Sign": "sign with", "GetPublicKey": "give the public half of", "Encrypt": "wrap with", "Decrypt": "unwrap with"}
)
_NOT_OURS = frozenset({"InvalidCiphertextException", "IncorrectKeyException"})
_MISSING: Mapping[str, str] = MappingProxyType({
    "NoCredentialsError": "there are no credentials; give them as to any AWS tool: aws configure, or AWS_PROFILE",
    "NoRegionError": "no region is known; set AWS_REGION, or name the key by its ARN",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class AwsKey:
    """A key by alias, id or ARN, which alone names a region; else region and credentials are those of boto3's chain.

    References
    ----------
    AWS Key Management Service API Reference: Sign, GetPublicKey, Encrypt, Decrypt.
    """

    key: str
    region: str | None = None
    _made: list[Any] = field(default_factory=list, compare=False, repr=False)  # the client, once there is one

    @classmethod
    def parse(cls, address: str) -> AwsKey:
        """From `awskms:alias/NAME`, `awskms:ID` or `awskms:ARN`; `awskms:///...`, as others write it, is the same.

        Raises
        ------
        InputError : none of these.
        """
        key = address.removeprefix(SCHEME).removeprefix("///")
        found = _ADDRESS.fullmatch(key)
        if found is None:
            raise InputError(f"a key of AWS KMS is awskms:alias/NAME, awskms:ID or awskms:ARN, got {address[:120]!r}")
        return cls(key, found["region"])

    @property
    def name(self) -> str:
        """The address; an ARN has the account's number in it, an alias hasn't."""
        return SCHEME + self.key

    def fits(self, name: str) -> bool:
        """What AWS wrapped says itself by which key: alias, id and ARN may name one key."""
        return name.startswith(SCHEME)

    def public_key(self) -> bytes:
        """DER, by GetPublicKey."""
        return self._ask("GetPublicKey", "PublicKey")

    def sign(self, data: bytes, algorithm: str) -> bytes:
        """By Sign; an EC key is sent the digest of what is over 4,096 bytes.

        Raises
        ------
        InputError : the service doesn't sign, or an Ed25519 key is to sign more than 4,096 bytes.
        """
        kind, sent, digest = "RAW", data, digest_of(data, algorithm)
        if len(data) > MOST_RAW:
            if digest is None:
                raise InputError(
                    f"{self.name} signs at most {MOST_RAW:,} bytes with Ed25519, and this statement has {len(data):,}; "
                    "sign it with an ECC_NIST_P256 key"
                )
            kind, sent = "DIGEST", digest
        return self._ask("Sign", "Signature", Message=sent, MessageType=kind, SigningAlgorithm=_ALGORITHMS[algorithm])

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """By Encrypt, with the context as encryption context."""
        return self._ask("Encrypt", "CiphertextBlob", Plaintext=key, EncryptionContext=_context(context))

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """By Decrypt with this key alone; `Refused` when another key or another context wrapped it."""
        return self._ask("Decrypt", "Plaintext", CiphertextBlob=wrapped, EncryptionContext=_context(context))

    def _ask(self, action: str, wanted: str, **given: Any) -> bytes:
        with _in_words(self, action):
            if not self._made:
                self._made.append(_client(self.region))
            ask = getattr(self._made[0], _METHODS[action])
            return bytes(ask(KeyId=self.key, **given)[wanted])


def _client(region: str | None) -> Any:
    import boto3
    from botocore.config import Config

    waits = Config(
        connect_timeout=CONNECT_S, read_timeout=READ_S, retries={"total_max_attempts": TRIES, "mode": "standard"}
    )
    return boto3.session.Session().client("kms", region_name=region, config=waits)


def _context(context: bytes) -> dict[str, str]:
    return {"mithridate": base64.b64encode(context).decode("ascii")}


@contextmanager
def _in_words(key: AwsKey, action: str) -> Iterator[None]:
    """Whatever the library raises as one line."""
    try:
        import boto3  # noqa: F401 - whether it is there
        from botocore import exceptions as theirs
    except ImportError as error:
        raise MissingExtra("boto3", "kms", "a key of AWS KMS") from error
    try:
        yield
    except theirs.ClientError as error:
        raise _answered(key, action, error.response.get("Error", {})) from error
    except (theirs.ConnectionError, theirs.HTTPClientError) as error:
        raise InputError(f"AWS KMS can't be reached for {key.name}: {_line(error)}; look at the network") from error
    except theirs.BotoCoreError as error:
        why = _MISSING.get(type(error).__name__, f"{_line(error)}; look at the AWS configuration")
        raise InputError(f"AWS KMS can't be asked for {key.name}: {why}") from error
    except Exception as error:  # the library's parsers raise their own; what answers need not be the service
        why = f"{type(error).__name__} {_line(error)}; look at the AWS configuration, and at what answers"
        raise InputError(f"AWS KMS can't be asked for {key.name}: {why}") from error


def _answered(key: AwsKey, action: str, error: Mapping[str, Any]) -> InputError | Refused:
    """The service's refusal in words, by its code."""
    code, text = _line(error.get("Code", "")), _line(error.get("Message", ""))
    if action == "Decrypt" and (code in _NOT_OURS or "ciphertext refers to" in text):
        return Refused(f"the key {key.name} did not wrap this ({code})")
    known = _SAID.get(code)
    where = key.region or "this region"
    why = known.format(action=action, region=where) if known is not None else f"it answered {code}: {text}"
    return InputError(f"AWS KMS doesn't {_DOING[action]} {key.name}: {why}")


def _line(said: object) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in str(said)).split())[:_SHOWN].rstrip(".")
