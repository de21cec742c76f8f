"""Statements joined by the digests they share: from a record to its data set, the runs on it, and their models."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mithridate.core.errors import InputError
from mithridate.supply.signing import predicates
from mithridate.supply.signing.dsse import MOST_BYTES, Envelope, read_envelope
from mithridate.supply.signing.keys import PublicKey
from mithridate.supply.signing.statement import Statement

MOST_FILES = 10_000  # looked at in one folder


@dataclass(frozen=True, slots=True)
class Signed:
    """A statement from a file; `signers` are the trusted keys (ids) that it was checked with, none: only claimed."""

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

    def to_json(self) -> dict[str, Any]:
        """A list of statements for each kind, in the order of the chain."""
        parts = {
            "datasets": self.datasets, "audits": self.audits, "training_runs": self.training_runs,
            "models": self.models, "evaluations": self.evaluations,
        }  # fmt: skip
        return {name: [item.to_json() for item in items] for name, items in parts.items()}


def read_statements(paths: Sequence[str | Path], keys: Sequence[PublicKey]) -> tuple[Signed, ...]:
    """Every statement in these files and folders, checked against the keys.

    Raises
    ------
    InputError : a file named by hand can't be read or is no bundle; in a folder such files are passed over.
    """
    found: list[Signed] = []
    for path in map(Path, paths):
        if path.is_dir():
            found += [item for file in _files(path) if (item := _maybe(file, keys)) is not None]
        else:
            found.append(_signed(path, read_envelope(path), keys))
    return tuple(found)


def _files(folder: Path) -> Iterator[Path]:
    for count, file in enumerate(sorted(folder.iterdir())):
        if count >= MOST_FILES:
            raise InputError(f"{folder.name} holds over {MOST_FILES:,} files; name the signatures themselves")
        if file.is_file() and not file.is_symlink() and 0 < file.stat().st_size <= MOST_BYTES:
            yield file


def _maybe(file: Path, keys: Sequence[PublicKey]) -> Signed | None:
    try:
        with file.open("rb") as stream:
            if not stream.read(64).lstrip().startswith(b"{"):
                return None
        return _signed(file, read_envelope(file), keys)
    except (InputError, OSError):
        return None


def _signed(file: Path, envelope: Envelope, keys: Sequence[PublicKey]) -> Signed:
    return Signed(file.name, envelope.statement(), tuple(key.id for key in envelope.signers(keys)))


def chain(root: str, statements: Iterable[Signed]) -> Chain:
    """The statements that hang together with the data set of this root (hex): directly, or over a digest they share."""
    listed = tuple(statements)
    runs = _of(listed, predicates.TRAINING, lambda s: root in _data_roots(s))
    made = {digest for item in runs for digest in _digests(item.statement)}
    return Chain(
        _of(listed, predicates.DATASET, lambda s: root in _digests(s)),
        _of(listed, predicates.AUDIT, lambda s: root in _audited(s)),
        runs,
        _of(listed, predicates.MODEL, lambda s: bool(made & _digests(s))),
        _of(listed, predicates.EVALUATION, lambda s: bool(made & _digests(s))),
    )


def _of(listed: Iterable[Signed], kind: str, fits: Any) -> tuple[Signed, ...]:
    return tuple(item for item in listed if item.statement.predicate_type == kind and fits(item.statement))


def _digests(statement: Statement) -> set[str]:
    return {value for subject in statement.subjects for value in subject.digest.values()}


def _data_roots(statement: Statement) -> set[str]:
    listed = statement.predicate.get("datasets", ())
    digests = [item.get("digest") for item in listed if isinstance(item, dict)]
    return {str(digest.get(predicates.ROOT)) for digest in digests if isinstance(digest, dict)}


def _audited(statement: Statement) -> set[str]:
    target = statement.predicate.get("target")
    return {str(target.get(key)) for key in ("root", "manifest_root")} if isinstance(target, dict) else set()
