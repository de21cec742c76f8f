"""What all posture checks share: the files, their text, and the calls of their Python code, each read once."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mithridate.core.method import Combined, Outcome
from mithridate.core.progress import Progress
from mithridate.supply.posture.code import Module, notebook, python
from mithridate.supply.posture.walk import File, Tree, walk

MOST_TEXT = 2 << 20  # bytes of a file that is read as text: no code or configuration of people's own is larger
MOST_NOTEBOOK = 32 << 20  # notebooks hold their pictures
_SNIFFED = 8192
_WIDE = (b"\xff\xfe", b"\xfe\xff")  # byte order marks of UTF-16
_CHECKS = 12  # of this family
_TOLD_EVERY = 50  # files
_CODE = {".py", ".pyw", ".ipynb"}
_HELD = 64 << 20  # bytes of text kept for the next check


@dataclass(frozen=True, slots=True)
class PostureSettings:
    """`offline`: ask no database. `seed` is there for the report; nothing here is random."""

    offline: bool = False
    seed: int = 0


class Context:
    """The project as the checks see it."""

    def __init__(self, root: Path, tree: Tree, settings: PostureSettings, progress: Progress) -> None:
        self.root, self.files, self.settings, self.progress = root, tree.files, settings, progress
        self.missed, self.left_out = tree.missed, tree.left_out
        self._texts: dict[str, str | None] = {}
        self._held = self._read_so_far = self._checked = 0
        self._modules: dict[str, Module | None] | None = None

    def has(self, need: str) -> bool:
        """No posture check needs anything beside the folder."""
        del need
        return False

    def learn(self, method: str, outcome: Outcome) -> None:
        """No posture check leans on another; how many are done, progress says."""
        del method, outcome
        self._checked += 1

    def text(self, file: File) -> str | None:
        """The file's text; None when it is binary; or when it is too large or can't be read, which is noted."""
        if file.name in self._texts:
            return self._texts[file.name]
        found = self._read(file)
        self._read_so_far += 1
        self._tell("reading", self._read_so_far)
        if found is None or self._held + len(found) <= _HELD:
            self._texts[file.name] = found
            self._held += len(found or "")
        return found

    def _tell(self, what: str, number: int) -> None:
        if number % _TOLD_EVERY == 0:
            share = min(1.0, number / max(1, len(self.files)))
            self.progress.step(f"{what}: file {number:,} of {len(self.files):,}", (self._checked + share) / _CHECKS)

    def _read(self, file: File) -> str | None:
        most = MOST_NOTEBOOK if file.suffix == ".ipynb" else MOST_TEXT
        try:
            descriptor = os.open(file.path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as opened:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    return None
                content = opened.read(_SNIFFED)
                if b"\0" in content and file.suffix not in _CODE and not content.startswith(_WIDE):
                    return None
                if file.size <= most:
                    content += opened.read(most)
        except OSError:
            self.missed["can't be read"].add(file.name)
            return None
        if file.size > most:
            self.missed[f"text of more than {most >> 20} MiB"].add(file.name)
            return None
        return self._decoded(file, content)

    def _decoded(self, file: File, content: bytes) -> str | None:
        """The text as its byte order mark says, UTF-8 without one; None for what is no text: said, where it is code."""
        if content.startswith(_WIDE):  # what PowerShell's `>` writes
            return content.decode("utf-16", errors="replace")
        if b"\0" not in content[:_SNIFFED]:
            return content.decode("utf-8-sig", errors="replace")
        if file.suffix in _CODE:
            self.missed["code with NUL bytes"].add(file.name)
        return None

    def modules(self) -> Iterator[tuple[File, Module]]:
        """Every Python file and notebook whose code could be parsed, with the calls that matter."""
        if self._modules is None:
            self._modules = {}
            for number, file in enumerate(self.files):
                self._tell("reading code", number)
                if file.suffix in _CODE:
                    self._modules[file.name] = self._module(file)
        for file in self.files:
            module = self._modules.get(file.name)
            if module is not None:
                yield file, module

    def _module(self, file: File) -> Module | None:
        body = self.text(file)
        if body is None:
            return None
        module = notebook(body) if file.suffix == ".ipynb" else python(body)
        if module is None:
            self.missed["no Python 3 that can be parsed"].add(file.name)
        elif module.unread:
            self.missed["cells that are no Python 3"].add(file.name)
        return module


def prepare(*, root: Path, settings: PostureSettings, progress: Progress) -> Context:
    """The context of one project.

    Raises
    ------
    InputError : there is no such folder.
    """
    return Context(root, walk(root), settings, progress)


def combine(context: Context, outcomes: Mapping[str, Outcome]) -> Combined:
    """All findings, worst first, and how much was looked at."""
    found = [finding for outcome in outcomes.values() for finding in outcome.findings]
    found.sort(key=lambda f: (-int(f.severity), -f.confidence, f.method, str(f.subject.extra.get("path", ""))))
    facts: dict[str, Any] = {"files": len(context.files), "left_out": dict(context.left_out)}
    return Combined(tuple(found), rows=facts)
