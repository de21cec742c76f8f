"""Statements joined by the digests they share: from a record to its data set, runs, models and served predictions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mithridate.core.errors import InputError, Refused
from mithridate.supply.signing import predicates
from mithridate.supply.signing.dsse import MOST_BYTES, Envelope, read_envelope
from mithridate.supply.signing.keyless import Signatory, check, is_keyless, usable
from mithridate.supply.signing.keys import PublicKey
from mithridate.supply.signing.statement import Statement

MOST_FILES = 10_000  # looked at in one folder


@dataclass(frozen=True, slots=True)
class Signed:
    """A statement from a file; `signers`: trusted keys (ids) and identities that it holds by; none: only claimed."""

    file: str
    statement: Statement
    signers: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Type, subjects and signers, without the predicate's long lists."""
        return {
            "file": self.file, "type": predicates.word_of(self.statement.predicate_type),
            "subjects": [subject.to_json() for subject in self.statement.subjects],
            "signed_by": list(self.signers), "verified": bool(self.signers),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Chain:
    """What is said about a data set and what came of it."""

    datasets: tuple[Signed, ...] = ()
    audits: tuple[Signed, ...] = ()
    training_runs: tuple[Signed, ...] = ()
    models: tuple[Signed, ...] = ()
    evaluations: tuple[Signed, ...] = ()
    predictions: tuple[Signed, ...] = ()
    apart: tuple[Signed, ...] = ()  # of the same kinds, with nothing in common with the data set
    elsewhere: tuple[Signed, ...] = ()  # of those, what hangs together with another data set that is stated here

    def to_json(self) -> dict[str, Any]:
        """A list of statements for each kind, in the order of the chain."""
        parts = {
            "datasets": self.datasets, "audits": self.audits, "training_runs": self.training_runs,
            "models": self.models, "evaluations": self.evaluations, "predictions": self.predictions,
        }  # fmt: skip
        return {name: [item.to_json() for item in items] for name, items in parts.items()}


def read_statements(
    paths: Sequence[str | Path], keys: Sequence[PublicKey], signatory: Signatory | None = None
) -> tuple[Signed, ...]:
    """Every statement in these files and folders, checked against the keys and, where sigstore's, the identity.

    Raises
    ------
    InputError : a file named by hand can't be read or is no bundle; in a folder such files are passed over. The
        identity's trust root can't be used.
    """
    if signatory is not None:
        usable(signatory)
    found: list[Signed] = []
    for path in map(Path, paths):
        if path.is_dir():
            found += [item for file in _files(path) if (item := _maybe(file, keys, signatory)) is not None]
        else:
            found.append(_signed(path, read_envelope(path), keys, signatory))
    return tuple(found)


def _files(folder: Path) -> Iterator[Path]:
    for count, file in enumerate(sorted(folder.iterdir())):
        if count >= MOST_FILES:
            raise InputError(f"{folder.name} holds over {MOST_FILES:,} files; name the signatures themselves")
        if file.is_file() and not file.is_symlink() and 0 < file.stat().st_size <= MOST_BYTES:
            yield file


def _maybe(file: Path, keys: Sequence[PublicKey], signatory: Signatory | None) -> Signed | None:
    try:
        with file.open("rb") as stream:
            if not stream.read(64).lstrip().startswith(b"{"):
                return None
        return _signed(file, read_envelope(file), keys, signatory)
    except (InputError, OSError):
        return None


def _signed(file: Path, envelope: Envelope, keys: Sequence[PublicKey], signatory: Signatory | None) -> Signed:
    statement = envelope.statement()
    signers = tuple(key.id for key in envelope.signers(keys))
    if signatory is not None and is_keyless(file):
        try:
            statement = check(file, None, signatory) or statement
            signers = (*signers, signatory.name)
        except (InputError, Refused):
            pass  # it stays what its own words make it: a claim by nobody trusted
    return Signed(file.name, statement, signers)


@dataclass(frozen=True, slots=True)
class Link:
    """One step of the chain: `holds`, `claimed` (by nobody trusted), `broken`, or `unsaid`; and why, in words."""

    name: str
    state: str
    why: str = ""

    def to_json(self) -> dict[str, str]:
        """Flat JSON."""
        return {"link": self.name, "state": self.state, "why": self.why}


def chain(root: str, statements: Iterable[Signed], *, name: str = "") -> Chain:
    """The statements that hang together with the data set of this root (hex): directly, or over a digest they share.

    Parameters
    ----------
    name : of the manifest's file. A statement of that name with another root speaks of this file as it isn't; one of
        another name speaks of another data set, whose own runs and models are no break of this one's chain.
    """
    listed = tuple(statements)
    found = _hanging({root}, listed)
    joined = _ids(found)
    kinds = {predicates.DATASET, predicates.TRAINING, predicates.MODEL, predicates.PREDICTION}
    apart = tuple(item for item in listed if item.statement.predicate_type in kinds and id(item) not in joined)
    signed = any(item.signers for item in listed)  # where a trusted key signed anything, only what one signed counts
    counted = [item for item in apart if item.signers or not signed]
    others = {other for item in counted if (other := _other_root(item.statement, name))}
    theirs = _ids(_hanging(others, listed))
    return replace(found, apart=apart, elsewhere=tuple(item for item in apart if id(item) in theirs))


def _hanging(roots: AbstractSet[str], listed: tuple[Signed, ...]) -> Chain:
    """What hangs together with any of the data sets of these roots."""
    runs = _runs(roots, listed)
    made = {digest for item in runs for digest in _digests(item.statement)}
    return Chain(
        _of(listed, predicates.DATASET, lambda s: bool(roots & _digests(s))),
        _of(listed, predicates.AUDIT, lambda s: bool(roots & _audited(s))),
        runs,
        _of(listed, predicates.MODEL, lambda s: bool(made & _digests(s))),
        _of(listed, predicates.EVALUATION, lambda s: bool(made & _digests(s))),
        _of(listed, predicates.PREDICTION, lambda s: bool(made & _named(s, "models"))),
    )


def _ids(found: Chain) -> set[int]:
    parts = (found.datasets, found.training_runs, found.models, found.predictions)
    return {id(item) for part in parts for item in part}


def _other_root(statement: Statement, name: str) -> str:
    """The root of a data set that isn't the one of this name; empty for any other statement."""
    if statement.predicate_type != predicates.DATASET or name in {subject.name for subject in statement.subjects}:
        return ""
    return next((s.digest[predicates.ROOT] for s in statement.subjects if predicates.ROOT in s.digest), "")


def _runs(roots: AbstractSet[str], listed: tuple[Signed, ...]) -> tuple[Signed, ...]:
    """Runs on the data sets, and runs that started from a model that one of them made, and so on; each read once."""
    started: dict[str, list[Signed]] = {}
    for item in _of(listed, predicates.TRAINING, lambda _: True):
        for digest in _named(item.statement, "base_models"):
            started.setdefault(digest, []).append(item)
    found = {id(item): item for item in _of(listed, predicates.TRAINING, lambda s: bool(roots & _data_roots(s)))}
    waiting = list(found.values())
    while waiting:
        digests = [digest for item in waiting for digest in sorted(_digests(item.statement))]
        more = {id(item): item for digest in digests for item in started.pop(digest, ())}
        waiting = [item for key, item in more.items() if key not in found]
        found |= more
    return tuple(found.values())


def links(found: Chain) -> tuple[Link, ...]:
    """Each step from the data set to a served prediction, and which of them is broken.

    Notes
    -----
    A step is broken where statements of its kind are there and none of them is about what the step before leads to.
    Where there are none at all nothing was said; nor was it where no training run is stated that could join a model to
    any data, or where they belong to another data set's chain. That isn't a break, and never a proof.
    """
    elsewhere = {id(item) for item in found.elsewhere}
    stray = tuple(item for item in found.apart if id(item) not in elsewhere)
    runs = _of((*found.training_runs, *stray), predicates.TRAINING, lambda _: True)
    steps = (
        ("data set", predicates.DATASET, found.datasets, "is about another data set"),
        ("training run", predicates.TRAINING, found.training_runs, "names other data"),
        ("model", predicates.MODEL, found.models, "is of a model that no such run made"),
        ("prediction", predicates.PREDICTION, found.predictions, "names a model that no such run made"),
    )
    joinable = (True, True, bool(runs), bool(runs))
    return tuple(
        _link(name, here, _of(stray, kind, lambda _: True), why, joinable=joined)
        for (name, kind, here, why), joined in zip(steps, joinable, strict=True)
    )


def _link(name: str, here: Sequence[Signed], stray: Sequence[Signed], why: str, *, joinable: bool) -> Link:
    if any(item.signers for item in here):
        return Link(name, "holds")
    if here:
        return Link(name, "claimed", f"{_files_of(here)}: signed by none of the keys given")
    if stray and not joinable:
        return Link(name, "unsaid", f"{_files_of(stray)} has no statement of a training run that joins it to this data")
    if stray:
        return Link(name, "broken", f"{_files_of(stray)} {why}")
    return Link(name, "unsaid", "no statement")


def _files_of(items: Sequence[Signed], most: int = 3) -> str:
    names = ", ".join(item.file for item in items[:most])
    return names + (f" and {len(items) - most} more" if len(items) > most else "")


def _of(listed: Iterable[Signed], kind: str, fits: Any) -> tuple[Signed, ...]:
    return tuple(item for item in listed if item.statement.predicate_type == kind and fits(item.statement))


def _digests(statement: Statement) -> set[str]:
    return {value for subject in statement.subjects for value in subject.digest.values()}


def _data_roots(statement: Statement) -> set[str]:
    listed = statement.predicate.get("datasets", ())
    digests = [item.get("digest") for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    return {str(digest.get(predicates.ROOT)) for digest in digests if isinstance(digest, dict)}


def _named(statement: Statement, key: str) -> set[str]:
    """Every digest of the artefacts that a predicate lists under this key."""
    listed = statement.predicate.get(key)
    digests = [item.get("digest") for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    return {str(value) for digest in digests if isinstance(digest, dict) for value in digest.values()}


def _audited(statement: Statement) -> set[str]:
    target = statement.predicate.get("target")
    return {str(target.get(key)) for key in ("root", "manifest_root")} if isinstance(target, dict) else set()
