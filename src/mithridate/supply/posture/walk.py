"""The files of a project: regular ones, links never followed; what isn't looked at is said."""

from __future__ import annotations

import itertools
import os
import stat
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from mithridate.core.errors import InputError

SKIPPED = frozenset(
    {".git", ".hg", ".svn", "node_modules", "__pycache__", ".tox", ".nox", ".mypy_cache", ".ruff_cache",
     ".pytest_cache", ".hypothesis", ".ipynb_checkpoints", ".mithridate", "site-packages", ".eggs"}
)  # fmt: skip
MOST_FILES = 200_000
MOST_DEPTH = 64


@dataclass(frozen=True, slots=True)
class File:
    """A regular file: its path in the project, its size in bytes, its permissions (`st_mode & 0o7777`)."""

    path: Path
    name: str
    size: int
    mode: int

    @property
    def suffix(self) -> str:
        """The last suffix, in lower case."""
        return self.path.suffix.lower()


@dataclass(slots=True)
class Tree:
    """The files found, in sorted order, and the names of what was not looked at, by reason.

    `left_out` is counted only: links, and folders of tools and environments, which no project means as its own.
    """

    files: list[File] = field(default_factory=list)
    missed: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    left_out: Counter[str] = field(default_factory=Counter)


def walk(root: Path) -> Tree:
    """Every regular file under the folder.

    Raises
    ------
    InputError : there is no such folder, or it can't be read.
    """
    if not root.is_dir():
        raise InputError(f"no folder {root}; posture looks at the folder of a project")
    tree = Tree()
    waiting = [(root, 0)]
    while waiting:
        folder, depth = waiting.pop()
        try:
            with os.scandir(folder) as found:
                entries = sorted(itertools.islice(found, MOST_FILES + 1), key=lambda entry: entry.name)
        except OSError as error:
            if folder == root:
                raise InputError(f"can't read {root}: {error.strerror or error}; look at its owner and mode") from error
            tree.missed["can't be read"].add(folder.relative_to(root).as_posix())
            continue
        for entry in entries:
            if _take(entry, root, tree) and depth < MOST_DEPTH:
                waiting.append((Path(entry.path), depth + 1))
            elif depth >= MOST_DEPTH:
                tree.missed[f"deeper than {MOST_DEPTH} folders"].add(folder.relative_to(root).as_posix())
        if len(tree.files) > MOST_FILES:
            tree.missed[f"more than {MOST_FILES} files"].add(folder.relative_to(root).as_posix())
            break
    tree.files.sort(key=lambda file: file.name)
    return tree


def _take(entry: os.DirEntry[str], root: Path, tree: Tree) -> bool:
    """Note the entry; whether it is a folder to go into."""
    try:
        facts = entry.stat(follow_symlinks=False)
    except OSError:
        tree.missed["can't be read"].add(entry.name)
        return False
    if stat.S_ISREG(facts.st_mode):
        path = Path(entry.path)
        name = path.relative_to(root).as_posix()
        tree.files.append(File(path, name, facts.st_size, stat.S_IMODE(facts.st_mode)))
    elif stat.S_ISDIR(facts.st_mode):
        skipped = entry.name in SKIPPED or os.path.lexists(os.path.join(entry.path, "pyvenv.cfg"))  # noqa: PTH118 - a string is at hand
        if skipped:
            tree.left_out["folders of tools and environments"] += 1
        return not skipped
    elif stat.S_ISLNK(facts.st_mode):
        tree.left_out["links"] += 1
    else:
        tree.missed["FIFO, socket or device"].add(Path(entry.path).relative_to(root).as_posix())
    return False
