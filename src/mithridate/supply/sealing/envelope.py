"""The header of a sealed file: what is fixed, who can open it, and a MAC over both.

```
fixed      8  "MITHSEAL"      1  version, 1        1  kind: 0 file, 1 folder (tar)    1  log2 of the chunk size
           1  length of the label     ...  label (UTF-8)    32  salt
stanzas    4  length (big-endian)     ...  JSON list: one object for each recipient
MAC       32  HMAC-SHA256 over everything before it
content       chunks (stream.py), each bound to the fixed part
```
The fixed part is associated data of every chunk; stanzas are not, so that other recipients need no new encryption.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from mithridate.core.errors import InputError, Refused
from mithridate.supply.sealing.recipients import Identity, Recipient, Stanza, derive

MAGIC = b"MITHSEAL"
VERSION = 1
KINDS = ("file", "folder")
CHUNK_LOG2 = 20
SALT_BYTES, MAC_BYTES = 32, 32
LOG2_RANGE = (12, 24)  # chunks of 4 KiB to 16 MiB: what a reader must hold
MOST_STANZA_BYTES = 1 << 20
MOST_STANZAS = 4096  # an X25519 trial takes some 50 us: at most about a fifth of a second
MOST_KMS = 64  # each may be a call over a wire
MOST_ERRORS = 3  # of one service, which may take a minute to time out each time
_SHOWN = 3  # key services that a refusal names
_SHORT = "the header is cut short"


@dataclass(frozen=True, slots=True)
class Fixed:
    """What never changes: `kind` file or folder, the size of chunks, the label that access rules go by, the salt."""

    kind: str
    chunk_log2: int
    label: str
    salt: bytes

    def encode(self) -> bytes:
        """The bytes that every chunk is bound to."""
        label = self.label.encode()
        head = bytes([VERSION, KINDS.index(self.kind), self.chunk_log2, len(label)])
        return MAGIC + head + label + self.salt


@dataclass(frozen=True, slots=True)
class Header:
    """A header as it was read: nothing in it is to be trusted before `unlock` gave a key."""

    fixed: Fixed
    stanzas: tuple[Stanza, ...]
    signed: bytes
    mac: bytes

    @property
    def size(self) -> int:
        """Bytes before the content."""
        return len(self.signed) + MAC_BYTES

    def payload_key(self, file_key: bytes) -> bytes:
        """The key of the content."""
        return derive(file_key, self.fixed.salt, b"payload")


def new_fixed(kind: str, label: str = "", chunk_log2: int = CHUNK_LOG2) -> Fixed:
    """A fixed part with a fresh salt.

    Raises
    ------
    InputError : the label is longer than 255 bytes or can't be printed.
    """
    if len(label.encode(errors="replace")) > 255 or not (label.isprintable() and label.isascii()):  # noqa: PLR2004 - one byte holds the length
        raise InputError(f"a label is at most 255 plain characters, got {label[:40]!r}; give a shorter word")
    return Fixed(kind, chunk_log2, label, os.urandom(SALT_BYTES))


def wrapped(fixed: Fixed, file_key: bytes, recipients: Sequence[Recipient]) -> bytes:
    """The header's bytes: the key wrapped for each recipient, and the MAC.

    Raises
    ------
    InputError : no recipient, more than 4096, or two passphrases.
    """
    if not 0 < len(recipients) <= MOST_STANZAS:
        raise InputError(f"a seal needs 1 to {MOST_STANZAS} recipients, got {len(recipients)}; name them")
    stanzas = [recipient.wrap(file_key, fixed.salt) for recipient in recipients]
    count = Counter(stanza["kind"] for stanza in stanzas)
    if count["scrypt"] > 1 or count["kms"] > MOST_KMS:
        raise InputError(
            f"a seal takes one passphrase and {MOST_KMS} key services; give more readers keys of their own"
        )
    body = json.dumps(stanzas, separators=(",", ":")).encode()
    if len(body) > MOST_STANZA_BYTES:
        raise InputError(f"the recipients' stanzas are larger than {MOST_STANZA_BYTES} bytes; name fewer")
    signed = fixed.encode() + len(body).to_bytes(4, "big") + body
    return signed + _mac(file_key, fixed.salt, signed).finalize()


def _mac(file_key: bytes, salt: bytes, signed: bytes) -> HMAC:
    mac = HMAC(derive(file_key, salt, b"header"), SHA256())
    mac.update(signed)
    return mac


def read_header(descriptor: int) -> Header:
    """The header of the open file, checked for form only.

    Raises
    ------
    Refused : this isn't a sealed file of version 1, or its header is damaged.
    """
    head = os.pread(descriptor, 12 + 255 + SALT_BYTES + 4, 0)
    if not head.startswith(MAGIC):
        raise Refused("this is no sealed file: it doesn't begin as one")
    if len(head) < len(MAGIC) + 4:
        raise Refused(_SHORT)
    version, kind, log2, length = head[8:12]
    if version != VERSION or kind >= len(KINDS) or not LOG2_RANGE[0] <= log2 <= LOG2_RANGE[1]:
        raise Refused(f"no header of version {VERSION}: version {version}, kind {kind}, chunks of 2^{log2} bytes")
    at = 12 + length + SALT_BYTES
    if len(head) < at + 4:
        raise Refused(_SHORT)
    label = head[12 : 12 + length].decode("latin-1")
    if not label.isascii():
        raise Refused("the header is damaged: its label isn't plain text")
    body_length = int.from_bytes(head[at : at + 4], "big")
    if body_length > MOST_STANZA_BYTES:
        raise Refused(f"the header claims {body_length} bytes of recipients; at most {MOST_STANZA_BYTES} are allowed")
    whole = os.pread(descriptor, at + 4 + body_length + MAC_BYTES, 0)
    if len(whole) < at + 4 + body_length + MAC_BYTES:
        raise Refused(_SHORT)
    fixed = Fixed(KINDS[kind], log2, label, head[12 + length : at])
    return Header(fixed, _stanzas(whole[at + 4 : -MAC_BYTES]), whole[:-MAC_BYTES], whole[-MAC_BYTES:])


def _stanzas(body: bytes) -> tuple[Stanza, ...]:
    try:
        found: Any = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused("the header is damaged: its recipients can't be read") from None
    if not isinstance(found, list) or not all(isinstance(stanza, dict) for stanza in found):
        raise Refused("the header is damaged: its recipients are no list of objects")
    count = Counter(str(stanza.get("kind")) for stanza in found)
    if len(found) > MOST_STANZAS or count["scrypt"] > 1 or count["kms"] > MOST_KMS:
        raise Refused(f"the header is damaged: more than {MOST_STANZAS} recipients, two passphrases or many services")
    return tuple(found)


def unlock(header: Header, identities: Sequence[Identity]) -> bytes:
    """The file key, after the MAC showed that the whole header is what the sealer wrote.

    Raises
    ------
    Refused : no identity fits, or the header was changed.
    InputError : no other identity fits, and one couldn't be tried: its key service doesn't answer, or not to us.
    """
    failed: list[list[InputError]] = [[] for _ in identities]
    for stanza in header.stanzas:
        for identity, errors in zip(identities, failed, strict=True):
            file_key = _unwrapped(identity, stanza, header.fixed.salt, errors)
            if file_key is None:
                continue
            try:
                _mac(file_key, header.fixed.salt, header.signed).verify(header.mac)
            except InvalidSignature:
                raise Refused("the header was changed after the file was sealed") from None
            return file_key
    for errors in failed:
        if errors:
            raise errors[0]
    wanted = sorted({str(stanza.get("name")) for stanza in header.stanzas if stanza.get("kind") == "kms"})[:_SHOWN]
    services = f" ({', '.join(map(_plain, wanted))} among them)" if wanted else ""
    raise Refused(f"no key given fits any of the {len(header.stanzas)} recipients{services}, or the header was changed")


def _unwrapped(identity: Identity, stanza: Stanza, salt: bytes, errors: list[InputError]) -> bytes | None:
    """The file key by this identity; a service that failed doesn't keep others from trying, and is asked no more."""
    if len(errors) >= MOST_ERRORS:
        return None
    try:
        return identity.unwrap(stanza, salt)
    except InputError as error:
        errors.append(error)
        return None


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() and c.isascii() else "?" for c in text[:80])


def label_of(path: Path) -> tuple[str, ...]:
    """The label in the header of a sealed file, not yet authenticated; nothing for any other file."""
    try:
        if not path.is_file():
            return ()
        with path.open("rb") as file:
            label = read_header(file.fileno()).fixed.label
    except (OSError, Refused):
        return ()
    return (label,) if label else ()
