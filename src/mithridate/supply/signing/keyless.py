"""Signatures by an identity instead of a key: sigstore, where a short-lived certificate and a public log stand for it.

Checking needs no network: bundle, certificate and log entry are held against a trust root in a file, by default the
one that the `sigstore` package brings or last fetched. Signing asks sigstore's public services.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mithridate.core.errors import InputError, MissingExtra, Refused
from mithridate.core.files import read_small
from mithridate.supply.signing.dsse import MOST_BYTES
from mithridate.supply.signing.statement import PAYLOAD, Statement

if TYPE_CHECKING:
    from sigstore.models import Bundle
    from sigstore.verify import Verifier

_MOST_TOKEN = 1 << 16  # bytes
_MOST_ROOT = 1 << 24  # bytes
_SHOWN = 200  # letters of what the library says
_LOGGERS = ("sigstore", "sigstore._internal.tuf", "tuf")


@dataclass(frozen=True, slots=True)
class Signatory:
    """Who must have signed: an identity (mail address or URI) as an issuer vouched for it.

    trust_root : a trusted root in sigstore's JSON; None: the public one that the package brings.
    """

    identity: str
    issuer: str
    trust_root: Path | None = None

    @property
    def name(self) -> str:
        """Identity and issuer."""
        return f"identity {self.identity} ({self.issuer})"


def is_keyless(path: Path) -> bool:
    """Whether a signature was made with a certificate, as sigstore does, and not with a key."""
    try:
        material = json.loads(read_small(path, what="signature", limit=MOST_BYTES)).get("verificationMaterial", {})
        return bool({"certificate", "x509CertificateChain"} & set(material))
    except (ValueError, AttributeError, TypeError, RecursionError):
        return False


def usable(signatory: Signatory) -> None:
    """Raise now what every check for this identity would.

    Raises
    ------
    MissingExtra : `sigstore` isn't installed. InputError : the trust root can't be used.
    """
    with _library():
        _verifier(signatory.trust_root)


def check(path: Path, artefact: Path | None, signatory: Signatory) -> Statement | None:
    """The statement in a bundle that this identity signed; None where it signed the artefact's own bytes.

    Parameters
    ----------
    artefact : what may have been signed without a statement; None: only a statement will do.

    Raises
    ------
    MissingExtra : `sigstore` isn't installed.
    InputError : no bundle, no trust root, or bytes are signed and the artefact is a folder.
    Refused : another identity or issuer signed it, it isn't in the log, or a bit was changed.

    References
    ----------
    Newman, Meyers, Torres-Arias (2022), Sigstore: software signing for everybody, CCS.
    """
    with _library():
        from sigstore.models import Bundle
        from sigstore.verify.policy import Identity

        raw = read_small(path, what="signature", limit=MOST_BYTES)
        try:
            bundle = Bundle.from_json(raw)
        except Exception as error:  # the library lets its parsers' own errors through
            raise InputError(f"{path.name} is no whole sigstore bundle ({_first(error)}); take it again") from error
        verifier = _verifier(signatory.trust_root)
        policy = Identity(identity=signatory.identity, issuer=signatory.issuer)
        try:
            return _checked(verifier, bundle, policy, artefact)
        except InputError:
            raise
        except Exception as error:  # whatever a hostile bundle brings about, it doesn't hold
            raise Refused(_first(error)) from error


def _checked(verifier: Verifier, bundle: Bundle, policy: Any, artefact: Path | None) -> Statement | None:
    if "dsseEnvelope" in json.loads(bundle.to_json()):
        kind, payload = verifier.verify_dsse(bundle, policy)
        if kind != PAYLOAD:
            raise InputError(f"the bundle holds {kind[:80]!r}, not {PAYLOAD}; sign the artefact again")
        return Statement.from_bytes(payload)
    if artefact is None:
        raise InputError("the bundle signs the bytes of a file and states nothing of it; check it with `verify`")
    if not artefact.is_file():
        raise InputError("the bundle signs the bytes of one file; name that file, not a folder")
    from sigstore.hashes import Hashed
    from sigstore_models.common.v1 import HashAlgorithm

    with artefact.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").digest()
    verifier.verify_artifact(Hashed(algorithm=HashAlgorithm.SHA2_256, digest=digest), bundle, policy)
    return None


def sign(statement: Statement, token_file: Path | None) -> bytes:
    """A bundle in which the identity of a token vouches for the statement; the statement gets into a public log.

    Parameters
    ----------
    token_file : holds an OIDC identity token for the audience `sigstore`; None: the one that a CI job offers.

    Raises
    ------
    MissingExtra : `sigstore` isn't installed.
    InputError : no identity token, one that isn't valid, or sigstore's services can't be reached.
    """
    with _library():
        from sigstore.dsse import Statement as Theirs
        from sigstore.models import ClientTrustConfig
        from sigstore.oidc import IdentityToken
        from sigstore.sign import SigningContext

        try:
            token = IdentityToken(_token(token_file))
        except InputError:
            raise
        except Exception as error:
            raise InputError(f"the identity token can't be used ({_first(error)}); fetch a new one") from error
        try:
            context = SigningContext.from_trust_config(ClientTrustConfig.production())
            with context.signer(token) as signer:
                return signer.sign_dsse(Theirs(statement.to_bytes())).to_json().encode() + b"\n"
        except Exception as error:  # network errors of three libraries
            raise InputError(
                f"sigstore's services didn't sign ({_first(error)}); signing with an identity needs the network, "
                "with a key (--key) it doesn't"
            ) from error


def _token(path: Path | None) -> str:
    if path is None:
        from sigstore.oidc import detect_credential

        try:
            found = detect_credential()
        except Exception as error:
            raise InputError(f"this CI job's identity can't be had ({_first(error)}); allow it an id-token") from error
        if not found:
            raise InputError(
                "no identity here: run in a CI job that offers one, or pass a file with a token (--identity-token F)"
            )
        return found
    raw = read_small(path, what="identity token", limit=_MOST_TOKEN, hint="see --identity-token")
    return raw.decode("ascii", "replace").strip()


def _verifier(trust_root: Path | None) -> Verifier:
    from sigstore.models import TrustedRoot
    from sigstore.verify import Verifier

    if trust_root is not None:
        read_small(trust_root, what="trust root", limit=_MOST_ROOT, hint="see --trust-root")  # no pipe, no bomb
    try:
        if trust_root is None:
            return Verifier.production(offline=True)
        return Verifier(trusted_root=TrustedRoot.from_file(str(trust_root)))
    except Exception as error:
        which = "that the package brings" if trust_root is None else str(trust_root)
        raise InputError(
            f"the trust root {which} can't be used ({_first(error)}); pass one with --trust-root"
        ) from error


@contextmanager
def _library() -> Iterator[None]:
    """The library at hand, and no word of it on the terminal."""
    try:
        import sigstore.verify  # noqa: F401 - whether it is there
    except ImportError as error:
        raise MissingExtra("sigstore", "sigstore", "a signature by an identity") from error
    levels = {name: logging.getLogger(name).level for name in _LOGGERS}
    try:
        for name in _LOGGERS:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def _first(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:_SHOWN]
