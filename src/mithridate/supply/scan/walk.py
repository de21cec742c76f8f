"""The files under some paths, each once, however links point to them; what can't be read is said."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mithridate.core.errors import InputError
from mithridate.core.findings import Severity
from mithridate.supply.scan.issue import Issue

_SPECIAL = {
    stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
}  # fmt: skip
_PRIVATE = re.compile(
    r"/(?:etc|proc|sys|dev|boot|root/\.\w|run/secrets|var/run/secrets|private/etc)(?:/|\Z)|"
    r".*/\.(?:ssh|aws|gnupg|kube|docker|netrc|pgpass|azure|config/gcloud|git-credentials)(?:/|\Z)"
)
_REMEDY = "A model has no use for it: remove it."
_RIGHTS = "Run the scan as somebody who may read it."


@dataclass(frozen=True, slots=True)
class Entry:
    """A file to scan, or why this path isn't one; `size` in bytes."""

    path: Path
    size: int = 0
    issue: Issue | None = None


class _Walk:
    """One walk: which files and folders it has seen, by device and inode."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self._roots = [os.path.realpath(root) for root in roots]
        self._seen: set[tuple[int, int]] = set()

    def entries(self, path: Path) -> Iterator[Entry]:
        """The entries of one path; a folder's in the order of their names, however deep it is."""
        pending = [iter([path])]
        while pending:
            place = next(pending[-1], None)
            if place is None:
                pending.pop()
            elif folder := (yield from self._entry(place, typed=place is path)):
                pending.append(iter(folder))

    def _entry(self, path: Path, *, typed: bool) -> Generator[Entry, None, list[Path]]:
        """The entry of one path, or what lies in the folder."""
        link = os.path.islink(path)  # noqa: PTH114 - Path.is_symlink raises where a path is too long
        try:
            info = path.stat()
        except OSError as error:
            yield Entry(path, issue=_unread(error, link=link))
            return []
        key, is_folder = (info.st_dev, info.st_ino), stat.S_ISDIR(info.st_mode)
        if key in self._seen:
            return []
        if link and not typed and not self._inside(path):
            outside = self._outside(path, folder=is_folder)
            if outside is not None:
                yield outside
            if is_folder:
                return []
        self._seen.add(key)
        if is_folder:
            return (yield from self._folder(path))
        if stat.S_ISREG(info.st_mode):
            yield Entry(path, info.st_size)
        else:
            kind = _SPECIAL.get(stat.S_IFMT(info.st_mode), "no file")
            claim = f"this is {kind}, and was not opened"
            yield Entry(path, issue=Issue("special-file", Severity.LOW, claim, remedy=_REMEDY))
        return []

    def _folder(self, path: Path) -> Generator[Entry, None, list[Path]]:
        """What lies in it, links last."""
        try:
            with os.scandir(path) as listing:
                names = sorted(listing, key=lambda entry: (entry.is_symlink(), entry.name))
        except OSError as error:
            yield Entry(path, issue=_unread(error, link=False))
            return []
        return [Path(entry.path) for entry in names]

    def _inside(self, path: Path) -> bool:
        real = os.path.realpath(path)
        return any(real == root or real.startswith(root.rstrip(os.sep) + os.sep) for root in self._roots)

    def _outside(self, path: Path, *, folder: bool) -> Entry | None:
        """A link that leaves what was asked for; the cache of Hugging Face, whose files are such links, is fine."""
        target = Path(os.path.realpath(path))
        if folder:
            claim = f"a link to the folder {target}, outside of what is scanned, was not followed"
            remedy = f"mithridate scan {target}"
            return Entry(path, issue=Issue("not-analysed", Severity.MEDIUM, claim, remedy=remedy))
        if target.parent.name == "blobs":
            return None
        claim = f"a link to {target}, outside of what is scanned"
        if _PRIVATE.match(f"{target}"):
            claim = f"a link to {target}: whatever reads it as data, or packs the folder, gives that away"
            return Entry(path, issue=Issue("link-outside", Severity.HIGH, claim, remedy=_REMEDY))
        return Entry(path, issue=Issue("link-outside", Severity.LOW, claim))


def _unread(error: OSError, *, link: bool) -> Issue:
    if link:
        return Issue("broken-link", Severity.LOW, f"a link that leads nowhere: {error.strerror}", remedy=_REMEDY)
    return Issue("not-analysed", Severity.MEDIUM, f"it can't be read: {error.strerror or error}", remedy=_RIGHTS)


def walk(paths: Sequence[Path]) -> list[Entry]:
    """Every file under the paths once, in the order of their names, links after files; and what can't be read.

    Raises
    ------
    InputError : a path isn't there, or there is no file under any.
    """
    for path in paths:
        if not os.path.lexists(path):
            raise InputError(f"nothing is there to scan: {path}; check the path")
    walked = _Walk(paths)
    found = [entry for path in paths for entry in walked.entries(path)]
    if not found:
        raise InputError(f"there is no file to scan in {', '.join(map(str, paths))}; check the path")
    return found
