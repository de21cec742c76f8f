"""A file or folder as the digests of its files: the predicate of OpenSSF model-signing 1.x, made and checked.

Rules of that format: resources sorted by path, part by part; the subject's digest is SHA-256 over the resources'
digests one after the other; a single file is the resource `.`; git's own files and the signature aren't covered.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from mithridate.core.errors import InputError, MissingExtra
from mithridate.supply.signing.predicates import MODEL
from mithridate.supply.signing.statement import Statement, Subject

HASHES = ("sha256", "blake3")
GIT = (".git", ".gitattributes", ".github", ".gitignore")
DEPTH = 64  # folders in one another
MOST_FILES = 1_000_000
_BLOCK = 1 << 20  # bytes read at a time


@dataclass(frozen=True, slots=True)
class Resources:
    """The files of an artefact: relative path -> hex digest, in the format's order, and what was left out."""

    name: str
    algorithm: str
    digests: Mapping[str, str]
    ignored: tuple[str, ...] = ()

    @property
    def root(self) -> str:
        """Hex of SHA-256 over all digests: what other statements call the artefact by."""
        return hashlib.sha256(b"".join(map(bytes.fromhex, self.digests.values()))).hexdigest()

    def statement(self) -> Statement:
        """The statement that model-signing checks."""
        serialization: dict[str, Any] = {
            "method": "files", "hash_type": self.algorithm, "allow_symlinks": False,
        }  # fmt: skip
        if self.ignored:
            serialization["ignore_paths"] = list(self.ignored)
        resources = [
            {"name": name, "algorithm": self.algorithm, "digest": digest} for name, digest in self.digests.items()
        ]
        predicate = {"serialization": serialization, "resources": resources}
        return Statement((Subject(self.name, {"sha256": self.root}),), MODEL, predicate)


@dataclass(frozen=True, slots=True)
class Differences:
    """Files that aren't as signed, by relative path."""

    changed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unsigned: tuple[str, ...] = ()

    @property
    def none(self) -> bool:
        """Whether every file is as it was signed, and there is no other."""
        return not (self.changed or self.missing or self.unsigned)


def hash_artefact(
    path: str | Path, *, algorithm: str = "sha256", ignored: Sequence[str] = GIT, jobs: int | None = None
) -> Resources:
    """The digests of a file, or of every file below a folder.

    Parameters
    ----------
    algorithm : `sha256`, or `blake3` where that package is installed (3 times as fast on one core).
    ignored : relative paths in the folder that aren't covered, with all that lies below them.
    jobs : threads; hashing leaves the interpreter's lock. None: the number of processors.

    Raises
    ------
    InputError : no such path, an empty folder, a link or anything else than files and folders, a file that can't be
        read, file names that aren't UTF-8.
    MissingExtra : `blake3` isn't installed.
    """
    root = Path(path)
    hasher = _hasher(algorithm)
    name = root.name or root.resolve().name
    if root.is_symlink() or not root.is_dir():
        _regular(root, name)
        return Resources(name, algorithm, {".": hasher(root)})
    files = sorted(_walk(root, PurePosixPath(), frozenset(ignored), 0))
    if not files:
        raise InputError(f"{name} holds no file; there is nothing to sign")
    with ThreadPoolExecutor(1 if algorithm == "blake3" else jobs or os.cpu_count() or 1) as pool:
        digests = list(pool.map(lambda file: hasher(root / file), files))
    return Resources(name, algorithm, dict(zip(map(str, files), digests, strict=True)), tuple(ignored))


def inside(root: Path, part: Path) -> str | None:
    """A file's path relative to the folder; None when it lies elsewhere."""
    here, there = Path(os.path.realpath(root)), Path(os.path.realpath(part))
    return there.relative_to(here).as_posix() if there != here and there.is_relative_to(here) else None


def _walk(root: Path, here: PurePosixPath, ignored: frozenset[str], depth: int) -> Iterator[PurePosixPath]:
    if depth > DEPTH:
        raise InputError(f"{root.name}: folders are nested deeper than {DEPTH}; sign a part of it")
    try:
        entries = sorted(os.scandir(root / here), key=lambda entry: entry.name)
    except OSError as error:
        raise InputError(f"{root.name}: folder {str(here)!r} can't be read: {error.strerror}") from error
    for entry in entries:
        place = here / entry.name
        if str(place) in ignored:
            continue
        if not _utf8(entry.name):
            raise InputError(f"{root.name}: a file name isn't UTF-8 ({entry.name!r}); rename it")
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(root, place, ignored, depth + 1)
        else:
            _regular(Path(entry.path), f"{root.name}/{place}")
            yield place


def _utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _regular(path: Path, name: str) -> None:
    try:
        mode = path.lstat().st_mode
    except OSError as error:
        raise InputError(f"{name} can't be read: {error.strerror}; check the path") from error
    if stat.S_ISLNK(mode):
        raise InputError(f"{name} is a link, and what it leads to can change unseen; put the file itself there")
    if not stat.S_ISREG(mode):
        raise InputError(f"{name} is no ordinary file but a pipe, socket or device; remove it")


def _hasher(algorithm: str) -> Callable[[Path], str]:
    if algorithm == "sha256":
        return _sha256
    if algorithm != "blake3":
        raise InputError(f"the hash must be one of {', '.join(HASHES)}, got {algorithm!r}")
    try:
        from blake3 import blake3  # an option, and not among what the type checker knows
    except ImportError as error:
        raise MissingExtra("blake3", "", "hashing files with BLAKE3", install="pip install blake3") from error

    def digest(path: Path) -> str:
        try:
            return str(blake3(max_threads=blake3.AUTO).update_mmap(path).hexdigest())
        except OSError as error:
            raise InputError(f"{path.name} can't be read: {error.strerror}") from error

    return digest


def _sha256(path: Path) -> str:
    total, block = hashlib.sha256(), bytearray(_BLOCK)
    view = memoryview(block)
    try:
        with path.open("rb", buffering=0) as stream:
            while count := stream.readinto(block):
                total.update(view[:count])
    except OSError as error:
        raise InputError(f"{path.name} can't be read: {error.strerror}") from error
    return total.hexdigest()


def signed_resources(statement: Statement) -> Resources:
    """The files that a model's statement covers.

    Raises
    ------
    InputError : another statement, a method that isn't `files`, or resources that don't lead to the subject's digest.
    """
    try:
        how = statement.predicate["serialization"]
        if statement.predicate_type != MODEL or how["method"] != "files" or how["hash_type"] not in HASHES:
            raise InputError("the statement isn't about files hashed with sha256 or blake3; check it with its own tool")
        listed = statement.predicate["resources"]
        digests = {str(item["name"]): str(item["digest"]).lower() for item in listed}
        found = Resources(
            statement.subjects[0].name, str(how["hash_type"]), digests, tuple(map(str, how.get("ignore_paths", ())))
        )
        if len(digests) != len(listed) or found.root != statement.subjects[0].digest.get("sha256"):
            raise InputError("the signed list of files doesn't lead to the signed digest; sign the artefact again")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"the signed list of files is damaged ({type(error).__name__}); sign again") from error
    return found


def compare(signed: Resources, found: Resources) -> Differences:
    """What differs between the files as signed and as found."""
    return Differences(
        tuple(n for n, digest in signed.digests.items() if n in found.digests and found.digests[n] != digest),
        tuple(n for n in signed.digests if n not in found.digests),
        tuple(n for n in found.digests if n not in signed.digests),
    )
