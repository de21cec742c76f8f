"""Signatures from an artefact to an answer: what is signed, what a signature vouches for, whether a policy is met."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mithridate.core.errors import InputError, Refused
from mithridate.core.files import write_atomic
from mithridate.core.findings import Finding, Json, Severity, Subject
from mithridate.core.report import SCHEMA as REPORT
from mithridate.core.report import CheckResult, Report, Target
from mithridate.supply.signing import keyless as keyless_signing
from mithridate.supply.signing import model_bundle, predicates
from mithridate.supply.signing.dsse import Envelope, read_envelope, seal
from mithridate.supply.signing.keys import PublicKey, Signer
from mithridate.supply.signing.policy import Attestation, SigningPolicy
from mithridate.supply.signing.statement import Statement
from mithridate.supply.signing.statement import Subject as Named

METHOD, SLUG, TITLE = "SUP430", "signature-does-not-hold", "Signatures that don't hold"
STANDARDS = ("AML.T0010", "ML10:2023", "CWE-353")
BUNDLE_ROOT = "modelSigningRoot"  # the digest algorithm's name of a folder's root in a DigestSet
_SHOWN = 5
_MOST_REPORT = 1 << 28  # bytes
_PARQUET = b"PAR1"


@dataclass(frozen=True, slots=True)
class Run:
    """What a training run, an evaluation or a prediction says beside the artefact.

    `data` are manifests; `models` those that a run started from or that predicted; `inputs` files that they were given.
    """

    data: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    code: str | None = None
    seed: int | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)
    models: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()


def sign_path(
    path: str | Path,
    signers: Sequence[Signer],
    output: str | Path,
    *,
    kind: str = "auto",
    algorithm: str = "sha256",
    run: Run | None = None,
    keyless: Callable[[Statement], bytes] | None = None,
) -> Statement:
    """Write a bundle in which these keys vouch for a file or folder; the statement that was signed.

    Parameters
    ----------
    kind : `model` (any file or folder, by its files' digests), `dataset` (a manifest), `audit` (a JSON report),
        `training-run`, `evaluation`, `prediction`; `auto` takes a manifest or a report for what it is and anything else
        as a model.
    keyless : makes the bundle instead of keys: an identity's, by sigstore.

    Raises
    ------
    InputError : the artefact can't be read, isn't of that kind, or `output` is there and is no signature.
    """
    place, target = Path(path), Path(output)
    _refuse(place, target)
    statement = statement_of(place, kind=kind, algorithm=algorithm, run=run or Run(), beside=(target,))
    write_atomic(target, seal(statement, signers).to_bytes() if keyless is None else keyless(statement))
    return statement


def _refuse(path: Path, output: Path) -> None:
    """A signature replaces only a signature: never the artefact, a key, or one of the files that it covers."""
    if output.is_symlink() or (output.exists() and not output.is_file()):
        raise InputError(f"{output} is a link or a folder; name a file for the signature")
    if not output.exists():
        return
    if output.samefile(path):
        raise InputError(f"{output} is the artefact itself; name another file for the signature")
    try:
        read_envelope(output)
    except InputError as error:
        raise InputError(
            f"{output} is there and is no signature, so it isn't overwritten; name another file"
        ) from error


def statement_of(
    path: Path, *, kind: str, algorithm: str = "sha256", run: Run | None = None, beside: Sequence[Path] = ()
) -> Statement:
    """What is said of an artefact; see `sign_path`."""
    told = kind if kind != "auto" else _kind(path)
    if told == "model":
        return _resources(path, algorithm, beside).statement()
    if told == "dataset":
        return _of_manifest(path)
    if told == "audit":
        raw = _report(path)
        return Statement(_audited(path, raw), predicates.AUDIT, predicates.audit(raw))
    if told not in _OF_RUNS:
        raise InputError(f"--type must be auto or one of {', '.join(predicates.TYPES)}, got {kind!r}")
    subject = Named(path.name or path.resolve().name, digests_of(path, beside))
    said, body_of = _OF_RUNS[told]
    return Statement((subject,), said, body_of(run or Run()))


def _of_manifest(path: Path) -> Statement:
    from mithridate.data.manifest import Manifest

    manifest = Manifest(path)
    if not manifest.holds_together():
        raise InputError(f"{path.name}: its record table doesn't lead to its root; build it again before signing")
    digest = {"sha256": file_digest(path), predicates.ROOT: manifest.head.root}
    return Statement((Named(path.name, digest),), predicates.DATASET, predicates.dataset(manifest.head.to_json()))


def _training(run: Run) -> dict[str, Any]:
    code = {} if run.code is None else digests_of(Path(run.code), ())
    data, models = [_dataset(item) for item in run.data], [_named(item) for item in run.models]
    return predicates.training_run(data, code=code, config=run.settings, seed=run.seed, base_models=models)


def _evaluation(run: Run) -> dict[str, Any]:
    return predicates.evaluation({**run.settings, **run.metrics}, datasets=[_dataset(item) for item in run.data])


def _prediction(run: Run) -> dict[str, Any]:
    if not run.models:
        raise InputError("a prediction's statement names the model that made it; pass --model PATH")
    models, inputs = [_named(item) for item in run.models], [_named(item) for item in run.inputs]
    return predicates.prediction(models, inputs=inputs, facts=run.settings)


_OF_RUNS: Mapping[str, tuple[str, Callable[[Run], dict[str, Any]]]] = {
    "training-run": (predicates.TRAINING, _training),
    "evaluation": (predicates.EVALUATION, _evaluation),
    "prediction": (predicates.PREDICTION, _prediction),
}


def _kind(path: Path) -> str:
    """A manifest or a report by its content; anything else is signed as a model: by its files' digests."""
    if not path.is_file():
        return "model"
    with path.open("rb") as stream:
        first = stream.read(4096)
    if first.startswith(_PARQUET):
        import pyarrow as pa
        import pyarrow.parquet as pq

        from mithridate.data.manifest import KEY

        try:
            return "dataset" if KEY in (pq.read_metadata(path).metadata or {}) else "model"
        except (pa.ArrowException, OSError):
            return "model"
    return "audit" if first.lstrip().startswith(b"{") and REPORT.encode() in first else "model"


def _report(path: Path) -> dict[str, Any]:
    try:
        raw = json.loads(path.read_bytes()[:_MOST_REPORT])
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path.name} is no JSON report; write one with -o report.json") from error
    if not isinstance(raw, dict) or raw.get("schema") != REPORT:
        raise InputError(f"{path.name} is no report ({REPORT}); write one with -o report.json")
    Report.from_json(raw)
    return raw


