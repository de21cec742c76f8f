"""age files (age-encryption.org/v1), for readers who have another tool: written and opened through `pyrage`."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from mithridate.core.errors import InputError, MissingExtra, Refused
from mithridate.core.files import whole_file
from mithridate.supply.sealing.bech32 import bech32
from mithridate.supply.sealing.keys import read_identity, read_passphrase, read_recipient
from mithridate.supply.sealing.sealed import regular

if TYPE_CHECKING:
    from mithridate.supply.sealing.recipients import Passphrase

HEADS = (b"age-encryption.org/", b"-----BEGIN AGE ENCRYPTED FILE-----")
MOST_BYTES = 1 << 28  # of a file under a passphrase, which `pyrage` takes into memory whole
_MOST_KEY = 1 << 16  # bytes of a key file
_PUBLIC, _SECRET = "age1", "AGE-SECRET-KEY-1"


@dataclass(frozen=True, slots=True)
class AgeKeys:
    """Who can open, or who opens: X25519 keys in age's spelling, or one passphrase."""

    keys: tuple[str, ...] = ()
    passphrase: str | None = field(default=None, repr=False)


def is_age(path: Path) -> bool:
    """Whether the file begins as an age file does."""
    try:
        with regular(path) as file:
            return file.read(len(HEADS[1])).startswith(HEADS)
    except (InputError, OSError):
        return False


def recipients(public: Sequence[str], passphrase_file: str | None) -> AgeKeys:
    """Who can open a file: `age1...` words, files of them, or X25519 public keys in PEM; or a passphrase.

    Raises
    ------
    InputError : none, a passphrase beside keys (age has one or the other), or a file that holds neither.
    """
    if (passphrase_file is None) == (not public):
        raise InputError("an age file is for --recipient, or under --passphrase-file: one of the two, not both")
    if passphrase_file is not None:
        return AgeKeys(passphrase=_phrase(read_passphrase(Path(passphrase_file))))
    return AgeKeys(tuple(word for item in public for word in _public(item)))


def identities(identity: str | None, passphrase_file: str | None) -> AgeKeys:
    """Who opens a file: the key in a file (`AGE-SECRET-KEY-1...`, or X25519 in PEM), or a passphrase.

    Raises
    ------
    InputError : neither, or a file that holds no key.
    """
    if identity is None and passphrase_file is None:
        raise InputError("say which key opens it: --identity K.pem, or --passphrase-file F")
    phrase = None if passphrase_file is None else _phrase(read_passphrase(Path(passphrase_file)))
    return AgeKeys(() if identity is None else _secret(Path(identity)), phrase)


def _phrase(found: Passphrase) -> str:
    try:
        return found.passphrase.decode()
    except UnicodeDecodeError:
        raise InputError("age takes a passphrase in UTF-8; write the file anew") from None


def _public(item: str) -> list[str]:
    if item.startswith(_PUBLIC) and not Path(item).exists():
        return [item]
    words = [line for line in _lines(Path(item)) if line.startswith(_PUBLIC)]
    if words:
        return words
    raw = read_recipient(Path(item)).key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return [bech32("age", raw)]


def _secret(path: Path) -> tuple[str, ...]:
    words = tuple(line for line in _lines(path) if line.startswith(_SECRET))
    if words:
        return words
    raw = read_identity(path).key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    return (bech32("age-secret-key-", raw).upper(),)


def _lines(path: Path) -> list[str]:
    """The lines of a key file; none where it can't be read, which the reader of PEM says better."""
    try:
        with path.open("rb") as file:
            return file.read(_MOST_KEY).decode("ascii", "replace").splitlines() if path.is_file() else []
    except OSError:
        return []


def seal(source: Path, target: Path, readers: AgeKeys) -> None:
    """Encrypt a file as an age file, which appears whole or not at all.

    Raises
    ------
    MissingExtra : `pyrage` isn't installed.
    InputError : a folder, a file that can't be read, a recipient that isn't one, no room.
    """
    pyrage = _library()
    if source.is_dir():
        raise InputError(f"{source} is a folder, and an age file holds one file; pack it with tar first")
    if os.path.realpath(target) == os.path.realpath(source):
        raise InputError(f"{target} is the source itself; name another place")
    try:
        known = [pyrage.x25519.Recipient.from_str(word) for word in readers.keys]
    except pyrage.RecipientError as error:
        raise InputError(f"that is no age recipient ({error}); it begins with {_PUBLIC}") from error
    with regular(source) as file, whole_file(target, mode=0o666) as sink:
        if readers.passphrase is None:
            pyrage.encrypt_io(file, sink, known)
        else:
            sink.write(pyrage.passphrase.encrypt(_whole(file, source), readers.passphrase))


def open_age(path: Path, target: Path, keys: AgeKeys, *, allow: Callable[[str], None] | None = None) -> str:
    """Decrypt an age file to `target` (readable by its owner alone), all of it or nothing.

    Returns
    -------
    `file`.

    Raises
    ------
    MissingExtra : `pyrage` isn't installed.
    InputError : the file can't be read, or the target not written.
    Refused : no key fits or a byte isn't authentic; then nothing is at `target` that wasn't there before.
    """
    pyrage = _library()
    if os.path.realpath(target) == os.path.realpath(path):
        raise InputError(f"{target} is the sealed file itself; name another place")
    if allow is not None:
        allow("")
    try:
        known = [pyrage.x25519.Identity.from_str(word) for word in keys.keys]
    except pyrage.IdentityError as error:
        raise InputError(f"the file holds no whole age key ({error}); it begins with {_SECRET}") from error
    with regular(path) as file, whole_file(target, mode=0o600) as sink:
        try:
            if keys.passphrase is None:
                pyrage.decrypt_io(file, sink, known)
            else:
                sink.write(_by_phrase(pyrage, _whole(file, path), keys.passphrase, known))
        except (pyrage.DecryptError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            raise Refused(f"the age file doesn't open: {_said(error)}") from error
    return "file"


def _by_phrase(pyrage: Any, raw: bytes, passphrase: str, known: list[Any]) -> bytes:
    """The content, by the passphrase or else by the keys: an age file is for one of the two."""
    try:
        return bytes(pyrage.passphrase.decrypt(raw, passphrase))
    except pyrage.DecryptError:
        if not known:
            raise
        return bytes(pyrage.decrypt(raw, known))


def _whole(file: Any, path: Path) -> bytes:
    if os.fstat(file.fileno()).st_size > MOST_BYTES:
        raise InputError(
            f"{path} has over {MOST_BYTES >> 20} MiB, too much for a passphrase in an age file (held in memory); "
            "name a --recipient, or leave --format out"
        )
    return bytes(file.read(MOST_BYTES + 1))


def _said(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0][:200] if lines else type(error).__name__


def _library() -> Any:
    try:
        import pyrage  # an option, and not among what the type checker knows
    except ImportError as error:
        raise MissingExtra("pyrage", "age", "an age file") from error
    return pyrage