def _audited(path: Path, raw: Mapping[str, Any]) -> tuple[Named, ...]:
    """The report itself, and what it is about."""
    own = Named(path.name, {"sha256": file_digest(path)})
    target = raw["target"]
    word, _, digest = str(target.get("digest", "")).partition(":")
    return (own, Named(str(target.get("name", "")), {f"{word}Rows": digest})) if digest else (own,)


def _dataset(manifest: str) -> dict[str, Any]:
    from mithridate.data.manifest import Manifest

    head = Manifest(manifest).head
    return {"name": head.name, "rows": head.rows, "digest": {predicates.ROOT: head.root}}


def _named(path: str) -> dict[str, Any]:
    place = Path(path)
    return Named(place.name or place.resolve().name, digests_of(place, ())).to_json()


def _resources(path: Path, algorithm: str, beside: Sequence[Path]) -> model_bundle.Resources:
    own = [name for file in beside if (name := model_bundle.inside(path, file)) is not None]
    return model_bundle.hash_artefact(path, algorithm=algorithm, ignored=(*model_bundle.GIT, *own))


def digests_of(path: Path, beside: Sequence[Path]) -> dict[str, str]:
    """What other statements call an artefact by: SHA-256 of a file, and the root that model-signing gives to both."""
    found = _resources(path, "sha256", beside)
    plain = found.digests["."] if list(found.digests) == ["."] else found.root
    return {"sha256": plain, BUNDLE_ROOT: found.root}


def file_digest(path: Path) -> str:
    """Hex of a file's SHA-256."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path.name} can't be read: {error.strerror}; check the path") from error


def verify_path(
    path: str | Path,
    signatures: Sequence[str | Path],
    keys: Sequence[PublicKey],
    *,
    policy: SigningPolicy | None = None,
    signatory: keyless_signing.Signatory | None = None,
    command: str = "",
) -> Report:
    """Whether a file or folder is what was signed, by these keys, and meets the policy; no finding: everything holds.

    Parameters
    ----------
    keys : those that are trusted; a policy's count like them. A key that only the signature names counts for nothing.
    signatory : the identity that must have signed where a signature is sigstore's.

    Raises
    ------
    InputError : the artefact, a signature or a key can't be read, or there is no key or no signature.

    Notes
    -----
    Every file is hashed anew and compared with the signed list: one that changed, is gone, or came in beside the signed
    ones is a critical finding, as is a signature by none of the keys; a rule of the policy that isn't met is a high
    one. Blind to when it was signed and to whether a key was stolen or revoked: a signature says who vouches for the
    bytes, not that they are harmless.

    References
    ----------
    OpenSSF, Model signing specification 1.0. in-toto attestation framework 1.0.
    """
    started, clock = datetime.now(UTC), time.perf_counter()
    place, files = Path(path), [Path(file) for file in signatures]
    known = (*keys, *(policy.keys if policy is not None else ()))
    _need(place, files, has_key=bool(known) or signatory is not None)
    findings: list[Finding] = []
    held: list[Attestation] = []
    for file in files:
        if signatory is not None and keyless_signing.is_keyless(file):
            wrong, attestations = _by_identity(place, file, files, signatory)
        else:
            wrong, attestations = _verify_one(place, file, files, known)
        findings += wrong
        held += attestations
    for rule in policy.broken(held) if policy is not None else ():
        findings.append(_finding(place, "policy", f"the policy isn't met: there must be {rule}", Severity.HIGH))
    seconds = time.perf_counter() - clock
    check = CheckResult(METHOD, SLUG, TITLE, "found" if findings else "clean", seconds=seconds, wanted=True)
    run: dict[str, Json] = {
        "command": command, "seed": 0, "version": version("mithridate"),
        "started": started.isoformat(timespec="seconds"), "seconds": round(seconds, 3),
    }  # fmt: skip
    return Report(_signed(place, held), (check,), tuple(findings), run)


def _need(path: Path, signatures: Sequence[Path], *, has_key: bool) -> None:
    """`InputError` when something to verify, or to verify it with, is missing."""
    if not signatures:
        raise InputError("nothing to verify; pass --signature SIG")
    if not has_key:
        raise InputError("a signature can only be checked with a public key; pass --key K.pub or a --policy with keys")
    if not path.exists():
        raise InputError(f"no such file or folder: {path.name!r}; check the path")


def _signed(path: Path, held: Sequence[Attestation]) -> Target:
    """The artefact as a report names it, with who signed what."""
    said = sorted({f"{predicates.word_of(item.predicate_type)}: {item.key_id}" for item in held})
    return Target("signed", path.name or path.resolve().name, "", 0, {"signed_by": said})


def _verify_one(
    path: Path, file: Path, beside: Sequence[Path], keys: Sequence[PublicKey]
) -> tuple[list[Finding], list[Attestation]]:
    if keyless_signing.is_keyless(file):
        claim = f"{file.name} was signed by an identity, not by a key: pass --sigstore, --identity and --issuer"
        return [_finding(path, "signer", claim, Severity.CRITICAL)], []
    envelope = read_envelope(file)
    signers = envelope.signers(keys)
    if not signers:
        return [_finding(path, "signer", _unknown(envelope, file), Severity.CRITICAL)], []
    statement = envelope.statement()
    wrong = _content(path, statement, beside)
    found = [_finding(path, place, line, Severity.CRITICAL) for place, line in wrong]
    return found, [] if wrong else [Attestation(key.id, statement.predicate_type) for key in signers]


def _by_identity(
    path: Path, file: Path, beside: Sequence[Path], signatory: keyless_signing.Signatory
) -> tuple[list[Finding], list[Attestation]]:
    try:
        statement = keyless_signing.check(file, path, signatory)
    except Refused as refusal:
        claim = f"{file.name} wasn't signed by {signatory.identity}, or was altered since: {refusal}"
        return [_finding(path, "signer", claim, Severity.CRITICAL)], []
    wrong = [] if statement is None else _content(path, statement, beside)
    found = [_finding(path, place, line, Severity.CRITICAL) for place, line in wrong]
    kind = "file" if statement is None else statement.predicate_type
    return found, [] if wrong else [Attestation(signatory.name, kind)]


def _unknown(envelope: Envelope, file: Path) -> str:
    said = sorted({signature.key_id[:16] for signature in envelope.signatures if signature.key_id})
    claim = f"; it names key {', '.join(said[:3])}" if said else ""
    return f"{file.name} was signed by none of the keys given, or was altered since{claim}"


def _content(path: Path, statement: Statement, beside: Sequence[Path]) -> list[tuple[str, str]]:
    """What of the artefact isn't what the statement says: (place, claim)."""
    if statement.predicate_type == predicates.MODEL:
        signed = model_bundle.signed_resources(statement)
        own = [name for file in beside if (name := model_bundle.inside(path, file)) is not None]
        ignored = tuple(dict.fromkeys((*signed.ignored, *own)))
        found = model_bundle.hash_artefact(path, algorithm=signed.algorithm, ignored=ignored)
        return _listed(model_bundle.compare(signed, found))
    first = statement.subjects[0]
    if digests_of(path, beside)["sha256"] != first.digest.get("sha256", "").lower():
        return [("content", f"its bytes aren't those that were signed as {first.name!r}")]
    return []


def _listed(found: model_bundle.Differences) -> list[tuple[str, str]]:
    parts = (
        ("changed", found.changed, "changed since it was signed", "changed since they were signed"),
        ("missing", found.missing, "was signed and is missing", "were signed and are missing"),
        ("unsigned", found.unsigned, "isn't covered by the signature", "aren't covered by the signature"),
    )
    return [
        (place, f"{_names(names)} {one if len(names) == 1 else many}") for place, names, one, many in parts if names
    ]


def _names(names: Sequence[str]) -> str:
    shown = ", ".join("the file" if name == "." else name for name in names[:_SHOWN])
    return shown + (f" and {len(names) - _SHOWN} more files" if len(names) > _SHOWN else "")


def _finding(path: Path, place: str, claim: str, severity: Severity) -> Finding:
    remedy = "Don't load it: take it again from whoever signed it, and check the key with them."
    if place == "policy":
        remedy = "Ask those whom the policy names to sign it, or use one that they have signed."
    name = path.name or path.resolve().name
    return Finding(
        METHOD, SLUG, severity, 1.0, f"{name}: {claim}", Subject("file", extra={"path": name}), remedy=remedy,
        standards=STANDARDS, place=place,
    )  # fmt: skip
